"""The dense layer, flattening images for it, and dropout."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

from jaxnn.errors import check_shape, check_share, require
from jaxnn.ops.activations import Residuals
from jaxnn.ops.bits import bits16, materialized


def dense(x: Float[Array, "n d"], w: Float[Array, "d k"], b: Float[Array, " k"]) -> Float[Array, "n k"]:
    r"""Return $y = x W + b$, one example a row.

    The lecture has one example a column: its `W1 %*% X + b1` with `W1 = w.T` (section 6).
    """
    check_shape("x", x, ("n", w.shape[0]))
    check_shape("b", b, (w.shape[1],))
    return x @ w + b[None, :]


def dense_fwd(
    x: Float[Array, "n d"], w: Float[Array, "d k"], b: Float[Array, " k"]
) -> tuple[Float[Array, "n k"], Residuals]:
    return dense(x, w, b), (x, w)


def dense_bwd(
    residuals: Residuals, g: Float[Array, "n k"]
) -> tuple[Float[Array, "n d"], Float[Array, "d k"], Float[Array, " k"]]:
    r"""Return $\bar x = g W^\top$, $\bar W = x^\top g$ and $\bar b = \sum_i g_i$ (one entry an output)."""
    x, w = residuals
    return g @ w.T, outer(x, g), g.sum(axis=0)


def outer(x: Float[Array, "n d"], g: Float[Array, "n k"]) -> Float[Array, "d k"]:
    r"""Return $x^\top g$, a sum of outer products; of a few columns $(g^\top x)^\top$, five times as fast on a CPU."""
    # Turned, the product of the MLP's ten outputs takes a CPU 0.05 ms in place of 0.25.
    if g.shape[1] > 32:
        return x.T @ g
    return lax.platform_dependent(x, g, cpu=_turned, default=lambda x, g: x.T @ g)


def _turned(x, g):
    apart = lax.optimization_barrier  # without it XLA would turn the product back, and read g against its rows
    return apart(apart(g.T) @ x).T


def flatten(x: Float[Array, "n ..."]) -> Float[Array, "n d"]:
    """Return each example as a row, its last index fastest: images row by row, the channels of a pixel together."""
    require(jnp.ndim(x) > 0 and len(x) > 0, "x", f"shape {jnp.shape(x)}", "at least one example")
    return x.reshape(len(x), -1)


def flatten_fwd(x: Float[Array, "n ..."]) -> tuple[Float[Array, "n d"], Residuals]:
    return flatten(x), (x,)


def flatten_bwd(residuals: Residuals, g: Float[Array, "n d"]) -> tuple[Float[Array, "n ..."]]:
    """Return `g` in the shape that the examples had."""
    (x,) = residuals
    return (g.reshape(x.shape),)


def dropout(x: Float[Array, "..."], key: Key[Array, ""], *, rate: float) -> Float[Array, "..."]:
    r"""Return $x \cdot m / (1 - r)$, each $m$ 0 with probability $r$ = `rate`, else 1 (inverted dropout).

    The expectation over `key` is `x`, so nothing needs scaling when the layer is left out at prediction (lecture 8.3).
    16 random bits decide on each entry, half of what a float takes: r is rounded to a 65,536th.
    """
    return dropout_fwd(x, key, rate=rate)[0]


def dropout_fwd(x: Float[Array, "..."], key: Key[Array, ""], *, rate: float) -> tuple[Float[Array, "..."], Residuals]:
    check_share("rate", rate)
    # At a rate next to 1 one entry in 65,536 stays: the scale 1 / (1 - rate) is finite.
    dropped = min(round(rate * 2**16), 2**16 - 1)
    # Drawn once for the forward and the backward pass: computing the bits again takes longer than reading them.
    kept = materialized(bits16(key, x.shape) >= dropped)
    scale = kept.astype(x.dtype) / (1 - dropped / 2**16)
    return x * scale, (scale,)


def dropout_bwd(residuals: Residuals, g: Float[Array, "..."], *, rate: float) -> tuple[Float[Array, "..."], None]:
    """Return `g` through the same mask, and None: a key has no cotangent."""
    del rate
    (scale,) = residuals
    return g * scale, None
