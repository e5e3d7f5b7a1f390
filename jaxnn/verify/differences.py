"""Derivatives along a line by differences alone: central and one-sided, extrapolated, each with its error bar."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

LEVELS = 11
SMALL = 40  # entries up to which every one is a line of its own
RATIO = 2.0
NEAR = 13  # values in a row of which the differences are taken


class Slope(NamedTuple):
    """A derivative and its error bar: the truncation seen between extrapolations plus the rounding of the values."""

    value: float
    error: float


class Slopes(NamedTuple):
    """The derivative along a line from the left, from the right, and from both sides at once."""

    left: Slope
    right: Slope
    central: Slope

    @property
    def kink(self) -> bool:
        """Whether the one-sided slopes differ by more than their error bars: the function bends here."""
        gap = abs(self.left.value - self.right.value)
        return gap > 4 * (self.left.error + self.right.error) and gap > 1e-6 * max(
            abs(self.left.value), abs(self.right.value)
        )


def slopes(phi: Callable[[float], float], noise: float, step: float = 0.02) -> Slopes:
    r"""Return the derivatives of `phi` at 0 by Richardson extrapolation over steps $h, h/2, h/4, \dots$

    `noise` is the absolute rounding error of one value of `phi`. Central differences err in even powers of $h$,
    one-sided ones in all of them; of every tableau the entry is taken whose error bar is the smallest (Ridders 1982).
    """
    at_0 = phi(0.0)
    steps = step / RATIO ** np.arange(LEVELS)
    ahead, behind = (np.array([phi(sign * h) for h in steps]) for sign in (1, -1))
    rounding = 2 * noise / steps
    return Slopes(
        left=_extrapolated((at_0 - behind) / steps, rounding, powers=1),
        right=_extrapolated((ahead - at_0) / steps, rounding, powers=1),
        central=_extrapolated((ahead - behind) / (2 * steps), rounding / 2, powers=2),
    )


def rounding_of(phi: Callable[[float], float], step: float = 1e-9) -> float:
    """Return the rounding error of values of `phi` near 0, seen in their sixth differences (Hamming).

    Of values so near together a smooth function has none to speak of: what is left is made by rounding. A kink at 0 is
    on neither side of it.
    """
    values = np.array([[phi(sign * step * k) for k in range(1, NEAR)] for sign in (1, -1)])
    ranks = np.arange(1, 7)
    with np.errstate(all="ignore"):
        seen = np.sqrt(np.mean(np.diff(values, 6) ** 2, axis=1) * np.prod(ranks / (6 + ranks)))
    return float(np.min(seen, where=np.isfinite(seen), initial=np.inf)) if np.isfinite(seen).any() else 0.0


def _extrapolated(quotients: np.ndarray, rounding: np.ndarray, powers: int) -> Slope:
    """Return the best entry of the Richardson tableau of difference quotients; `powers` between two error terms."""
    column, noise, best = np.asarray(quotients, float), np.asarray(rounding, float), Slope(np.nan, np.inf)
    factor = RATIO**powers
    while len(column) > 2:
        finer = (factor * column[1:] - column[:-1]) / (factor - 1)
        finer_noise = (factor * noise[1:] + noise[:-1]) / (factor - 1)
        with np.errstate(invalid="ignore"):
            gaps = np.maximum(np.abs(finer - column[1:]), np.abs(finer - column[:-1]))
            gaps = np.maximum(gaps[1:], np.abs(np.diff(finer)))
        errors = gaps + finer_noise[1:]
        for value, error in zip(finer[1:], errors, strict=True):
            if np.isfinite(value) and error < best.error:
                best = Slope(float(value), float(error))
        column, noise, factor = finer, finer_noise, factor * RATIO**powers
    return best


def along(loss: Callable[[list[Any]], Any], leaves: list[Any], direction: list[np.ndarray]) -> Callable[[float], float]:
    """Return `phi(t)`, the loss at `leaves` moved by `t` times a direction."""

    pairs = [(np.asarray(leaf), d) for leaf, d in zip(leaves, direction, strict=True)]  # NumPy adds without compiling

    def phi(t):
        return float(loss([leaf + t * d for leaf, d in pairs]))

    return phi


def step_scale(leaf: np.ndarray, index: tuple[int, ...] = ()) -> float:
    """Return the size of a step that suits a leaf: its typical entry, or the entry itself, or 1 where all are 0."""
    largest = float(np.max(np.abs(leaf), initial=0.0))
    typical = largest * float(np.sqrt(np.mean((leaf / largest) ** 2))) if largest else 0.0  # squares may underflow
    return max(typical, abs(float(leaf[index])) if leaf[index].ndim == 0 else 0.0) or 1.0


def is_symmetric(leaf: Any) -> bool:
    """Return whether a leaf is a symmetric matrix, or several, and no diagonal one, whose zeros may be anything."""
    leaf = np.asarray(leaf)
    square = leaf.ndim >= 2 and leaf.shape[-1] == leaf.shape[-2] > 1
    return bool(square and np.array_equal(leaf, transposed(leaf)) and np.any(leaf * (1 - np.eye(leaf.shape[-1]))))


def transposed(leaf: np.ndarray) -> np.ndarray:
    """Return a matrix, or each of several, transposed."""
    return np.swapaxes(leaf, -1, -2)


def among_symmetric(leaves: list[Any], directions: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """Return directions that leave the symmetric ones of the leaves symmetric."""
    even = [is_symmetric(leaf) for leaf in leaves]
    return [
        [(d + transposed(d)) / 2 if kept else d for d, kept in zip(direction, even, strict=True)]
        for direction in directions
    ]


def lines(leaves: list[Any]) -> list[list[np.ndarray]]:
    """Return the directions: every entry of a small problem and all at once, else random signs by leaf and for all."""
    shapes = [np.shape(leaf) for leaf in leaves]
    sizes = [int(np.prod(shape)) for shape in shapes]
    scales = [step_scale(np.asarray(leaf)) for leaf in leaves]
    zeros = [np.zeros(shape) for shape in shapes]
    rng = np.random.default_rng(2)
    if sum(sizes) <= SMALL:
        places = [(i, k) for i, size in enumerate(sizes) for k in range(size)]
        units = [(i, np.eye(1, sizes[i], k).reshape(shapes[i]) * scales[i]) for i, k in places]
        whole = [[s * np.ones(shape) for s, shape in zip(scales, shapes, strict=True)]]
        whole += [[s * rng.choice([-1.0, 1.0], shape) for s, shape in zip(scales, shapes, strict=True)]]
        return [[*zeros[:i], unit, *zeros[i + 1 :]] for i, unit in units] + whole
    found = []
    for _ in range(2):
        signs = [s * rng.choice([-1.0, 1.0], shape) for s, shape in zip(scales, shapes, strict=True)]
        found += [[*zeros[:i], signs[i], *zeros[i + 1 :]] for i in range(len(leaves))] + [signs]
    return found
