"""The network of lecture section 6 against the same training in R, and its intermediate values."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import expit

from jaxnn import RRandom, fit
from jaxnn.data import circle
from jaxnn.errors import InvalidArgument
from jaxnn.networks import hidden_layer

# Made by R itself: full-batch gradient descent as the lecture writes it, one example a column.
RUNS = json.loads((Path(__file__).with_name("hidden_layer.json")).read_text())["runs"]


def ours(lecture):
    """Return the lecture's matrices as our parameters: weights transposed, biases without their second axis."""
    return {name.removeprefix("d"): np.array(m).T if "W" in name else np.ravel(m) for name, m in lecture.items()}


def start(run):
    rng = RRandom(run["seed"])
    x, y = circle(rng)
    return hidden_layer.init(rng, 2, run["hidden"], 1), x, y


def same(actual, expected, rtol=1e-9):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol), dict(actual), expected)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run['seed']}-{run['hidden']}")
def test_training_is_that_of_r(run):
    params, x, y = start(run)
    same(params, ours(run["init"]), 0)
    same(jax.jit(hidden_layer.value_and_grad)(params, x, y)[1], ours(run["first_gradient"]))
    trained = fit(hidden_layer.value_and_grad, params, optax.sgd(run["lr"]), (x, y), epochs=run["iterations"])
    np.testing.assert_allclose(trained.history["loss"][np.array(run["cost_at"]) - 1], run["cost"], rtol=1e-9)
    same(trained.params, ours(run["final"]))


@pytest.mark.parametrize(("n", "d", "h", "k"), [(1, 1, 1, 1), (5, 3, 4, 2), (40, 2, 17, 1), (3, 18, 2, 3)])
def test_the_plain_and_the_fast_form_are_one(n, d, h, k, key):
    params = jax.tree.map(lambda p: p + 0.1, hidden_layer.init(key, d, h, k, dtype=float))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, d)), rng.uniform(size=(n, k))

    @jax.jit
    def both(params):
        plain = hidden_layer.backward(params, x, y, hidden_layer.forward(params, x))
        return hidden_layer.value_and_grad(params, x, y), (hidden_layer.loss(params, x, y), plain)

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14), *both(params))


def test_forward_and_losses_by_formula(key):
    params = jax.tree.map(lambda p: p + 0.1, hidden_layer.init(key, 3, 4, 2, dtype=float))
    w1, b1, w2, b2 = (np.asarray(params[name]) for name in ("W1", "b1", "W2", "b2"))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 3)), rng.uniform(size=(5, 2))
    z1 = x @ w1 + b1
    z2 = expit(z1) @ w2 + b2
    y_hat = expit(z2)
    values = hidden_layer.forward(params, x)
    for actual, expected in zip(values, (z1, expit(z1), z2, y_hat), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13)
    np.testing.assert_array_equal(hidden_layer.apply(params, x), values.A2)
    cost = -np.sum(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat)) / 5
    np.testing.assert_allclose(hidden_layer.loss(params, x, y), cost, rtol=1e-13)
    half = np.sum((y - y_hat) ** 2) / 2
    np.testing.assert_allclose(hidden_layer.half_squared_error(params, x, y), half, rtol=1e-13)
    np.testing.assert_allclose(hidden_layer.half_squared_error_and_grad(params, x, y)[0], half, rtol=1e-13)


def test_one_update_by_hand():
    params = {"W1": jnp.array([[2.0]]), "b1": jnp.array([1.0])}
    after = hidden_layer.update(params, {"W1": jnp.array([[4.0]]), "b1": jnp.array([-1.0])}, 0.5)
    assert after["W1"] == 0 and after["b1"] == 1.5


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_the_product_of_the_likelihoods_overflows_in_no_float_type(dtype, key):
    # All logits are 0: every likelihood is 1/2, its logarithm is what makes up the cost.
    params = jax.tree.map(lambda p: jnp.zeros_like(p, dtype), hidden_layer.init(key, 2, 3, 1))
    value, _ = jax.jit(hidden_layer.value_and_grad)(params, jnp.ones((70, 2), dtype), jnp.ones(70, dtype))
    assert value.dtype == dtype
    np.testing.assert_allclose(np.float64(value), np.log(2), rtol=1e-2)


def test_init_from_a_key_is_uniform_on_minus_1_1(key):
    params = hidden_layer.init(key, 30, 40, 50, dtype=jnp.float32)
    shapes = {"W1": (30, 40), "b1": (40,), "W2": (40, 50), "b2": (50,)}
    assert {name: p.shape for name, p in params.items()} == shapes
    for name in ("W1", "W2"):
        w = params[name]
        assert w.dtype == jnp.float32 and 0.99 < jnp.abs(w).max() < 1 and abs(w.mean()) < 0.05
        assert abs(w.std() - 1 / np.sqrt(3)) < 0.02
    assert not params["b1"].any() and not params["b2"].any()
    assert not np.allclose(params["W1"].ravel()[:50], params["W2"].ravel()[:50])


def test_layer_sizes():
    x, y = np.ones((5, 3)), np.ones((5, 2))
    assert hidden_layer.layer_sizes(x, y, 4) == (3, 4, 2)
    for arguments, name in [((x, y[:4], 4), "y"), ((x[0], y, 4), "x"), ((x, y, 0), "n_hidden"), ((x, y[:, 0], 4), "y")]:
        with pytest.raises(InvalidArgument, match=f"^{name}: got"):
            hidden_layer.layer_sizes(*arguments)
