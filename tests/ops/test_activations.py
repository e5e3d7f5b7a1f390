"""Values and derivatives by formula, at kinks, at their sides, and where an exponential would overflow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxnn import ops

NAMES = ["sigmoid", "tanh", "relu", "softplus", "heaviside"]
FAR = np.array([-1000.0, 1000.0])
X = np.array([-30.0, -2.0, -0.5, -1e-9, 1e-9, 0.5, 2.0, 30.0])

# From NumPy and SciPy: each function and its derivative.
FORMULAS = {
    "sigmoid": (scipy.special.expit, lambda x: scipy.special.expit(x) * scipy.special.expit(-x)),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "softplus": (lambda x: np.logaddexp(0, x), scipy.special.expit),
    "heaviside": (lambda x: (x > 0) * 1.0, lambda x: 0 * x),
}
# Ours at 0, and the derivative that the docstring promises there.
AT_ZERO = {"sigmoid": (0.5, 0.25), "tanh": (0, 1), "relu": (0, 0), "softplus": (np.log(2), 0.5), "heaviside": (0, 0)}


def derivative(name, x):
    x = jnp.asarray(x)
    (slope,) = getattr(ops, f"{name}_bwd")(getattr(ops, f"{name}_fwd")(x)[1], jnp.ones_like(x))
    return slope


def by_autodiff(name, x):
    return jax.vmap(jax.grad(getattr(ops, name)))(jnp.asarray(x))


@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivative_by_formula(name):
    value, slope = FORMULAS[name]
    np.testing.assert_allclose(getattr(ops, name)(jnp.asarray(X)), value(X), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(derivative(name, X), slope(X), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("slope_of", [derivative, by_autodiff])
@pytest.mark.parametrize("name", NAMES)
def test_value_and_derivative_at_zero(name, slope_of):
    value, slope = AT_ZERO[name]
    for zero in (0.0, -0.0):
        assert getattr(ops, name)(jnp.asarray(zero)) == value
        assert slope_of(name, np.array([zero]))[0] == slope


@pytest.mark.parametrize("name", NAMES)
def test_far_out_all_is_finite_and_nothing_overflows(name):
    value, _ = FORMULAS[name]
    np.testing.assert_array_equal(getattr(ops, name)(jnp.asarray(FAR)), value(FAR))
    expected = [0, 1] if name in ("relu", "softplus") else [0, 0]
    np.testing.assert_array_equal(derivative(name, FAR), expected)
    np.testing.assert_array_equal(by_autodiff(name, FAR), expected)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan(name):
    assert jnp.isnan(getattr(ops, name)(jnp.array([jnp.nan, 1.0]))).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
@pytest.mark.parametrize("name", NAMES)
def test_dtype_is_kept(name, dtype):
    x = jnp.array([-1, 0, 2], dtype)
    y, residuals = getattr(ops, f"{name}_fwd")(x)
    (dx,) = getattr(ops, f"{name}_bwd")(residuals, jnp.ones_like(y))
    assert y.dtype == dx.dtype == dtype
