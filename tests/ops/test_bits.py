"""`jaxnn/ops/bits.py` beside the words of JAX's own Threefry, and Threefry beside those that its authors print."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from jaxnn.ops.bits import bits16, threefry

SHAPES = [(), (0,), (1,), (7,), (12,), (3, 5), (4, 0), (128, 512), (2, 3, 4)]


def of_jaxs_words(key, shape):
    """Return the halves of the words that JAX's own Threefry makes, four to a block, row after row."""
    *rows, length = shape or (1,)
    blocks = -(-length // 4)
    counter = np.arange(np.prod(rows, dtype=int) * blocks, dtype=np.uint32)
    words = threefry_2x32(jax.random.key_data(key), jnp.concatenate([0 * counter, counter]))
    first, second = np.asarray(words).reshape(2, *rows, blocks)
    halves = np.concatenate([first & 0xFFFF, first >> 16, second & 0xFFFF, second >> 16], axis=-1)
    return halves[..., :length].reshape(shape).astype(np.uint16)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1, 2**31 + 5])
def test_the_bits_are_all_those_of_jaxs_words(seed, shape):
    key = jax.random.key(seed)
    bits = bits16(key, shape)
    assert bits.dtype == jnp.uint16
    np.testing.assert_array_equal(bits, of_jaxs_words(key, shape))


@pytest.mark.parametrize("double", [False, True])
def test_they_do_not_depend_on_x64_and_follow_the_key_through_jit_and_vmap(double):
    keys = jax.random.split(jax.random.key(3), 4)
    with jax.enable_x64(double):
        together = jax.jit(jax.vmap(lambda key: bits16(key, (5, 2))))(keys)
        assert together.dtype == jnp.uint16
    np.testing.assert_array_equal(together, [of_jaxs_words(key, (5, 2)) for key in keys])


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_other_generators_and_raw_keys_are_taken_too(impl):
    key = jax.random.key(1, impl=impl)
    np.testing.assert_array_equal(bits16(key, (6,)), jax.random.bits(key, (6,), jnp.uint16))
    np.testing.assert_array_equal(bits16(jax.random.PRNGKey(1), (6,)), of_jaxs_words(jax.random.key(1), (6,)))


@pytest.mark.parametrize(
    ("key", "words", "expected"),
    [  # the known answers of Random123's kat_vectors, threefry2x32 of 20 rounds
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(key, words, expected):
    found = threefry(jnp.array(key, jnp.uint32), *(jnp.uint32(word) for word in words))
    assert tuple(int(word) for word in found) == expected
