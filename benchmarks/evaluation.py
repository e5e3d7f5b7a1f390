"""Evaluation of the MNIST networks on the 10,000 test digits: loss and accuracy."""

from collections.abc import Callable, Collection

import jax
import numpy as np

import jaxnn
from benchmarks.agreement import agree
from benchmarks.timing import Side, peer_side
from jaxnn import networks

WHAT = "loss and accuracy of the 10,000 test digits: a step is one evaluation"
VARIANTS = ("mlp", "cnn")
PEERS = ("torch",)
SAMPLES = 20
NETWORKS = {"mlp": networks.mlp, "cnn": networks.cnn}
BATCH = 1000
TOLERANCE = 1e-4


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what evaluates once, by name: jaxnn's own and the peers', once they are known to agree."""
    network, (x, y) = NETWORKS[variant], test_digits(variant)
    params, data = network.init(jax.random.key(20240402)), (jax.device_put(x), jax.device_put(y))

    def ours() -> dict[str, float]:
        return jaxnn.evaluate(network.metrics, params, data, batch_size=BATCH)

    found: dict[str, Callable[[], dict[str, float]]] = {"jaxnn": ours}
    if "torch" in peers:
        from benchmarks.peers import torch_peer

        found["torch"] = torch_peer.evaluation(torch_peer.MODELS[variant], params, x, y, BATCH)
    for who, evaluate in found.items():
        for name, value in ours().items():
            agree(f"{who}'s {name}", value, evaluate()[name], TOLERANCE)
    return {who: peer_side(lambda evaluate=evaluate: evaluate, 1) for who, evaluate in found.items()}


def test_digits(variant: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the test digits as the network takes them, and their labels."""
    mnist = jaxnn.load_mnist()
    flat = mnist.x_test.reshape(len(mnist.x_test), -1) / np.float32(255)
    return flat if variant == "mlp" else mnist.x_test[..., None].astype(np.float32), mnist.y_test
