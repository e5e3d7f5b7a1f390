"""The gradient by hand beside `jax.value_and_grad` of the same loss: one update of the MNIST networks on 128 digits."""

from collections.abc import Collection

import jax
import numpy as np

import jaxnn
from benchmarks import cnn, digits, mlp
from benchmarks.agreement import agree
from benchmarks.timing import Side, fit_side
from jaxnn import networks

WHAT = "an update of the MNIST networks, float32, batch 128, dropout and RMSprop, by hand and by jax.value_and_grad"
VARIANTS = ("mlp", "cnn")
PEERS = ()
SAMPLES = 20
NETWORKS = {"mlp": networks.mlp, "cnn": networks.cnn}
UPDATES = {"mlp": mlp.UPDATES, "cnn": cnn.UPDATES}  # an epoch
TOLERANCE = 1e-5


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what trains with either gradient, once they are known to agree."""
    del peers
    network, updates = NETWORKS[variant], UPDATES[variant]
    images, y = digits.first_digits(updates)
    x = images.reshape(len(images), -1) / np.float32(255) if network is networks.mlp else images[..., None]
    x, params, key = x.astype(np.float32), network.init(jax.random.key(20240402)), jax.random.key(0)
    gradients = {
        "jaxnn": network.metrics_and_grad,
        "autodiff": jax.value_and_grad(network.loss_and_metrics, has_aux=True),
    }
    first = (params, x[: digits.BATCH], y[: digits.BATCH], key)
    with jax.default_matmul_precision("highest"):  # an accelerator's own is coarser than the tolerance
        ours, theirs = (jax.tree.leaves(jax.jit(gradient)(*first)) for gradient in gradients.values())
    for number, (expected, actual) in enumerate(zip(ours, theirs, strict=True)):
        agree(f"leaf {number} of loss, accuracy and gradient", expected, actual, TOLERANCE)
    data = jax.device_put(x), jax.device_put(y)
    options = {"epochs": 1, "updates": updates, "batch_size": digits.BATCH, "key": key, "with_key": True}
    return {
        who: fit_side(gradient, params, jaxnn.rmsprop(), data, progress_every=1, **options)
        for who, gradient in gradients.items()
    }
