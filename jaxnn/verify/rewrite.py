"""A function run with one of its statements rewritten."""

import ast
import gc
import linecache
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FunctionType

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.edits import put


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


def may_not_end(line: Line) -> bool:
    """Return whether there is a `while` around a line, which could go on for ever with another statement in it."""
    part = _part(line)
    return part is None or any(isinstance(node, ast.While) for node in ast.walk(part))


def functions_of(code: CodeType) -> list[FunctionType]:
    """Return the functions that run a code."""
    return [f for f in gc.get_referrers(code) if isinstance(f, FunctionType) and f.__code__ is code]


@contextmanager
def rewritten(functions: Sequence[FunctionType], line: Line, statement: ast.stmt) -> Iterator[None]:
    """A context in which functions of one code have another statement in the place of one line's.

    Raises `ValueError` where the changed code cannot take the place of the old one.
    """
    old, part = statement_at(line), _part(line)
    if old is None or part is None or not functions:
        raise ValueError(f"{line.function}: no source, or no function to be run with another line {line.number}")
    code = functions[0].__code__
    whole = compile(ast.Module([put(old, statement, part)], []), line.file, "exec", dont_inherit=True)
    new = _code_like(code, whole)
    if new is None or new.co_freevars != code.co_freevars:
        raise ValueError(f"{line.function}: cannot be run with another line {line.number}")
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
