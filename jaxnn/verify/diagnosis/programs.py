"""A function by hand that repairs are tried on: run with changes in its source, in NumPy where that gives the same."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.exchange import NUMPY, Exchange, updatable
from jaxnn.verify.diagnosis.in_numpy import JAX, LAX, NN
from jaxnn.verify.diagnosis.rewrite import Part, Written, merged, rewritten
from jaxnn.verify.diagnosis.steps import as_array, held, record
from jaxnn.verify.diagnosis.targets import SHARE, close

ROUNDING = 64  # machine epsilons by which NumPy and JAX may differ in a result


Points = Sequence[tuple[Sequence[Any], Callable[[Any], Any]]]


class Program(NamedTuple):
    """A function by hand, and its `points`: arguments, each with which entries of an output are wrong there.

    Where it runs `in_numpy`, what is right is held against its `own`, the program as it was given, since NumPy takes
    more: arrays that are written into, for example. Parts of its source are evaluated while it is `reading` NumPy.
    `called` are the names of the functions that it, or the loss, calls; a line that `defines` what is meant, since the
    loss depends on it, is no mistake: no change of it is a repair. `elsewhere()` are more points, of other sizes, that
    only what is right at the first ones is tried at.
    """

    run: Callable
    points: Points
    in_numpy: bool = False
    own: "Program | None" = None
    reading: AbstractContextManager = nullcontext()
    called: Collection[str] = ()
    defines: Callable[[Line], bool] = lambda line: False
    elsewhere: Callable[[], Points] = tuple

    def is_right_with(self, changes: Sequence["Change"]) -> bool:
        """Return whether it is right at all points with something else in the place of what stands in its source."""
        if any(self.defines(change.line) for change in changes):
            return False
        if self._is_wrong_with(changes, self.points):
            return False
        if self.own is not None:
            return self.own.is_right_with(changes)
        return not self._is_wrong_with(changes, self.elsewhere())

    def _is_wrong_with(self, changes, points):
        return any(wrong is None or np.any(wrong) for wrong in self._wrong_with(changes, points))

    def wrong(self) -> list[np.ndarray]:
        """Return which entries are wrong as it stands, at each point; nothing where it does not run."""
        found = [wrong for wrong in self._wrong_with([], self.points) if wrong is not None]
        return found if len(found) == len(self.points) else []

    def repaired(self, changes: Sequence["Change"], before: Sequence[np.ndarray]) -> np.ndarray | None:
        """Return which entries, of all points, are right with changes that were wrong `before`.

        None where it is none at a point, or where something right is wrong then.
        """
        found = []
        for now, was in zip(self._wrong_with(changes, self.points), before, strict=False):
            if now is None or now.shape != was.shape or np.any(now & ~was) or (was.any() and np.array_equal(now, was)):
                return None
            found.append((was & ~now).ravel())
        return np.concatenate(found)

    def _wrong_with(self, changes, points):
        """Yield which entries are wrong with changes, point after point; None, and no more, where it does not run."""
        of_code: dict[CodeType | None, list[Change]] = {}
        for change in changes:
            of_code.setdefault(next((f.__code__ for f in change.functions), None), []).append(change)
        for args, wrong in points:
            try:
                with ExitStack() as stack:
                    for some in of_code.values():
                        pairs = [(change.old, change.new) for change in some]
                        stack.enter_context(rewritten(some[0].functions, some[0].line.file, pairs))
                    stack.enter_context(np.errstate(all="ignore"))
                    stack.enter_context(jax.disable_jit())
                    now = np.asarray(wrong(self.run(*jax.tree.map(fresh, args))))
            except Exception:  # most changes make no sense
                yield None
                return
            yield now


class Change(NamedTuple):
    """Something `new` in the place of something `old`, of a `line` of the source, which some `functions` run."""

    line: Line
    old: Part
    new: Written
    functions: Sequence[FunctionType]


def at_once(changes: Iterable[Change]) -> list[Change]:
    """Return changes of which no two are of one statement; nothing where two are of one place in it."""
    found: dict[Part, Change] = {}
    for change in changes:
        before = found.get(change.old)
        new = change.new if before is None else merged(change.old, before.new, change.new)
        if new is None:
            return []
        found[change.old] = change._replace(new=new)
    return list(found.values())


def as_numpy(program: Program) -> Program:
    """Return the same program that computes in NumPy, where that gives the same at every point; or as it is.

    NumPy runs a line a hundred times as fast as JAX does outside of a compiled program. Code in NumPy stays as it is.
    """
    args, _ = program.points[0]
    if not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(tuple(args))):
        return program._replace(in_numpy=True)
    files = {step.line.file for step in record(program.run, *args)}
    points = [(updatable(tuple(args)), wrong) for args, wrong in program.points]
    return next((new for library in (np, NUMPY) if (new := _with_library(program, points, files, library))), program)


def _with_library(program, points, files, library) -> Program | None:
    """Return the program that reads a library as JAX's NumPy, None where that does not give the same."""
    pairs = [(jax.numpy, library), (jax, JAX), (jax.lax, LAX), (jax.nn, NN)] if library is NUMPY else [(jax.numpy, np)]
    reading = Exchange(pairs, files)

    def run(*args):
        with reading:
            return program.run(*args)

    try:
        steps = record(run, *points[0][0])
        if any(issubclass(step.kind, jax.Array) for step in steps):
            return None  # it calls what only JAX has
        kinds = {step.dtype for step in steps if jax.numpy.issubdtype(step.dtype, jax.numpy.floating)}
        share = max([SHARE, *(ROUNDING * float(jax.numpy.finfo(kind).eps) for kind in kinds)])
        for (args, _), (own, _) in zip(points, program.points, strict=True):
            with np.errstate(all="ignore"), jax.disable_jit():
                expected, seen = held(program.run(*own)), held(run(*jax.tree.map(fresh, args)))
            if seen.keys() != expected.keys() or not all(
                equals(seen[path], np.asarray(as_array(expected[path])), share) for path in seen
            ):
                return None
    except Exception:  # it needs what only JAX has
        return None
    return program._replace(run=run, points=points, in_numpy=True, own=program, reading=reading)


def equals(value: Any, expected: np.ndarray, share: float = SHARE) -> bool:
    """Return whether a value is an array, or a number, that is another one but for a `share` that rounding takes."""
    array = as_array(value)
    return array is not None and close(array, expected, share)


def fresh(leaf: Any) -> Any:
    """Return an array of NumPy's as one that can be written into, anything else as it is."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
