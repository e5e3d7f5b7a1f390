"""Maximum pooling."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxnn.errors import as_pair, check_shape, require
from jaxnn.ops.activations import Residuals

Window = tuple[int, int]


def max_pool(x: Float[Array, "n h w c"], *, size: Window = (2, 2)) -> Float[Array, "n h2 w2 c"]:
    r"""Return the largest value of each window, $y_{ij} = \max_{k,l} x_{i s + k,\, j t + l}$ with `size` = $(s, t)$.

    Windows do not overlap; rows and columns that fill no window are left out, as in Keras (lecture section 8.5).
    At ties the first of the equal values, row by row, gets the whole cotangent, as in TensorFlow and PyTorch.
    """
    parts = windows(x, size)
    largest = parts[0]
    for part in parts[1:]:
        # `where`, not `maximum`, whose derivative is shared out at ties; a NaN stays once it is there.
        largest = jnp.where((largest >= part) | jnp.isnan(largest), largest, part)
    return largest


def max_pool_fwd(x: Float[Array, "n h w c"], *, size: Window = (2, 2)) -> tuple[Float[Array, "n h2 w2 c"], Residuals]:
    y = max_pool(x, size=size)
    return y, (x, y)


def max_pool_bwd(
    residuals: Residuals, g: Float[Array, "n h2 w2 c"], *, size: Window = (2, 2)
) -> tuple[Float[Array, "n h w c"]]:
    x, y = residuals
    # At a tie the first place that has the largest value takes the cotangent, and `free` keeps it from the others.
    free = jnp.ones(y.shape, bool)
    shares = []
    for part in windows(x, size):
        shares.append(jnp.where(free & (part == y), g, jnp.zeros_like(g)))
        free = free & (part != y)
    return (from_windows(shares, size, x.shape),)


def windows(x: Float[Array, "n h w c"], size: Window) -> list[Float[Array, "n h2 w2 c"]]:
    """Return the entries of all windows, one array `(n, h2, w2, c)` for each place in the window, row by row."""
    check_shape("x", x, ("n", "h", "w", "c"))
    (s, t), (n, h, w, c) = as_pair("size", size), x.shape
    require(h >= s and w >= t, "size", size, f"a window that fits into an image of {h} x {w}")
    grid = x[:, : h // s * s, : w // t * t].reshape(n, h // s, s, w // t, t, c)
    return [grid[:, :, k, :, m] for k in range(s) for m in range(t)]


def from_windows(
    parts: list[Float[Array, "n h2 w2 c"]], size: Window, shape: tuple[int, ...]
) -> Float[Array, "n h w c"]:
    """Return the array of `shape` that `windows` takes apart into `parts`, with 0 where no window is."""
    (s, t), (n, h, w, c) = size, shape
    rows = [jnp.stack(parts[k * t : (k + 1) * t], axis=3) for k in range(s)]
    grid = jnp.stack(rows, axis=2).reshape(n, h // s * s, w // t * t, c)
    return jnp.pad(grid, ((0, 0), (0, h % s), (0, w % t), (0, 0)))
