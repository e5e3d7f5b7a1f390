"""The dense network of lecture section 8.3 by its formulas in NumPy, one golden step of training included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import fit, rmsprop
from jaxnn.errors import InvalidArgument
from jaxnn.networks import mlp
from jaxnn.ops import dropout

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
    ((_, _, mask),), _ = residuals
    scale = np.asarray(mask[0])
    a1 = np.maximum(X @ PARAMS["W1"] + PARAMS["b1"], 0) * scale
    z2 = a1 @ PARAMS["W2"] + PARAMS["b2"]
    assert set(np.unique(scale).round(3)) == {0, 2} and scale.shape == (6, 5)
    np.testing.assert_allclose(mlp.logits(PARAMS, X, key, rate=0.5), z2, rtol=1e-12)
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


# The lecture's activations in NumPy.
FORMULAS = {
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "heaviside": lambda z: (z > 0) * 1.0,
}


@pytest.mark.parametrize("n_hidden", [(), 5, (5,), (4, 6), (6, 2, 3, 5)])
@pytest.mark.parametrize("activation", mlp.ACTIVATIONS)
def test_any_depth_and_activation_by_formula(n_hidden, activation, key):
    params = jax.tree.map(lambda p: p + rng.normal(size=p.shape), mlp.init(key, 3, n_hidden, 4, dtype=float))
    *hidden, last = range(1, len(params) // 2 + 1)
    a = X
    for number in hidden:
        a = FORMULAS[activation](a @ np.asarray(params[f"W{number}"]) + np.asarray(params[f"b{number}"]))
    z = a @ np.asarray(params[f"W{last}"]) + np.asarray(params[f"b{last}"])
    y_hat = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mlp.apply(params, X, activation=activation), y_hat, rtol=1e-11)
    metrics = mlp.metrics(params, X, LABELS, activation=activation)
    np.testing.assert_allclose(metrics["loss"], -np.mean(np.log(y_hat[np.arange(6), LABELS])), rtol=1e-11)
    assert metrics["accuracy"] == np.mean(y_hat.argmax(axis=1) == LABELS)


def test_a_deep_start_has_a_layer_for_each_size(key):
    shapes = {name: p.shape for name, p in mlp.init(key, 3, [5, 2], 4).items()}
    assert shapes == {"W1": (3, 5), "b1": (5,), "W2": (5, 2), "b2": (2,), "W3": (2, 4), "b3": (4,)}
    jax.tree.map(np.testing.assert_array_equal, mlp.init(key, 3, 5, 4), mlp.init(key, 3, (5,), 4))


def test_the_start_of_one_hidden_layer_is_drawn_from_the_two_halves_of_the_key(key):
    # Runs that were recorded before there were deeper networks begin like this.
    glorot, (key1, key2) = jax.nn.initializers.glorot_uniform(), jax.random.split(key)
    params = mlp.init(key, 7, 6, 5)
    np.testing.assert_array_equal(params["W1"], glorot(key1, (7, 6), jnp.float32))
    np.testing.assert_array_equal(params["W2"], glorot(key2, (6, 5), jnp.float32))


def test_every_hidden_layer_drops_out_by_itself_and_one_alone_takes_the_key_as_it_is(key):
    def masks(n_hidden):
        params = mlp.init(key, 3, n_hidden, 4, dtype=float)
        return [np.asarray(mask[0]) for _, _, mask in mlp.forward(params, X, key, rate=0.5)[1][0]]

    np.testing.assert_array_equal(masks(50), [dropout(jnp.ones((6, 50)), key, rate=0.5)])
    first, second, third = masks((50, 50, 50))
    assert (first != second).any() and (second != third).any() and (first != third).any()
    for mask in (first, second, third):
        assert set(np.unique(mask)) == {0, 2} and abs(mask.mean() - 1) < 4 / np.sqrt(mask.size)  # four deviations


def test_below_a_step_function_nothing_learns():
    _, grads = mlp.value_and_grad(PARAMS, X, LABELS, activation="heaviside")
    assert not grads["W1"].any() and not grads["b1"].any() and grads["W2"].any()


@pytest.mark.parametrize("activation", ["Relu", "swish", "", None, jax.nn.relu, ["relu"]])
def test_activations_that_are_none_are_refused(activation):
    for function in (mlp.value_and_grad, mlp.loss):
        with pytest.raises(InvalidArgument, match="^activation: got .*expected one of relu, sigmoid"):
            function(PARAMS, X, LABELS, activation=activation)
    with pytest.raises(InvalidArgument, match="^activation: got"):
        mlp.apply(PARAMS, X, activation=activation)


@pytest.mark.parametrize("n_hidden", [(0,), (3, -1), (2.0,), [True], (None,), "5", ((3,),)])
def test_hidden_sizes_that_cannot_be_right_are_refused(n_hidden, key):
    with pytest.raises(InvalidArgument, match="^n_hidden: got"):
        mlp.init(key, 3, n_hidden, 4)


@pytest.mark.parametrize(
    ("named", "change"),
    [
        ("params", lambda p: {}),
        ("params", lambda p: {name: p[name] for name in ("W1", "b1", "W2")}),
        ("params", lambda p: p | {"W4": p["W2"], "b4": p["b2"]}),
        ("params", lambda p: {name.lower(): value for name, value in p.items()}),
        ("W2", lambda p: p | {"W2": p["W2"].T}),
        ("W2", lambda p: p | {"W2": p["W2"][0]}),
        ("b1", lambda p: p | {"b1": p["b2"]}),
        ("b2", lambda p: p | {"b2": 0.0}),
    ],
)
def test_layers_that_do_not_follow_each_other_are_refused(named, change):
    for function in (mlp.value_and_grad, mlp.loss):
        with pytest.raises(InvalidArgument, match=f"^{named}: got"):
            function(change(PARAMS), X, LABELS)


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
