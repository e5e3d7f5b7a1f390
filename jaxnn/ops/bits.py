"""Random bits by Threefry, all that it makes and each word once: a CPU has them two to six times as fast as JAX's."""

import math
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Key, UInt16, UInt32

Arrays = TypeVar("Arrays")
Words = UInt32[Array, "..."]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


@partial(jax.jit, static_argnums=1)
def bits16(key: Key[Array, ""], shape: tuple[int, ...]) -> UInt16[Array, "..."]:
    """Return independent 16-bit numbers, uniform; with keys that are not Threefry's, `jax.random.bits(key, shape)`.

    Block i of Threefry has the counter (0, i) and makes two words of 32 bits, four numbers. A row, the last axis, is of
    as many blocks as it needs: first the low halves of their first words, then the high ones, then the second words'.
    """
    *rows, length = shape or (1,)
    blocks = -(-length // 4)
    if str(jax.random.key_impl(key)) != "threefry2x32" or math.prod(rows) * blocks >= 2**32:
        return jax.random.bits(key, shape, jnp.uint16)
    counter = jnp.arange(math.prod(rows) * blocks, dtype=jnp.uint32).reshape(*rows, blocks)
    words = materialized(threefry(jax.random.key_data(key), jnp.zeros_like(counter), counter))
    halves = [(word >> shift).astype(jnp.uint16) for word in words for shift in (0, 16)]
    return jnp.concatenate(halves, axis=-1)[..., :length].reshape(shape)


def materialized(x: Arrays) -> Arrays:
    """Return `x`, arrays in memory: a CPU would compute them anew for each reader, which takes longer than reading."""
    return lax.platform_dependent(x, cpu=lax.optimization_barrier, default=lambda x: x)


def threefry(key: UInt32[Array, "2"], x0: Words, x1: Words) -> tuple[Words, Words]:
    """Return the two words that Threefry-2x32 of 20 rounds makes of two words and a key of two.

    Salmon et al. (2011), Parallel random numbers: as easy as 1, 2, 3.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    for four in range(5):
        for rotation in ROTATIONS[four % 2]:
            x0 = x0 + x1
            x1 = x0 ^ ((x1 << rotation) | (x1 >> (32 - rotation)))
        x0 = x0 + schedule[(four + 1) % 3]
        x1 = x1 + schedule[(four + 2) % 3] + jnp.uint32(four + 1)
    return x0, x1
