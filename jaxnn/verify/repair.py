"""What should stand in a wrong line: the change of one thing in it that puts the gradient right."""

import ast
import heapq
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.edits import Edit, edits
from jaxnn.verify.rewrite import (
    code_with,
    functions_of,
    loops_around,
    made_from,
    may_not_end,
    only_assembles,
    rewritten,
    statement_at,
)
from jaxnn.verify.steps import Path, Scope, Step, as_array, held, is_array, scopes
from jaxnn.verify.targets import close

SECONDS = 4.0  # for changes of one line, whose right value is known
LONGER = 8.0  # for changes of several lines, each tried by running everything


class Repair(NamedTuple):
    """What to change in a `line`, in words; `inside` of what stands there, or something to be put around it."""

    line: Line
    why: str
    inside: bool


def by_value(
    run: Callable, args: Sequence[Any], step: Step, expected: np.ndarray, *, inside: bool = False
) -> Repair | None:
    """Return the change in a step's line that gives it the value `expected`, evaluated where the line stands.

    `inside`: with nothing put around what stands there.
    """
    scope = scopes(run, args, {step.key}).get(step.key)
    statement = scope and parsed(step.line.text, step.name, scope.code)
    if scope is None or statement is None:
        return None
    with np.errstate(all="ignore"), jax.disable_jit():
        for names in (_in_numpy(scope.names), scope.names):
            found = ((root, _place(root, names, step.value)) for root in _expressions(statement))
            root, place = next(((root, place) for root, place in found if place is not None), (None, None))
            if root is None:
                continue
            started = time.thread_time()
            for edit in edits(root, *_called(names, root)):
                if time.thread_time() - started > SECONDS or (inside and not edit.inside):
                    break
                if _place(edit.tree, names, expected, place) is not None:
                    return Repair(step.line, edit.why, edit.inside)
            break
    return None


def by_running(
    run: Callable, args: Sequence[Any], is_right: Callable[[Any], bool], suspects: Iterable[Step]
) -> Repair | None:
    """Return the change in the line of one of the suspects that makes `run(*args)` right."""
    suspects = list({step.line: step for step in suspects}.values())
    seen = scopes(run, args, {step.key for step in suspects})
    lines = [(s.line, seen[s.key]) for s in suspects if s.key in seen and not only_assembles(s.line, s.name)]
    return in_lines(run, args, is_right, lines)


def in_lines(
    run: Callable, args: Sequence[Any], is_right: Callable[[Any], bool], lines: Sequence[tuple[Line, Scope]]
) -> Repair | None:
    """Return the change in one of the lines, each with what it sees, that makes `run(*args)` right.

    Also tried are the loops around such a line, and the lines that made what it takes but are no steps: whole numbers,
    shapes, indices. The likeliest changes of all lines come first.
    """
    started = time.thread_time()
    functions = {scope.code: functions_of(scope.code) for _, scope in lines}  # found by searching through everything
    for line, scope, statement, why in _changes(lines):
        if time.thread_time() - started > LONGER:
            return None
        if _is_right_with(run, args, is_right, line, functions[scope.code], statement):
            return Repair(line, why, True)
    return None


def in_function(
    run: Callable, args: Sequence[Any], is_right: Callable[[Any], bool], step: Step, expected: np.ndarray
) -> Repair | None:
    """Return the same for the function that a step stands in and returns the value of: its call is run by itself.

    `expected` is what it should return; NumPy stands in for JAX where that gives the same.
    """
    scope = scopes(run, args, {step.key}).get(step.key)
    functions = functions_of(scope.code) if scope is not None else []
    if scope is None or not functions or scope.code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    for swap in (_in_numpy, dict):
        own, given = functions[0], swap(scope.given)
        names = swap(own.__globals__)

        def returned(code, own=own, given=given, names=names):
            f = FunctionType(code, names, own.__name__, own.__defaults__, own.__closure__)
            f.__kwdefaults__ = own.__kwdefaults__
            with np.errstate(all="ignore"), jax.disable_jit():
                return held(f(**jax.tree.map(_fresh, given)))

        try:
            place = next(path for path, leaf in returned(own.__code__).items() if _equals(leaf, step.value))
        except Exception:  # NumPy cannot run it, or it does not return the step's value
            continue
        above = made_from(step.line, scope.code)
        started = time.thread_time()
        for line, _, statement, why in _changes([(line, scope) for line in (step.line, *above)]):
            if time.thread_time() - started > SECONDS:
                break
            try:
                right = _equals(returned(code_with(own.__code__, line, statement))[place], expected)
            except Exception:  # most changes make no sense
                continue
            if right and _is_right_with(run, args, is_right, line, functions, statement):
                return Repair(line, why, True)
        break
    return None


def _equals(value, expected):
    array = as_array(value)
    return array is not None and close(array, expected)


def _is_right_with(run, args, is_right, line, functions, statement):
    try:
        with rewritten(functions, line, statement), np.errstate(all="ignore"), jax.disable_jit():
            return is_right(run(*jax.tree.map(_fresh, args)))
    except Exception:  # most changes make no sense
        return False


