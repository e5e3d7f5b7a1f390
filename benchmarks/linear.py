"""The linear model of lecture section 2: one step of gradient descent on many points."""

from collections.abc import Callable, Collection

import jax
import numpy as np
import optax

import jaxnn
from benchmarks.agreement import agree
from benchmarks.timing import Side, fit_side, peer_side
from jaxnn.networks import linear

WHAT = "a step of gradient descent on 10,000 points of 20 inputs, the mean squared error with each step"
VARIANTS = ("float32", "float64")
PEERS = ("numpy",)
SAMPLES = 20
POINTS, INPUTS = 10_000, 20
STEPS = 500  # one unit
RATE = 0.05
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of steps, by name: jaxnn's own and the peers', once they are known to agree."""
    params, data = start(variant)
    found = {
        "jaxnn": fit_side(
            linear.value_and_grad, params, optax.sgd(RATE), data, epochs=STEPS, updates=1, progress_every=STEPS
        )
    }
    if "numpy" in peers:
        with jax.enable_x64(variant == "float64"):
            costs = jaxnn.fit(linear.value_and_grad, params, optax.sgd(RATE), data, epochs=STEPS).history["loss"]
        agree("numpy's costs", costs, descend(params, *data)(), TOLERANCE[variant])
        found["numpy"] = peer_side(lambda: descend(params, *data), STEPS)
    return found


def start(variant: str) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return weights of 0 and points with noise, of the precision asked for."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(POINTS, INPUTS))
    y = x @ rng.normal(size=(INPUTS, 1)) + 1 + rng.normal(size=(POINTS, 1))
    params = {"W1": np.zeros((INPUTS, 1), variant), "b1": np.zeros(1, variant)}
    return params, (x.astype(variant), y.astype(variant))


def descend(params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> Callable[[], np.ndarray]:
    """Return what takes `STEPS` steps from the start in NumPy, and returns the cost before each."""

    def run():
        w, b, costs = params["W1"], params["b1"], np.empty(STEPS, x.dtype)
        for step in range(STEPS):
            error = x @ w + b - y
            costs[step] = np.mean(error**2)
            w, b = w - RATE * 2 / POINTS * (x.T @ error), b - RATE * 2 / POINTS * error.sum(axis=0)
        return costs

    return run
