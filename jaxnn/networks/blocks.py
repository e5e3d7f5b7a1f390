r"""The features of `jaxnn.networks.cnn` in the way that is fast on a CPU: a few images at a time, images innermost.

The plain form writes every intermediate of the whole batch to memory, 51 MB of it for 128 images, and reads it back.
Here a block of 16 images passes through both convolutions while it is in the cache. In the layout
`(channels, h, w, images)` the matrix products run along rows of thousands of pixels, and the shifts that a kernel needs
and the windows of the pool are made of whole runs of 16 numbers, as many as a vector register holds. Where a layer has
more inputs than outputs, multiplying first and shifting after moves less memory:
$z_{uv} = W_{uv}^\top a$ for all places (u, v) at once, then $y_{ij} = \sum_{uv} z_{uv,\, i + u,\, j + v}$.
The zeros around an image are there from the start, so nothing is copied to add them. Backwards, the shifted cotangents
are built once and used in both products. The hidden activations are computed again in the backward pass, which costs
less than keeping them.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxnn.ops import relu_bwd, relu_fwd, softplus, softplus_bwd

Params = dict[str, Array]
BLOCK = 16


def features_fwd(params: Params, x: Float[Array, "n h w c"]):
    """Return the features `(n, f)` and the residuals for `features_bwd`, equal to those of the plain form."""
    blocks = _into_blocks(x)
    _, (pooled, winner) = lax.scan(lambda _, block: (None, _forward(params, block)), None, blocks)
    z = pooled.transpose(0, 4, 2, 3, 1).reshape(blocks.shape[0] * blocks.shape[1], -1)
    z = _apart(z[: len(x)])
    return softplus(z), (params, blocks, z, winner)


def features_bwd(residuals, g: Float[Array, "n f"]) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`."""
    params, blocks, z, winner = residuals
    n_blocks, channels, h, w, block = winner.shape
    (dz,) = softplus_bwd((z,), g)
    dz = _into_blocks(_apart(dz)).reshape(n_blocks, block, h, w, channels).transpose(0, 4, 2, 3, 1)

    def step(total, part):
        return jax.tree.map(jnp.add, total, _backward(params, *part)), None

    zeros = {name: jnp.zeros_like(params[name]) for name in ("W1", "b1", "W2", "b2")}
    return lax.scan(step, zeros, (blocks, winner, dz), unroll=2)[0]


def _forward(params, x):
    """Return the pooled second convolution `(k, h/2, w/2, block)` of a block, and which of each window's four won."""
    (a1, _, _), w = _hidden(params, x), params["W2"]
    columns, (kh, kw), (h, width) = _columns(w), w.shape[:2], x.shape[1:3]
    parts = (columns @ _flat(a1)).reshape(kh, kw, w.shape[3], *a1.shape[1:])
    z2 = sum(parts[u, v, :, u : u + h, v : v + width] for u in range(kh) for v in range(kw))
    return _pool(_apart(z2 + params["b2"][:, None, None, None]))


def _backward(params, x, winner, dz):
    (a1, patches, positive), w = _hidden(params, x), params["W2"]
    columns, (kh, kw) = _columns(w), w.shape[:2]
    dz2 = _apart(_unpool(dz, winner))
    places = [(u, v) for u in range(kh) for v in range(kw)]
    d_parts = jnp.stack([_at(u, v, dz2, a1.shape) for u, v in places]).reshape(columns.shape[0], -1)
    dW2 = (d_parts @ _flat(a1).T).reshape(kh, kw, w.shape[3], w.shape[2]).swapaxes(2, 3)
    (dz1,) = relu_bwd(positive, _apart(columns.T) @ d_parts)
    dW1 = (_flat(patches) @ dz1.T).reshape(params["W1"].shape)
    return {"W1": dW1, "b1": dz1.sum(axis=1), "W2": dW2, "b2": dz.sum(axis=(1, 2, 3))}


def _hidden(params, x):
    """Return the first layer's activations `(c, h, w, block)`, the patches it multiplied and where it was positive.

    `h` and `w` are those of an image with the zeros around it that the second convolution wants.
    """
    edges = _same(*params["W2"].shape[:2])
    patches = _patches(x, params["W1"].shape, edges)
    inside = jnp.pad(jnp.ones(x.shape[1:3], bool), edges)[..., None]
    inside = jnp.broadcast_to(inside, patches.shape[1:]).reshape(1, -1)
    weights = _apart(params["W1"].reshape(-1, params["W1"].shape[3]).T)
    z1 = weights @ _flat(patches) + params["b1"][:, None]
    a1, (positive,) = relu_fwd(jnp.where(inside, z1, jnp.zeros_like(z1)))
    return a1.reshape(-1, *patches.shape[1:]), patches, (positive,)


def _patches(x, shape, edges):
    """Return what each place of the kernel sees of `(n, h, w, c)` and the `edges`, as `(kh * kw * c, h, w, n)`."""
    kh, kw = shape[:2]
    both = [(a + c, b + d) for (a, b), (c, d) in zip(_same(kh, kw), edges, strict=True)]
    around = jnp.pad(x.transpose(3, 1, 2, 0), ((0, 0), *both, (0, 0)))
    h, w = around.shape[1] - kh + 1, around.shape[2] - kw + 1
    return jnp.concatenate([around[:, u : u + h, v : v + w] for u in range(kh) for v in range(kw)])


def _pool(z):
    """Return the largest of each 2 x 2 window and its number 0..3, row by row, the first of them at ties."""
    k, h, w, n = z.shape
    windows = z[:, : h // 2 * 2, : w // 2 * 2].reshape(k, h // 2, 2, w // 2, 2, n)
    largest, winner = windows[:, :, 0, :, 0], jnp.zeros((k, h // 2, w // 2, n), jnp.int8)
    for number in (1, 2, 3):
        part = windows[:, :, number // 2, :, number % 2]
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


def _at(u, v, g, shape):
    """Return `g`, `(k, h, w, n)`, at row `u` and column `v` of zeros that are as high and wide as `shape`."""
    h, w = g.shape[1:3]
    return jnp.pad(g, ((0, 0), (u, shape[1] - h - u), (v, shape[2] - w - v), (0, 0)))


def _into_blocks(x):
    """Return `(n, ...)` as `(blocks, block, ...)`, the last block filled up with zeros."""
    block = min(BLOCK, len(x))
    x = jnp.pad(x, ((0, -len(x) % block), *((0, 0),) * (x.ndim - 1)))
    return x.reshape(-1, block, *x.shape[1:])


def _apart(x):
    """Return `x`, whose computation XLA is not to mix with what follows: both in one loop would be slower."""
    return lax.optimization_barrier(x)


def _columns(w):
    """Return a kernel `(kh, kw, c, k)` as the matrix `(kh * kw * k, c)`."""
    return w.swapaxes(2, 3).reshape(-1, w.shape[2])


def _flat(channels):
    return channels.reshape(channels.shape[0], -1)


def _same(kh, kw):
    """Return the zeros around an image that keep its size: an odd one at the bottom and right."""
    return ((kh - 1) // 2, kh // 2), ((kw - 1) // 2, kw // 2)
