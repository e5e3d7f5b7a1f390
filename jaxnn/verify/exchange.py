"""The user's modules reading one array library as another: NumPy code that JAX can trace, JAX code at NumPy's speed."""

import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_LOCK = threading.RLock()  # what is exchanged is seen by every thread


@contextmanager
def reading(old: ModuleType, new: ModuleType, files: Collection[str]) -> Iterator[None]:
    """A context in which what means `old`, or one of its functions, means that of `new` in the modules of files."""
    with _LOCK:
        changed: list[tuple[dict[str, Any], str, Any]] = []
        try:
            for names in _modules(files):
                for name, value in list(names.items()):
                    other = new if value is old else _counterpart(value, old, new)
                    if other is not None:
                        changed.append((names, name, value))
                        names[name] = other
            yield
        finally:
            for names, name, value in changed:
                names[name] = value


def _counterpart(value: Any, old: ModuleType, new: ModuleType) -> Any:
    """Return the function of `new` with the name of one of `old`, None for anything else."""
    name = getattr(value, "__name__", None)
    is_olds = callable(value) and isinstance(name, str) and getattr(old, name, None) is value
    return getattr(new, name, None) if is_olds and isinstance(name, str) else None


def _modules(files: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the names of the modules that were loaded from those files; a notebook's cells are of no file."""
    loaded = list(sys.modules.values())
    for module in loaded if files else ():
        file = getattr(module, "__file__", None)
        if file in files or (file is None and getattr(module, "__name__", "") == "__main__"):
            yield vars(module)
