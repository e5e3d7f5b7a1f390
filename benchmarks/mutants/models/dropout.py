"""Model c: ReLU, inverted dropout with a given mask D, softmax cross-entropy over m; one sample a column."""

import jax
import jax.numpy as jnp
import numpy as np

kp = 0.8  # the probability with which a node is kept


def loss(params, X, Y, D):
    """Return the cross-entropy, the mean over the samples; the columns of Y need not sum to 1."""
    W1, b1, W2, b2, m = params["W1"], params["b1"], params["W2"], params["b2"], X.shape[1]
    H = jax.nn.relu(W1 @ X + b1) * D / kp
    return -jnp.sum(Y * jax.nn.log_softmax(W2 @ H + b2, axis=0)) / m


def grad(params, X, Y, D):
    """Return the gradient of `loss` by hand."""
    W1, b1, W2, b2, m = params["W1"], params["b1"], params["W2"], params["b2"], X.shape[1]
    Z1 = W1 @ X + b1
    H = jnp.where(Z1 > 0, Z1, 0.0)
    Hd = H * D / kp
    Z2 = W2 @ Hd + b2
    P = jax.nn.softmax(Z2, axis=0)
    dZ2 = (P * Y.sum(axis=0, keepdims=True) - Y) / m
    dW2 = dZ2 @ Hd.T
    db2 = dZ2.sum(axis=1, keepdims=True)
    dHd = W2.T @ dZ2
    dH = dHd * D / kp
    dZ1 = dH * (Z1 > 0)
    dW1 = dZ1 @ X.T
    db1 = dZ1.sum(axis=1, keepdims=True)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def cases():
    """Return the arguments by scenario: five classes, a node at and near the kink, large logits, soft labels."""
    std = point()
    rng = np.random.default_rng(4)
    return {
        "std": std,
        "ny": point(n_y=5),
        "kink": (node(std[0], 0.0, 0.0), *std[1:]),
        "slab": (node(std[0], 1e-4, 1e-4), *std[1:]),
        "sat2": point(scale=1000.0),
        "soft": (*std[:2], rng.uniform(size=std[2].shape), std[3]),
    }


def node(params, weight, bias):
    """Return the parameters with the first hidden node's weights and bias near or at 0."""
    W1, b1 = np.copy(params["W1"]), np.copy(params["b1"])
    W1[0], b1[0] = weight * W1[0], bias
    return {**params, "W1": W1, "b1": b1}


def point(n_x=4, n_h=5, n_y=3, m=6, scale=1.0):
    """Return parameters and inputs drawn from the normal distribution, one-hot targets and a mask."""
    rng = np.random.default_rng(3)
    params = {
        "W1": rng.normal(size=(n_h, n_x)),
        "b1": rng.normal(size=(n_h, 1)),
        "W2": rng.normal(size=(n_y, n_h)),
        "b2": rng.normal(size=(n_y, 1)),
    }
    X = scale * rng.normal(size=(n_x, m))
    Y = np.eye(n_y)[rng.integers(0, n_y, size=m)].T
    D = (rng.uniform(size=(n_h, m)) < kp).astype(float)
    D[0] = 1.0
    return params, X, Y, D
