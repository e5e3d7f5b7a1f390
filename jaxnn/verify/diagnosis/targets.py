"""The right values that the assignments of a backward pass may be meant to have, and by which names they are known."""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.verify.adjoints import Node
from jaxnn.verify.diagnosis.steps import Step, as_array

FACTOR = "a multiple"
MOST = 200  # right values that are tried in one place
FEW = 24  # expressions of one name that are told apart


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
SHARE = 1e-9  # of the largest entry, by which arrays that are the same may differ
ADJOINT = re.compile(
    r"^(d_?(?i:loss|cost|[ljce])_?(?=d))?((?i:delta|gradient|grad|adjoint|adj|bar)|d|g)_?(?=\w)"
    r"|_?(?i:gradient|grad|bar|delta|adjoint|cotangent)$"
)
WORDS = re.compile(  # that only begin like adjoints
    r"(diff|data|dist|dot|drop|dropout|den|denom|depth|decay|dim|done|draw|gate|gain|gamma|gap|grid|group|guess|gold)"
    r"\d*(_\w+)?",
    re.IGNORECASE,
)
GRADIENTS = re.compile(r"^(d|g|gs|grads?|gradients?|deltas?|bars?|adj\w*|cotangents?)$", re.IGNORECASE)


class Target(NamedTuple):
    """A right value that an assignment may have been meant to have."""

    name: str
    value: np.ndarray
    adjoint: bool

    @property
    def stem(self) -> str:
        """The variable that it belongs to, none for what is an expression."""
        return "" if " " in self.name else stem_of(self.name)

    @property
    def meaning(self) -> str:
        return f"{'the adjoint of ' if self.adjoint else ''}{self.name}"


class Targets:
    """The right values of a loss, by shape: `meant` are those with a name of their own, the adjoints before the values.

    `known(shape)` are all right values outside of JAX's functions, also arguments and expressions, `derived(shape)`
    what may follow from forward values: activations and their derivatives.
    """

    def __init__(self, nodes: Sequence[Node], leaves: dict[str, np.ndarray], args: Sequence[Any]):
        self.meant = _meant(nodes, leaves)
        self._nodes = nodes
        self._users = _meant([node for node in nodes if not node.inner], leaves)  # not the insides of JAX's functions
        self._data = [a for a in map(as_array, jax.tree.leaves(args)) if a is not None]
        self._seen: dict[tuple[int, ...], tuple[list[Target], list[Target]]] = {}
        self._stacked: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def known(self, shape: tuple[int, ...]) -> list[Target]:
        return self._of(shape)[0]

    def derived(self, shape: tuple[int, ...]) -> list[Target]:
        return self._of(shape)[1]

    def hold(self, value: np.ndarray) -> bool:
        """Return whether a value is a right one, whatever its name; zeros alone tell nothing."""
        if not value.any():
            return False
        if value.shape not in self._stacked:  # all at once: a program has thousands of steps, and hundreds of targets
            rows = [target.value.ravel() for target in self.known(value.shape)]
            stacked = np.array(rows).reshape(len(rows), value.size)
            self._stacked[value.shape] = stacked, _sizes(stacked)
        stacked, sizes = self._stacked[value.shape]
        row = value.reshape(1, -1)
        with np.errstate(invalid="ignore"):
            near = np.abs(stacked - row) <= SHARE * np.maximum(sizes, _sizes(row))[:, None]
        return bool(np.any(np.all((stacked == row) | near, axis=1)))

    def named_like(self, step: Step) -> list[Target]:
        """Return the right values of a step's own name and shape: adjoints for an adjoint, else values and adjoints."""
        stem, adjoint = stem_of(step.name), is_adjoint(step.name)
        fits = (t for t in self.meant if t.value.shape == step.value.shape and t.adjoint >= adjoint)
        return [t for t in fits if t.stem == stem]

    def repeated(self, step: Step, times: int) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Yield the values of what is computed so many times in the loss, in reverse order, as time is run through
        backwards, and in its own order; those of the step's own name come first."""
        stem, adjoint = stem_of(step.name), is_adjoint(step.name)
        fits: dict[tuple, list[np.ndarray]] = {}
        for target in self.meant if adjoint else [*self.meant, *self.derived(step.value.shape)]:
            if target.value.shape == step.value.shape and (target.adjoint or not adjoint):
                fits.setdefault((target.stem != stem, target.meaning), []).append(target.value)
        for (_, meaning), values in sorted(fits.items(), key=lambda item: item[0][0]):
            if len(values) < times:
                continue
            several = len(values) // times
            parts = [values[k::several][:times] for k in range(several)] if len(values) % times == 0 else []
            if len(values) == times + 1:
                parts = [values[1:], values[:-1]]
            for part in parts[:FEW]:
                yield meaning, part[::-1]
                yield meaning, part

    def _of(self, shape):
        if shape not in self._seen:
            fits = [node for node in self._nodes if node.value.shape == shape]
            values = [(node, Target(node.name or "an expression of the loss", node.value, False)) for node in fits]
            derived = [value for _, value in values] + _derived(fits)
            known = [target for target in self._users if target.value.shape == shape]
            known += [value for node, value in values if not node.inner]
            known += [Target("an argument", value, False) for value in self._data if value.shape == shape]
            self._seen[shape] = known, derived
        return self._seen[shape]


