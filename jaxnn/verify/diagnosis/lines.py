"""The line of the user's source to name: where an error came from, a value first appeared, a number was drawn."""

from collections.abc import Callable, Iterable, Sequence
from traceback import walk_tb
from typing import Any

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.locate import where_made
from jaxnn.verify.diagnosis.steps import Step, record


def spoken(line: Line) -> str:
    """Return a line of the source as a verdict says it."""
    return f"{line.text}  ({line.file.rsplit('/', 1)[-1]}:{line.number}, in {line.function})"


def raised_at(error: Exception) -> str:
    """Return the innermost line of the user's source that an error came from."""
    frames = [(frame.f_code, number) for frame, number in walk_tb(error.__traceback__)]
    outside = [(code, number) for code, number in frames if not jaxprs.is_ours_or_a_dependencys(code.co_filename)]
    if not outside:
        return ""
    code, number = outside[-1]
    return spoken(jaxprs.source_line(code.co_filename, number, code.co_qualname))


def returned(f: Callable, args: Sequence[Any], value: Any = None) -> str:
    """Return the line of `f(*args)` where a value that it returns first appears; without one, that of its return."""
    steps = _recorded(f, args)
    made = where_made(steps, np.asarray(value, np.float64), []) if value is not None else None
    ends = (step.line for step in reversed(steps) if step.name.startswith("return"))
    return _first([made.line] if made else ends)


def first_of_dtype(f: Callable, args: Sequence[Any], dtype: Any) -> str:
    """Return the first line of `f(*args)` whose value is of a dtype that no argument has."""
    if any(getattr(leaf, "dtype", None) == dtype for leaf in jax.tree.leaves(args)):
        return ""
    return _first(step.line for step in _recorded(f, args) if step.dtype == dtype)


def first_random(f: Callable, args: Sequence[Any]) -> str:
    """Return the first line of `f(*args)` whose value is another one when it runs again."""
    pairs = zip(_recorded(f, args), _recorded(f, args), strict=False)
    return _first(a.line for a, b in pairs if not np.array_equal(a.value, b.value, equal_nan=True))


def _recorded(f: Callable, args: Sequence[Any]) -> list[Step]:
    try:
        return record(f, *args)
    except Exception:  # what cannot be watched has no line
        return []


def _first(lines: Iterable[Line]) -> str:
    return next(map(spoken, lines), "")
