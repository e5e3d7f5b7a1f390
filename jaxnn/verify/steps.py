"""The named intermediates of a Python function, statement by statement, read or replaced while it runs.

Python's own tracing (`sys.settrace`) tells when a line of the user's source is done; what it assigned stands in the
frame. So every style of code is seen, NumPy or JAX, in helper functions, methods and closures, and inside of `jit` too,
which is switched off meanwhile. JAX's own frames are passed over.
"""

import ctypes
import linecache
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from jaxnn.trace.jaxprs import NOT_THE_USERS, TRACERS, Line, source_line


class Step(NamedTuple):
    """One assignment: the `name`, the array it got and the `line`; `number` is its place in the run.

    `key` tells it apart in every run: the line, the name, and how many times that line had assigned to it before.

    What a function returns is a step named "return" or "return['W1']", what is passed to a function one of the line
    that calls it, named like the parameter.
    """

    number: int
    name: str
    value: np.ndarray
    line: Line
    key: tuple[Line, str, int]


def record(f: Callable, *args: Any) -> list[Step]:
    """Return the steps of `f(*args)` in the order in which they were taken."""
    steps: list[Step] = []

    def see(key, value):
        array = as_array(value)
        if array is not None:
            line, name, _ = key
            steps.append(Step(len(steps), name, array, line, key))
        return None

    with _watched(see), jax.disable_jit():
        f(*args)
    return steps


def rerun(f: Callable, args: Any, replaced: Mapping[tuple[Line, str, int], Any]) -> Any:
    """Return `f(*args)` with the assignments of these keys replaced by other arrays."""

    def swap(key, value):
        if key not in replaced:
            return None
        new = np.asarray(replaced[key])
        if isinstance(value, float):
            return float(new)
        return jax.numpy.asarray(new, value.dtype) if isinstance(value, jax.Array) else new.astype(value.dtype)

    with _watched(swap), jax.disable_jit():
        return f(*args)


def as_array(value: Any) -> np.ndarray | None:
    """Return a concrete array of floating-point numbers or truth values, or a float, as float64; None for the rest."""
    if isinstance(value, float):
        return np.array(value)
    if isinstance(value, Tracer) or not isinstance(value, jax.Array | np.ndarray | np.floating):
        return None
    if not jax.numpy.issubdtype(value.dtype, jax.numpy.floating) and value.dtype != bool:
        return None
    return np.array(value, np.float64)


@contextmanager
def _watched(seen: Callable):
    """A context in which `seen(key, value)` hears of every assignment and may return another array."""
    times: Counter[tuple[Line, str]] = Counter()
    former = sys.gettrace()

    def on_call(frame, event, arg):
        if not _is_users(frame):
            return None
        if frame.f_back is not None and _is_users(frame.f_back):
            for name, value in dict(frame.f_locals).items():
                offer(frame, name, value, _line(frame.f_back, frame.f_back.f_lineno))
        before = dict(frame.f_locals)
        last = frame.f_lineno

        def on_line(frame, event, arg):
            nonlocal before, last
            line = _line(frame, last)
            for name, value in dict(frame.f_locals).items():
                # An array may have been written into.
                if before.get(name) is not value or (name in line.names and isinstance(value, np.ndarray)):
                    offer(frame, name, value, line)
            before, last = dict(frame.f_locals), frame.f_lineno
            if event == "return":
                for name, value in _parts(arg):
                    tell(name, value, _line(frame, frame.f_lineno))
            return on_line

        return on_line

    def offer(frame, name, value, line):
        if isinstance(value, tuple | list | dict):
            for path, leaf in jax.tree.leaves_with_path(value):
                tell(name + jax.tree_util.keystr(path), leaf, line)
            return
        new = tell(name, value, line)
        if new is not None:
            _assign(frame, name, new)

    def tell(name, value, line):
        times[line, name] += 1
        return seen((line, name, times[line, name]), value)

    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(former)


def _is_users(frame):
    file = frame.f_code.co_filename
    return not file.startswith((*NOT_THE_USERS, *TRACERS)) and (not file.startswith("<") or file in linecache.cache)


def _parts(value):
    if as_array(value) is not None:
        return [("return", value)]
    if not isinstance(value, tuple | list | dict):
        return []
    return [("return" + jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree.leaves_with_path(value)]


def _assign(frame: FrameType, name: str, value: Any) -> None:
    """Put another value into a running function's variable."""
    frame.f_locals[name] = value
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))


def _line(frame, lineno):
    return source_line(frame.f_code.co_filename, lineno, frame.f_code.co_name)
