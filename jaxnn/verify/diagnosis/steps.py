"""The named intermediates of a Python function, statement by statement, read or replaced while it runs.

Python's own tracing (`sys.settrace`) tells when a line of the user's source is done; what it assigned, or wrote into a
list, a dict or an object, stands in the frame. So every style of code is seen, NumPy or JAX, in helper functions,
methods and closures, and inside of `jit` too, which is switched off meanwhile. JAX's own frames are passed over.
"""

import ctypes
import gc
import linecache
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from types import CodeType, FrameType, FunctionType, MappingProxyType, ModuleType
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from jaxnn.trace.jaxprs import NOT_THE_USERS, TRACERS, Line, source_line

Key = tuple[Line, str, int]
Path = tuple[tuple[str, Any], ...]
DEPTH = 4  # of containers within containers that are looked into
COMPREHENSIONS = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>")
MOST = 100  # parts of a container that is looked into


class Step(NamedTuple):
    """One assignment: the `name`, the array it got and the `line`; `number` is its place in the run.

    The `value` is in float64; `dtype` and `kind`, the class of the array, are its own.

    What is put into a list, a dict or an object has a name such as "dWs[0]", "grads['W1']" or "self.dW"; what a
    function returns is named "return" or "return['W1']"; what is passed to a function is a step of the line that calls
    it, named like the parameter. `key` tells a step apart in every run: the line, the name, and how many times that
    line had assigned to it before.
    """

    number: int
    name: str
    value: np.ndarray
    line: Line
    key: Key
    dtype: np.dtype
    kind: type = np.ndarray


def record(f: Callable, *args: Any, refused: tuple[type, ...] = ()) -> list[Step]:
    """Return the steps of `f(*args)` in the order in which they were taken; an array of a `refused` class ends it."""
    steps, error = until_error(f, *args, refused=refused)
    if error is not None:
        raise error
    return steps


def until_error(f: Callable, *args: Any, refused: tuple[type, ...] = ()) -> tuple[list[Step], Exception | None]:
    """Return the steps of `f(*args)`, and the error that it raises, if it does, or one at an array of a class."""
    steps: list[Step] = []

    def see(key, value, scope):
        array = as_array(value)
        if array is not None and isinstance(value, refused):
            raise TypeError(f"{key[1]} is a {type(value).__name__}")
        if array is not None:
            dtype = getattr(value, "dtype", np.dtype(float))
            steps.append(Step(len(steps), key[1], array, key[0], key, dtype, type(value)))

    try:
        with watched(see), jax.disable_jit():
            f(*args)
    except Exception as error:
        return steps, error
    return steps, None


class TooManyLines(BaseException):
    """Ends a run whose lines are counted; a library that catches every `Exception` lets it pass."""


def lines_run(f: Callable[[], Any], most: int) -> int:
    """Return how many lines of Python `f()` runs, those of the libraries among them, `most` where there are more."""
    count, former = 0, sys.gettrace()

    def trace(frame, event, arg):
        nonlocal count
        count += event == "line"
        if count >= most:
            raise TooManyLines
        return trace

    sys.settrace(trace)
    try:
        f()
    except TooManyLines:
        pass
    finally:
        sys.settrace(former)
    return count


def rerun(
    f: Callable,
    args: Any,
    replaced: Mapping[Key, Any],
    seen: dict[Key, np.ndarray] | None = None,
    lines: Collection[Line] = (),
) -> Any:
    """Return `f(*args)` with the assignments of these keys replaced by other arrays.

    `seen` is filled with what the lines assign otherwise: these, and those of the keys.
    """

    def swap(key, value, scope):
        array = as_array(value) if seen is not None else None
        if seen is not None and array is not None:
            seen[key] = array
        if key not in replaced:
            return None
        new = np.asarray(replaced[key])
        if isinstance(value, float):
            return float(new)
        if isinstance(value, jax.Array):
            return jax.numpy.asarray(new, value.dtype)
        return new.astype(value.dtype).view(type(value)) if isinstance(value, np.ndarray) else new.astype(value.dtype)

    args = jax.tree.map(lambda leaf: leaf, args)  # containers of its own, which may be written into
    with watched(swap, {*lines, *(key[0] for key in replaced)}), jax.disable_jit():
        return f(*args)


class Scope(NamedTuple):
    """What a line sees before it is run: all `names`, globals too, with their values, and the `code` it stands in.

    What the line wrote into is seen as it is afterwards. `given` is what the function was called with, as far as known.
    """

    names: dict[str, Any]
    code: CodeType
    given: dict[str, Any]


