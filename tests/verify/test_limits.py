"""Tests for `check` at its limits: low precision inside, indexed data, singularities, witnesses at their end."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.verify import check, survey
from tests.verify.unread import unread

V = np.array([0.4, 0.9, 1.7])


@pytest.mark.parametrize("low", ["float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_a_loss_that_itself_computes_in_lower_precision_is_no_error(low):
    def residual(w, x, y):
        return (x.astype(low) * w.astype(low)).astype("float32") - y

    def loss(w, x, y):
        return jnp.sum(residual(w, x, y) ** 2)

    @unread
    def by_hand(w, x, y):
        return (x.astype(low) * (2 * residual(w, x, y)).astype(low)).astype(w.dtype)

    assert check(loss, by_hand, *(jnp.asarray(v, "float32") for v in (V, V[::-1] + 0.1, V**2)))


def test_numpy_data_may_be_indexed_by_what_is_computed():
    x = np.array([[1.0, 2, 3], [4, 5, 6], [0, 0, 0]])
    assert check(lambda w, x: jnp.max(x @ w), lambda w, x: x[jnp.argmax(x @ w)], V, x).kind == "PASS"


def test_a_singularity_near_by_is_no_error():
    def loss(w):
        return jnp.sum(jnp.arccos(jnp.clip(w, -1, 1)))

    found = check(loss, lambda w: -1 / jnp.sqrt(1 - jnp.clip(w, -1, 1) ** 2), np.array([0.5, -0.2, 0.99999999]))
    assert found


@pytest.mark.slow
def test_no_witness_of_a_pass_disagrees():
    def loss(z):
        return jnp.sum(jax.nn.gelu(z, approximate=False))

    def by_hand(z):
        return jax.scipy.stats.norm.cdf(z) + z * jax.scipy.stats.norm.pdf(z)

    found = check(loss, by_hand, np.array([0.0, 8.0, -30.0]))
    assert found.kind == "PASS" and not [r for r in found.witnesses if r.agrees is False]


def test_a_loss_that_is_no_scalar_is_the_callers_mistake():
    with pytest.raises(InvalidArgument, match="expected a scalar"):
        survey(lambda w: w, lambda w: w, [(V,)])
