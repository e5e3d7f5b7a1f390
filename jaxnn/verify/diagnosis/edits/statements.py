"""A statement of another kind in the place of one: `=` for `+=`, a copy, a loop the other way round."""

import ast
import copy
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jaxnn.verify.diagnosis.rewrite import put

# What may have been meant, and what is changed in words; those that begin with ":", or none, follow "a should be b".
Changes = Iterator[tuple[Any, str]]
Change = Callable[[Any, Sequence[str], Sequence[str]], Changes]  # of a node, with the arrays and numbers there
SWAPPED = {  # operators, comparisons and functions that are easily taken for one another
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div, ast.MatMult, ast.Add, ast.Sub),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mod, ast.Div),
    ast.Mod: (ast.FloorDiv,),
    ast.MatMult: (ast.Mult,),
    ast.Gt: (ast.Lt, ast.GtE, ast.LtE),
    ast.Lt: (ast.Gt, ast.LtE, ast.GtE),
    ast.GtE: (ast.Gt, ast.LtE, ast.Lt),
    ast.LtE: (ast.Lt, ast.GtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


def renamed(node: Any, new: Mapping[str, ast.expr], use: type[ast.expr_context] = ast.Load) -> Any:
    """Return a tree with expressions in all the places in which names are read, or assigned to."""
    return _Renamed(new, use).visit(copy.deepcopy(node))


class _Renamed(ast.NodeTransformer):
    """Puts expressions in all the places in which names are used in one way."""

    def __init__(self, new: Mapping[str, ast.expr], use: type[ast.expr_context]):
        self.new, self.use = new, use

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.new.get(node.id, node) if isinstance(node.ctx, self.use) else node


def swaps(items: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield the items with two of them exchanged."""
    for i, j in itertools.combinations(range(len(items)), 2):
        swapped = list(items)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        yield swapped


def text(node: ast.AST) -> str:
    return f"`{ast.unparse(node)}`"


def statements(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a statement of another kind: `=` or `-=` for `+=`, a loop the other way round."""
    if isinstance(node, ast.AugAssign):
        for other in SWAPPED.get(type(node.op), ()):
            yield ast.AugAssign(node.target, other(), node.value), ""
        yield ast.Assign([node.target], node.value), f"{text(node)} adds to what was there: write `=`"
        target = node.target
        slices = isinstance(target, ast.Subscript) and any(isinstance(n, ast.Slice) for n in ast.walk(target.slice))
        if isinstance(node.op, ast.Add) and isinstance(target, ast.Subscript) and not slices:
            add_at = ast.parse("np.add.at", mode="eval").body
            new = ast.Expr(ast.Call(add_at, [target.value, target.slice, node.value], []))
            yield new, f"{text(node)} adds once where an index comes several times: write {text(new)}"
    if isinstance(node, ast.For):
        walked = ast.Call(
            ast.Name("reversed", ast.Load()), [ast.Call(ast.Name("list", ast.Load()), [node.iter], [])], []
        )
        where = f"`for {ast.unparse(node.target)} in {ast.unparse(node.iter)}`"
        yield ast.For(node.target, walked, node.body, node.orelse), f"{where} should walk the other way round, reversed"


def sums(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a statement that adds to a variable in the place of one that overwrites it."""
    plain = (ast.Name, ast.Attribute, ast.Subscript)
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], plain):
        new = ast.AugAssign(node.targets[0], ast.Add(), node.value)
        yield new, f"{text(node)} overwrites what was there, where it should be added to: write `+=`"


def copies(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a statement that takes copies for one that gives an array a second name, or puts it into a list n times."""
    for many in ast.walk(node) if isinstance(node, ast.Assign) else ():
        if isinstance(many, ast.BinOp) and isinstance(many.op, ast.Mult) and isinstance(many.left, ast.List):
            (thing, *others), times = many.left.elts or [None], many.right
            if isinstance(thing, ast.Dict | ast.List | ast.Call | ast.Name) and not others:
                each = ast.parse(f"[{ast.unparse(thing)} for _ in range({ast.unparse(times)})]", mode="eval").body
                why = "is one object several times, an alias, and what changes one entry changes all"
                yield put(many, each, node), f"{text(many)} {why}: write {text(each)}"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript):
        copied = ast.Call(ast.Attribute(node.value, "copy", ast.Load()), [], [])
        new = ast.Assign(node.targets, copied)
        yield new, f"{text(node)} gives one array two names, and what is written into one changes the other: copy it"


def unpackings(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield a statement in which two variables get each other's values, those of a loop or a comprehension too."""
    for given in ast.walk(node):
        if isinstance(given, ast.Tuple) and isinstance(given.ctx, ast.Store):
            for places in swaps(given.elts):
                pair = " and ".join(text(a) for a, b in zip(given.elts, places, strict=True) if a is not b)
                written = ", ".join(map(ast.unparse, places))
                new = put(given, ast.Tuple(places, ast.Store()), node)
                yield new, f"{pair} are swapped, each gets the other's value: write `{written}`"


def targets(node: ast.AST, arrays: Sequence[str], numbers: Sequence[str]) -> Changes:
    """Yield an assignment to another variable."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        for other in arrays:
            if other.isidentifier() and other != node.targets[0].id:
                new = ast.Assign([ast.Name(other, ast.Store())], node.value, lineno=node.lineno)
                yield new, f": `{other}` is the variable that is used later"
