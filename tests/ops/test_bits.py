"""`jaxnn/ops/bits.py` beside `jax.random.bits`, and Threefry beside the words that its authors print."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.ops.bits import bits16, threefry


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 5), (128, 512), (2, 3, 4)])
@pytest.mark.parametrize("seed", [0, 1, 2**31 + 5])
def test_the_bits_are_jaxs(seed, shape):
    key = jax.random.key(seed)
    np.testing.assert_array_equal(bits16(key, shape), jax.random.bits(key, shape, jnp.uint16))


@pytest.mark.parametrize("double", [False, True])
def test_they_do_not_depend_on_x64_and_follow_the_key_through_jit_and_vmap(double):
    keys = jax.random.split(jax.random.key(3), 4)
    with jax.enable_x64(double):
        together = jax.jit(jax.vmap(lambda key: bits16(key, (5, 2))))(keys)
        assert together.dtype == jnp.uint16
    np.testing.assert_array_equal(together, [jax.random.bits(key, (5, 2), jnp.uint16) for key in keys])


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_other_generators_and_raw_keys_are_taken_too(impl):
    key = jax.random.key(1, impl=impl)
    np.testing.assert_array_equal(bits16(key, (6,)), jax.random.bits(key, (6,), jnp.uint16))
    raw = jax.random.PRNGKey(1)
    np.testing.assert_array_equal(bits16(raw, (6,)), jax.random.bits(raw, (6,), jnp.uint16))


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
