r"""The features of `jaxnn.networks.cnn` in the way that is fast on a CPU: a few images at a time, images innermost.

The plain form writes every intermediate of the whole batch to memory, 51 MB of it for 128 images, and reads it back.
Here a block of 16 images passes through both convolutions while it is in the cache. In the layout
`(channels, h, w * images)` a shift by a pixel is one by 16 numbers, as many as a vector register holds: what a place of
a kernel sees is made of whole rows of hundreds of numbers, and the matrix products run along thousands of pixels. Where
a layer has more inputs than outputs, multiplying first and shifting after moves less memory:
$z_{uv} = W_{uv}^\top a$ for all places (u, v) at once, then $y_{ij} = \sum_{uv} z_{uv,\, i + u,\, j + v}$.
Backwards, the shifted cotangents are built once and used in both products. The hidden activations are computed again in
the backward pass, which costs less than keeping them.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxnn.ops import relu_bwd, relu_fwd, softplus, softplus_bwd

Params = dict[str, Array]
Residuals = tuple[Any, ...]
BLOCK = 16


def features_fwd(params: Params, x: Float[Array, "n h w c"]) -> tuple[Float[Array, "n f"], Residuals]:
    """Return the features `(n, f)` and the residuals for `features_bwd`, equal to those of the plain form."""
    blocks = _into_blocks(x)
    _, (pooled, winner) = lax.scan(lambda _, block: (None, _forward(params, block)), None, blocks)
    z = pooled.transpose(0, 4, 2, 3, 1).reshape(blocks.shape[0] * blocks.shape[1], -1)
    # Softplus and the change of layout in loops of their own become vector instructions: 3.1 to 3.0 ms.
    z = _fusion_barrier(z[: len(x)])
    return softplus(z), (params, blocks, z, winner)


def features_bwd(residuals: Residuals, g: Float[Array, "n f"]) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`."""
    params, blocks, z, winner = residuals
    n_blocks, channels, h, w, block = winner.shape
    (dz,) = softplus_bwd((z,), g)
    dz = _fusion_barrier(_into_blocks(_fusion_barrier(dz)).reshape(n_blocks, block, h, w, channels))

    def step(total, part):
        return jax.tree.map(jnp.add, total, _backward(params, *part)), None

    zeros = {name: jnp.zeros_like(params[name]) for name in ("W1", "b1", "W2", "b2")}
    return lax.scan(step, zeros, (blocks, winner, dz))[0]


def _forward(params, x):
    """Return the pooled second convolution `(k, h/2, w/2, n)` of a block, and which of each window's four won."""
    w, (n, h, width, _) = params["W2"], x.shape
    a1 = _hidden(params, _patches(x, params["W1"]))
    parts = (_columns(w) @ _flat(a1)).reshape(*w.shape[:2], w.shape[3], *a1.shape[1:])
    (top, _), (left, _) = _same(w)
    z2 = sum(_moved(parts[u, v], u - top, (v - left) * n) for u, v in _places(w))
    # The pool's sum and its windows in two loops, which takes less time than in one.
    z2 = _fusion_barrier(z2 + params["b2"][:, None, None])
    return _pool(z2.reshape(-1, h, width, n))


def _backward(params, x, winner, dz):
    w, patches = params["W2"], _patches(x, params["W1"])
    a1 = _hidden(params, patches)
    dz = _fusion_barrier(dz.transpose(3, 1, 2, 0))
    # The pool left an odd last row or column out.
    edges = [(after, before + size % 2) for (before, after), size in zip(_same(w), x.shape[1:3], strict=True)]
    d_parts = _flat(jnp.concatenate(_windows(_unpool(dz, winner), edges, w)[::-1]))
    dW2 = (d_parts @ _flat(a1).T).reshape(*w.shape[:2], w.shape[3], w.shape[2]).swapaxes(2, 3)
    # The weights are turned before the product, not in it: 17.0 to 16.4 ms a step.
    (dz1,) = relu_bwd((_flat(a1) > 0,), _fusion_barrier(_columns(w).T) @ d_parts)  # a1 is positive where z1 is
    inputs = jnp.concatenate([*patches, jnp.ones_like(a1[:1])])  # b1 is the weight of an input that is 1
    d1 = _flat(inputs) @ dz1.T
    dW1, db1 = d1[:-1].reshape(params["W1"].shape), d1[-1]
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": dz.sum(axis=(1, 2, 3))}


