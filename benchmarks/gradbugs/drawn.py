"""A mistake drawn at random into a right gradient: `python -m benchmarks gradbugs --drawn SEED`.

Each seed is another list, and none is one that the checker was developed on. The kinds of mistake are written down here
for themselves: they share no code with the repairs that `jaxnn.verify` tries.
"""

import ast
import random
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import jax
import numpy as np

from benchmarks.gradbugs.gradients import MOVES, gradient_alone, is_gradient
from benchmarks.gradbugs.variants import NUMPY, RIGHT, Variant, is_small, variants
from benchmarks.mutants.mutant import loaded

MOST_DRAWS = 30  # of which most change the gradient: some write the same thing otherwise
FUNCTIONS = [  # that are easily taken for one another
    {"sin", "cos"},
    {"maximum", "minimum"},
    {"sum", "mean"},
    {"tril", "triu"},
    {"argmax", "argmin"},
    {"zeros_like", "ones_like"},
]
OPPOSITE = {ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.GtE: ast.LtE, ast.LtE: ast.GtE, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}


def drawn(path: Path, seed: int, folder: Path) -> Variant | None:
    """Return a case's right NumPy form with one mistake, whose gradient is finite, as large as it was, and wrong.

    None where `MOST_DRAWS` found none. What is drawn is written into the folder and run.
    """
    right = next((v for v in variants(path) if (v.form, v.tag) == (NUMPY, RIGHT) and not v.is_rule), None)
    if right is None:
        return None
    rng, known = random.Random(f"{path.stem} {seed}"), ast.parse(right.text)
    by_kind: dict[str, list[tuple[ast.stmt, ast.AST, ast.AST]]] = {}
    for statement in own_statements(known):
        for node in ast.walk(statement):
            for kind, new in mistakes(node):
                by_kind.setdefault(kind, []).append((statement, node, new))
    for number in range(MOST_DRAWS * bool(by_kind)):
        kind = rng.choice(sorted(by_kind))
        found = written(right.text, *rng.choice(by_kind[kind]))
        if found is not None and is_wrong(found[0], folder / f"drawn_{number}.py"):
            text, new, old = found
            return Variant(NUMPY, f"drawn {seed}", text, [new.strip()], small=is_small([(new, old)]))
    return None


def own_statements(module: ast.Module) -> list[ast.stmt]:
    """Return the statements of one line in `grad`, and in functions that it calls and the loss does not.

    None within a `while`, which might not end any more.
    """
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}

    def reached(name: str) -> set[str]:
        found, left = set(), [name]
        while left:
            one = left.pop()
            if one in functions and one not in found:
                found.add(one)
                left += [node.id for node in ast.walk(functions[one]) if isinstance(node, ast.Name)]
        return found

    own = [node for name in sorted(reached("grad") - reached("loss")) for node in ast.walk(functions[name])]
    endless = {inner for node in own if isinstance(node, ast.While) for inner in ast.walk(node)}
    simple = (ast.Assign, ast.AugAssign, ast.Expr, ast.Return)
    return [s for s in own if isinstance(s, simple) and s.lineno == s.end_lineno and s not in endless]


