"""scikit-learn's MLPClassifier: the MLP without dropout, which it has not, and with Adam, since it has no RMSprop."""

import warnings
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.agreement import agree
from benchmarks.timing import Side, peer_side
from jaxnn.networks import mlp


def training_side(params: mlp.Params, x: np.ndarray, y: np.ndarray, batch: int) -> Side:
    """Return what runs a block of epochs, shuffled, from the same start; `Different` where it predicts otherwise."""
    ours, theirs = mlp.apply(params, jnp.asarray(x[:batch])), start(params, x, y, batch).predict_proba(x[:batch])
    agree("scikit-learn's predictions", ours, theirs, 2e-5)

    def begin():
        model = start(params, x, y, batch)
        return lambda: model.partial_fit(x, y)

    return peer_side(begin, -(-len(x) // batch))


def start(params: mlp.Params, x: np.ndarray, y: np.ndarray, batch: int) -> MLPClassifier:
    """Return the network with jaxnn's parameters, ready to be trained on."""
    model = MLPClassifier((512,), alpha=0, batch_size=batch, random_state=0)  # pyright: ignore[reportArgumentType]
    model.partial_fit(x[:batch], y[:batch], classes=np.arange(10))  # before that it has no weights to be replaced
    for number, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True), 1):
        weights[:], biases[:] = params[f"W{number}"], params[f"b{number}"]
    return model


def full_batch(weights: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int) -> MLPClassifier:
    """Return one hidden layer of logistic nodes after so many steps of gradient descent over all rows.

    `weights` are R's matrices, the intercepts in the first row.
    """
    labels = y.ravel().astype(int)
    settings = {"activation": "logistic", "solver": "sgd", "momentum": 0, "alpha": 0, "tol": 0, "shuffle": False}
    settings |= {"batch_size": len(x), "learning_rate_init": rate, "n_iter_no_change": steps + 1, "random_state": 0}
    model = MLPClassifier((weights[0].shape[1],), max_iter=steps, warm_start=True, **settings)
    model.partial_fit(x, labels, classes=[0, 1])
    for matrix, w, b in zip(weights, model.coefs_, model.intercepts_, strict=True):
        w[:], b[:] = matrix[1:], matrix[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all steps are wanted
        return model.fit(x, labels)
