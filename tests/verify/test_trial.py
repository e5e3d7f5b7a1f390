"""Tests for `jaxnn/verify/trial.py`: float64 while a check runs and not after, a second point where there is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.trial import at_entry, float64
from tests.verify.unread import unread


def test_inside_everything_is_float64_and_exact_and_afterwards_as_before():
    with jax.enable_x64(False):
        with float64():
            assert jnp.ones(1).dtype == "float64"
            assert jax.config.jax_default_matmul_precision == "highest"
        assert jnp.ones(1).dtype == "float32"


def test_an_error_restores_the_precision_too():
    with jax.enable_x64(False):
        with pytest.raises(KeyError), float64():
            raise KeyError
        assert jnp.ones(1).dtype == "float32"


def test_a_verdict_on_an_entry_holds_python_numbers():
    found = at_entry("FAIL", "w", (np.int64(1),), np.float32(0.5), jnp.asarray(2.0), witness="someone")
    assert (found.index, found.expected, found.actual, found.witness) == ((1,), 0.5, 2.0, "someone")
    assert type(found.index[0]) is int and type(found.expected) is float and type(found.actual) is float


def second(verdict):
    return next(report for report in verdict.witnesses if report.witness == "at a second point")


def test_a_second_point_is_looked_for_closer_by_where_the_loss_is_not_finite():
    """The domain of the loss, |w - 1| < 0.01, is left by a step of 10 %."""
    w = np.array([1.0])
    found = check(
        lambda w: jnp.sum(jnp.sqrt(1e-4 - (w - 1) ** 2)), lambda w: (1 - w) / jnp.sqrt(1e-4 - (w - 1) ** 2), w
    )
    assert found and second(found).agrees is True


def test_a_parameter_that_is_0_is_moved_too():
    @unread
    def right_at_0_alone(w):
        return 0 * w

    found = check(lambda w: jnp.sum(w**3), right_at_0_alone, np.zeros(2))
    assert found.kind == "FAIL" and second(found).agrees is False


def test_a_loss_that_is_finite_at_one_point_alone_has_no_second():
    def loss(w):
        return jnp.sum(w**2) + jnp.where(jnp.all(w == 1.0), 0.0, jnp.inf)

    found = check(loss, lambda w: 2 * w, np.array([1.0]))
    assert second(found).agrees is None and "no point near" in second(found).note
