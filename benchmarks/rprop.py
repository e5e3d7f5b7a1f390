"""R's neuralnet on the lecture's data (section 7): a step of rprop+, and many restarts beside one."""

from collections.abc import Collection

import jax
import numpy as np

from benchmarks.timing import Side, peer_side
from jaxnn import RRandom, rprop_plus
from jaxnn.data import synthetic
from jaxnn.networks import hidden_layer
from jaxnn.restarts import Restarts, fit_until

WHAT = "a fit by rprop+ to a threshold, as R's neuralnet, float64: many restarts beside a single one"
VARIANTS = ("100 restarts", "8 restarts")
PEERS = ()
SAMPLES = 3
POINTS, THRESHOLD, STEPMAX = 1000, 0.1, 20_000


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what fits all restarts, and what fits one, the one whose steps are the median: a step is a whole fit."""
    del peers
    count = int(variant.split()[0])
    with jax.enable_x64(True):
        starts = jax.vmap(lambda key: hidden_layer.init(key, 2, 4, 1))(jax.random.split(jax.random.key(0), count))
        data = synthetic.circle(RRandom(20240402), POINTS)
        steps = fit(starts, data).steps
    middle = int(np.argsort(steps)[count // 2])
    one = jax.tree.map(lambda leaf: leaf[middle : middle + 1], starts)
    return {"jaxnn": side_of(starts, data), "one alone": side_of(one, data)}


def fit(starts, data) -> Restarts:
    return fit_until(
        hidden_layer.half_squared_error_and_grad, starts, rprop_plus(), data, threshold=THRESHOLD, stepmax=STEPMAX
    )


def side_of(starts, data) -> Side:
    def run():
        with jax.enable_x64(True):
            fit(starts, data)

    return peer_side(lambda: run, 1)
