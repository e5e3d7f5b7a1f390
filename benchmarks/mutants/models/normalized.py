"""A hidden layer whose pre-activations are divided by their root mean square, squared error; one sample a column."""

import jax
import jax.numpy as jnp
import numpy as np


def loss(params, X, Y) -> jax.Array:
    """Return the squared error of v tanh(W X / scale), the mean over the samples."""
    Z = params["W"] @ X
    scale = jnp.sqrt(jnp.mean(Z**2))
    A = jnp.tanh(Z / scale)
    return jnp.sum((params["v"] @ A - Y) ** 2) / X.shape[1]


def grad(params, X, Y):
    """Return the gradient of `loss` by hand."""
    W, v, m = params["W"], params["v"], X.shape[1]
    Z = W @ X
    scale = jnp.sqrt(jnp.mean(Z**2))
    A = jnp.tanh(Z / scale)
    dYh = 2 * (v @ A - Y) / m
    dv = dYh @ A.T
    dU = (v.T @ dYh) * (1 - A**2)
    dscale = -jnp.sum(dU * Z) / scale**2
    dZ = dU / scale + dscale * Z / (scale * Z.size)
    dW = dZ @ X.T
    return {"W": dW, "v": dv}


def cases():
    """Return the arguments of an ordinary point."""
    rng = np.random.default_rng(8)
    params = {"W": rng.normal(size=(3, 4)), "v": rng.normal(size=(2, 3))}
    return {"std": (params, rng.normal(size=(4, 5)), rng.normal(size=(2, 5)))}
