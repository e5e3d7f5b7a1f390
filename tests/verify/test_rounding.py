"""Tests for `jaxnn/verify/rounding.py`: the measured bar covers the true rounding error, and not by orders too much.

The true error is that against exact fractions or `np.longdouble` (64 bits of mantissa on x86, at least 53 elsewhere).
"""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.verify.rounding import EPSILON, lowest_epsilon, rounded_apart, runs, shaken_signs, spread, tolerance

RNG = np.random.default_rng(5)


def bar(f, *leaves):
    """Return the tolerance for `f(leaves)` in float64."""
    (noise,) = spread(runs(f, list(leaves), shaken_signs(leaves)))
    return np.asarray(tolerance([np.asarray(noise)], np.asarray(f(list(leaves)))))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6), min_size=8, max_size=8))
def test_the_bar_covers_the_error_of_a_dot_product(numbers):
    a, b = np.array(numbers[:4]), np.array(numbers[4:])
    true = sum(Fraction(x) * Fraction(y) for x, y in zip(numbers[:4], numbers[4:], strict=True))
    error = abs(Fraction(float(jnp.dot(a, b))) - true)
    assert error <= bar(lambda leaves: jnp.dot(*leaves), a, b)


WIDE = [
    (lambda xp, x: xp.exp(x), 1.0),
    (lambda xp, x: 1 - xp.tanh(x) ** 2, 1.0),
    (lambda xp, x: 1 - xp.tanh(x) ** 2, 9.0),  # cancellation
    (lambda xp, x: xp.log1p(xp.exp(x)) - x, 20.0),
    (lambda xp, x: (1e8 + x) - 1e8, 0.3),
    (lambda xp, x: 1 / (1 + xp.exp(-x)) * (1 - 1 / (1 + xp.exp(-x))), 15.0),
    (lambda xp, x: xp.sqrt(1 + x * x) - 1, 1e-4),
]


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="longdouble is no wider than float64 here")
@pytest.mark.parametrize(("f", "size"), WIDE)
def test_the_bar_covers_the_error_of_elementwise_functions_and_follows_cancellation(f, size):
    x = size * RNG.uniform(0.5, 1, 200)
    error = np.abs(np.asarray(f(jnp, jnp.asarray(x))) - f(np, x.astype(np.longdouble)))
    allowed = bar(lambda leaves: f(jnp, leaves[0]), x)
    assert np.all(error <= allowed)
    assert np.max(allowed) <= 1e4 * np.max(error)  # no wider than it must be


def test_the_bar_grows_with_cancellation():
    x = np.full(10, 0.3)
    plain, cancelled = (bar(f, x).max() for f in (lambda p: 2 * p[0], lambda p: (p[0] + 1e8) - 1e8))
    assert 1e6 < cancelled / plain < 1e10  # the sum loses eight digits


def test_the_bar_is_not_multiplied_by_the_size_of_the_array():
    few, many = (bar(lambda p: jnp.sin(p[0]), np.full(n, 0.7)).max() for n in (10, 10_000))
    assert many <= 2 * few


def test_a_small_entry_has_a_small_bar_beside_large_ones():
    found = bar(lambda p: p[0] * 3.0, np.array([1e9, 1e-9]))
    assert found[1] < 1e-22 < found[0]


def test_moving_and_choosing_numbers_keeps_ties():
    """A maximum shaken apart from its operands would break the tie and change which gradient flows."""
    x = np.array([[1.0, 1.0], [2.0, 0.0]])
    noise = spread(runs(lambda p: jnp.where(p[0] == jnp.max(p[0], 1, keepdims=True), 1.0, 0.0), [x], shaken_signs([x])))
    assert np.all(np.asarray(noise[0])[1] == 0)


def test_the_spread_of_every_output_is_given_and_a_constant_has_none():
    x = np.array([1.0, 2.0])
    one, two = spread(runs(lambda p: [jnp.exp(p[0]), jnp.zeros(3)], [x], shaken_signs([x])))
    assert one.shape == (2,) and np.all(np.asarray(one) > 0) and np.all(np.asarray(two) == 0)


def test_what_is_no_number_under_shaking_cannot_be_judged():
    x = np.array([1.0])
    (noise,) = spread(runs(lambda p: jnp.sqrt(p[0] - 1.0), [x], shaken_signs([x])))  # shaken below 0
    assert np.isinf(np.asarray(noise)).all()


def test_runs_are_shaken_apart_and_always_the_same():
    signs = shaken_signs([np.zeros(5000)])
    assert signs.shape[0] >= 3 and signs.shape[1] >= 5000
    assert np.max(np.abs(signs)) <= 1 and abs(np.mean(signs)) < 0.05 and not np.array_equal(signs[0], signs[1])
    np.testing.assert_array_equal(signs, shaken_signs([np.zeros(5000)]))


@pytest.mark.parametrize(
    ("f", "epsilon"),
    [
        (lambda p: jnp.sin(p[0]), EPSILON),
        (lambda p: jnp.sin(p[0].astype(jnp.float32)), np.finfo(np.float32).eps),
        (lambda p: jax.jit(lambda x: x.astype(jnp.float16) * 2)(p[0]).astype(float), np.finfo(np.float16).eps),
        (lambda p: p[0].astype(int), EPSILON),
    ],
)
def test_the_lowest_precision_is_found_in_the_program(f, epsilon):
    assert lowest_epsilon(f, [np.ones(2)]) == epsilon


def test_what_is_made_of_constants_alone_does_not_round_anew_where_the_leaves_move():
    data = np.arange(3, dtype=np.float32)

    def f(p):
        return jnp.sqrt(data + 1) * jnp.sum(p[0])

    with jax.enable_x64(True):
        assert lowest_epsilon(f, [np.ones(2)]) == np.finfo(np.float32).eps
        assert lowest_epsilon(f, [np.ones(2)], moved_only=True) == EPSILON
        assert lowest_epsilon(lambda p: f([p[0].astype(jnp.float16)]), [np.ones(2)], moved_only=True) > 1e-4


@pytest.mark.parametrize(
    ("other", "dtype"),
    [
        (lambda x: x, np.float64),
        (lambda x: x[::-1].T, np.float64),
        (lambda x: np.stack([x, np.where(x > 1.5, x, 4)]), np.float64),  # whole numbers are exact
        (lambda x: x / np.float32(255), np.float32),
        (lambda x: x / 255.0, np.float32),  # NumPy keeps an array's own precision
        (lambda x: x.astype(np.float64) / 255, np.float32),  # the other function holds the array in float32
        (lambda x: x.astype(np.float16) / 3, np.float16),
    ],
)
def test_an_array_that_numpy_made_for_one_function_alone_is_known_to_be_rounded(other, dtype):
    x = np.linspace(0.1, 2.9, 6, dtype=np.float32).reshape(2, 3)
    y = other(x)
    with jax.enable_x64(True):
        apart = rounded_apart(lambda p: jnp.sum(p[0] * x), lambda p: jnp.sum(p[0] * y), [np.ones(())])
    assert apart == np.finfo(dtype).eps


def test_the_tolerance_scales_with_the_precision():
    one, other = (tolerance([np.array(3.0)], np.array(2.0), e) for e in (EPSILON, 2**10 * EPSILON))
    assert other == pytest.approx(2**10 * one)
