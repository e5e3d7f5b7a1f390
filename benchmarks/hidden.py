"""The lecture's hidden-layer loop (section 6): 1000 points, four hidden nodes, the gradient of all points at once."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

import jaxnn
from benchmarks.agreement import agree
from benchmarks.peers import numpy_peer
from benchmarks.timing import Side, fit_side, peer_side
from benchmarks.work import Work, hidden_layer_step
from jaxnn.data import synthetic
from jaxnn.networks import hidden_layer

WHAT = "a step of gradient descent on the circle's 1000 points, four hidden nodes, the cost with each step"
VARIANTS = ("float32", "float64")
PEERS = ("numpy", "c", "r")  # R has float64 only
SAMPLES = 20
POINTS = 1000
STEPS = 500  # one unit: what `fit` runs as one program
CHECKED = 500  # steps whose costs are compared
RATE = 0.1
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


def work(variant: str) -> Work:
    """Return what a step is."""
    return hidden_layer_step(POINTS, itemsize=np.dtype(variant).itemsize)


def program(variant: str) -> tuple:
    """Return what XLA is to count: the gradient of a step, in either precision the same number."""
    del variant
    params, data = start("float32")
    return hidden_layer.value_and_grad, params, *data


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of steps, by name: jaxnn's own and the peers', once they are known to agree."""
    with jax.enable_x64(variant == "float64"):
        params, data = start(variant)
        costs = jaxnn.fit(hidden_layer.value_and_grad, params, optax.sgd(RATE), data, epochs=CHECKED).history["loss"]
    # An optimizer of its own, so that the first call compiles anew.
    found = {
        "jaxnn": fit_side(
            hidden_layer.value_and_grad, params, optax.sgd(RATE), data, epochs=STEPS, updates=1, progress_every=STEPS
        )
    }
    for who, descend in forms(peers).items():
        columns = numpy_peer.columns(params, *data)
        agree(f"{who}'s costs", costs, descend(*columns, RATE, CHECKED)[1], TOLERANCE[variant])
        found[who] = steps_of(partial(descend, *columns, RATE, STEPS))
    if "r" in peers and variant == "float64":
        from benchmarks.peers import r_peer

        columns = numpy_peer.columns(params, *data)
        agree("R's costs", costs, r_peer.descend(*columns, RATE, CHECKED)[1], TOLERANCE[variant])
        found["r"] = r_peer.side(*columns, RATE, STEPS)
    return found


def forms(peers: Collection[str]) -> dict[str, Callable]:
    """Return the loops of the peers by name."""
    found = dict(numpy_peer.FORMS) if "numpy" in peers else {}
    if "c" in peers:
        from benchmarks.peers import c_peer

        found["c"] = c_peer.descend
    return found


def start(variant: str) -> tuple[hidden_layer.Params, tuple[Any, Any]]:
    """Return the lecture's start weights and points, all of the precision asked for."""
    rng = jaxnn.RRandom(20240402)
    x, y = (part.astype(variant) for part in synthetic.circle(rng, POINTS))
    return hidden_layer.init(rng, 2, 4, 1, dtype=np.dtype(variant)), (x, y)


def steps_of(descend: Callable[[], object]) -> Side:
    """Return the side that takes the first `STEPS` steps again and again."""
    return peer_side(lambda: descend, STEPS)