def _changes(lines: Sequence[tuple[Line, Scope]]) -> Iterator[tuple[Line, Scope, ast.stmt, str]]:
    """Yield changed statements in lines, the loops around them and what made their numbers, the likeliest first."""
    loops = {loop: scope for line, scope in lines for loop in loops_around(line, scope.code)}
    others = {
        other: scope
        for line, scope in lines[:3]
        for other in made_from(line, scope.code)
        if not all(is_array(scope.names.get(name)) for name in other.names)
    }
    each = (_inside(*place) for place in (loops | others | dict(lines)).items())
    for edit, line, scope, statement in heapq.merge(*each, key=lambda change: change[0].rank):
        yield line, scope, _with_body(edit.tree, statement), edit.why


def _inside(line: Line, scope: Scope) -> Iterator[tuple[Edit, Line, Scope, ast.stmt]]:
    """Yield the changes inside of a line."""
    statement = statement_at(line)
    if statement is None or may_not_end(line):
        return
    head = _head(statement)
    for edit in edits(head, *_called(scope.names, head)):
        if not edit.inside:
            break
        yield edit, line, scope, statement


def _head(statement: ast.stmt) -> ast.stmt:
    """Return a loop without its body, anything else as it is."""
    if isinstance(statement, ast.For):
        return ast.copy_location(ast.For(statement.target, statement.iter, [], []), statement)
    return statement


def _with_body(head: ast.stmt, statement: ast.stmt) -> ast.stmt:
    if isinstance(head, ast.For) and isinstance(statement, ast.For):
        return ast.copy_location(ast.For(head.target, head.iter, statement.body, statement.orelse), statement)
    return head


def _fresh(leaf):
    return np.array(leaf) if isinstance(leaf, np.ndarray) else leaf


def parsed(line: str, name: str = "", code: CodeType | None = None) -> ast.stmt | None:
    """Return a line as a statement, of several the one that assigns to `name`; None where it is none.

    Of the line that a lambda stands in only the lambda's own expression, by its `code`: the rest is its caller's.
    """
    if code is not None and code.co_name == "<lambda>":
        return next((ast.Expr(node.body) for node in _lambdas(line) if _like(node, code)), None)
    for whole in (line, f"def f():\n {line}"):
        try:
            (*others, statement) = ast.parse(whole).body
        except (SyntaxError, ValueError):
            continue
        found = statement.body if isinstance(statement, ast.FunctionDef) else [*others, statement]
        names = ([n.id for n in ast.walk(s) if isinstance(n, ast.Name) and _is_stored(n)] for s in found)
        return next((s for s, assigned in zip(found, names, strict=True) if name in assigned), found[0])
    return None


def _lambdas(line):
    """Return the lambdas in a line, which may be the head of a statement that goes on."""
    for whole in (line, f"{line}\n pass", f"def f():\n {line}"):
        try:
            return [node for node in ast.walk(ast.parse(whole)) if isinstance(node, ast.Lambda)]
        except (SyntaxError, ValueError):
            continue
    return []


def _like(node, code):
    """Return whether a lambda has been compiled to a code, apart from where its names are found."""
    made = compile(ast.Expression(node), "<lambda>", "eval").co_consts
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


def _is_stored(node):
    return isinstance(node.ctx, ast.Store)


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    """Return the expressions of a statement, the outermost first; `a += b` is `a + b`."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        whole = ast.BinOp(ast.Name(statement.target.id, ast.Load()), statement.op, statement.value)
        return [ast.fix_missing_locations(whole)]
    return [node for node in ast.walk(statement) if isinstance(node, ast.expr) and _is_value(node)]


def _is_value(node):
    return not isinstance(node, ast.Constant) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _place(expression: ast.expr, names: dict[str, Any], wanted: np.ndarray, at: Path | None = None) -> Path | None:
    """Return where in an expression's value an array stands, `at` that place if it is given; None where it does not."""
    try:
        found = held(eval(compile(ast.Expression(expression), "<repair>", "eval"), dict(names)))
    except Exception:  # most changes make no sense
        return None
    places = {path: as_array(part) for path, part in found.items() if at is None or path == at}
    return next((path for path, array in places.items() if array is not None and close(array, wanted)), None)


def _in_numpy(names: dict[str, Any]) -> dict[str, Any]:
    """Return the same variables for NumPy, which need not compile every change."""

    def plain(value):
        if value is jax.numpy:
            return np
        if isinstance(value, jax.Array | dict | list | tuple):
            return jax.tree.map(lambda leaf: np.asarray(leaf) if _is_plain(leaf) else leaf, value)
        return value

    return {name: plain(value) for name, value in names.items()}


def _is_plain(leaf):
    return isinstance(leaf, jax.Array) and not jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _called(names: dict[str, Any], tree: ast.AST) -> tuple[list[str], list[str]]:
    """Return the arrays and the numbers that have a name, those in a tree first; entries of dicts are named too."""
    seen = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    arrays, numbers = [], []
    for name in sorted(names, key=lambda name: name not in seen):
        value = names[name]
        if as_array(value) is not None and not isinstance(value, float):
            arrays.append(name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append(name)
        elif isinstance(value, dict) and len(value) <= 20 and name.isidentifier() and not name.startswith("__"):
            arrays += [f"{name}[{key!r}]" for key, part in value.items() if as_array(part) is not None]
        elif isinstance(value, tuple):
            fields = [field for field in getattr(value, "_fields", ()) if as_array(getattr(value, field)) is not None]
            arrays += [f"{name}.{field}" for field in fields]
    return arrays, numbers