def scopes(f: Callable, args: Any, wanted: Collection[Key]) -> dict[Key, Scope]:
    """Return what the lines of these steps see, of a function that raises those until then."""
    found: dict[Key, Scope] = {}

    def see(key, value, scope):
        if key in wanted:
            found[key] = scope()

    args = jax.tree.map(lambda leaf: leaf, args)
    with suppress(Exception), watched(see), jax.disable_jit():
        f(*args)
    return found


def as_array(value: Any) -> np.ndarray | None:
    """Return a concrete array of floating-point numbers or truth values, or a float, as float64; None for the rest."""
    if isinstance(value, Tracer) or not is_array(value):
        return None
    return np.array(value, np.float64)


def is_array(value: Any) -> bool:
    """Return whether a value is a float, or an array of floating-point numbers or truth values, traced or not."""
    if isinstance(value, float):
        return True
    if not isinstance(value, jax.Array | np.ndarray | np.floating):
        return False
    return jax.numpy.issubdtype(value.dtype, jax.numpy.floating) or value.dtype == bool


@contextmanager
def watched(
    seen: Callable[[Key, Any, Callable[[], Scope]], Any], lines: Collection[Line] | None = None
) -> Iterator[None]:
    """A context in which `seen(key, value, scope)` hears of every assignment and may return another array.

    `scope()` is what the line saw before it was run. With `lines` it hears of theirs, and of little else, much faster.
    """
    wanted = None if lines is None else {(line.file, line.number) for line in lines}
    times: Counter[tuple[Line, str]] = Counter()
    known: dict[int, tuple[Any, Any]] = {}  # what has been told, and so has a name; of NumPy's arrays a copy
    former, collecting = sys.gettrace(), gc.isenabled()

    def hears(line):
        return wanted is None or (line.file, line.number) in wanted

    def on_call(frame, event, arg):
        if not _is_users(frame):
            return None
        caller = frame.f_back
        inside = wanted is None or _has_one_of(frame.f_code, wanted)
        if not inside and (caller is None or wanted is None or not _has_one_of(caller.f_code, wanted)):
            return None
        given = dict(frame.f_locals)
        before = {name: held(value) for name, value in given.items()}
        if caller is not None and _is_users(caller) and frame.f_code.co_name not in COMPREHENSIONS:
            for name, now in before.items():
                before[name] = now | offer(frame, name, now, _line(caller, caller.f_lineno), partial(_scope, caller))
        if not inside:
            return None
        last = frame.f_lineno

        def on_line(frame, event, arg):
            nonlocal last, before
            line, following = _line(frame, last), frame.f_lineno
            variables = dict(frame.f_locals) if hears(line) else {}
            for name in (_mentioned(line.text) or variables) if variables else ():
                if name not in variables:
                    continue
                was, now = before.get(name, {}), held(variables[name])
                new = {path: leaf for path, leaf in now.items() if was.get(path) is not leaf or is_written(leaf)}
                was = {path: as_told(leaf) for path, leaf in was.items()} if new else was
                before[name] = now | offer(frame, name, new, line, partial(_scope, frame, given, name, was))
            last = following
            if wanted is not None and hears(_line(frame, following)):  # what its names are until then
                before = {name: held(value) for name, value in dict(frame.f_locals).items()}
            if event == "return" and hears(_line(frame, following)):
                for path, leaf in held(arg).items():
                    tell("return" + spelt(path), leaf, _line(frame, following), partial(_scope, frame, given))
            return on_line

        return on_line

    def offer(frame, name, leaves, line, scope):
        """Tell of new leaves of a variable; put in, and return, those that are replaced."""
        found = {}
        for path, leaf in leaves.items():
            if path and id(leaf) in known and name not in line.names and not is_written(leaf):
                continue
            new = tell(name + spelt(path), leaf, line, scope)
            if new is not None:
                found[path] = new
                _put(frame, name, path, new)
        return found

    def tell(name, value, line, scope):
        times[line, name] += 1
        new = seen((line, name, times[line, name]), value, scope)
        for told in (value, new):
            known[id(told)] = told, np.array(told) if isinstance(told, np.ndarray) else None
        return new

    def as_told(leaf):
        """Return an array of NumPy's as it was when it was told of, before it was written into."""
        return known[id(leaf)][1] if isinstance(leaf, np.ndarray) and id(leaf) in known else leaf

    def is_written(leaf):
        """Return whether an array of NumPy's has other entries than when it was told of."""
        return isinstance(leaf, np.ndarray) and not np.array_equal(
            known.get(id(leaf), (0, leaf))[1], leaf, equal_nan=True
        )

    gc.disable()  # what a collection calls (finalizers, callbacks of a library) is no part of the function
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(former)
        if collecting:
            gc.enable()


