"""Model b: a hidden layer of sigmoid nodes, sigmoid outputs, Bernoulli loss over m; one sample a column."""

import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid as sig


def loss(params, X, Y):
    """Return the negative Bernoulli log-likelihood, the mean over the samples."""
    W1, b1, W2, b2, m = params["W1"], params["b1"], params["W2"], params["b2"], X.shape[1]
    A1 = sig(W1 @ X + b1)
    Z2 = W2 @ A1 + b2
    return jnp.sum(jnp.logaddexp(Z2, jnp.zeros_like(Z2)) - Y * Z2) / m


def grad(params, X, Y):
    """Return the gradient of `loss` by hand."""
    W1, b1, W2, b2, m = params["W1"], params["b1"], params["W2"], params["b2"], X.shape[1]
    Z1 = W1 @ X + b1
    A1 = sig(Z1)
    A2 = sig(W2 @ A1 + b2)
    dZ2 = (A2 - Y) / m
    dW2 = dZ2 @ A1.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dA1 = W2.T @ dZ2
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def cases():
    """Return the arguments by scenario: several outputs (ny), one sample (m1), saturated, a feature of zeros."""
    std = point()
    zero = np.copy(std[1])
    zero[1] = 0.0
    return {
        "std": std,
        "ny": point(n_y=3),
        "m1": point(m=1),
        "satW": ({**std[0], "W2": 20 * std[0]["W2"]}, *std[1:]),
        "sat2": point(scale=1000.0),
        "zero": (std[0], zero, std[2]),
    }


def point(n_x=3, n_h=4, n_y=1, m=6, scale=1.0):
    """Return parameters and data drawn from the normal distribution, the targets 0 and 1."""
    rng = np.random.default_rng(2)
    params = {
        "W1": rng.normal(size=(n_h, n_x)),
        "b1": rng.normal(size=(n_h, 1)),
        "W2": rng.normal(size=(n_y, n_h)),
        "b2": rng.normal(size=(n_y, 1)),
    }
    return params, scale * rng.normal(size=(n_x, m)), rng.integers(0, 2, size=(n_y, m)).astype(float)
