"""The first wrong line of a hand-written backward pass, found by putting right values in the place of its own.

Each assignment of the backward pass is replaced by a value of the correct computation (the true adjoint of a variable
of the loss, or its forward value). The line at which one replacement makes the whole gradient right, whose own value is
no right one under its own name, is the wrong line. Nothing is guessed from names alone.
"""

import itertools
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.adjoints import Node
from jaxnn.verify.steps import Step, as_array, record, rerun

SECONDS = 20.0
MOST = 24  # right values that are tried in one place


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _softmax(z, axis):
    e = np.exp(z - np.max(z, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the sigmoid": _sigmoid,
    "the softmax over the last axis": lambda z: _softmax(z, -1) if z.ndim else z,
    "the softmax over the first axis": lambda z: _softmax(z, 0) if z.ndim else z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "exp": np.exp,
    "sigmoid'": lambda z: _sigmoid(z) * _sigmoid(-z),
    "a (1 - a)": lambda a: a * (1 - a),
    "1 - a^2": lambda a: 1 - a**2,
    "relu'": lambda z: (z > 0).astype(float),
}
SHORT = re.compile(r"^(d_?l_?)?(d|grad|delta|g|bar)_?(?=\w)|_?(grad|bar|delta|adjoint|cotangent)$")


class Culprit(NamedTuple):
    """The wrong assignment: which `number` of the run it was, variable `name` and `line`.

    `actual` is the value it got, `expected` the one that puts the gradient right, `meaning` what that is, such as "the
    adjoint of Z1".
    """

    number: int
    name: str
    line: Line
    actual: np.ndarray
    expected: np.ndarray
    meaning: str


class Target(NamedTuple):
    """A right value that an assignment may have been meant to have."""

    name: str
    value: np.ndarray
    adjoint: bool


def first_wrong(
    gradient: Callable[..., list[np.ndarray]],
    run: Callable,
    args: Sequence[Any],
    nodes: Sequence[Node],
    right: Callable[[list[np.ndarray]], list[bool]],
    leaves: dict[str, np.ndarray],
    sizes: Sequence[float] = (),
) -> tuple[Culprit | None, list[Step]]:
    """Return the culprit, or None where no single assignment explains the error, and all steps.

    `run(*args)` is the hand-written function, `gradient(output)` the list of arrays in what it returns, `right` says
    of each of these whether it is right; `leaves` are the true gradient by name, `sizes` constants to try.
    """
    steps = [step for step in record(run, *args) if step.value.size]
    targets = _targets(nodes, leaves)
    wrong_now = [not ok for ok in right(gradient(run(*args)))]
    if not any(wrong_now):  # right when run line by line: what is wrong is made by jit
        return None, steps
    scales = _scales(steps, targets)
    constants = [-1.0, 2.0, 0.5, *sizes, *(1 / size for size in sizes if size)]
    claimed = {_stem(step.name) for step in steps if _is_adjoint(step.name)}
    started, best, most = time.perf_counter(), None, 0
    values = _Known(nodes, targets, args)
    for other_name in (False, True):  # first what is right for nothing, then what is right under another name
        for step in steps:
            if not step.name.isidentifier() or step.name == "return" or time.perf_counter() - started > SECONDS:
                continue
            known, derived = values.of(step.value.shape)
            is_right = [t for t in known if close(t.value, step.value)]
            if bool(is_right and not _taken(step, steps)) != other_name:
                continue
            stem = _stem(step.name)
            free = [t for t in targets if not t.adjoint or _stem(t.name) in {stem, *({_stem(t.name)} - claimed)}]
            for meaning, value in _candidates(step, free, is_right, derived, scales, constants):
                repaired = _repaired(run, args, gradient, right, wrong_now, {step.key: value})
                if repaired > most:
                    best, most = Culprit(step.number, step.name, step.line, step.value, value, meaning), repaired
                if most == sum(wrong_now):
                    return _at_its_source(best, steps, values), steps
    loops = _in_loops(steps, targets, run, args, gradient, right, wrong_now)
    return (loops if loops is not None else best), steps


class _Known:
    """The right values by shape: targets, forward values, arguments, and what is derived from forward values."""

    def __init__(self, nodes, targets, args):
        self.nodes, self.targets, self.seen = nodes, targets, {}
        self.data = [a for a in map(as_array, jax.tree.leaves(args)) if a is not None]

    def of(self, shape):
        if shape not in self.seen:
            fits = [node for node in self.nodes if node.value.shape == shape]
            derived = _derived(fits)
            plain = [Target(node.name or "an expression of the loss", node.value, False) for node in fits]
            derived += plain
            plain += [Target("an argument", value, False) for value in self.data if value.shape == shape]
            known = [t for t in self.targets if t.value.shape == shape] + derived + plain
            self.seen[shape] = known, derived
        return self.seen[shape]

    def holds(self, value):
        return any(close(target.value, value) for target in self.of(value.shape)[0])


def _taken(step, steps):
    """Return whether an earlier adjoint of another variable, in the same function, has the same value."""
    if not _is_adjoint(step.name):
        return False
    here = (step.line.file, step.line.function)
    earlier = itertools.takewhile(lambda other: other.number < step.number, steps)
    others = (s for s in earlier if (s.line.file, s.line.function) == here and _is_adjoint(s.name))
    return any(_stem(s.name) != _stem(step.name) and _same(s, step) for s in others)


def _at_its_source(culprit, steps, values):
    """Return the culprit with the line where its wrong value first appears: what a function returned, or was passed.

    A function that was passed something wrong is not to blame for what it returned.
    """
    if values.holds(culprit.actual):
        return culprit
    same = [s for s in steps if s.value.shape == culprit.actual.shape and close(s.value, culprit.actual)]
    first = same[0]
    if first.name.startswith("return"):
        inside = [s for s in steps if s.number < first.number and s.line == culprit.line and s.number != culprit.number]
        passed = [s for s in inside if not s.name.startswith("return")]
        if any(not values.holds(s.value) for s in passed if s.value.size):
            return culprit
    return culprit._replace(line=first.line)


def where_made(steps: Sequence[Step], value: np.ndarray, true: Sequence[np.ndarray]) -> Line | None:
    """Return the line where a wrong array first appears, or the one where it ends up if it is right for another."""
    same = [step for step in steps if step.value.shape == value.shape and close(step.value, value)]
    if not same:
        return None
    swapped = any(other.shape == value.shape and close(other, value) for other in true)
    return same[-1 if swapped else 0].line


def _repaired(run, args, gradient, right, wrong_now, replaced):
    """Return how many wrong arrays the replacement makes right; 0 if it makes a right one wrong."""
    try:
        now = right(gradient(rerun(run, args, replaced)))
    except Exception:  # the value does not fit there
        return 0
    broken = any(not ok and not was for ok, was in zip(now, wrong_now, strict=True))
    return 0 if broken else sum(ok and was for ok, was in zip(now, wrong_now, strict=True))


def _targets(nodes, leaves):
    """Return the right values: adjoints of named variables and of expressions, the gradient itself, forward values."""
    found = [Target(name, value, True) for name, value in leaves.items()]
    ordered = sorted(nodes, key=lambda node: (not node.name, node.inner))
    found += [Target(n.name or f"an expression before {_next(nodes, n)}", n.adjoint, True) for n in ordered]
    found += [Target(n.name, n.value, False) for n in nodes if n.name]
    return [t for t in found if t.value.size and np.all(np.isfinite(t.value))]


def _next(nodes, node):
    after = itertools.dropwhile(lambda other: other is not node, nodes)
    return next((n.name for n in after if n.name), "the loss")


def _derived(nodes: list[Node]) -> list[Target]:
    """Return what a backward pass computes from forward values by itself: activations and their derivatives."""
    found = []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for node in nodes:
            for what, f in ACTIVATIONS.items():
                value = f(node.value)
                if np.all(np.isfinite(value)):
                    found.append(Target(f"{what} of {node.name or 'an expression'}", value, False))
            if node.local is not None:
                found.append(Target(node.operation, node.local, False))
    return found


def _candidates(
    step: Step,
    free: list[Target],
    is_right: list[Target],
    derived: list[Target],
    scales: list[float],
    constants: list[float],
):
    """Yield the right values to try in the place of a step's, none if its value is right under its own name.

    `is_right` are the right values that it equals, `free` those that no other step is named after, `derived` what
    follows from them.
    """
    stem, is_adjoint, shape = _stem(step.name), _is_adjoint(step.name), step.value.shape
    same_name = [t for t in free if t.value.shape == shape and _stem(t.name) == stem and t.adjoint >= is_adjoint]
    if any(t is other for t in same_name for other in is_right):
        return
    fits = [t for t in free if t.value.shape == shape]
    turned = [t._replace(value=t.value.T) for t in free if t.value.ndim == 2 and t.value.T.shape == shape]
    order = same_name + [t for t in fits if t.adjoint] + [t for t in fits if not t.adjoint] + turned
    if not is_adjoint:
        order = same_name + derived + order
    order += _rearranged(step.value, free)
    tried: list[np.ndarray] = [step.value]
    for scale in (1.0, *scales):
        for target in order:
            value = scale * target.value
            if len(tried) <= MOST and not any(close(value, other) for other in tried):
                tried.append(value)
                yield f"{'the adjoint of ' if target.adjoint else ''}{target.name}", value
    if not is_right:
        for constant in constants:
            yield f"{constant:g} times as much", constant * step.value


def _rearranged(value, targets):
    """Return forward values that hold the same numbers in another order, flipped along axes or with two exchanged."""
    found, numbers = [], np.sort(value, axis=None)
    for target in targets:
        if target.adjoint or target.value.ndim != value.ndim or value.ndim < 2 or target.value.size != value.size:
            continue
        if close(numbers, np.sort(target.value, axis=None)):
            last = [target.value, target.value.swapaxes(-1, -2)]
            for count in range(value.ndim + 1):
                for axes in itertools.combinations(range(value.ndim), count):
                    found += [target._replace(value=np.flip(v, axes)) for v in last if v.shape == value.shape]
    return found


def _in_loops(steps, targets, run, args, gradient, right, wrong_now):
    """Return the culprit among the variables of a loop, which are assigned to once a round: all rounds are replaced."""
    groups: dict[tuple[str, str, int], list[Step]] = {}
    for step in steps:
        groups.setdefault((step.name, step.line.file, step.line.number), []).append(step)
    for rounds in groups.values():
        if len(rounds) < 2 or rounds[0].name.startswith("return"):
            continue
        stem = _stem(rounds[0].name)
        meant = [t for t in targets if t.adjoint and _stem(t.name) == stem and t.value.shape == rounds[0].value.shape]
        if len(meant) < len(rounds):
            continue
        for order in (meant[-len(rounds) :][::-1], meant[: len(rounds)][::-1], meant[: len(rounds)]):
            values = {step.key: target.value for step, target in zip(rounds, order, strict=True)}
            if all(close(step.value, values[step.key]) for step in rounds):
                break
            if _repaired(run, args, gradient, right, wrong_now, values) == sum(wrong_now):
                k = next(k for k, s in enumerate(rounds) if not close(s.value, values[s.key]))
                step = rounds[k]
                meaning = f"the adjoint of {order[k].name}, in round {k + 1} of {len(rounds)}"
                return Culprit(step.number, step.name, step.line, step.value, values[step.key], meaning)
    return None


def _scales(steps, targets):
    """Return the constants that right adjoints are multiplied by on their way, such as the m of a late 1/m."""
    found: list[float] = []
    for step in steps:
        for target in targets:
            if target.adjoint and target.value.shape == step.value.shape and target.value.size > 1:
                square = float(np.vdot(target.value, target.value))
                scale = float(np.vdot(target.value, step.value)) / (square or np.inf)
                known = any(np.isclose(scale, s, rtol=1e-9) for s in [1.0, 0.0, *found])
                if not known and close(scale * target.value, step.value):
                    found.append(scale)
    return found[:3]


def _same(step, other):
    return step.value.shape == other.value.shape and close(step.value, other.value)


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether two arrays are the same but for rounding, beside their largest entry."""
    size = max(np.max(np.abs(a), initial=0.0), np.max(np.abs(b), initial=0.0))
    return bool(np.all(np.abs(a - b) <= 1e-9 * size))


def _plain(name):
    return re.sub(r"[\W_]", "", name).lower()


def _is_adjoint(name: str) -> bool:
    return _stem(name) != _plain(name)


def _stem(name: str) -> str:
    """Return the variable that the name of an adjoint speaks of: "z1" for "dZ1", "grad_z1", "z1_bar"."""
    return _plain(SHORT.sub("", name)) or _plain(name)
