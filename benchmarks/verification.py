"""A default `jaxnn.verify.check` of a right gradient, compiled already: what a person waits for."""

from collections.abc import Callable, Collection

import jax
import numpy as np

import jaxnn
from benchmarks import hidden
from benchmarks.agreement import Different
from benchmarks.timing import Side, peer_side
from jaxnn import networks
from jaxnn.verify import check

WHAT = "a default check of the gradient by hand, float32: the hidden-layer network on 1000 points, the MNIST MLP on 128"
VARIANTS = ("hidden", "mlp")
PEERS = ()
SAMPLES = 20
BATCH = 128


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what checks once; raise `Different` where the verdict is another than PASS."""
    del peers
    checked = hidden_layer() if variant == "hidden" else mlp()
    verdict = checked()
    if verdict.kind != "PASS":
        raise Different(f"the verdict on the gradient by hand is {verdict.kind}, expected PASS")
    return {"jaxnn": peer_side(lambda: checked, 1)}


def hidden_layer() -> Callable:
    """Return what checks the hidden layer's gradient on the lecture's 1000 points."""
    params, (x, y) = hidden.start("float32")
    network = networks.hidden_layer
    return lambda: check(network.loss, gradient_of(network.value_and_grad), params, x, y)


def mlp() -> Callable:
    """Return what checks the MNIST network's gradient on a batch of digits."""
    network, mnist = networks.mlp, jaxnn.load_mnist()
    x = mnist.x_train[:BATCH].reshape(BATCH, -1) / np.float32(255)
    params = network.init(jax.random.key(20240402))
    return lambda: check(network.loss, gradient_of(network.value_and_grad), params, x, mnist.y_train[:BATCH])


def gradient_of(value_and_grad: Callable) -> Callable:
    """Return the gradient alone, as `check` takes it."""
    return lambda *args: value_and_grad(*args)[1]
