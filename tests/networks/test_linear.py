"""The linear network by hand, and at the minimum that the normal equations give."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnn import fit
from jaxnn.networks import linear

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))


def test_prediction_and_loss_by_hand():
    params = {"W1": jnp.array([[2.0], [1.0]]), "b1": jnp.array([0.5])}
    x, y = jnp.array([[1.0, 3], [0, -1]]), jnp.array([5.0, 0])
    np.testing.assert_array_equal(linear.apply(params, x), [[5.5], [-0.5]])
    assert linear.loss(params, x, y) == (0.25 + 0.25) / 2


def test_the_gradient_is_zero_at_the_least_squares_solution():
    beta, *_ = np.linalg.lstsq(np.column_stack([np.ones(12), X]), Y)
    params = {"W1": jnp.asarray(beta[1:]), "b1": jnp.asarray(beta[0])}
    value, grads = linear.value_and_grad(params, X, Y)
    assert max(jnp.abs(g).max() for g in jax.tree.leaves(grads)) < 1e-14
    np.testing.assert_allclose(value, np.sum((Y - X @ beta[1:] - beta[0]) ** 2) / 12, rtol=1e-13)


def test_training_is_the_lectures_update(key):
    # Lecture section 2: beta + lambda X'(y - y_hat), which is gradient descent at the rate lambda n / 2.
    start = linear.init(key, 3, dtype=float)
    beta, x, y, rate = (
        np.concatenate([start["b1"], start["W1"][:, 0]]),
        np.column_stack([np.ones(12), X]),
        Y[:, 0],
        0.01,
    )
    for _ in range(20):
        beta = beta + rate * x.T @ (y - x @ beta)
    params = fit(linear.value_and_grad, start, optax.sgd(rate * 12 / 2), (X, y), epochs=20).params
    np.testing.assert_allclose(np.concatenate([params["b1"], params["W1"][:, 0]]), beta, rtol=1e-12)


def test_init_is_glorots(key):
    params = linear.init(key, 300, 100)
    limit = np.sqrt(6 / 400)
    assert 0.99 * limit < jnp.abs(params["W1"]).max() <= limit and abs(params["W1"].mean()) < 0.01 * limit
    assert params["W1"].shape == (300, 100) and not params["b1"].any() and params["b1"].shape == (100,)
