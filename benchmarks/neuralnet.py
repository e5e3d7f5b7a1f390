"""`jaxnn.neuralnet` on the lecture's circle (section 7), the whole call, beside R's neuralnet and scikit-learn."""

import warnings
from collections.abc import Collection

import numpy as np

from benchmarks.agreement import agree
from benchmarks.rprop import circle
from benchmarks.timing import Side, peer_side
from jaxnn import RRandom, neuralnet
from jaxnn.r_neuralnet import NeuralNet

WHAT = (
    "a step of jaxnn.neuralnet, 4 hidden nodes, 1,000 rows, float64: a whole call over its steps, formula and table "
    "included; rprop+ on the squared error, and gradient descent on the cross-entropy"
)
VARIANTS = ("rprop+", "backprop")
PEERS = ("neuralnet", "sklearn")
SAMPLES = 20
TOLERANCE = 1e-6
STEPS = 2000
SETTINGS = {
    "rprop+": {"threshold": 0.1, "stepmax": 20_000},
    "backprop": {"threshold": 1e-9, "stepmax": STEPS + 1, "err_fct": "ce", "learningrate": 1e-3},
}


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what fits the network from one start, once all fits ended at the same error."""
    x, y = circle()
    start = RRandom(1).rnorm(17)
    net = fit(variant, x, y, start)
    steps = int(net.steps[0])
    found = {"jaxnn": peer_side(lambda: lambda: fit(variant, x, y, start), steps)}
    if "neuralnet" in peers and variant == "rprop+":  # R drops the weights of a fit that ends with stepmax
        from benchmarks.peers import neuralnet_peer

        error, _, its_steps = neuralnet_peer.fit(start, x, y, **SETTINGS[variant])[1]
        agree("the steps of R's neuralnet", steps, its_steps, 0)
        agree("the error of R's neuralnet", net.restarts.loss[0], error, TOLERANCE)
        found["neuralnet"] = neuralnet_peer.side(start, x, y, steps=steps, **SETTINGS[variant])
    if "sklearn" in peers and variant == "backprop":  # it has no rprop
        from benchmarks.peers import sklearn_peer

        rate = SETTINGS[variant]["learningrate"] * len(x)  # its loss is a mean
        model = sklearn_peer.full_batch(net.startweights[0], x, y, rate, STEPS)
        weights = [np.vstack([b, w]) for w, b in zip(model.coefs_, model.intercepts_, strict=True)]
        for name, ours, theirs in zip(("first", "second"), net.weights[0], weights, strict=True):
            agree(f"the {name} layer of scikit-learn's MLPClassifier", ours, theirs, TOLERANCE)
        run = lambda: sklearn_peer.full_batch(net.startweights[0], x, y, rate, STEPS)  # noqa: E731
        found["sklearn"] = peer_side(lambda: run, STEPS)
    return found


def fit(variant: str, x: np.ndarray, y: np.ndarray, start: np.ndarray) -> NeuralNet:
    """Return what the whole call returns, from R's vector of start weights."""
    with warnings.catch_warnings():  # backprop has a number of steps, no threshold
        warnings.filterwarnings("ignore", "Algorithm did not converge")
        data = {"x1": x[:, 0], "x2": x[:, 1], "y": y}
        settings = SETTINGS[variant] | {"algorithm": variant, "linear_output": False, "startweights": start}
        return neuralnet("y ~ x1 + x2", data, hidden=4, **settings)
