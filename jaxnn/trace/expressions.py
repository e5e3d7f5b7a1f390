"""Formulas as text and as LaTeX: Python expressions over the operands of an operation, written as a textbook does."""

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)  # how tightly a piece of a formula holds together
KNOWN = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "log", "exp", "max", "min"}  # functions LaTeX has a name for
GREEK = {"alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "nu", "pi", "rho", "sigma"}
GREEK |= {"tau", "phi", "chi", "psi", "omega"}
COMPARED = {ast.Gt: (">", ">"), ast.Lt: ("<", "<"), ast.GtE: (">=", r"\ge"), ast.LtE: ("<=", r"\le")}
COMPARED |= {ast.Eq: ("=", "="), ast.NotEq: ("!=", r"\ne")}


PRETTY = {" * ": " · ", "sqrt ": "√", "^T": "ᵀ", "^2": "²", "^3": "³", ">=": "≥", "<=": "≤", "!=": "≠"}


class Formula(NamedTuple):
    """One formula in plain letters, in LaTeX and, for a page, with the signs that plain letters lack."""

    text: str
    latex: str
    pretty: str


Operands = Mapping[str, str | Formula]


def formula(expression: str, operands: Operands) -> Formula:
    """Return a Python expression written out, each name in it replaced by the operand it stands for."""
    tree = parsed(expression)
    pretty = _text(tree, {name: o.pretty if isinstance(o, Formula) else o for name, o in operands.items()})[0]
    for plain, sign in PRETTY.items():
        pretty = pretty.replace(plain, sign)
    return Formula(_text(tree, operands)[0], _latex(tree, operands)[0], pretty)


def derivative(of: str, by: str) -> Formula:
    """Return the symbol of the derivative of one named value by another."""
    return Formula(f"d{of}/d{by}", rf"\frac{{\partial {symbol(of)}}}{{\partial {symbol(by)}}}", f"∂{of}/∂{by}")


def words(text: str) -> Formula:
    """Return plain text."""
    return Formula(text, rf"\text{{{escape(text)}}}" if text else "", text)


def number(value: float) -> Formula:
    """Return a number with seven digits, as R prints it."""
    text = f"{value:.7g}"
    mantissa, e, power = text.partition("e")
    latex = rf"{mantissa} \cdot 10^{{{int(power)}}}" if e else text
    latex = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{NaN}"}.get(latex, latex)
    return Formula(text, latex, text.replace("-", "\N{MINUS SIGN}"))


@lru_cache(maxsize=4096)
def parsed(expression: str) -> ast.expr:
    """Return an expression of the source; the same one each time, since parsing takes long."""
    return ast.parse(expression, mode="eval").body


def symbol(name: str) -> str:
    """Return a name in LaTeX: single letters and Greek ones as symbols, `W1` with its number below, words upright."""
    head = name.rstrip("0123456789")
    below = name[len(head) :]
    if head in GREEK:
        return f"\\{head}" + (f"_{{{below}}}" if below else "")
    if len(head) == 1 and head.isalpha():
        return head + (f"_{{{below}}}" if below else "")
    return f"\\mathrm{{{escape(name)}}}"


def escape(text: str) -> str:
    """Return text with what LaTeX would read as a command taken literally."""
    special = {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"} | {c: f"\\{c}" for c in "&%$#_{}"}
    return "".join(special.get(c, c) for c in text)


def _wrap(piece, at_least, left="(", right=")"):
    written, strength = piece
    return written if strength >= at_least else f"{left}{written}{right}"


def _right_operand(piece, left="(", right=")"):
    """Return what stands behind a sign or in a product: in brackets where it is a sum or begins with a sign."""
    written, strength = piece
    return f"{left}{written}{right}" if strength in (SUM, SIGN) else written


def _operand(name, operands):
    """Return an operand's text and strength: a number below 0 is as weak as a sign."""
    text = operands.get(name, name)
    if isinstance(text, Formula):
        return text.text, _strength(text)
    return text, SIGN if text.startswith("-") else ATOM


def _strength(written: Formula) -> int:
    # What a formula was made of is no longer known: one with a blank in it is put in brackets to be safe.
    return SUM if " " in written.text else ATOM


def _filled(value, operands):
    return value.format_map({name: o.text if isinstance(o, Formula) else o for name, o in operands.items()})


def _text(node, operands):
    match node:
        case ast.Constant(value):
            return (_filled(value, operands) if isinstance(value, str) else f"{value:g}"), ATOM
        case ast.Name(name):
            return _operand(name, operands)
        case ast.Subscript(value, index):
            return f"{_wrap(_text(value, operands), ATOM)}[{ast.unparse(index).strip('()')}]", ATOM
        case ast.Attribute(value, "T"):
            return f"{_wrap(_text(value, operands), ATOM)}^T", ATOM
        case ast.UnaryOp(ast.USub(), operand):
            return f"-{_wrap(_text(operand, operands), PRODUCT)}", SIGN
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            a, b = _text(left, operands), _text(right, operands)
            return f"{a[0]} {'+' if isinstance(sign, ast.Add) else '-'} {_right_operand(b)}", SUM
        case ast.BinOp(left, ast.Mult(), right):
            a, b = _text(left, operands), _text(right, operands)
            times = " " if isinstance(left, ast.Constant) else " * "
            return f"{_wrap(a, PRODUCT)}{times}{_right_operand(b)}", PRODUCT
        case ast.BinOp(left, ast.MatMult(), right):
            return f"{_wrap(_text(left, operands), PRODUCT)} @ {_wrap(_text(right, operands), POWER)}", PRODUCT
        case ast.BinOp(left, ast.Div(), right):
            return f"{_wrap(_text(left, operands), PRODUCT)}/{_wrap(_text(right, operands), POWER)}", PRODUCT
        case ast.BinOp(left, ast.Pow(), right):
            return f"{_wrap(_text(left, operands), ATOM)}^{_wrap(_text(right, operands), ATOM)}", POWER
        case ast.Compare(left, [sign], [right]):
            return f"{_text(left, operands)[0]} {COMPARED[type(sign)][0]} {_text(right, operands)[0]}", SUM
        case ast.Call(ast.Name("exp"), [argument]) if _text(argument, operands)[1] == ATOM:
            return f"e^{_text(argument, operands)[0]}", POWER
        case ast.Call(ast.Name("sqrt"), [argument]) if _text(argument, operands)[1] == ATOM:
            return f"sqrt {_text(argument, operands)[0]}", PRODUCT
        case ast.Call(ast.Name("abs"), [argument]):
            return f"|{_text(argument, operands)[0]}|", ATOM
        case ast.Call(ast.Name(name), arguments):
            return f"{operands.get(name, name)}({', '.join(_text(a, operands)[0] for a in arguments)})", ATOM
    raise ValueError(f"no way to write {ast.unparse(node)}")


def _latex(node, operands):
    def part(node, at_least):
        return _wrap(_latex(node, operands), at_least, r"\left(", r"\right)")

    match node:
        case ast.Constant(value):
            return (f"\\text{{{escape(_filled(value, operands))}}}" if isinstance(value, str) else f"{value:g}"), ATOM
        case ast.Name(name):
            if isinstance(operands.get(name), Formula):
                return operands[name].latex, _strength(operands[name])
            text, strength = _operand(name, operands)
            return (text if _is_number(text) else symbol(text)), strength
        case ast.Subscript(value, index):
            return f"{part(value, ATOM)}_{{{ast.unparse(index).strip('()')}}}", ATOM
        case ast.Attribute(value, "T"):
            return f"{part(value, ATOM)}^\\top", POWER
        case ast.UnaryOp(ast.USub(), operand):
            return f"-{part(operand, PRODUCT)}", SIGN
        case ast.BinOp(left, ast.Add() | ast.Sub() as sign, right):
            written = _right_operand(_latex(right, operands), r"\left(", r"\right)")
            return f"{part(left, SUM)} {'+' if isinstance(sign, ast.Add) else '-'} {written}", SUM
        case ast.BinOp(left, ast.Mult() | ast.MatMult(), right):
            written = _right_operand(_latex(right, operands), r"\left(", r"\right)")
            return f"{part(left, PRODUCT)} \\, {written}", PRODUCT
        case ast.BinOp(left, ast.Div(), right):
            # The bar of a fraction, a raised exponent and a root hold together what is in them, without brackets.
            return f"\\frac{{{part(left, SUM)}}}{{{part(right, SUM)}}}", POWER
        case ast.BinOp(left, ast.Pow(), right):
            return f"{part(left, ATOM)}^{{{part(right, SUM)}}}", POWER
        case ast.Compare(left, [sign], [right]):
            return f"{part(left, SUM)} {COMPARED[type(sign)][1]} {part(right, SUM)}", SUM
        case ast.Call(ast.Name("exp"), [argument]):
            return f"e^{{{part(argument, SUM)}}}", POWER
        case ast.Call(ast.Name("sqrt"), [argument]):
            return f"\\sqrt{{{part(argument, SUM)}}}", ATOM
        case ast.Call(ast.Name("abs"), [argument]):
            return f"\\left|{part(argument, SUM)}\\right|", ATOM
        case ast.Call(ast.Name(name), arguments):
            name = operands.get(name, name)
            called = f"\\{name}" if name in KNOWN else f"\\operatorname{{{escape(name)}}}"
            return f"{called}\\left({', '.join(part(a, SUM) for a in arguments)}\\right)", ATOM
    raise ValueError(f"no way to write {ast.unparse(node)}")


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
