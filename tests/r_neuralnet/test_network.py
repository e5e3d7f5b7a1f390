"""The error and its gradient by hand, against plain JAX and `jax.grad`, and R's order of the weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.r_neuralnet.network import (
    Architecture,
    error_of,
    forward,
    layers,
    matrices,
    objective,
    output_of,
    vector,
)


def plain(weights, x, y, shape):
    """The error as the definition has it, one example a row, the weights as R's matrices."""
    known = {"logistic": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, "softplus": jax.nn.softplus}
    known |= {"linear": lambda z: z, "softmax": jax.nn.softmax}
    act, out = (known.get(f, f) for f in (shape.activation, shape.output))
    a, start = x, 0
    for i, (rows, columns) in enumerate(shape.shapes):
        w = weights[start : start + rows * columns].reshape(columns, rows).T
        start += rows * columns
        z = a @ w[1:] + jnp.tile(w[0], (len(x), 1))
        a = (out if i + 1 == len(shape.shapes) else act)(z)
    if shape.error == "sse":
        return jnp.sum((y - a) ** 2) / 2
    if shape.error == "ce":
        other = 0 if shape.output == "softmax" else (1 - y) * jnp.log(1 - a)
        return -jnp.sum(y * jnp.log(a) + other)
    return jnp.sum(shape.error(a, y))


def swish(z):
    return z * jax.nn.sigmoid(z)


def huber(output, y):
    return jnp.where(jnp.abs(output - y) < 1, (output - y) ** 2 / 2, jnp.abs(output - y) - 0.5)


CASES = [
    ((2, 4, 1), "logistic", "logistic", "sse"),
    ((2, 4, 1), "logistic", "logistic", "ce"),
    ((3, 1), "logistic", "logistic", "ce"),
    ((3, 2, 5, 2), "tanh", "linear", "sse"),
    ((3, 12, 10, 2), "relu", "logistic", "ce"),
    ((3, 4, 3), "softplus", "softmax", "ce"),
    ((3, 4, 3), "tanh", "softmax", "sse"),
    ((1, 1, 2), swish, "linear", huber),
    ((2, 3, 2), "logistic", "tanh", huber),
    ((2, 3, 2), jnp.sin, jax.nn.sigmoid, "ce"),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("n", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_the_gradient_by_hand_is_that_of_autodiff(case, n):
    shape, rng = Architecture(*case), np.random.default_rng(0)
    w, x = rng.normal(size=shape.n_weights) / 2, rng.normal(size=(n, shape.sizes[0]))
    y = rng.integers(0, 2, (n, shape.sizes[-1])).astype(float)

    @jax.jit
    def all_three(w, x, y):
        outputs = output_of(forward(w, x.T, shape)[2], shape)
        return objective(shape, ())(w, x, y), jax.value_and_grad(plain)(w, x, y, shape), error_of(outputs, y.T, shape)

    with jax.enable_x64(True):
        (error, gradient), (expected, slopes), of_outputs = all_three(w, x, y)
    np.testing.assert_allclose([error, of_outputs], expected, rtol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-9, atol=1e-12)


def test_excluded_weights_have_no_gradient():
    shape, rng = Architecture((2, 3, 1), "tanh", "linear", "sse"), np.random.default_rng(0)
    w, x, y = rng.normal(size=shape.n_weights), rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    whole, some = (np.asarray(jax.jit(objective(shape, out))(w, x, y)[1]) for out in ((), (0, 7)))
    np.testing.assert_array_equal(some[[0, 7]], 0)
    np.testing.assert_array_equal(np.delete(some, [0, 7]), np.delete(whole, [0, 7]))


def test_weights_lie_as_in_rs_unlist():
    shape = Architecture((2, 3, 1), "tanh", "linear", "sse")
    first, second = matrices(np.arange(13.0), shape)
    np.testing.assert_array_equal(first, [[0, 3, 6], [1, 4, 7], [2, 5, 8]])  # columns: nodes; row 0: intercepts
    np.testing.assert_array_equal(second, [[9], [10], [11], [12]])
    np.testing.assert_array_equal(vector([first, second]), np.arange(13))
    np.testing.assert_array_equal(layers(np.arange(13.0), shape)[0], first.T)


@pytest.mark.parametrize("output", ["logistic", "softmax"])
def test_saturated_likelihoods_stay_finite(output):
    shape = Architecture((1, 2), "tanh", output, "ce")
    w, x = np.array([0.0, 1e4, 0, -1e4]), np.array([[1.0]])
    error, gradient = jax.jit(objective(shape, ()))(w, x, np.array([[0.0, 1.0]]))
    assert np.isfinite(error) and np.isfinite(gradient).all() and error >= 1e4


def test_the_error_of_outputs_takes_certain_ones():
    shape = Architecture((1, 1), "tanh", "logistic", "ce")
    error = jax.jit(lambda output, y: error_of(output, y, shape))
    assert error(np.array([[0.0, 1.0]]), np.array([[0.0, 1.0]])) == 0
    assert error(np.array([[0.0, 1.0]]), np.array([[1.0, 1.0]])) == np.inf