def _hidden(params, patches):
    """Return the first layer's activations `(k, h, w * n)`."""
    weights = params["W1"].reshape(-1, *params["W1"].shape[2:])
    # The product of nine rows written out as a sum: 2.8 ms forward in place of 3.0.
    z1 = sum(jnp.tensordot(weight, patch, (0, 0)) for weight, patch in zip(weights, patches, strict=True))
    return _fusion_barrier(relu_fwd(z1 + params["b1"][:, None, None])[0])


def _patches(x, w):
    """Return what each place of the kernel `w` sees of the images `(n, h, w, c)`."""
    return _windows(x.transpose(3, 1, 2, 0), _same(w), w)


def _windows(x, edges, w):
    """Return what each place of the kernel `w` sees of `(c, h, w, n)` with zeros around it, each `(c, h, w * n)`."""
    n, (kh, kw) = x.shape[3], w.shape[:2]
    # The zeros are there once, so that each shift is a slice and not a pad of its own: 4.9 to 3.9 ms backward.
    x = _fusion_barrier(jnp.pad(x, ((0, 0), *edges, (0, 0))))
    h, width = x.shape[1] - kh + 1, (x.shape[2] - kw + 1) * n
    rows = x.reshape(*x.shape[:2], -1)
    return [rows[:, u : u + h, v * n : v * n + width] for u, v in _places(w)]


def _moved(x, up, left):
    """Return `(c, h, w)` moved by so many rows and columns, zeros coming in."""
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), (-up, up, 0), (-left, left, 0)))


def _pool(z):
    """Return the largest of each 2 x 2 window and its number 0..3, row by row, the first of them at ties."""
    k, h, w, n = z.shape
    windows = z[:, : h // 2 * 2, : w // 2 * 2].reshape(k, h // 2, 2, w // 2, 2, n)
    largest, winner = windows[:, :, 0, :, 0], jnp.zeros((k, h // 2, w // 2, n), jnp.int8)
    for number in (1, 2, 3):
        part = windows[:, :, number // 2, :, number % 2]
        # >=: at a tie the first stays; and a NaN stays once it is there.
        stays = (largest >= part) | jnp.isnan(largest)
        winner = jnp.where(stays, winner, jnp.int8(number))
        largest = jnp.where(stays, largest, part)
    return largest, winner


def _unpool(g, winner):
    """Return `g` where the winners were and 0 elsewhere, `(k, h, w, n)` twice as high and wide."""
    k, h, w, n = g.shape
    numbers = jnp.arange(4, dtype=winner.dtype).reshape(1, 1, 2, 1, 2, 1)
    won, g = winner[:, :, None, :, None] == numbers, g[:, :, None, :, None]
    return jnp.where(won, g, jnp.zeros_like(g)).reshape(k, 2 * h, 2 * w, n)


def _into_blocks(x):
    """Return `(n, ...)` as `(blocks, block, ...)`, the last block filled up with zeros."""
    block = min(BLOCK, len(x))
    x = jnp.pad(x, ((0, -len(x) % block), *((0, 0),) * (x.ndim - 1)))
    return x.reshape(-1, block, *x.shape[1:])


def _fusion_barrier(x):
    """Return `x`, whose computation XLA is not to mix with what follows: both in one loop would be slower."""
    return lax.optimization_barrier(x)


def _columns(w):
    """Return a kernel `(kh, kw, c, k)` as the matrix `(kh * kw * k, c)`."""
    return w.swapaxes(2, 3).reshape(-1, w.shape[2])


def _flat(channels):
    return channels.reshape(channels.shape[0], -1)


def _places(w):
    return [(u, v) for u in range(w.shape[0]) for v in range(w.shape[1])]


def _same(w):
    """Return the zeros around an image that keep its size under the kernel: an odd one at the bottom and right."""
    return [((k - 1) // 2, k // 2) for k in w.shape[:2]]
