"""Tests for `jaxnn/verify/given_data.py`: what rounding the data explains is no mistake (expected: on paper)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check, check_rule
from jaxnn.verify.given_data import BELOW, WITHIN, shaken
from tests.verify.unread import unread

rng = np.random.default_rng(0)
X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 5))
SMOOTH = np.float32(0.9) * np.eye(5, dtype=np.float32)[[0, 2, 1, 4]] + np.float32(0.02)  # rows add up to 1 to 1e-7


def loss(w, x, y):
    return -jnp.sum(y * jax.nn.log_softmax(x @ w)) / len(x)


@unread  # its line is not asked for
def grad(w, x, y, factor=1.0):
    return factor * x.T @ (jax.nn.softmax(x @ w) - y) / len(x)  # of shares that add up to 1


def test_labels_that_add_up_to_1_in_their_own_digits_are_a_note():
    assert np.max(np.abs(SMOOTH.astype(float).sum(1) - 1)) > 1e-9
    verdict = check(loss, grad, W, X, SMOOTH)
    assert verdict.kind == "PASS" and WITHIN in verdict.note


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), (1.001, "FAIL")])
def test_labels_that_have_a_cotangent_too_are_data_as_well(factor, kind):
    def f(z, y):
        return -jnp.sum(y * jax.nn.log_softmax(z))

    @unread
    def bwd(residuals, g):
        z, y = residuals
        return factor * g * (jax.nn.softmax(z) - y), -g * jax.nn.log_softmax(z)

    z = jnp.asarray(rng.normal(size=(4, 5)), jnp.float32)
    verdict = check_rule(f, lambda z, y: (f(z, y), (z, y)), bwd, z, jnp.asarray(SMOOTH))
    assert verdict.kind == kind and (WITHIN in verdict.note) == (kind == "PASS")


@pytest.mark.slow
def test_the_same_in_float64_is_a_mistake():
    assert check(loss, grad, W, X, SMOOTH.astype(float)).kind == "FAIL"


@pytest.mark.parametrize(
    "factor", [1 + 1e-6, *(pytest.param(factor, marks=pytest.mark.slow) for factor in (-1.0, 1.5))]
)
def test_mistakes_are_seen_beside_it(factor):
    assert check(loss, unread(lambda w, x, y: grad(w, x, y, factor)), W, X, SMOOTH).kind == "FAIL"


# Constants, of functions that compute in float32


def scaled(x):
    return 0.1 * jnp.mean(x.astype(jnp.float32), -1)


@pytest.mark.parametrize(("constant", "kind"), [(0.1, "PASS"), (0.1001, "FAIL")])
def test_a_constant_is_known_to_its_own_digits(constant, kind):
    x = jnp.asarray(rng.normal(size=(5, 9)), jnp.float32)

    @unread
    def bwd(x, g):  # 0.1 / 9 in float32 is another number than 0.1 divided by 9
        return (jnp.broadcast_to(g[:, None] * (constant / x.shape[-1]), x.shape).astype(x.dtype),)

    assert check_rule(scaled, lambda x: (scaled(x), x), bwd, x).kind == kind


@pytest.mark.parametrize(("value", "moves"), [(2.0, False), (0.75, False), (0.1, True), (1.442695, True)])
def test_numbers_of_few_digits_are_what_they_are(value, moves):
    assert (shaken(np.float32(value), 1.0) != np.float64(np.float32(value))) == moves
    assert shaken(value, 1.0) == value  # in float64


# Differences that the arguments' own precision could not show


def norms(x):
    return jnp.sum(jnp.sqrt(jnp.sum(x**2, -1)))


@pytest.mark.parametrize(
    ("dtype", "epsilon", "kind"),
    [(jnp.float32, 1e-10, "PASS"), (jnp.float32, 1e-6, "FAIL"), (jnp.float64, 1e-10, "FAIL")],
)
def test_an_epsilon_in_a_formula_is_a_note_where_the_arguments_have_fewer_digits(dtype, epsilon, kind):
    @unread
    def by_hand(x):
        return x / (jnp.sqrt(jnp.sum(x**2, -1, keepdims=True)) + epsilon)

    with jax.enable_x64(dtype == jnp.float64):
        verdict = check(norms, by_hand, jnp.asarray(X, dtype))
    assert verdict.kind == kind and (BELOW in verdict.note) == (kind == "PASS")
