"""Tests for `diagnosis/locate.py`: one line of a backward pass is wrong, and is named, however written."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check

RNG = np.random.default_rng(13)
X, Y = RNG.normal(size=(5, 2)), RNG.random(size=(5, 2))
PARAMS = {"W1": RNG.normal(size=(2, 3)), "W2": RNG.normal(size=(3, 2))}


def loss(p, x, y):
    Z1 = x @ p["W1"]
    A1 = jnp.tanh(Z1)
    Z2 = A1 @ p["W2"]
    return jnp.sum((Z2 - y) ** 2) / len(x)


def missing_tanh(p, x, y):
    A1 = jnp.tanh(x @ p["W1"])
    dZ2 = 2 * (A1 @ p["W2"] - y) / len(x)
    dA1 = dZ2 @ p["W2"].T
    dZ1 = dA1
    return {"W1": x.T @ dZ1, "W2": A1.T @ dZ2}


def wrong_in_numpy(p, x, y):
    p, x, y = jax.tree.map(np.array, (p, x, y))
    A1 = np.tanh(x @ p["W1"])
    dZ2 = 2 * (A1 @ p["W2"] - y) / len(x)
    dA1 = -dZ2 @ p["W2"].T
    dZ1 = dA1 * (1 - A1**2)
    return {"W1": x.T @ dZ1, "W2": A1.T @ dZ2}


def layer_backward(dA, A, W_in):
    dZ = dA * (1 - A)
    return W_in.T @ dZ


def wrong_in_a_helper(p, x, y):
    A1 = jnp.tanh(x @ p["W1"])
    dZ2 = 2 * (A1 @ p["W2"] - y) / len(x)
    dW1 = layer_backward(dZ2 @ p["W2"].T, A1, x)
    dW2 = A1.T @ dZ2
    return {"W1": dW1, "W2": dW2}


def wrong_forward(p, x, y):
    Z1 = x @ p["W1"]
    A1 = jax.nn.sigmoid(Z1)
    dZ2 = 2 * (A1 @ p["W2"] - y) / len(x)
    dZ1 = dZ2 @ p["W2"].T * (1 - A1**2)
    return {"W1": x.T @ dZ1, "W2": A1.T @ dZ2}


@jax.jit
def wrong_under_jit(p, x, y):
    h = jnp.tanh(x @ p["W1"])
    error = 2 * (h @ p["W2"] - y) / len(x)
    back = (
        error
        @ p["W2"].T
        * (1 - h)
    )  # fmt: skip
    return {"W1": x.T @ back, "W2": h.T @ error}


def wrong_leaf(p, x, y):
    A1 = jnp.tanh(x @ p["W1"])
    dZ2 = 2 * (A1 @ p["W2"] - y) / len(x)
    dZ1 = dZ2 @ p["W2"].T * (1 - A1**2)
    dW1 = x.T @ dZ1
    dW2 = 3 * A1.T @ dZ2
    return {"W1": dW1, "W2": dW2}


class Backward:
    def __call__(self, p, x, y):
        grads = {}
        hidden = jnp.tanh(x @ p["W1"])
        d_out = 2 * (hidden @ p["W2"] - y) / len(x)
        grads["W2"] = hidden.T @ d_out
        d_hidden = d_out @ p["W2"].T
        d_pre = d_hidden * hidden * (1 - hidden)
        grads["W1"] = x.T @ d_pre
        return grads


CASES = [
    (wrong_in_numpy, 'dA1 = -dZ2 @ p["W2"].T', "wrong_in_numpy"),
]
MORE = [
    (wrong_in_a_helper, "dZ = dA * (1 - A)", "layer_backward"),
    (wrong_under_jit, 'back = ( error @ p["W2"].T * (1 - h) )', "wrong_under_jit"),
    (missing_tanh, "dZ1 = dA1", "missing_tanh"),
    (wrong_forward, "A1 = jax.nn.sigmoid(Z1)", "wrong_forward"),
    (wrong_leaf, "dW2 = 3 * A1.T @ dZ2", "wrong_leaf"),
    (Backward(), "d_pre = d_hidden * hidden * (1 - hidden)", "__call__"),
]


@pytest.mark.parametrize(
    ("grad", "text", "function"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE)]
)
def test_the_wrong_line_is_named(grad, text, function):
    verdict = check(loss, grad, PARAMS, X, Y)
    assert verdict.kind == "FAIL"
    assert verdict.line.startswith(text + "  ")
    assert "(test_locate.py:" in verdict.line and verdict.line.endswith(f"in {function})")


@pytest.mark.slow
def test_without_the_names_of_the_textbook_the_line_is_named_too():
    def unlike(p, x, y):
        q = jnp.tanh(x @ p["W1"])
        r = 2 * (q @ p["W2"] - y) / len(x)
        s = r @ p["W2"].T
        t = s * (1 + q**2)
        return {"W1": x.T @ t, "W2": q.T @ r}

    assert check(loss, unlike, PARAMS, X, Y).line.startswith("t = s * (1 + q**2)")


def rnn_loss(p, x, y):
    h = jnp.zeros((len(x), 3))
    for t in range(x.shape[1]):
        h = jnp.tanh(x[:, t] @ p["Wx"] + h @ p["Wh"])
    return jnp.sum((h - y) ** 2) / len(x)


def rnn_grad(p, x, y):
    hs = [np.zeros((len(x), 3))]
    for t in range(x.shape[1]):
        hs.append(np.tanh(x[:, t] @ p["Wx"] + hs[-1] @ p["Wh"]))
    dh = 2 * (hs[-1] - y) / len(x)
    dWx, dWh = np.zeros_like(p["Wx"]), np.zeros_like(p["Wh"])
    for t in reversed(range(x.shape[1])):
        da = dh * (1 - hs[t + 1])
        dWx += x[:, t].T @ da
        dWh += hs[t].T @ da
        dh = da @ p["Wh"].T
    return {"Wx": dWx, "Wh": dWh}


@pytest.mark.slow
def test_a_wrong_line_in_a_time_loop_is_named():
    params = {"Wx": RNG.normal(size=(2, 3)), "Wh": RNG.normal(size=(3, 3))}
    verdict = check(rnn_loss, rnn_grad, params, RNG.normal(size=(5, 4, 2)), RNG.normal(size=(5, 3)))
    assert verdict.line.startswith("da = dh * (1 - hs[t + 1])") and "** 2" in verdict.cause


def layers_loss(p, x, y):
    a1 = jnp.tanh(x @ p["W1"])
    a2 = jnp.tanh(a1 @ p["W2"])
    penalty = jnp.sum(p["W1"] ** 2) + jnp.sum(p["W2"] ** 2)
    return jnp.sum((a2 - y) ** 2) / len(x) + 0.1 * penalty / 2


def any_layer_backward(da, a, inputs, w):
    dz = da * (1 - a**2)
    dw = inputs.T @ dz
    return dz @ w.T, dw


def layers_grad(p, x, y):
    a1 = np.tanh(x @ p["W1"])
    a2 = np.tanh(a1 @ p["W2"])
    da1, dW2 = any_layer_backward(2 * (a2 - y) / len(x), a2, a1, p["W2"])
    _, dW1 = any_layer_backward(da1, a1, x, p["W1"])
    return {"W1": dW1, "W2": dW2}


@pytest.mark.slow
def test_a_wrong_line_in_a_function_that_every_layer_calls_is_named():
    verdict = check(layers_loss, layers_grad, PARAMS, X, Y)
    assert verdict.line.startswith("dw = inputs.T @ dz") and "the term `0.1 * w` is missing" in verdict.cause


def test_a_stale_value_is_named_where_it_comes_from():
    captured = np.asarray(PARAMS["W2"])

    def stale(p, x, y):
        a = jnp.tanh(x @ p["W1"])
        d = 2 * (a @ p["W2"] - y) / len(x)
        w = jnp.asarray(captured)
        return {"W1": x.T @ (d @ w.T * (1 - a**2)), "W2": a.T @ d}

    verdict = check(loss, stale, PARAMS, X, Y)
    assert verdict.line.startswith("w = jnp.asarray(captured)") and "stale" in verdict.cause


@pytest.mark.slow
def test_two_values_that_one_line_swaps_are_named_together():
    square = {"W1": RNG.normal(size=(2, 2)), "W2": RNG.normal(size=(2, 2))}

    def swapped(p, x, y):
        W2, W1 = p["W1"], p["W2"]
        A1 = jnp.tanh(x @ W1)
        dZ2 = 2 * (A1 @ W2 - y) / len(x)
        dZ1 = dZ2 @ W2.T * (1 - A1**2)
        return {"W1": x.T @ dZ1, "W2": A1.T @ dZ2}

    verdict = check(loss, swapped, square, X, Y)
    assert verdict.line.startswith('W2, W1 = p["W1"], p["W2"]') and "are swapped" in verdict.cause
    mends = ('W1, W2 = p["W1"], p["W2"]', "W2, W1 = p['W2'], p['W1']")
    assert any(f"+        {mend}" in verdict.patch for mend in mends), verdict.patch
