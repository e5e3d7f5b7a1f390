"""Edits of more than a token: a component taken off, a triangle folded, a sum turned round, a round too much.

Each is the derivative of something that many programs hold: of a softmax or a normalised vector (the part along the
output goes), of a mean that was subtracted, of a symmetric or triangular matrix, of windows that are cut off at a
border, of sums that run on, of loops.
"""

import ast
import itertools
from collections.abc import Sequence

from jaxnn.trace.expressions import parsed
from jaxnn.verify.diagnosis.edits.statements import Change, Changes, swaps, text

OVER = ("", "axis=0, keepdims=True", "axis=-1, keepdims=True")
TRIANGLES = {
    "np.tril({x})": ": a lower triangular matrix has no entries above its diagonal",
    "np.triu({x})": ": an upper triangular matrix has no entries below its diagonal",
    "np.triu({x}) + np.tril({x}, -1).T": ": only the upper triangle is read, of a symmetric matrix",
    "np.tril({x}) + np.triu({x}, 1).T": ": only the lower triangle is read, of a symmetric matrix",
    "{x} + {x}.T": ": a symmetric matrix counts both triangles",
    "({x} + {x}.T) / 2": ": a symmetric matrix has a symmetric gradient",
}


def projections(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield the node without its mean, and without its component along an array, as normalising makes it.

    Also such an expression of two of its own arrays: a derivative that was taken for an elementwise one.
    """
    x = f"({ast.unparse(node)})"
    for over in OVER:
        yield parsed(f"{x} - {x}.mean({over})"), f"the path through a mean is missing: {text(node)} has to lose its own"
    own = {ast.unparse(part) for part in ast.walk(node) if isinstance(part, ast.Name | ast.Subscript | ast.Attribute)}
    own = own.intersection(arrays) if isinstance(node, ast.BinOp) else set()
    pairs = [*((x, q) for q in arrays), *((one, other) for one in sorted(own) for other in sorted(own))]
    for (of, q), over in itertools.product(pairs, OVER):
        why = (
            f"the path through the sum is missing in {text(node)}: what it has along `{q}` has to go, the derivative of"
        )
        for total in ("sum", "mean"):
            yield parsed(f"{of} - {q} * ({q} * {of}).{total}({over})"), f"{why} what is normalised"
        said = f"{why} a softmax, whose Jacobian is not diagonal: every output depends on all inputs"
        yield parsed(f"{q} * ({of} - ({q} * {of}).sum({over}))"), said


def counts(parts: Sequence[str]) -> Change:
    """Return how a number of entries is replaced by that of a part of an array, which may be cut off at a border."""
    # Of all channels, for example, one: x[:, i:j] has as many windows as x[0, i:j].
    parts = list(dict.fromkeys(form for part in parts for form in (part, _without_whole_axes(part))))

    def change(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
        for part in parts:
            why = ": the number of entries that are there, fewer at the border of a window that is cut off"
            yield parsed(f"{part}.size"), why

    return change


def strides(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a whole number times another, such as a stride or a dilation."""
    for name in (name for name in numbers if name.isidentifier() and name != ast.unparse(node)):
        yield ast.BinOp(node, ast.Mult(), parsed(name)), f": the factor `{name}` is missing"


def _without_whole_axes(part):
    cut = parsed(part)
    if isinstance(cut, ast.Subscript) and isinstance(cut.slice, ast.Tuple):
        whole = [isinstance(x, ast.Slice) and x.lower is x.upper is x.step is None for x in cut.slice.elts]
        first = [ast.Constant(0) if all_ else x for all_, x in zip(whole, cut.slice.elts, strict=True)]
        cut = ast.Subscript(cut.value, ast.Tuple(first, ast.Load()), ast.Load())
    return ast.unparse(cut)


def called(functions: Sequence[str]) -> Change:
    """Return how a function of the user's is put around a node."""

    def change(node: ast.expr, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
        yield from ((parsed(f"{name}({ast.unparse(node)})"), "") for name in functions)

    return change


def too_much(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield nothing in the place of a statement that gives variables new values made of their own."""
    if isinstance(node, ast.Assign):
        given = {n.id for n in ast.walk(node.targets[0]) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        if given and given <= read:
            yield ast.Pass(), f"{text(node)} is too much: leave it out"


def conditions(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a condition that holds less often, by another number too, or never."""
    if isinstance(node, ast.If):
        for name in numbers:
            for other in (f"{name} == 1", f"{name} == 0", f"{name} > 0"):
                test = ast.BoolOp(ast.And(), [node.test, parsed(other)])
                new = ast.If(test, node.body, node.orelse)
                yield new, f"`{ast.unparse(node.test)}` holds too often: only where `{other}` as well"


def running(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a running sum, or product, from the end: the adjoint of one from the beginning."""
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("cumsum", "cumprod")):
        reverse = ast.Slice(None, None, parsed("-1"))
        for back in (reverse, ast.Tuple([parsed("..."), reverse], ast.Load())):
            given = [ast.Subscript(node.args[0], back, ast.Load()), *node.args[1:]]
            new = ast.Subscript(ast.Call(node.func, given, node.keywords), back, ast.Load())
            yield new, ": from the end, in reverse, of this one and all after"


def orders(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a list, tuple or dict with two of its items exchanged: what is joined or returned in another order."""
    if isinstance(node, ast.List | ast.Tuple | ast.Dict):
        for items in swaps(node.values if isinstance(node, ast.Dict) else node.elts):
            new = ast.Dict(node.keys, items) if isinstance(node, ast.Dict) else type(node)(items, ast.Load())
            yield new, f"{text(node)} has its items in the wrong order, two are swapped: write {text(new)}"


def rounds(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a `range` with one round more or less, at its beginning or at its end."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func) != "range" or not 1 <= len(node.args) <= 3:
        return
    ends = node.args[:2] if len(node.args) > 1 else [ast.Constant(0), node.args[0]]
    down = len(node.args) == 3 and ast.unparse(node.args[2]).startswith("-")
    for (side, which), by in itertools.product(enumerate(("first", "last")), (1, -1)):
        start, stop = (plus(end, by) if k == side else end for k, end in enumerate(ends))
        kept = [stop] if ast.unparse(start) == "0" and len(node.args) < 3 else [start, stop]
        new = ast.Call(node.func, [*kept, *node.args[2:]], [])
        more = ((by > 0) == (side > 0)) != down
        what = f"a round is missing, its {which} one" if more else f"the {which} round is too much"
        yield new, f": {what}, a bound off by one"


def plus(number: ast.expr, by: int) -> ast.expr:
    """Return a whole number that is larger by 1 or -1, as it would be written."""
    try:
        return parsed(str(ast.literal_eval(number) + by))
    except (TypeError, ValueError):
        pass
    if isinstance(number, ast.BinOp) and isinstance(number.op, ast.Add | ast.Sub):
        if isinstance(number.right, ast.Constant) and isinstance(number.right.value, int):
            by += number.right.value if isinstance(number.op, ast.Add) else -number.right.value
            number = number.left
    return ast.BinOp(number, ast.Add() if by > 0 else ast.Sub(), ast.Constant(abs(by))) if by else number
