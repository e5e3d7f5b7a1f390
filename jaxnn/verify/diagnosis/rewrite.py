"""A function run with one of its statements rewritten."""

import ast
import copy
import gc
import linecache
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

from jaxnn.trace.jaxprs import Line, source_line

Part = ast.stmt | ast.expr  # of a file, which something else is put in the place of
Written = Part | ast.Module  # what is put there; a module is several statements
JOINS = {"stack", "concatenate", "block", "hstack", "vstack", "asarray", "array", "append"}
LAYOUT = {
    *(*JOINS, "reshape", "ravel", "flatten"),
    *("transpose", "swapaxes", "moveaxis", "squeeze", "expand_dims", "pad", "dict", "list", "tuple", "reversed", "zip"),
    *("range", "len", "enumerate"),
}


def statement_at(line: Line, name: str = "") -> ast.stmt | None:
    """Return the statement of a line of the source, a loop or a condition with its body; None without source.

    Of several in one line it is the one that assigns to `name`, or else the first that is no function.
    """
    found = [node for node in _statements(line.file) if node.lineno == line.number]
    assigning = (node for node in found if not hasattr(node, "body") and name in assigned(node))
    plain = (node for node in found if not isinstance(node, ast.FunctionDef | ast.ClassDef))
    return next(assigning, None) or next(plain, None)


def row_of(line: Line) -> tuple[list[ast.stmt], int]:
    """Return the simple statements that follow each other around that of a line, and its place among them."""
    part, statement = _part(line), statement_at(line)
    if part is None or statement is None or part is statement or not _is_simple(statement):
        return [], 0
    parent, field, index = parents(part)[statement]
    block = getattr(parent, field) if index is not None else [statement]
    first = last = index or 0
    while first > 0 and _is_simple(block[first - 1]):
        first -= 1
    while last + 1 < len(block) and _is_simple(block[last + 1]):
        last += 1
    return block[first : last + 1], (index or 0) - first


def _is_simple(statement):
    return not hasattr(statement, "body") and not isinstance(statement, ast.Return)


def lambda_at(line: Line, code: CodeType) -> ast.Lambda | None:
    """Return the lambda in a line of the source that a code is of."""
    part = _part(line)
    nodes = [node for node in ast.walk(part) if isinstance(node, ast.Lambda)] if part is not None else []
    return next((node for node in nodes if node.lineno == code.co_firstlineno and _like(node, code)), None)


def _like(node, code):
    """Return whether a lambda has been compiled to a code, apart from where its names are found."""
    made = compile(ast.fix_missing_locations(ast.Expression(node)), "<lambda>", "eval").co_consts
    same = ("co_varnames", "co_argcount", "co_kwonlyargcount")
    bodies = [c for c in made if isinstance(c, CodeType)]
    known = {*code.co_names, *code.co_freevars}
    return any(
        all(getattr(c, a) == getattr(code, a) for a in same)
        and {*c.co_names, *c.co_freevars} == known
        and [v for v in c.co_consts if not isinstance(v, CodeType)]
        == [v for v in code.co_consts if not isinstance(v, CodeType)]
        for c in bodies
    )


