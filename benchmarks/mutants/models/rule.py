"""A rule in `jax.custom_vjp`'s form, f(w, v, x) = mean(tanh(x w) * (x v)), its cotangents written by hand."""

import jax
import jax.numpy as jnp
import numpy as np


def f(w, v, x) -> jax.Array:
    """Return the mean over the samples of tanh(x w) times x v."""
    return jnp.mean(jnp.tanh(x @ w) * (x @ v))


def f_fwd(w, v, x):
    """Return `f` and the residuals."""
    a = jnp.tanh(x @ w)
    s = x @ v
    y = jnp.mean(a * s)
    return y, (w, v, x, a, s)


def f_bwd(residuals, g):
    """Return the cotangents of w, v and x."""
    w, v, x, a, s = residuals
    dy = g / len(x)
    da = dy * s
    ds = dy * a
    dz = da * (1 - a**2)
    dw = x.T @ dz
    dv = x.T @ ds
    dx = jnp.outer(dz, w) + jnp.outer(ds, v)
    return dw, dv, dx


def cases():
    """Return the arguments by scenario: an ordinary point and a second one."""
    return {"std": point(6), "second": point(7)}


def point(seed, n=5, d=3):
    """Return w, v and x drawn from the normal distribution."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=d), rng.normal(size=d), rng.normal(size=(n, d))
