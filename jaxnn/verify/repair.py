"""What should stand in a wrong line: the change of one thing in it that gives the right value."""

import ast
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxnn.verify.edits import edits
from jaxnn.verify.steps import Key, as_array, variables_before
from jaxnn.verify.targets import close

SECONDS = 4.0
TRIED = 4000


def repair(run: Callable, args: Sequence[Any], key: Key, actual: np.ndarray, expected: np.ndarray) -> str:
    """Return what to change in the line of a step, whose value should be `expected`, in words; "" if nothing is found.

    The changed line is evaluated where the line stands, with the variables that it sees.
    """
    names = variables_before(run, args, key)
    statement = _parsed(key[0].text)
    if statement is None or not names:
        return ""
    with np.errstate(all="ignore"):
        roots = ((r, n) for n in (_in_numpy(names), names) for r in _expressions(statement) if _gives(r, n, actual))
        found, names = next(roots, (None, names))
        if found is None:
            return ""
        seen = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
        started = time.perf_counter()
        for number, edit in enumerate(edits(found, *_called(names, seen))):
            if number > TRIED or time.perf_counter() - started > SECONDS:
                break
            if _gives(edit.expression, names, expected):
                return edit.why
    return ""


def _parsed(line: str) -> ast.stmt | None:
    for whole in (line, f"def f():\n {line}"):
        try:
            (statement,) = ast.parse(whole).body
        except (SyntaxError, ValueError):
            continue
        return statement.body[0] if isinstance(statement, ast.FunctionDef) else statement
    return None


def _expressions(statement: ast.stmt) -> list[ast.expr]:
    """Return the expressions of a statement, the outermost first; `a += b` is `a + b`."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        whole = ast.BinOp(ast.Name(statement.target.id, ast.Load()), statement.op, statement.value)
        return [ast.fix_missing_locations(whole)]
    return [node for node in ast.walk(statement) if isinstance(node, ast.expr) and _is_value(node)]


def _is_value(node):
    return not isinstance(node, ast.Constant) and isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _gives(expression: ast.expr, names: dict[str, Any], wanted: np.ndarray) -> bool:
    """Return whether an expression has this value."""
    try:
        value = eval(compile(ast.Expression(expression), "<repair>", "eval"), dict(names))
        array = as_array(value)
    except Exception:  # most changes make no sense
        return False
    return array is not None and array.shape == wanted.shape and close(array, wanted)


def _in_numpy(names: dict[str, Any]) -> dict[str, Any]:
    """Return the same variables for NumPy, which need not compile every change."""

    def plain(value):
        if value is jax.numpy:
            return np
        if isinstance(value, jax.Array | dict | list | tuple):
            return jax.tree.map(lambda leaf: np.asarray(leaf) if isinstance(leaf, jax.Array) else leaf, value)
        return value

    return {name: plain(value) for name, value in names.items()}


def _called(names: dict[str, Any], seen: set[str]) -> tuple[list[str], list[str]]:
    """Return the arrays and the numbers that have a name, those in the line first; entries of dicts are named too."""
    arrays, numbers = [], []
    for name in sorted(names, key=lambda name: name not in seen):
        value = names[name]
        if as_array(value) is not None and not isinstance(value, float):
            arrays.append(name)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append(name)
        elif isinstance(value, dict) and len(value) <= 20 and name.isidentifier() and not name.startswith("__"):
            arrays += [f"{name}[{key!r}]" for key, part in value.items() if as_array(part) is not None]
    return arrays, numbers
