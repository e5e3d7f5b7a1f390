r"""The lecture's hidden-layer loop in NumPy, one example a column as there: `x (d, n)`, `y (k, n)`, `W1 (n_hidden, d)`.

Twice. `plain` is the lecture's R code, vectorised line by line, as one would write it. `in_place` is the same in value,
with what else NumPy offers: results written where they are needed, biases as one more column of the weights, one
logarithm a point (so the targets have to be 0 or 1).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

Columns = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def columns(params: Mapping[str, ArrayLike], x: ArrayLike, y: ArrayLike) -> Columns:
    """Return parameters and data, one example a row, as the same with one example a column."""
    transposed = {name: np.atleast_2d(np.asarray(value)).T.copy() for name, value in params.items()}
    return transposed, np.asarray(x).T.copy(), np.atleast_2d(np.asarray(y).T).copy()


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return the logistic function, as the lecture writes it."""
    return 1 / (1 + np.exp(-z))


def plain(
    params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the parameters after `steps` steps, in the precision that they have, and the cost before each."""
    w1, b1, w2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
    n, costs = x.shape[1], np.empty(steps, x.dtype)
    for step in range(steps):
        a1 = sigmoid(w1 @ x + b1)
        a2 = sigmoid(w2 @ a1 + b2)
        costs[step] = -np.sum(y * np.log(a2) + (1 - y) * np.log(1 - a2)) / n
        dz2 = (a2 - y) / n
        dz1 = w2.T @ dz2 * a1 * (1 - a1)
        w1, b1 = w1 - rate * (dz1 @ x.T), b1 - rate * dz1.sum(axis=1, keepdims=True)
        w2, b2 = w2 - rate * (dz2 @ a1.T), b2 - rate * dz2.sum(axis=1, keepdims=True)
    return {"W1": w1, "b1": b1, "W2": w2, "b2": b2}, costs


def in_place(
    params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the same as `plain`, sooner."""
    ones = np.ones((1, x.shape[1]), x.dtype)
    v1, v2 = np.hstack([params["W1"], params["b1"]]), np.hstack([params["W2"], params["b2"]])
    inputs, hidden = np.vstack([x, ones]), np.vstack([np.repeat(ones, len(v1), axis=0), ones])
    a1, is_one = hidden[:-1], y == 1
    n, costs = x.shape[1], np.empty(steps, x.dtype)
    for step in range(steps):
        sigmoid_in_place(np.matmul(v1, inputs, out=a1))
        a2 = sigmoid_in_place(v2 @ hidden)
        costs[step] = -np.log(np.where(is_one, a2, 1 - a2)).sum() / n
        dz2 = np.subtract(a2, y, out=a2)
        dz2 /= n
        dz1 = v2[:, :-1].T @ dz2
        dz1 *= a1
        dz1 *= 1 - a1
        v1 -= rate * (dz1 @ inputs.T)
        v2 -= rate * (dz2 @ hidden.T)
    return {"W1": v1[:, :-1], "b1": v1[:, -1:], "W2": v2[:, :-1], "b2": v2[:, -1:]}, costs


def sigmoid_in_place(z: np.ndarray) -> np.ndarray:
    """Return `z`, each entry now its own sigmoid: four passes and no new array."""
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


FORMS = {"numpy": plain, "numpy in place": in_place}