def mistakes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield what may stand in the place of a node by mistake, with the kind of it."""
    match node:
        case ast.BinOp(left, ast.Add(), right):
            yield from [("sign", ast.BinOp(left, ast.Sub(), right)), ("term left out", left), ("term left out", right)]
        case ast.BinOp(left, ast.Sub(), right):
            yield from [("sign", ast.BinOp(left, ast.Add(), right)), ("term left out", left)]
        case ast.BinOp(left, ast.Mult(), right):
            yield from [("factor left out", left), ("factor left out", right)]
        case ast.BinOp(left, ast.Div(), _):
            yield "divisor left out", left
        case ast.BinOp(left, ast.MatMult() as product, right):
            yield "operands", ast.BinOp(right, product, left)
        case ast.BinOp(left, ast.Pow() as power, ast.Constant(int(n))):
            yield from [("power", ast.BinOp(left, power, ast.Constant(n + 1))), ("power", left)]
        case ast.UnaryOp(ast.USub(), operand) if not isinstance(operand, ast.Constant):
            yield "sign", operand
        case ast.Attribute(value, "T"):
            yield "not transposed", value
        case ast.Constant(bool()):
            pass
        case ast.Constant(int(n) | float(n)):
            yield from [("number", ast.Constant(n + 1)), ("number", ast.Constant(2 * n))]
        case ast.Compare(left, [operator], others) if type(operator) in OPPOSITE:
            yield "comparison", ast.Compare(left, [OPPOSITE[type(operator)]()], others)
        case ast.Call(ast.Attribute(of, name), args, keywords):
            for other in (other for pair in FUNCTIONS if name in pair for other in sorted(pair - {name})):
                yield "function", ast.Call(ast.Attribute(of, other, ast.Load()), args, keywords)
            for k, keyword in enumerate(keywords):
                if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant):
                    other = ast.keyword("axis", ast.Constant(0 if keyword.value.value else 1))
                    yield "axis", ast.Call(node.func, args, [*keywords[:k], other, *keywords[k + 1 :]])
        case ast.Call(func, [one, two], keywords):
            yield "arguments", ast.Call(func, [two, one], keywords)
        case ast.Dict(keys, values):
            yield from (("entries swapped", ast.Dict(keys, some)) for some in neighbours_swapped(values))
        case ast.Tuple(items, use) | ast.List(items, use):
            yield from (("entries swapped", type(node)(some, use)) for some in neighbours_swapped(items))
        case ast.AugAssign(target, ast.Add(), value):
            yield from [("= for +=", ast.Assign([target], value)), ("sign", ast.AugAssign(target, ast.Sub(), value))]
        case ast.AugAssign(target, ast.Sub(), value):
            yield "sign", ast.AugAssign(target, ast.Add(), value)
        case ast.Subscript(value, ast.Slice(None, None, ast.UnaryOp())):
            yield "not reversed", value


def neighbours_swapped(items: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    """Yield the items with two neighbours exchanged."""
    for k in range(len(items) - 1):
        yield [*items[:k], items[k + 1], items[k], *items[k + 2 :]]


def written(text: str, statement: ast.stmt, old: ast.AST, new: ast.AST) -> tuple[str, str, str] | None:
    """Return the text with a node of a statement replaced, and the line as it is now and was; None where it is not
    alone on its line, or where it would stand there twice.
    """
    lines = text.splitlines()
    was = lines[statement.lineno - 1]
    statement, old = deepcopy((statement, old))
    changed = ast.fix_missing_locations(Replaced(old, new).visit(statement))
    now = was[: statement.col_offset] + ast.unparse(changed)
    lines[statement.lineno - 1] = now
    alone = was.strip() == was[statement.col_offset : statement.end_col_offset]
    return ("\n".join(lines) + "\n", now, was) if alone and lines.count(now) == 1 else None


class Replaced(ast.NodeTransformer):
    """Puts a node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return deepcopy(self.new) if node is self.old else self.generic_visit(node)


def is_wrong(text: str, file: Path) -> bool:
    """Return whether a module's gradient is one in shape, finite, and neither at `make_args` nor near it right."""
    file.write_text(text, encoding="utf-8")
    try:
        with np.errstate(all="ignore"):
            module = loaded(file, file.stem)
            args, argnums = module.make_args(), getattr(module, "ARGNUMS", 0)
            parameters = [args[k] for k in argnums] if isinstance(argnums, tuple) else args[argnums]
            shapes = [np.shape(leaf) for leaf in jax.tree.leaves(parameters)]
            found = jax.tree.leaves(gradient_alone(module.grad, argnums)(*args))
            if [np.shape(leaf) for leaf in found] != shapes or not all(np.isfinite(leaf).all() for leaf in found):
                return False
            return not any(is_gradient(module, argnums, moved) for moved in MOVES)
    except Exception:  # it does not run, which needs no checker
        return False
