"""R's neuralnet on the lecture's data (section 7): a step of rprop+, and many restarts beside one."""

from collections.abc import Collection

import jax
import numpy as np

from benchmarks.agreement import agree
from benchmarks.timing import Side, peer_side
from jaxnn import RRandom, rprop_plus
from jaxnn.data import synthetic
from jaxnn.networks import hidden_layer
from jaxnn.r_neuralnet.network import vector
from jaxnn.restarts import Restarts, fit_until

WHAT = (
    "a fit by rprop+ to a threshold, as R's neuralnet, float64: a step of one, and the whole of many beside that of one"
)
VARIANTS = ("a step", "100 restarts", "8 restarts")
PEERS = ("neuralnet",)
SAMPLES = 20
TOLERANCE = 1e-6
POINTS, THRESHOLD, STEPMAX = 1000, 0.1, 20_000


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what fits one or all restarts, and what else there is; a step of `restarts` is a whole fit."""
    if variant == "a step":
        return sides_of_a_step(peers)
    count = int(variant.split()[0])
    with jax.enable_x64(True):
        starts = jax.vmap(lambda key: hidden_layer.init(key, 2, 4, 1))(jax.random.split(jax.random.key(0), count))
        data = circle()
        steps = fit(starts, data).steps
    middle = int(np.argsort(steps)[count // 2])  # the one whose steps are the median
    one = jax.tree.map(lambda leaf: leaf[middle : middle + 1], starts)
    return {"jaxnn": side_of(starts, data, 1), "one alone": side_of(one, data, 1)}


def sides_of_a_step(peers: Collection[str]) -> dict[str, Side]:
    """Return what fits one network, jaxnn's and R's, once both took the same steps to the same error."""
    with jax.enable_x64(True):
        start, data = hidden_layer.init(jax.random.key(0), 2, 4, 1), circle()
        start = jax.tree.map(lambda leaf: np.asarray(leaf)[None], start)
        done = fit(start, data)
    steps = int(done.steps[0])
    found = {"jaxnn": side_of(start, data, steps)}
    if "neuralnet" in peers:
        from benchmarks.peers import neuralnet_peer

        one = {name: leaf[0] for name, leaf in start.items()}
        one = vector([np.vstack([one[f"b{k}"], one[f"W{k}"]]) for k in (1, 2)])
        error, _, its_steps = neuralnet_peer.fit(one, *data, THRESHOLD, STEPMAX)[1]
        agree("the steps of R's neuralnet", steps, its_steps, 0)
        agree("the error of R's neuralnet", done.loss[0], error, TOLERANCE)
        found["neuralnet"] = neuralnet_peer.side(one, *data, THRESHOLD, STEPMAX, steps)
    return found


def circle() -> synthetic.Points:
    """Return the lecture's points."""
    return synthetic.circle(RRandom(20240402), POINTS)


def fit(starts: hidden_layer.Params, data: synthetic.Points) -> Restarts:
    """Return the fits from all starts, which are stacked."""
    return fit_until(
        hidden_layer.half_squared_error_and_grad, starts, rprop_plus(), data, threshold=THRESHOLD, stepmax=STEPMAX
    )


def side_of(starts: hidden_layer.Params, data: synthetic.Points, steps: int) -> Side:
    """Return what fits from all starts again and again, so many steps each time."""

    def run():
        with jax.enable_x64(True):
            fit(starts, data)

    return peer_side(lambda: run, steps)
