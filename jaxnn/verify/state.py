"""State that functions carry from one call to the next: a network that keeps `self.h`, gradients that add up."""

import ast
import copy
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, MethodType, ModuleType
from typing import Any

import jax
import numpy as np

from jaxnn.trace.jaxprs import is_ours_or_a_dependencys, source_line
from jaxnn.verify.diagnosis.lines import spoken

DEPTH = 4  # objects within objects that are looked into


def fresh(f: Callable, factory: Callable[[], Any]) -> Callable:
    """Return `f` that calls `factory()` before each call; what it returns, if anything, is the first argument."""

    @functools.wraps(f)
    def called(*args):
        made = factory()
        return f(*args) if made is None else f(made, *args)

    names = list(inspect.signature(f).parameters.values())
    called.__signature__ = inspect.Signature(names[1:] if factory() is not None else names)  # pyright: ignore[reportAttributeAccessIssue]
    return called


def carried_over(functions: Sequence[Callable], args: Sequence[Any]) -> tuple[str, str] | None:
    """Return which attribute keeps what one call leaves for the next, and the line that writes it; None if none does.

    It is state, and not chance, if the functions give the same again once the attributes are as they were.
    """
    kept = dict(_attributes(functions))
    before = {name: _copied(vars(owner)[key]) for name, (owner, key) in kept.items()}
    first = [_called(f, args) for f in functions]
    changed = [name for name, (owner, key) in kept.items() if not _same(before[name], vars(owner)[key])]
    if not changed:
        return None

    def after(names):
        """Return what a call gives after one that has left these attributes changed, and put all of them back."""
        for f in functions if names else ():
            _called(f, args)
        put_back(set(changed) - set(names))
        found = [_called(f, args) for f in functions]
        put_back(changed)
        return found

    def put_back(names):
        for name in names:
            owner, key = kept[name]
            vars(owner)[key] = _copied(before[name])

    put_back(changed)
    if not all(map(_same, first, after(()))):
        return None
    # Of several attributes the guilty one is read before it is written.
    guilty = [name for name in changed if not all(map(_same, first, after((name,))))] or changed
    owner, key = kept[guilty[0]]
    return guilty[0], _line(type(owner), key)


def _attributes(functions: Sequence[Callable]) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Yield the attributes of the objects that functions hold or name, by their path."""
    seen: set[int] = set()

    def inside(name, value, depth):
        parts = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
        )
        for key, part in parts if depth else ():
            yield from inside(f"{name}[{key!r}]", part, depth - 1)
        if not depth or id(value) in seen or isinstance(value, ModuleType | type | np.ndarray | jax.Array):
            return
        seen.add(id(value))
        if isinstance(value, MethodType):
            yield from inside(name.rsplit(".", 1)[0], value.__self__, depth)
        elif isinstance(value, FunctionType):
            if not is_ours_or_a_dependencys(value.__code__.co_filename):
                held = zip(
                    value.__code__.co_freevars, (cell.cell_contents for cell in value.__closure__ or ()), strict=True
                )
                named = ((n, value.__globals__[n]) for n in value.__code__.co_names if n in value.__globals__)
                for part, other in [*held, *named]:
                    yield from inside(part, other, depth - 1)
        elif hasattr(value, "__dict__"):
            for key, part in list(vars(value).items()):
                yield f"{name}.{key}", (value, key)
                yield from inside(f"{name}.{key}", part, depth - 1)

    for f in functions:
        yield from inside(getattr(f, "__name__", "f"), f, DEPTH)


def _copied(value):
    try:
        return copy.deepcopy(value)
    except Exception:  # what cannot be copied is not followed
        return value


def _same(one, other):
    try:
        leaves, others = jax.tree.flatten(one), jax.tree.flatten(other)
        if leaves[1] != others[1]:
            return False
        return all(_equal(a, b) for a, b in zip(leaves[0], others[0], strict=True))
    except Exception:
        return True


def _equal(a, b):
    if hasattr(a, "dtype") or isinstance(a, float | int):
        return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.issubdtype(np.asarray(a).dtype, np.inexact))
    return True


def _called(f, args):
    with np.errstate(all="ignore"):
        return _copied(f(*jax.tree.map(lambda v: v.copy() if isinstance(v, np.ndarray) else v, tuple(args))))


def _line(owner: type, key: str) -> str:
    """Return the line of a class that writes an attribute outside of `__init__`, "" where there is none."""
    try:
        lines, start = inspect.getsourcelines(owner)
        file = inspect.getsourcefile(owner) or ""
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return ""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name != "__init__":
            for node in ast.walk(function):
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                written = [part for target in targets if target is not None for part in ast.walk(target)]
                if isinstance(node, ast.Assign | ast.AugAssign) and any(
                    isinstance(part, ast.Attribute) and part.attr == key for part in written
                ):
                    return spoken(source_line(file, start + node.lineno - 1, f"{owner.__name__}.{function.name}"))
    return ""
