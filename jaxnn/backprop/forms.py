"""Whether two formulas are the same one, written alike: up to the order of terms and of factors, and to brackets."""

import ast

from jaxnn.backprop.language import COMPARISONS, REDUCTIONS, Line, function_of


def alike(one: list[Line], other: list[Line]) -> bool:
    """Return whether the lines for one variable are the same in both programs."""
    return [_line(line) for line in one] == [_line(line) for line in other]


def _line(line: Line) -> tuple:
    index = ast.unparse(line.index) if line.index is not None else ""
    return line.name, index, line.adds, None if line.value is None else canonical(line.value)


def canonical(node: ast.expr) -> str:
    """Return a text that is the same for formulas that differ in the order of terms and factors alone."""
    match node:
        case ast.BinOp(op=ast.Add() | ast.Sub()) | ast.UnaryOp():
            return f"({' '.join(sorted(_terms(node, 1)))})"
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            return f"({' '.join(sorted(_factors(node, True)))})"
        case ast.BinOp():
            sign = "@" if isinstance(node.op, ast.MatMult) else "**"
            return f"({canonical(node.left)} {sign} {canonical(node.right)})"
        case ast.Compare():
            return f"({canonical(node.left)} {COMPARISONS[type(node.ops[0])]} {canonical(node.comparators[0])})"
        case ast.Constant():
            return f"{float(node.value):g}"  # pyright: ignore[reportArgumentType]
        case ast.Attribute():
            return f"{canonical(node.value)}.T"
        case ast.Subscript(value=ast.Attribute(attr="shape", value=of)):
            return f"{canonical(of)}.shape[{ast.unparse(node.slice)}]"
        case ast.Subscript():
            return f"{canonical(node.value)}[{ast.unparse(node.slice)}]"
        case ast.Call():
            return _call(node)
    return ast.unparse(node)


def _call(node: ast.Call) -> str:
    name, before = function_of(node)
    values = [*([before] if before is not None else []), *node.args]
    options = {str(keyword.arg): ast.unparse(keyword.value) for keyword in node.keywords}
    if name in REDUCTIONS:
        if len(values) == 2:
            options["axis"] = ast.unparse(values.pop())
        if options.get("keepdims") == "False":
            del options["keepdims"]
    said = [canonical(value) for value in values]
    return f"{name}({', '.join([*(sorted(said) if name == 'maximum' else said), *map(str, sorted(options.items()))])})"


def _terms(node: ast.expr, sign: int) -> list[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        return [*_terms(node.left, sign), *_terms(node.right, sign if isinstance(node.op, ast.Add) else -sign)]
    if isinstance(node, ast.UnaryOp):
        return _terms(node.operand, -sign if isinstance(node.op, ast.USub) else sign)
    return [f"{'+' if sign > 0 else '-'}{canonical(node)}"]


def _factors(node: ast.expr, above: bool) -> list[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return [*_factors(node.left, above), *_factors(node.right, above == isinstance(node.op, ast.Mult))]
    said = canonical(node)
    return [f"{'*' if above else '/'}{said}"] if said != "1" else []
