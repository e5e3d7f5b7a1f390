r"""The features of `jaxnn.networks.whitened` in the way that is fast on a CPU: each pool in its convolution's product.

A pool of 2 x 2 takes the largest of four outputs of a convolution, and all four see the same patch, one pixel larger
than the kernel. One product makes them together: of the patches, which lie two pixels apart, with the kernel at its
four places in them, a matrix of four rows a filter. That is $((k + 1) / k)^2$ times the arithmetic, but fewer numbers
to copy, a product of a better shape, and a pool that compares whole rows of numbers. Images lie innermost,
`(channels, h, w, n)`, so that every shift moves runs of `n` numbers.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxnn.ops import relu_bwd, relu_fwd

Params = dict[str, Array]


def features_fwd(params: Params, x: Float[Array, "n h w c"]) -> tuple[Float[Array, "n f"], tuple]:
    """Return the features `(n, f)` and the residuals for `features_bwd`, equal to those of the plain form."""
    w1, b1 = (jnp.concatenate([params[name], -params[name]], axis=-1) for name in ("W1", "b1"))
    a1, layer1 = _layer(w1, b1, x.transpose(3, 1, 2, 0).astype(w1.dtype))
    a2, layer2 = _layer(params["W2"], params["b2"], a1)
    # A matrix turned, which XLA's products can take as it lies.
    return a2.reshape(-1, len(x)).T, (w1, params["W2"], a1.shape, layer1, layer2)


def features_bwd(residuals: tuple, g: Float[Array, "n f"]) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`."""
    w1, w2, shape, layer1, layer2 = residuals
    d2, dW2, db2 = _layer_bwd(w2, layer2, g.T)
    _, dW1, db1 = _layer_bwd(w1, layer1, _inputs_bwd(w2, d2, shape))
    (plus, minus), (b_plus, b_minus) = jnp.split(dW1, 2, axis=-1), jnp.split(db1, 2)
    return {"W1": plus - minus, "b1": b_plus - b_minus, "W2": dW2, "b2": db2}


def _layer(w, b, x):
    """Return convolution, pool and relu of `x` `(c, h, w, n)`, and the residuals for `_layer_bwd`."""
    (kh, kw, _, f), (_, height, width, n) = w.shape, x.shape
    h, wide = (height - kh + 1) // 2, (width - kw + 1) // 2
    x = _fusion_barrier(x)
    # What each place of the kernel sees, wherever the pool's window is.
    rows = [x[:, u : u + 2 * h - 1 : 2, v : v + 2 * wide - 1 : 2] for u in range(kh + 1) for v in range(kw + 1)]
    patches = jnp.concatenate(rows).reshape(-1, h * wide * n)
    z = _fusion_barrier(_at_four_places(w) @ patches).reshape(4, f, -1)
    largest, winner = z[0], jnp.zeros(z.shape[1:], jnp.int8)
    for number in (1, 2, 3):
        # >=: at a tie the first stays; and a NaN stays once it is there.
        stays = (largest >= z[number]) | jnp.isnan(largest)
        winner = jnp.where(stays, winner, jnp.int8(number))
        largest = jnp.where(stays, largest, z[number])
    a, (positive,) = relu_fwd(largest + b[:, None])
    shape = f, h, wide, n
    return a.reshape(shape), (patches, winner.reshape(shape), positive)


def _layer_bwd(w, residuals, g):
    """Return the cotangents of the product `(4 f, h, w, n)`, of `w` and of `b`."""
    patches, winner, positive = residuals
    f, h, wide, n = winner.shape
    (g,) = relu_bwd((positive,), g.reshape(f, -1))
    numbers = jnp.arange(4, dtype=winner.dtype)[:, None, None]
    won = winner.reshape(1, f, -1) == numbers
    d = _fusion_barrier(jnp.where(won, g[None], jnp.zeros_like(g)[None]).reshape(4 * f, -1))
    return d.reshape(-1, h, wide, n), _at_four_places_bwd(d @ patches.T, w.shape), g.sum(axis=1)


def _inputs_bwd(w, d, shape):
    """Return the cotangent of a layer's input `(c, h, w, n)`: to each of its pixels all that it entered comes back."""
    (c, height, width, n), (kh, kw, _, _), (f, h, wide, _) = shape, w.shape, d.shape
    # Of the kernel's places every second one meets a pixel of even row, the others one of odd row; so for columns.
    reach, across = kh // 2 + 1, kw // 2 + 1
    rows, columns = -(-height // 2), -(-width // 2)
    around = ((reach - 1, rows - h), (across - 1, columns - wide))
    d = _fusion_barrier(jnp.pad(d, ((0, 0), *around, (0, 0))))
    places = [(reach - 1 - u, across - 1 - v) for u in range(reach) for v in range(across)]
    seen = jnp.concatenate([d[:, u : u + rows, v : v + columns] for u, v in places]).reshape(-1, rows * columns * n)
    kernel = _at_four_places(w).reshape(f, kh + 1, kw + 1, c)
    kernel = jnp.pad(kernel, ((0, 0), (0, 2 * reach - kh - 1), (0, 2 * across - kw - 1), (0, 0)))
    kernel = kernel.reshape(f, reach, 2, across, 2, c).transpose(2, 4, 5, 1, 3, 0).reshape(4 * c, -1)
    parts = (_fusion_barrier(kernel) @ seen).reshape(2, 2, c, rows, columns, n)
    return parts.transpose(2, 3, 0, 4, 1, 5).reshape(c, 2 * rows, 2 * columns, n)[:, :height, :width]


def _at_four_places(w):
    """Return a kernel `(kh, kw, c, f)` as the matrix `(4 f, (kh + 1) (kw + 1) c)` of its places in a larger patch."""
    _, _, c, f = w.shape
    moved = [jnp.pad(w, ((u, 1 - u), (v, 1 - v), (0, 0), (0, 0))) for u in (0, 1) for v in (0, 1)]
    return _fusion_barrier(jnp.stack(moved).transpose(0, 4, 1, 2, 3).reshape(4 * f, -1))


def _at_four_places_bwd(g, shape):
    kh, kw, c, f = shape
    g = g.reshape(2, 2, f, kh + 1, kw + 1, c)
    places = [g[u, v, :, u : u + kh, v : v + kw] for u in (0, 1) for v in (0, 1)]
    return jnp.stack(places).sum(axis=0).transpose(1, 2, 3, 0)


def _fusion_barrier(x):
    """Return `x`, whose computation XLA is not to mix with what follows: both in one loop would be slower."""
    return lax.optimization_barrier(x)
