"""The user's modules reading one array library as another: NumPy code that JAX can trace, JAX code at NumPy's speed."""

import functools
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from types import ModuleType
from typing import Any

import jax
import numpy as np

_LOCK = threading.RLock()  # what is exchanged is seen by every thread


class Exchange:
    """A context, to be entered again and again, in which the modules of `files` read libraries as others.

    `pairs` are each the one and the other: what means a library there, or one of its functions, means the other, or its
    function of that name.
    """

    def __init__(self, pairs: Sequence[tuple[ModuleType, Any]], files: Collection[str]):
        self._changed = [
            (names, name, value, other)
            for names in _modules(files)
            for name, value in names.items()
            if (other := next(filter(None, (_counterpart(value, *pair) for pair in pairs)), None)) is not None
        ]

    def __enter__(self) -> None:
        _LOCK.acquire()
        for names, name, _, other in self._changed:
            names[name] = other

    def __exit__(self, *error: object) -> None:
        for names, name, value, _ in self._changed:
            names[name] = value
        _LOCK.release()


def _counterpart(value: Any, old: ModuleType, new: Any) -> Any:
    """Return `new` for `old`, its function with the name of one of `old`'s, None for anything else."""
    if value is old:
        return new
    name = getattr(value, "__name__", None)
    is_olds = callable(value) and isinstance(name, str) and getattr(old, name, None) is value
    return getattr(new, name, None) if is_olds and isinstance(name, str) else None


class Updatable(np.ndarray):
    """An array of NumPy's that has JAX's `x.at[index].set(y)`, which gives a changed copy."""

    @property
    def at(self) -> "_At":
        return _At(self)


class _At:
    """What `x.at` is, and after `[index]` what `x.at[index]` is."""

    UFUNCS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "mul": np.multiply}
    UFUNCS |= {"divide": np.divide, "power": np.power, "min": np.minimum, "max": np.maximum}

    def __init__(self, array: Updatable, index: Any = None):
        self.array, self.index = array, index

    def __getitem__(self, index: Any) -> "_At":
        return _At(self.array, index)

    def set(self, values: Any) -> Updatable:
        new = self.array.copy()
        new[self.index] = values
        return new

    def __getattr__(self, name: str) -> Any:
        if name not in self.UFUNCS:
            raise AttributeError(f"x.at[...].{name} is not known in NumPy")
        return functools.partial(self._updated, self.UFUNCS[name])

    def _updated(self, ufunc: np.ufunc, values: Any) -> Updatable:
        new = self.array.copy()
        ufunc.at(new, self.index, values)  # an index that comes twice counts twice, as in JAX
        return new


class Library:
    """NumPy as code that was written for `jax.numpy` reads it: its arrays can be updated by `x.at`."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if callable(found) and not isinstance(found, type | np.ufunc):
            found = _with_updatable(found)
        setattr(self, name, found)  # looked for once
        return found


NUMPY: Any = Library()


def updatable(value: Any) -> Any:
    """Return the same with NumPy's arrays that can be updated by `x.at` in the place of JAX's and of NumPy's."""

    def leaf(v):
        is_jax = isinstance(v, jax.Array) and not jax.numpy.issubdtype(v.dtype, jax.dtypes.prng_key)
        return np.asarray(v).view(Updatable) if is_jax or isinstance(v, np.ndarray) else v

    return jax.tree.map(leaf, value)


def _with_updatable(function: Any) -> Any:
    @functools.wraps(function)
    def call(*args, **kwargs):
        result = function(*args, **kwargs)
        if type(result) is np.ndarray:
            return result.view(Updatable)
        return updatable(result) if isinstance(result, tuple | list) else result

    return call


def _modules(files: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the names of the modules that were loaded from those files; a notebook's cells are of no file."""
    loaded = list(sys.modules.values())
    for module in loaded if files else ():
        file = getattr(module, "__file__", None)
        if file in files or (file is None and getattr(module, "__name__", "") == "__main__"):
            yield vars(module)
