"""The lecture's made-up data sets, drawn from R's stream: the same seed gives the lecture's very points."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import check_finite, check_positive_int, check_shape, require

SEED = 20240402  # the lecture's `set.seed`


class Points(NamedTuple):
    """Points of the plane, one a row, and their labels."""

    x: Float64[np.ndarray, "n 2"]
    y: Float64[np.ndarray, " n"]


def sigmoid_boundary(rng: RRandom, n: int = 1000) -> Points:
    """Return `n` normal points, labelled by the side of a sigmoid curve they lie on.

    All x1 are drawn first, then all x2; `y` as in `sigmoid_labels`. Lecture, section 5.1: seed 20240402.
    """
    x = _normal_points(rng, n)
    return Points(x, sigmoid_labels(x))


def circle(rng: RRandom, n: int = 1000) -> Points:
    """Return `n` normal points, labelled 1 outside the unit circle.

    The draws are those of `sigmoid_boundary`; `y` as in `circle_labels`. Lecture, section 5.2, which labels the points
    of section 5.1 anew.
    """
    x = _normal_points(rng, n)
    return Points(x, circle_labels(x))


def sigmoid_labels(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """Return `y = 1(x2 > 2 (sigmoid(4 x1) - 1/2))`. Lecture, section 5.1."""
    x1, x2 = _columns(x)
    return (x2 > np.tanh(2 * x1)).astype(np.float64)  # 2 (sigmoid(4 t) - 1/2) = tanh(2 t), which cannot overflow


def circle_labels(x: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, " n"]:
    """Return `y = 1(x1^2 + x2^2 > 1)`. Lecture, section 5.2."""
    x1, x2 = _columns(x)
    return (x1**2 + x2**2 > 1).astype(np.float64)


def flower(rng: RRandom, n: int = 1000) -> Points:
    """Return the petals of a noisy rose, `n / 2` points of each of two labels, those of label 0 first.

    For j = 0, then 1: `t = seq(3.12 j, 3.12 (j + 1)) + 0.2 z`, `r = 4 sin(4 t) + 0.2 z'`, `x = (r sin(t), r cos(t))`,
    `y = j`, with z and then z' standard normal. `n` must be even.
    Lecture, section 6, `planar_dataset()`. It calls `set.seed(set.seed(20240402))`, and as `set.seed` gives NULL this
    seeds R from the clock: the lecture's own points cannot be had again, from any seed; these are others of their kind.
    """
    check_positive_int("n", n)
    require(n % 2 == 0, "n", repr(n), "an even number, half of it for each label")
    petals = np.concatenate([_petals(rng, j, n // 2) for j in (0, 1)])
    return Points(petals, np.repeat([0.0, 1.0], n // 2))


def _petals(rng: RRandom, j: int, n: int) -> np.ndarray:
    t = np.linspace(j * 3.12, (j + 1) * 3.12, n) + rng.rnorm(n, sd=0.2)
    r = 4 * np.sin(4 * t) + rng.rnorm(n, sd=0.2)
    return np.column_stack([r * np.sin(t), r * np.cos(t)])


def _normal_points(rng: RRandom, n: int) -> np.ndarray:
    check_positive_int("n", n)
    return rng.rnorm(2 * n).reshape(2, n).T.copy()


def _columns(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    check_shape("x", x, ("n", 2))
    check_finite("x", x)
    x1, x2 = np.asarray(x, dtype=np.float64).T
    return x1, x2
