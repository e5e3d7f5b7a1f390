"""What the two MNIST cases share: the digits, jaxnn's side, and the check that a peer's network is the same one."""

from collections.abc import Collection
from types import ModuleType
from typing import Any

import jax
import numpy as np

import jaxnn
from benchmarks.agreement import agree
from benchmarks.peers import KERAS
from benchmarks.timing import Side, fit_side

Params = dict[str, jax.Array]
Examples = np.ndarray | jax.Array

BATCH = 128
CHECKED = 5  # updates whose losses are compared


def first_digits(updates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first training digits, as many as `updates` batches take: `(n, 28, 28)` in 0..255 and their labels."""
    mnist = jaxnn.load_mnist()
    return mnist.x_train[: updates * BATCH], mnist.y_train[: updates * BATCH]


def program(network: ModuleType, *inputs: int) -> tuple:
    """Return the gradient of one batch, dropout switched off, and the shapes that it takes."""
    x, y = (jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in (((BATCH, *inputs), "float32"), ((BATCH,), "uint8")))
    return network.value_and_grad, jax.eval_shape(network.init, jax.random.key(0)), x, y


def sides(network: ModuleType, x: np.ndarray, y: np.ndarray, model: str, peers: Collection[str]) -> dict[str, Side]:
    """Return jaxnn's side and the peers' for training `network` on the digits; raise `Different` if they disagree.

    `x` as `jaxnn.networks.mlp` or `cnn` take it, float32; `model` is the network's name in
    `benchmarks.peers.torch_peer`.
    """
    params = network.init(jax.random.key(20240402))
    found = {"jaxnn": jaxnn_side(network, params, x, y)}
    if {"torch", "torch-compiled"} & set(peers):
        from benchmarks.peers import torch_peer

        for who, models in (("torch", torch_peer.MODELS), ("torch-compiled", torch_peer.COMPILED)):
            if who in peers:
                peer = models[model]
                check_first_batch(network, params, x[:BATCH], y[:BATCH], peer)
                check_first_steps(network, params, x[: CHECKED * BATCH], y[: CHECKED * BATCH], peer)
                found[who] = torch_peer.training_side(peer, params, x, y, BATCH)
    for who in (who for who in KERAS if who in peers):
        from benchmarks.peers import keras_peer

        found[who] = keras_peer.training_side(KERAS[who], model, params, x, y, BATCH, CHECKED)
    if "sklearn" in peers and model == "mlp":
        from benchmarks.peers import sklearn_peer

        found["sklearn"] = sklearn_peer.training_side(params, x, y, BATCH)
    return found


def jaxnn_side(
    network: ModuleType, params: Params, x: Examples, y: Examples, *, batch: int = BATCH, **options: Any
) -> Side:
    """Return training as users call it: shuffled batches, dropout, RMSprop, options of `fit`; a unit is one epoch.

    Each epoch is a program of its own, as with all the digits: over the few of a block, many would be one program.
    """
    return fit_side(
        network.metrics_and_grad,
        params,
        jaxnn.rmsprop(),
        (jax.device_put(x), jax.device_put(y)),
        epochs=1,
        updates=-(-len(x) // batch),
        batch_size=batch,
        key=jax.random.key(0),
        with_key=True,
        progress_every=1,
        **options,
    )


def check_first_batch(
    network: ModuleType, params: Params, x: Examples, y: Examples, peer: Any, tolerance: float = 2e-5
) -> None:
    """Raise `Different` unless loss and gradient of one batch agree to float32's accuracy, dropout switched off."""
    with jax.default_matmul_precision("highest"):  # an accelerator's own is coarser than the tolerance
        loss, grads = network.value_and_grad(params, x, y)
    peer_loss, peer_grads = peer.value_and_grad(params, x, y)
    agree("the loss of the first batch", loss, peer_loss, tolerance)
    ours = peer.layout(grads)
    for number, (expected, actual) in enumerate(zip(ours, peer_grads, strict=True)):
        agree(f"the gradient of parameter {number}", expected, actual, tolerance)


def check_first_steps(
    network: ModuleType, params: Params, x: Examples, y: Examples, peer: Any, tolerance: float = 1e-3
) -> None:
    """Raise `Different` unless the mean loss over the first batches of training agrees, dropout switched off.

    Here Keras' epsilon is inside RMSprop's root and PyTorch's outside it: both are made too small to matter.
    """
    data, optimizer = (x, y), jaxnn.rmsprop(epsilon=1e-30)
    with jax.default_matmul_precision("highest"):
        history = jaxnn.fit(network.metrics_and_grad, params, optimizer, data, epochs=1, batch_size=BATCH).history
    loss, _ = peer.first_epoch(params, x, y, BATCH)
    agree("the mean loss of the first steps", history["loss"][0], loss, tolerance)
