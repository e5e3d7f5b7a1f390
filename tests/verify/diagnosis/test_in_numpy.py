"""Tests for `diagnosis/in_numpy.py`: each function against JAX's own of that name."""

import jax
import numpy as np
import pytest

from jaxnn.verify.diagnosis import in_numpy

X = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda jax: jax.lax.scan(lambda c, x: (c + x, c * x), X[0], X),
        lambda jax: jax.lax.scan(lambda c, x: (c + x[0], {"y": x[1]}), X[0], (X, X), reverse=True),
        lambda jax: jax.lax.scan(lambda c, _: (2 * c, c), X[0], None, length=3),
        lambda jax: jax.lax.fori_loop(1, 4, lambda i, v: v * i, X),
        lambda jax: jax.lax.cond(X[0, 0] > 9, lambda x: x, lambda x: -x, X),
        lambda jax: jax.lax.map(lambda x: x**2, X),
        lambda jax: jax.lax.dynamic_slice(X, (3, 1), (2, 2)),  # moved back, as in JAX
        lambda jax: jax.lax.dynamic_slice_in_dim(X, 1, 2, axis=1),
        lambda jax: jax.lax.rsqrt(X**2) + jax.lax.max(X, 0.1 * X),
        lambda jax: jax.vmap(lambda a, b: a @ b, in_axes=(0, None))(X, X[0]),
        lambda jax: jax.vmap(lambda a: a[::-1], in_axes=1, out_axes=1)(X),
        lambda jax: jax.jit(lambda x: x + 1)(X),
        lambda jax: jax.nn.softmax(X, axis=0),
        lambda jax: jax.nn.log_softmax(X),
        lambda jax: jax.nn.logsumexp(100 * X, axis=1, keepdims=True),
        lambda jax: jax.nn.softplus(X) + jax.nn.silu(X) + jax.nn.relu(X) + jax.nn.sigmoid(X),
        lambda jax: jax.nn.one_hot(np.array([0, 2]), 3),
    ],
)
def test_what_jax_gives(call):
    found, expected = call(in_numpy.JAX), call(jax)
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), found, expected)


def test_what_is_not_here_is_jaxs():
    assert in_numpy.JAX.tree is jax.tree and in_numpy.LAX.erf is jax.lax.erf
