"""A function by hand that repairs are tried on: run with changes in its source, in NumPy where that gives the same."""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.exchange import NUMPY, Exchange, updatable
from jaxnn.verify.diagnosis.in_numpy import JAX, LAX, NN
from jaxnn.verify.diagnosis.rewrite import Part, Written, functions_of, merged, rewritten
from jaxnn.verify.diagnosis.steps import Key, Scope, Step, as_array, held, lines_run, record, scopes
from jaxnn.verify.diagnosis.targets import SHARE, close

ROUNDING = 64  # machine epsilons by which NumPy and JAX may differ in a result
TRIAL, EVALUATION = 2000, 400  # lines run to write a change into the source, and to evaluate a changed expression
SHARE_OF_RUN = 10  # an expression takes a tenth of the lines of a run
WATCHED = 3  # times the lines of a run are those of one that is watched
MOST_COUNTED = 10_000_000  # lines of a run
HEAVY = 10  # runs at least that there must be work for, if any is to be tried
BENEATH = 25  # times the lines of JAX's own Python is what it compiles and runs beneath them


Points = Sequence[tuple[Sequence[Any], Callable[[Any], Any]]]


class Work:
    """What may still be run while a repair is looked for: lines of Python, those of the libraries among them."""

    def __init__(self, lines: float = np.inf):
        self.left = lines

    def takes(self, lines: float) -> bool:
        """Return whether that many lines may still be run, and count them."""
        self.left -= lines
        return self.left > 0

    def while_left(self, some: Iterable[Any]) -> Iterator[Any]:
        """Yield things to try until nothing may be run any more."""
        return itertools.takewhile(lambda _: self.left > 0, some)


class Program(NamedTuple):
    """A function by hand, and its `points`: arguments, each with which entries of an output are wrong there.

    Where it runs `in_numpy`, what is right is held against its `own`, the program as it was given, since NumPy takes
    more: arrays that are written into, for example. Parts of its source are evaluated while it is `reading` NumPy.
    `called` are the names of the functions that it, or the loss, calls; a line that `defines` what is meant, since the
    loss depends on it, is no mistake: no change of it is a repair. `elsewhere()` are more points, of other sizes, that
    only what is right at the first ones is tried at. A run takes so many `lines` of all the `work` there may be.
    `functions` are those that run a code, for which everything that Python holds is looked through.
    """

    run: Callable
    points: Points
    in_numpy: bool = False
    own: "Program | None" = None
    reading: AbstractContextManager = nullcontext()
    called: Collection[str] = ()
    defines: Callable[[Line], bool] = lambda line: False
    elsewhere: Callable[[], Points] = tuple
    work: Work = Work()
    lines: int = 0
    functions: Callable[[CodeType], Sequence[FunctionType]] = functions_of

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

    def scopes(self, keys: Collection[Key]) -> dict[Key, Scope]:
        """Return what the lines of steps see at the first point, while work is left."""
        if not self.work.takes(WATCHED * self.lines):
            return {}
        return scopes(self.run, jax.tree.map(fresh, self.points[0][0]), keys)

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
            if not self.work.takes(TRIAL + self.lines):
                yield None
                return
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


def as_numpy(program: Program, steps: Sequence[Step]) -> Program:
    """Return the same program that computes in NumPy, where that gives the same at every point; or as it is.

    NumPy runs a line a hundred times as fast as JAX does outside of a compiled program. Code in NumPy stays as it is.
    The lines of a run are counted. `steps` are those that it takes at the first point.
    """
    if not any(issubclass(step.kind, jax.Array) for step in steps):
        return _weighed(program._replace(in_numpy=True))
    files = {step.line.file for step in steps}
    points = [(updatable(tuple(args)), wrong) for args, wrong in program.points]
    found = (_with_library(program, points, files, library) for library in (np, NUMPY))
    return _weighed(next(filter(None, found), program))


def _weighed(program: Program) -> Program:
    """Return the program with the lines of a run."""

    def once():
        with np.errstate(all="ignore"), jax.disable_jit():
            program.run(*jax.tree.map(fresh, program.points[0][0]))

    weight = 1 if program.in_numpy else BENEATH
    most = int(min(program.work.left / HEAVY / weight, MOST_COUNTED))
    lines = lines_run(once, most)
    return program._replace(lines=lines * weight, work=program.work if lines < most else Work(0))


def _with_library(program, points, files, library) -> Program | None:
    """Return the program that reads a library as JAX's NumPy, None where that does not give the same."""
    pairs = [(jax.numpy, library), (jax, JAX), (jax.lax, LAX), (jax.nn, NN)] if library is NUMPY else [(jax.numpy, np)]
    reading = Exchange(pairs, files)

    def run(*args):
        with reading:
            return program.run(*args)

    try:
        steps = record(run, *points[0][0], refused=(jax.Array,))  # then it calls what only JAX has
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
