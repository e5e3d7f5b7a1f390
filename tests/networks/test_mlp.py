"""The dense network of lecture section 8.3 by its formulas in NumPy, one golden step of training included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import fit, rmsprop
from jaxnn.errors import InvalidArgument
from jaxnn.networks import mlp

rng = np.random.default_rng(0)
X, LABELS = rng.normal(size=(6, 3)), np.array([0, 2, 1, 1, 0, 3])
Y = np.eye(4)[LABELS]
PARAMS = {
    "W1": rng.normal(size=(3, 5)),
    "b1": rng.normal(size=5),
    "W2": rng.normal(size=(5, 4)),
    "b2": rng.normal(size=4),
}


def in_numpy(p, x, y):
    """Return the probabilities, the loss and the gradient, with an explicit sum where the network has a product."""
    z1 = np.array([[np.sum(row * p["W1"][:, j]) + p["b1"][j] for j in range(5)] for row in x])
    a1 = np.maximum(z1, 0)
    z2 = a1 @ p["W2"] + p["b2"]
    y_hat = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    dz2 = (y_hat - y) / len(x)
    dz1 = (dz2 @ p["W2"].T) * (z1 > 0)
    grads = {"W1": x.T @ dz1, "b1": dz1.sum(axis=0), "W2": a1.T @ dz2, "b2": dz2.sum(axis=0)}
    return y_hat, -np.mean(np.log(y_hat[np.arange(len(x)), y.argmax(axis=1)])), grads


def test_prediction_loss_accuracy_and_gradient_by_formula():
    y_hat, loss, grads = in_numpy(PARAMS, X, Y)
    np.testing.assert_allclose(mlp.apply(PARAMS, X), y_hat, rtol=1e-12)
    np.testing.assert_allclose(jax.nn.softmax(mlp.logits(PARAMS, X)), y_hat, rtol=1e-12)
    accuracy = np.mean(y_hat.argmax(axis=1) == LABELS)
    for labels in (LABELS, Y):
        (value, others), ours = mlp.metrics_and_grad(PARAMS, X, labels)
        np.testing.assert_allclose([value, others["accuracy"]], [loss, accuracy], rtol=1e-12)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14), ours, grads)
        metrics = mlp.metrics(PARAMS, X, labels)
        np.testing.assert_allclose([metrics["loss"], metrics["accuracy"]], [loss, accuracy], rtol=1e-12)


def test_a_golden_step_of_rmsprop():
    _, loss, grads = in_numpy(PARAMS, X, Y)
    after = fit(mlp.value_and_grad, PARAMS, rmsprop(0.01), (X, LABELS), epochs=1)
    np.testing.assert_allclose(after.history["loss"], [loss], rtol=1e-12)
    for name, g in grads.items():  # the first step of Keras' RMSprop: v = 0.1 g^2
        expected = PARAMS[name] - 0.01 * g / np.sqrt(0.1 * g**2 + 1e-7)
        np.testing.assert_allclose(after.params[name], expected, rtol=1e-11)


def test_dropout_is_taken_from_the_hidden_nodes_in_training_only(key):
    residuals = mlp.forward(PARAMS, X, key, rate=0.5)[1]
    scale = np.asarray(residuals[2][0])
    a1 = np.maximum(X @ PARAMS["W1"] + PARAMS["b1"], 0) * scale
    z2 = a1 @ PARAMS["W2"] + PARAMS["b2"]
    assert set(np.unique(scale).round(3)) == {0, 2} and scale.shape == (6, 5)
    np.testing.assert_allclose(mlp.forward(PARAMS, X, key, rate=0.5)[0], z2, rtol=1e-12)
    assert mlp.loss(PARAMS, X, LABELS, key, rate=0.5) != mlp.loss(PARAMS, X, LABELS)
    assert mlp.loss(PARAMS, X, LABELS, key, rate=0.0) == mlp.loss(PARAMS, X, LABELS)


def test_backward_gives_the_inputs_their_cotangent(key):
    x, dz2 = jnp.asarray(X), jnp.asarray(rng.normal(size=(6, 4)))
    _, pull = jax.vjp(lambda p, x: mlp.forward(p, x, key, rate=0.3)[0], jax.tree.map(jnp.asarray, PARAMS), x)
    dx, grads = mlp.backward(mlp.forward(PARAMS, x, key, rate=0.3)[1], dz2, rate=0.3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), (grads, dx), pull(dz2))


def test_by_hand_with_metrics_is_autodiff_with_aux(key):
    ours = mlp.metrics_and_grad(PARAMS, X, LABELS, key, rate=0.3)
    params = jax.tree.map(jnp.asarray, PARAMS)
    expected = jax.value_and_grad(mlp.loss_and_metrics, has_aux=True)(params, X, LABELS, key, rate=0.3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), ours, expected)


def test_the_lectures_network_has_407050_numbers():
    shapes = {name: p.shape for name, p in jax.eval_shape(mlp.init, jax.random.key(0)).items()}
    assert shapes == {"W1": (784, 512), "b1": (512,), "W2": (512, 10), "b2": (10,)}
    assert sum(np.prod(s) for s in shapes.values()) == 407_050  # lecture section 8.3, Keras' summary


def test_init_is_glorots(key):
    params = mlp.init(key, 300, 200, 50)
    for name, fans in {"W1": 500, "W2": 250}.items():
        limit, w = np.sqrt(6 / fans), params[name]
        assert w.dtype == jnp.float32
        assert 0.99 * limit < jnp.abs(w).max() <= limit and abs(w.std() - limit / np.sqrt(3)) < 0.01 * limit
    assert not params["b1"].any() and not params["b2"].any()


def test_the_default_rate_is_the_lectures(key):
    assert mlp.loss(PARAMS, X, LABELS, key) == mlp.loss(PARAMS, X, LABELS, key, rate=0.2)
    jax.tree.map(
        np.testing.assert_array_equal,
        mlp.value_and_grad(PARAMS, X, LABELS, key),
        mlp.value_and_grad(PARAMS, X, LABELS, key, rate=0.2),
    )


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_rates_outside_0_1_are_refused(rate, key):
    with pytest.raises(InvalidArgument, match="^rate: got"):
        mlp.value_and_grad(PARAMS, X, LABELS, key, rate=rate)
