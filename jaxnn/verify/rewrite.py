"""A function run with one of its statements rewritten."""

import ast
import gc
import linecache
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FunctionType

from jaxnn.trace.jaxprs import Line, source_line
from jaxnn.verify.edits import put

JOINS = {"stack", "concatenate", "block", "hstack", "vstack", "asarray", "array", "append"}
LAYOUT = {
    *(*JOINS, "reshape", "ravel", "flatten"),
    *("transpose", "swapaxes", "moveaxis", "squeeze", "expand_dims", "pad", "dict", "list", "tuple", "reversed", "zip"),
    *("range", "len", "enumerate"),
}


def statement_at(line: Line) -> ast.stmt | None:
    """Return the statement of a line of the source, a loop or a condition with its body; None without source."""
    nodes = (node for part in _parts(line.file) for node in ast.walk(part))
    return next((node for node in nodes if isinstance(node, ast.stmt) and node.lineno == line.number), None)


def loops_around(line: Line, code: CodeType) -> list[Line]:
    """Return the lines of the `for` loops of a function that a line stands in, the innermost first."""
    nodes = [node for part in _parts(line.file) for node in ast.walk(part) if isinstance(node, ast.For)]
    around = [n for n in nodes if code.co_firstlineno < n.lineno < line.number <= (n.end_lineno or 0)]
    return [
        Line(line.file, node.lineno, line.function, (), linecache.getline(line.file, node.lineno).strip())
        for node in sorted(around, key=lambda node: -node.lineno)
    ]


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
    joined = [arg for call in calls if ast.unparse(call.func).rsplit(".", 1)[-1] in JOINS for arg in call.args]
    computes = [arg for arg in joined if isinstance(arg, ast.BinOp | ast.UnaryOp)]
    return bool(named) and named <= LAYOUT and not cuts and not computes


def _has_bounds(node):
    return isinstance(node, ast.Slice) and not (node.lower is node.upper is node.step is None)


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


def functions_of(code: CodeType) -> list[FunctionType]:
    """Return the functions that run a code."""
    return [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]


def code_with(code: CodeType, line: Line, statement: ast.stmt) -> CodeType:
    """Return a function's code with another statement in the place of one line's.

    Raises `ValueError` where there is no source, or the changed code cannot take the place of the old one.
    """
    old, part = statement_at(line), _part(line)
    if old is None or part is None:
        raise ValueError(f"{line.function}: no source of line {line.number}")
    # The names of the old statement stay mentioned, so that the code closes over the same variables.
    names = [ast.Name(n.id, ast.Load()) for n in ast.walk(old) if isinstance(n, ast.Name)]
    mention = ast.If(ast.Constant(False), [ast.Expr(ast.Tuple(list(names), ast.Load()))], [])
    whole = compile(ast.Module([put(old, [statement, mention], part)], []), line.file, "exec", dont_inherit=True)
    new = _code_like(code, whole)
    if new is None or new.co_freevars != code.co_freevars:
        raise ValueError(f"{line.function}: cannot be run with another line {line.number}")
    return new


@contextmanager
def rewritten(functions: Sequence[FunctionType], line: Line, statement: ast.stmt) -> Iterator[None]:
    """A context in which functions of one code have another statement in the place of one line's.

    Raises `ValueError` as `code_with` does, and where there is no function.
    """
    if not functions:
        raise ValueError(f"{line.function}: no function to be run with another line {line.number}")
    code = functions[0].__code__
    new = code_with(code, line, statement)
    try:
        for function in functions:
            function.__code__ = new
        yield
    finally:
        for function in functions:
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
def _parts(file: str) -> list[ast.stmt]:
    try:
        return ast.parse("".join(linecache.getlines(file))).body
    except (SyntaxError, ValueError):
        return []
