"""Tests for `jaxnn/verify/doubled.py`: a program of its own precision in exact arithmetic (expected: plain float64)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.verify.doubled import doubled, lowest_inside, must_double
from jaxnn.verify.rounding import EPSILON

X = np.array([0.3, -1.2, 2.0, 0.7], np.float32)
F32, BF16 = float(jnp.finfo(jnp.float32).eps), float(jnp.finfo(jnp.bfloat16).eps)


def cast(x):
    return jnp.sum(jnp.sin(x.astype(jnp.bfloat16)).astype(x.dtype) ** 2)


def carried(x):
    """A scan whose carry is float32 whatever it is given."""

    def body(total, v):
        return (total + jnp.exp(v)).astype(jnp.float32), total

    total, seen = lax.scan(body, jnp.zeros((), jnp.float32), x)
    return total**2 + jnp.sum(seen)


def branches(x):
    return lax.cond(x[0] > 0, lambda v: jnp.sum(v.astype(jnp.float32) ** 3), lambda v: v[0].astype(jnp.float32), x)


def loops(x):
    return lax.fori_loop(0, 3, lambda _, v: (v * jnp.float32(1.5)).astype(jnp.float32), x.astype(jnp.float32))[1] ** 2


def smooth(x):
    """softplus has a rule of its own in JAX, as most activations have."""
    return jnp.sum(jax.nn.softplus(x.astype(jnp.float16)).astype(jnp.float32) ** 2)


PLAIN = {
    cast: lambda x: jnp.sum(jnp.sin(x) ** 2),
    carried: lambda x: jnp.sum(jnp.exp(x)) ** 2 + jnp.sum(jnp.cumsum(jnp.exp(x))[:-1]),
    branches: lambda x: jnp.sum(x**3),
    loops: lambda x: (1.5**3 * x[1]) ** 2,
    smooth: lambda x: jnp.sum(jnp.logaddexp(x, 0.0) ** 2),
}


@pytest.mark.parametrize("f", PLAIN, ids=lambda f: f.__name__)
@pytest.mark.parametrize("under", [lambda g: g, pytest.param(jax.jit, marks=pytest.mark.slow)], ids=["eager", "jit"])
def test_values_and_derivatives_are_those_of_float64(f, under):
    wide, x = doubled(f, (X,), False), jnp.asarray(X, float)
    plain = PLAIN[f]
    np.testing.assert_allclose(under(wide)(x), plain(x), rtol=1e-13)
    np.testing.assert_allclose(under(jax.grad(wide))(x), jax.grad(plain)(x), rtol=1e-12)
    along = jnp.cos(x)
    np.testing.assert_allclose(jax.jvp(wide, (x,), (along,))[1], jax.jvp(plain, (x,), (along,))[1], rtol=1e-12)
    both = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(jax.vmap(jax.grad(wide))(both), jax.vmap(jax.grad(plain))(both), rtol=1e-12)


def test_random_numbers_are_those_that_the_caller_gets():
    def f(x, key):
        return jnp.sum(x * jax.random.normal(key, x.shape, x.dtype))

    key = jax.random.key(3)
    with jax.enable_x64(False):
        theirs = float(f(jnp.asarray(X), key))
    assert float(doubled(f, (X, key), False)(jnp.asarray(X, float), key)) == pytest.approx(theirs, rel=1e-6)


def test_trees_integers_and_what_is_no_array_pass_through():
    def f(p, n, activation):
        return {"y": activation(p["w"].astype(jnp.float32)) * n, "n": n + 1}

    out = doubled(f, ({"w": X}, jnp.int32(3), jnp.tanh), False)({"w": jnp.asarray(X, float)}, jnp.int32(3), jnp.tanh)
    assert out["y"].dtype == float and int(out["n"]) == 4
    np.testing.assert_allclose(out["y"], 3 * np.tanh(X.astype(float)), rtol=1e-14)


@pytest.mark.parametrize("f", PLAIN, ids=lambda f: f.__name__)
def test_what_rounds_inside_is_to_be_doubled(f):
    assert must_double(f, jax.grad(f), (X,), False)


def test_what_computes_in_float64_when_asked_is_not():
    def plain(x):
        return jnp.sum(x**2)

    assert not must_double(plain, lambda x: 2 * x, (X,), False)
    # A cast in the gradient alone is its own mistake where the arguments could hold more.
    assert not must_double(plain, lambda x: (2 * x.astype(jnp.float32)).astype(x.dtype), (X.astype(float),), True)
    assert must_double(plain, lambda x: (2 * x.astype(jnp.float32)).astype(x.dtype), (X,), False)
    assert not must_double(lambda x: np.sum(np.asarray(x) ** 2), lambda x: 2 * np.asarray(x), (X,), False)


def test_the_lowest_precision_is_that_of_what_the_arguments_move():
    assert lowest_inside(cast, (X,), False) == BF16
    assert lowest_inside(carried, (X,), False) == F32
    assert (
        lowest_inside(lambda x: jnp.sum(x) * jnp.ones((), jnp.bfloat16)[None][0].astype(float), (X * 1.0,), True) == F32
    )
    assert lowest_inside(lambda x: jnp.sum(x), (X.astype(float),), True) == EPSILON


def test_a_python_number_may_be_differentiated_by():
    def f(x, s):
        return jnp.sum(jnp.sin(x.astype(jnp.bfloat16)).astype(x.dtype) * s)

    wide, x = doubled(f, (X, 0.7), False), jnp.asarray(X, float)
    np.testing.assert_allclose(jax.grad(wide, 1)(x, jnp.float64(0.7)), jnp.sum(jnp.sin(x)), rtol=1e-12)
    np.testing.assert_allclose(wide(x, 0.7), 0.7 * jnp.sum(jnp.sin(x)), rtol=1e-7)  # there it is a float32


def test_scattered_sums_are_those_of_float64():
    def f(x):
        return jnp.zeros(3, jnp.float32).at[jnp.array([0, 2, 2, 0])].add(x)

    x = jnp.asarray(X, float)
    np.testing.assert_allclose(doubled(f, (X,), False)(x), [x[0] + x[3], 0, x[1] + x[2]], rtol=1e-15)