def candidates(
    step: Step, targets: Targets, claimed: set[str], scales: Sequence[float], *, adjoints_only: bool = False
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the right values to try in the place of a step's, each with what it is; few if it may be right as it is.

    `claimed` are the variables that other adjoints of the backward pass are named after, `scales` the constants that
    right adjoints may be multiplied by.
    """
    stem, shape = stem_of(step.name), step.value.shape
    same_name = targets.named_like(step)
    others = [target for target in same_name if not close(target.value, step.value)]
    if len(others) < len(same_name):  # right, unless it is another variable of the name that is meant
        yield from ((target.meaning, target.value) for target in others)
        return
    free = [t for t in targets.meant if not t.adjoint or t.stem == stem or t.stem not in claimed]
    fits = [t for t in free if t.value.shape == shape]
    if adjoints_only:
        yield from ((t.meaning, t.value) for t in fits if t.adjoint)
        return
    turned = [t._replace(value=t.value.T) for t in free if t.value.ndim == 2 and t.value.T.shape == shape]
    order = same_name + [t for t in fits if t.adjoint] + [t for t in fits if not t.adjoint] + turned
    if not is_adjoint(step.name):
        order = same_name + targets.derived(shape) + order
    order += _rearranged(step.value, free)
    tried = {digest(step.value)}
    for scale in (1.0, *scales):
        for target in order:
            value = scale * target.value
            if len(tried) <= MOST and digest(value) not in tried:
                tried.add(digest(value))
                yield target.meaning if scale == 1 else FACTOR, value


def scales_of(steps: Sequence[Step], targets: Targets) -> list[float]:
    """Return the constants that right adjoints are multiplied by on their way, such as the m of a late 1/m."""
    found: list[float] = []
    for step in steps:
        for target in targets.meant:
            if target.adjoint and target.value.shape == step.value.shape and target.value.size > 1:
                square = float(np.vdot(target.value, target.value))
                scale = float(np.vdot(target.value, step.value)) / (square or np.inf)
                known = any(math.isclose(scale, s, rel_tol=SHARE, abs_tol=1e-8) for s in [1.0, 0.0, *found])
                if not known and close(scale * target.value, step.value):
                    found.append(scale)
    return found[:3]


def digest(value: np.ndarray) -> str:
    """Return what equal arrays have in common, but for rounding, and others do not."""
    return f"{value.shape} {np.vdot(value, _weights(value.shape)):.8e}"


@lru_cache(maxsize=32)
def _weights(shape):
    return np.random.default_rng(0).normal(size=shape)


def _sizes(rows):
    return np.max(np.abs(rows), axis=1, initial=0.0, where=np.isfinite(rows))


def close(a: np.ndarray, b: np.ndarray, share: float = SHARE) -> bool:
    """Return whether two arrays are the same but for rounding, or for another small `share` of their largest entry."""
    if a.shape != b.shape:
        return False
    same = a == b  # infinities too
    with np.errstate(invalid="ignore"):
        size = max(np.max(np.abs(v), initial=0.0, where=np.isfinite(v)) for v in (a, b))
        return bool(np.all(same | (np.abs(a - b) <= share * size)))


def is_adjoint(name: str) -> bool:
    """Return whether a step is named like an adjoint: "dZ1", "grads['W1']", "self.dW"."""
    return stem_of(name) != _plain(_label(name))


def stem_of(name: str) -> str:
    """Return the variable that the name of an adjoint speaks of: "z1" for "dZ1", "grad_z1", "z1_bar", "grads['Z1']"."""
    label = _label(name)
    if WORDS.fullmatch(label):
        return _plain(label)
    return _plain(ADJOINT.sub("", label)) or _plain(label)


def _label(name: str) -> str:
    """Return the last word of a place: "dW" of "self.dW", "d_W1" of "grads['W1']", "dWs" of "dWs[0]"."""
    words = re.findall(r"[^\W\d]\w*", name)
    if len(words) < 2:
        return words[0] if words else name
    *outer, last = words
    return f"d_{last}" if GRADIENTS.match(outer[-1]) and not ADJOINT.search(last) else last


def _plain(name):
    return re.sub(r"[\W_]", "", name).lower()


def _meant(nodes, leaves):
    """Return the right values: adjoints of named variables and of expressions, the gradient itself, forward values."""
    found = [Target(name, value, True) for name, value in leaves.items()]
    following, name = {}, "the loss"
    for node in reversed(nodes):
        name = node.name or name
        following[id(node)] = name
    ordered = sorted(nodes, key=lambda node: (not node.name, node.inner))
    found += [Target(n.name or f"an expression before {following[id(n)]}", n.adjoint, True) for n in ordered]
    found += [Target(n.name, n.value, False) for n in nodes if n.name]
    return [t for t in found if t.value.size and np.all(np.isfinite(t.value))]


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