def _scope(
    frame: FrameType,
    given: Mapping[str, Any] = MappingProxyType({}),
    name: str = "",
    was: Mapping[Path, Any] = MappingProxyType({}),
) -> Scope:
    """Return what a line of a frame sees before it gives a variable another value."""
    names = {**frame.f_builtins, **frame.f_globals, **frame.f_locals}
    if () in was:
        names[name] = was[()]
    elif not was:
        names.pop(name, None)
    return Scope(names, frame.f_code, dict(given))


def held(value: Any) -> dict[Path, Any]:
    """Return the arrays that a value is, or holds in its items or attributes, by path."""
    return dict(_held(value, (), ()))


def _held(value: Any, path: Path, above: tuple[int, ...]) -> Iterator[tuple[Path, Any]]:
    if is_array(value):
        yield path, value
    elif len(path) < DEPTH and id(value) not in above:
        parts = children(value)
        for step, part in parts if len(parts) <= MOST else ():
            yield from _held(part, (*path, step), (*above, id(value)))


def children(value: Any) -> list[tuple[tuple[str, Any], Any]]:
    """Return the parts of a container or of an object of a class of the user's, each with how it is reached."""
    if isinstance(value, dict):
        return [(("item", key), part) for key, part in value.items()]
    if isinstance(value, tuple | list):
        return [(("item", i), part) for i, part in enumerate(value)]
    if isinstance(value, type | FunctionType | ModuleType | jax.Array) or not hasattr(value, "__dict__"):
        return []
    module = sys.modules.get(type(value).__module__)
    file = getattr(module, "__file__", None) or ""
    if not file or file.startswith(NOT_THE_USERS):
        return []
    return [(("attribute", name), part) for name, part in vars(value).items()]


def spelt(path: Path) -> str:
    """Return a path as Python writes it: "['W1'][0].dW"."""
    return "".join(f".{key}" if kind == "attribute" else f"[{key!r}]" for kind, key in path)


def _put(frame: FrameType, name: str, path: Path, new: Any) -> None:
    """Put another value into a running function's variable, or into what it holds."""
    if not path:
        frame.f_locals[name] = new
        if sys.version_info < (3, 13):
            ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
        return
    *outer, (kind, key) = path
    owner = frame.f_locals[name]
    for step, place in outer:
        owner = getattr(owner, place) if step == "attribute" else owner[place]
    if kind == "attribute":
        object.__setattr__(owner, key, new)
    elif isinstance(owner, tuple):
        parts = [*owner[:key], new, *owner[key + 1 :]]
        _put(frame, name, tuple(outer), type(owner)(*parts) if hasattr(owner, "_fields") else tuple(parts))
    else:
        owner[key] = new


@lru_cache(maxsize=4096)
def _mentioned(text: str) -> tuple[str, ...]:
    """Return the names in a line of the source, those that it assigns among them."""
    return tuple(dict.fromkeys(re.findall(r"[^\W\d]\w*", text)))


def _is_users(frame):
    file = frame.f_code.co_filename
    return not file.startswith((*NOT_THE_USERS, *TRACERS)) and (not file.startswith("<") or file in linecache.cache)


def raised_in(error: Exception) -> list[tuple[Line, Scope]]:
    """Return the lines of the user's source that an error passed through, the innermost first, and what they saw."""
    frames = [(t.tb_frame, t.tb_lineno) for t in _chain(error.__traceback__) if _is_users(t.tb_frame)]
    return [(_line(frame, lineno), _scope(frame)) for frame, lineno in reversed(frames)]


def _chain(traceback):
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _has_one_of(code: CodeType, wanted: Collection[tuple[str, int]]) -> bool:
    first, last = _extent(code)
    return any(file == code.co_filename and first <= number <= last for file, number in wanted)


@lru_cache(maxsize=4096)
def _extent(code: CodeType) -> tuple[int, int]:
    """Return the first and the last line of a function."""
    return code.co_firstlineno, max((line for _, _, line in code.co_lines() if line), default=code.co_firstlineno)


def _line(frame, lineno):
    return source_line(frame.f_code.co_filename, lineno, frame.f_code.co_name)
