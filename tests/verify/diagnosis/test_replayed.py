"""Tests for `diagnosis/replayed.py`: adjoints of variables of NumPy code against those that JAX has of it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.diagnosis.replayed import nodes_by_replaying

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3))


def loss(w, x):
    hidden = np.tanh(x @ w)
    total = np.zeros(len(x))
    for k, row in enumerate(hidden):
        total[k] = np.sum(row**2)
    return np.mean(total)


def test_the_adjoint_of_a_variable_is_that_of_autodiff():
    seen = {node.name: node for node in nodes_by_replaying(loss, (W, X))}
    hidden = jnp.tanh(X @ W)
    expected = jax.grad(lambda h: jnp.mean(jnp.sum(h**2, axis=1)))(hidden)
    np.testing.assert_allclose(seen["hidden"].adjoint, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(seen["hidden"].value, hidden, rtol=1e-12)


def test_arguments_are_left_as_they_were():
    before = W.copy()
    nodes_by_replaying(loss, (W, X))
    np.testing.assert_array_equal(W, before)
