"""Tests for `jaxnn/trace/checks.py` and `double.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.trace import explain
from jaxnn.trace.checks import STEPS, check_adjoint, ridders

EPS = np.finfo(float).eps


def shifted(f, x):
    return lambda shift: float(f(x + shift))


@pytest.mark.parametrize("f, slope", [(np.sin, np.cos(0.8)), (np.exp, np.exp(0.8)), (lambda x: x**7, 7 * 0.8**6)])
def test_ridders_limit_is_within_its_error(f, slope):
    limit, error = ridders([(f(0.8 + h) - f(0.8 - h)) / (2 * h) for h in STEPS])
    assert abs(limit - slope) <= 4 * error + 1e-11
    assert error < 1e-9


@pytest.mark.parametrize("factor", [-1, 0, 1 + 1e-7, 2])
def test_a_wrong_adjoint_differs(factor):
    assert check_adjoint(0.8, shifted(np.sin, 0.8), np.cos(0.8), (), EPS).kind == "ok"
    assert check_adjoint(0.8, shifted(np.sin, 0.8), factor * np.cos(0.8), (), EPS).kind == "differs"


def test_a_single_wrong_entry_of_many_differs():
    x = np.linspace(-1, 1, 1000).reshape(20, 50)
    right = np.cos(x)
    wrong = right.copy()
    wrong[7, 11] *= 1.001
    assert check_adjoint(x, shifted(lambda x: np.sin(x).sum(), x), right, (0, 0), EPS).kind == "ok"
    assert check_adjoint(x, shifted(lambda x: np.sin(x).sum(), x), wrong, (0, 0), EPS).kind == "differs"


@pytest.mark.parametrize(
    "adjoint, kind", [(0.0, "kink"), (1.0, "kink"), (0.5, "ok"), (-0.1, "differs"), (1.1, "differs")]
)
def test_between_the_slopes_of_a_kink(adjoint, kind):
    assert check_adjoint(0.0, shifted(lambda x: max(x, 0.0), 0.0), adjoint, (), EPS).kind == kind


def test_many_kinks_at_once():
    x = np.zeros(9)
    explanation = explain(lambda x: jnp.sum(jax.nn.relu(x) * jnp.arange(-4.0, 5.0)), x)
    assert explanation.rows[0].check.kind == "kink"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_the_difference_is_double_whatever_the_function_is(dtype):
    ones = np.ones((3, 4), dtype)

    def f(x):
        y = jax.nn.softmax(jnp.sin(x * jnp.arange(4, dtype=dtype)))
        return jnp.sum(jax.lax.scan(lambda h, t: (jnp.tanh(h * t), h), y, ones)[0] ** 2)

    def double(x):
        y = jax.nn.softmax(jnp.sin(x * jnp.arange(4.0)))
        return jnp.sum(jnp.tanh(jnp.tanh(jnp.tanh(y))) ** 2)

    row = explain(f, jnp.asarray(0.75, dtype)).rows[0]
    assert row.check.difference == pytest.approx(float(jax.grad(double)(0.75)), rel=1e-9)
    assert row.check.kind == "ok"


def test_random_numbers_are_the_same_in_double():
    def f(x):
        return jnp.sum(x * jax.random.normal(jax.random.key(3), (5,), jnp.float32))

    x = jnp.ones(5, jnp.float32)
    explanation = explain(f, x)
    assert {row.check.kind for row in explanation.rows if row.check} == {"ok"}