def assigned(node: ast.AST) -> set[str]:
    """Return the names that a part of the source assigns to."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


@lru_cache(maxsize=256)
def subscripts(line: Line) -> dict[str, bool]:
    """Return the parts of arrays, "diff[n, c]", in the function or class of a line, and whether they are read there.

    Those that call something are left out: to evaluate them could change what the caller holds.
    """
    plain = _without_calls(line, ast.Subscript)
    written = {ast.unparse(node): False for node in plain}
    return written | {ast.unparse(node): True for node in plain if isinstance(node.ctx, ast.Load)}


@lru_cache(maxsize=256)
def operations(line: Line) -> list[str]:
    """Return the sums, products and the like in the function or class of a line, those that call nothing."""
    return list(dict.fromkeys(map(ast.unparse, _without_calls(line, ast.BinOp))))


def _without_calls(line: Line, kind: type[ast.AST]) -> list[Any]:
    part = _part(line)
    found = [node for node in ast.walk(part) if isinstance(node, kind)] if part is not None else []
    return [node for node in found if not any(isinstance(n, ast.Call | ast.NamedExpr) for n in ast.walk(node))]


def blocks_around(line: Line, code: CodeType) -> list[Line]:
    """Return the lines of the loops and conditions of a function that a line stands in, the innermost first."""
    nodes = [node for part in _parts(line.file) for node in ast.walk(part) if isinstance(node, ast.For | ast.If)]
    around = [n for n in nodes if code.co_firstlineno < n.lineno < line.number <= (n.end_lineno or 0)]
    return [
        Line(line.file, node.lineno, line.function, (), linecache.getline(line.file, node.lineno).strip())
        for node in sorted(around, key=lambda node: -node.lineno)
    ]


def function_around(line: Line) -> ast.AST:
    """Return the innermost function that a line stands in."""
    found = [node for node in _statements(line.file) if isinstance(node, ast.FunctionDef)]
    inside = (node for node in found if node.lineno <= line.number <= (node.end_lineno or 0))
    return max(inside, key=lambda node: node.lineno, default=ast.Module([], []))


def only_assembles(line: Line, name: str = "") -> bool:
    """Return whether a statement computes nothing: it stacks or lays out what others made, and cuts nothing off.

    Of a tuple that is returned it is the part of that `name`, "return[0]", which is meant.
    """
    statement = statement_at(line)
    if statement is None or isinstance(statement, ast.For):
        return False
    tree: ast.AST = statement
    part = re.match(r"return\[(\d+)\]", name)
    if part and isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
        parts = statement.value.elts
        tree = parts[int(part[1])] if int(part[1]) < len(parts) else statement
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {ast.unparse(call.func).rsplit(".", 1)[-1] for call in calls}
    cuts = [node for node in ast.walk(tree) if isinstance(node, ast.Tuple) and any(map(_has_bounds, node.elts))]
    indices = {id(node) for sub in ast.walk(tree) if isinstance(sub, ast.Subscript) for node in ast.walk(sub.slice)}
    computes = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and id(node) not in indices]
    return bool(named) and named <= LAYOUT and not cuts and not computes


def _has_bounds(node):
    return isinstance(node, ast.Slice) and not (node.lower is node.upper is node.step is None)


def only_unpacks(line: Line) -> bool:
    """Return whether a statement gives names to what is there: it has no operation and calls nothing."""
    value = getattr(statement_at(line), "value", None)
    return value is not None and not any(isinstance(n, ast.BinOp | ast.UnaryOp | ast.Call) for n in ast.walk(value))


def made_from(line: Line, code: CodeType) -> list[Line]:
    """Return the lines above one in its function that assign the names in it, the nearest first."""
    statement = statement_at(line)
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} if statement is not None else set()
    numbers = [
        node.lineno
        for part in _parts(line.file)
        for node in ast.walk(part)
        if isinstance(node, ast.Assign | ast.AugAssign) and code.co_firstlineno < node.lineno < line.number
    ]
    above = [source_line(line.file, number, line.function) for number in sorted(set(numbers), reverse=True)]
    return [other for other in above if names & set(other.names)]


def may_not_end(line: Line) -> bool:
    """Return whether there is a `while` around a line, which could go on for ever with another statement in it."""
    part = _part(line)
    return part is None or any(isinstance(node, ast.While) for node in ast.walk(part))


def put(old: ast.AST, new: Any, tree: ast.AST) -> Any:
    """Return a tree with `new`, a node or several statements, in the place of its node `old`.

    Only what is around the place is copied; the rest is shared.
    """
    for part in new if isinstance(new, list) else [new]:
        _located(part, old)
    above = parents(tree)
    while old is not tree:
        parent, field, index = above[old]
        changed = copy.copy(parent)
        if index is None:
            setattr(changed, field, new)
        else:
            parts = getattr(parent, field)
            setattr(changed, field, [*parts[:index], *(new if isinstance(new, list) else [new]), *parts[index + 1 :]])
        old, new = parent, changed
    return new


def merged(old: Any, one: Any, other: Any) -> Any:
    """Return a tree changed as `one` and as `other` are changed from `old`; None where both change the same place.

    One may have kept a part of what it changed, and the other have changed something in that part.
    """
    found = _side_by_side(old, one, other)
    for tree, change in (one, other), (other, one):
        if found is None and isinstance(tree, ast.AST):
            place, new = _changed(old, change)
            found = put(place, new, tree) if any(node is place for node in ast.walk(tree)) else None
    return found


def _side_by_side(old, one, other):
    if same(old, one) or same(one, other):
        return other
    if same(old, other):
        return one
    if not type(old) is type(one) is type(other):
        return None
    if isinstance(old, ast.AST):
        fields = {name: [getattr(part, name, None) for part in (old, one, other)] for name in old._fields}
        found = {name: _side_by_side(*parts) for name, parts in fields.items()}
        lost = any(value is None and fields[name][0] is not None for name, value in found.items())
        return None if lost else ast.copy_location(type(old)(**found), old)
    if isinstance(old, list) and len(old) == len(one) == len(other):
        found = [_side_by_side(*parts) for parts in zip(old, one, other, strict=True)]
        return None if any(part is None for part in found) else found
    return None


def _changed(old, new):
    """Return the innermost node in which two trees differ, in the one and in the other."""
    if type(old) is type(new):
        pairs = [
            pair
            for name in old._fields
            for pair in zip(*(_listed(getattr(tree, name, None)) for tree in (old, new)), strict=False)
        ]
        differ = [pair for pair in pairs if not same(*pair)]
        if len(differ) == 1 and all(isinstance(part, ast.expr) for part in differ[0]):
            return _changed(*differ[0])
    return old, new


def _listed(field):
    return field if isinstance(field, list) else [field]


def same(one: Any, other: Any) -> bool:
    """Return whether two parts of trees are spelt alike."""
    if isinstance(one, ast.AST) and isinstance(other, ast.AST):
        return one is other or ast.dump(one) == ast.dump(other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@lru_cache(maxsize=256)
def parents(tree: ast.AST) -> dict[ast.AST, tuple[ast.AST, str, int | None]]:
    """Return where each node below a tree stands: the node above it, the field and the place in it."""
    found: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            for index, part in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(part, ast.AST) and part._fields:  # operators are shared by all places
                    found[part] = node, field, index
    return found


def _located(node: ast.AST, old: ast.AST) -> ast.AST:
    """Return a node with the place of another where it has none; what stands in the source keeps its own."""
    return ast.fix_missing_locations(node if hasattr(node, "lineno") else ast.copy_location(node, old))


def functions_of(code: CodeType) -> list[FunctionType]:
    """Return the functions that run a code, and the outermost one around it, which may make them anew in every call."""
    found = [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]
    path, _, is_inner = code.co_qualname.partition(".<locals>.")
    modules = [m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == code.co_filename]
    for owner in modules if is_inner else ():
        outer: Any = owner
        for name in path.split("."):
            outer = getattr(outer, name, None)
        if isinstance(outer, FunctionType):
            found.append(outer)
    return found


def code_with(code: CodeType, file: str, changes: Sequence[tuple[Part, Written]]) -> CodeType:
    """Return a function's code with other statements, or other expressions of a lambda, in the place of old ones.

    Raises `ValueError` where there is no source, or the changed code cannot take the place of the old one.
    """
    first = changes[0][0].lineno
    part = next((p for p in _parts(file) if p.lineno <= first <= (p.end_lineno or p.lineno)), None)
    if part is None:
        raise ValueError(f"{code.co_qualname}: no source of line {code.co_firstlineno}")
    above = parents(part)
    with ExitStack() as stack:
        for old, new in changes:
            stack.enter_context(_exchanged(*above[old][:2], old, new))
        whole = compile(ast.Module([_alone(part, first)], []), file, "exec", dont_inherit=True)
    made = _code_like(code, whole)
    if made is None or made.co_freevars != code.co_freevars:
        raise ValueError(f"{code.co_qualname}: cannot be run with another line")
    return made


def _alone(part: ast.stmt, number: int) -> ast.stmt:
    """Return a class with the method alone that a line is of, anything else as it is: what is compiled takes time."""
    if not isinstance(part, ast.ClassDef):
        return part
    alone = copy.copy(part)
    alone.bases, alone.keywords, alone.decorator_list = [], [], []
    alone.body = [m for m in part.body if m.lineno <= number <= (m.end_lineno or 0)] or part.body
    return alone


def _mentioning(names: ast.expr) -> ast.stmt:
    return ast.If(ast.Constant(False), [ast.Expr(names)], [])


@contextmanager
def _exchanged(parent: ast.AST, field: str, old: Part, new: Written) -> Iterator[None]:
    """A context in which a tree has something new in the place of something old: copying it takes longer than running.

    The names of the old stay mentioned, so that the code closes over the same variables.
    """
    names = ast.Tuple([ast.Name(n.id, ast.Load()) for n in ast.walk(old) if isinstance(n, ast.Name)], ast.Load())
    if not isinstance(new, ast.expr):
        there = [*(new.body if isinstance(new, ast.Module) else [new]), _mentioning(names)]
    else:
        there = [ast.IfExp(ast.Constant(True), new, names)]
    for node in there:
        _located(node, old)
    before = getattr(parent, field)
    if isinstance(before, list):
        k = next(k for k, node in enumerate(before) if node is old)
        setattr(parent, field, [*before[:k], *there, *before[k + 1 :]])
    else:
        setattr(parent, field, there[0])
    try:
        yield
    finally:
        setattr(parent, field, before)


@contextmanager
def rewritten(functions: Sequence[FunctionType], file: str, changes: Sequence[tuple[Part, Written]]) -> Iterator[None]:
    """A context in which functions, those that `functions_of` gives, have something else in the place of what is there.

    Raises `ValueError` as `code_with` does where none can have it, and where there is no function.
    """
    before = {function: function.__code__ for function in functions}
    changed: dict[CodeType, CodeType] = {}
    refused = ValueError("no function to be run with another line")
    for code in dict.fromkeys(before.values()):
        try:
            changed[code] = code_with(code, file, changes)
        except ValueError as error:
            refused = error
    if not changed:
        raise refused
    try:
        for function, code in before.items():
            function.__code__ = changed.get(code, code)
        yield
    finally:
        for function, code in before.items():
            function.__code__ = code


def _part(line: Line) -> ast.stmt | None:
    """Return the statement of a module, a function or a class as a rule, that a line stands in."""
    return next((p for p in _parts(line.file) if p.lineno <= line.number <= (p.end_lineno or p.lineno)), None)


def _code_like(code: CodeType, whole: CodeType) -> CodeType | None:
    """Return the code inside of `whole` that stands where `code` does."""
    for constant in whole.co_consts:
        if isinstance(constant, CodeType):
            if (constant.co_qualname, constant.co_firstlineno) == (code.co_qualname, code.co_firstlineno):
                return constant
            inner = _code_like(code, constant)
            if inner is not None:
                return inner
    return None


@lru_cache(maxsize=16)
def _statements(file: str) -> list[ast.stmt]:
    """Return all statements of a file, those around others first."""
    return [node for part in _parts(file) for node in ast.walk(part) if isinstance(node, ast.stmt)]


@lru_cache(maxsize=16)
def _parts(file: str) -> list[ast.stmt]:
    try:
        return ast.parse("".join(linecache.getlines(file))).body
    except (SyntaxError, ValueError):
        return []
