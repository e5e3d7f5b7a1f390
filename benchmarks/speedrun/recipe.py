"""The recipe of the record: what is trained, on how many digits, and how."""

from functools import cache
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import UInt8

import jaxnn
from jaxnn.networks import whitened

if TYPE_CHECKING:
    import optax

RECIPE = {
    "digits": 60_000,  # each once
    "margin": 2,  # pixels left out on every side: no digit of MNIST's reaches them with more than its edge
    "whitened on": 250,  # digits
    "filters": (6, 32),
    "hidden nodes": 256,
    "batch": 256,
    "label smoothing": 0.1,
    "muon": {"learning_rate": 0.05, "beta": 0.9},  # the second convolution
    "adam": {"learning_rate": 0.01, "b1": 0.7, "b2": 0.9},  # the dense layers and the biases
    "warm up": 0.2,  # of the updates the rates rise from a tenth of those above, then they fall to 0, both linearly
}


def train(x: UInt8[np.ndarray, "n 28 28"], y: UInt8[np.ndarray, " n"], seed: int) -> dict[str, jax.Array]:
    """Return the parameters after training on the first of the digits."""
    count, key = RECIPE["digits"], jax.random.key(seed)
    images = cropped(x[:count])
    params = whitened.init(key, images[: RECIPE["whitened on"]], RECIPE["filters"], RECIPE["hidden nodes"])
    smoothing = RECIPE["label smoothing"]
    targets = ((1 - smoothing) * np.eye(10) + smoothing / 10).astype(np.float32)[y[:count]]
    updates = -(-count // RECIPE["batch"])
    return jaxnn.fit(
        whitened.value_and_grad,
        params,
        optimizer(updates),
        (images, targets),
        epochs=1,
        batch_size=RECIPE["batch"],
        key=key,
    ).params


def cropped(x: UInt8[np.ndarray, "n 28 28"]) -> UInt8[np.ndarray, "n h w 1"]:
    """Return the digits without their margin."""
    inside = slice(RECIPE["margin"], -RECIPE["margin"])
    return np.ascontiguousarray(x[:, inside, inside, None])


def accuracy(params: dict[str, jax.Array], x: UInt8[np.ndarray, "n 28 28"], y: UInt8[np.ndarray, " n"]) -> float:
    """Return the share of the digits that are recognised: each is looked at once, as it is."""
    return jaxnn.evaluate(whitened.metrics, params, (cropped(x), y))["accuracy"]


@cache  # fit finds its compiled program by the optimizer
def optimizer(updates: int) -> "optax.GradientTransformation":
    """Return Muon for the second convolution (Jordan 2024), Adam for the rest, nothing for the whitened first layer."""
    import optax

    def rate(peak: float) -> optax.Schedule:
        return optax.piecewise_interpolate_schedule(
            "linear", peak / 10, {int(RECIPE["warm up"] * updates): 10.0, updates: 0.0}
        )

    def matrix(params):
        kernel = optax.contrib.MuonDimensionNumbers((0, 1, 2), 3)
        return {name: kernel if name == "W2" else None for name in params}

    (muon, beta), (adam, b1, b2) = RECIPE["muon"].values(), RECIPE["adam"].values()
    moving = optax.contrib.muon(
        rate(muon),
        beta=beta,
        adam_learning_rate=rate(adam),
        adam_b1=b1,
        adam_b2=b2,
        muon_weight_dimension_numbers=matrix,
    )
    return optax.partition(
        {"still": optax.set_to_zero(), "moving": moving},
        lambda params: {name: "still" if name in ("W1", "b1") else "moving" for name in params},
    )
