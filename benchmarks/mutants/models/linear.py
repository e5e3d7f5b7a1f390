"""Model a: W X + b, sum of squares over m; one sample a column."""

import jax.numpy as jnp
import numpy as np


def loss(params, X, Y):
    """Return the squared error of W X + b, summed over the outputs, the mean over the samples."""
    W, b, m = params["W"], params["b"], X.shape[1]
    Yh = W @ X + b
    return jnp.sum((Yh - Y) ** 2) / m


def grad(params, X, Y):
    """Return the gradient of `loss` by hand."""
    W, b, m = params["W"], params["b"], X.shape[1]
    Yh = W @ X + b
    dYh = 2 * (Yh - Y) / m
    dW = dYh @ X.T
    db = dYh.sum(axis=1, keepdims=True)
    return {"W": dW, "b": db}


def cases():
    """Return the arguments by scenario: several outputs (ny), one sample (m1), large inputs (big)."""
    return {"std": point(), "ny": point(n_y=3), "m1": point(m=1), "big": point(scale=20.0)}


def point(n_x=4, n_y=1, m=5, scale=1.0):
    """Return parameters and data drawn from the normal distribution."""
    rng = np.random.default_rng(1)
    params = {"W": rng.normal(size=(n_y, n_x)), "b": rng.normal(size=(n_y, 1))}
    return params, scale * rng.normal(size=(n_x, m)), rng.normal(size=(n_y, m))
