"""scikit-learn's MLPClassifier: the MLP without dropout, which it has not, and with Adam, since it has no RMSprop."""

import jax.numpy as jnp
import numpy as np
from sklearn.neural_network import MLPClassifier  # pyright: ignore[reportMissingImports] (an optional peer)

from benchmarks.agreement import agree
from benchmarks.timing import Side, peer_side
from jaxnn.networks import mlp


def training_side(params, x: np.ndarray, y: np.ndarray, batch: int) -> Side:
    """Return what runs a block of epochs, shuffled, from the same start; `Different` where it predicts otherwise."""
    ours, theirs = mlp.apply(params, jnp.asarray(x[:batch])), start(params, x, y, batch).predict_proba(x[:batch])
    agree("scikit-learn's predictions", ours, theirs, 2e-5)

    def begin():
        model = start(params, x, y, batch)
        return lambda: model.partial_fit(x, y)

    return peer_side(begin, -(-len(x) // batch))


def start(params, x: np.ndarray, y: np.ndarray, batch: int) -> MLPClassifier:
    """Return the network with jaxnn's parameters, ready to be trained on."""
    model = MLPClassifier((512,), alpha=0, batch_size=batch, random_state=0)  # pyright: ignore[reportArgumentType]
    model.partial_fit(x[:batch], y[:batch], classes=np.arange(10))
    for number, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), 1):
        weights[:], biases[:] = params[f"W{number}"], params[f"b{number}"]
    return model
