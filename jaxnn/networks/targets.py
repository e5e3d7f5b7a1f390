"""The targets of a network, in the shape of its output."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn.errors import check_finite, check_shape


def column_targets(y: Array, shape: tuple[int, ...]) -> Float[Array, "n k"]:
    """Return `y` of the given shape `(n, k)` as it is, and `(n,)` as a column where `k` is 1."""
    y = y if isinstance(y, jax.Array | np.ndarray) else jnp.asarray(y)
    if y.ndim == 1 and shape[1] == 1:
        y = y[:, None]
    check_shape("y", y, shape)
    check_finite("y", y)
    return y
