"""The true adjoints of the levels, by `jax.grad` of networks that are written here once more, with JAX's own layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.backprop.language import read
from jaxnn.backprop.levels.table import LEVELS
from jaxnn.backprop.truth import bent, differs, expected, is_subgradient, points, slopes_at

LECTURE = {  # the lecture's table in section 3, at x = 2, to the digits that it prints
    **{"dadx": 4, "dbda": 54.59815, "dcda": 1, "dcdb": 1, "dddc": 0.06531727, "dedc": -0.887601, "dfdd": 1, "dfde": 1},
    **{"dfdc": -0.8222837, "dfdb": -0.8222837, "dfda": -45.71745, "dfdx": -182.8698},
}


def bernoulli(z, y):
    return jnp.mean(jnp.sum(jnp.logaddexp(0, z) - y * z, axis=1))


def hidden(p, X, y, m):
    return bernoulli(jax.nn.sigmoid(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], y)


def several(p, X, Y, m):
    return bernoulli(jnp.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"], Y)


def softmax(p, X, Y, m):
    return -jnp.mean(jnp.sum(Y * jax.nn.log_softmax(X @ p["W"] + p["b"]), axis=1))


def deep(p, X, y, m):
    a2 = jax.nn.relu(jnp.tanh(X @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])
    return bernoulli(a2 @ p["W3"] + p["b3"], y)


def correlated(image, kernel, stride, padding):
    shape = ("NHWC", "HWIO", "NHWC")
    x, k = image[None, :, :, None], kernel[:, :, None, None]
    return jax.lax.conv_general_dilated(x, k, (stride, stride), [(padding, padding)] * 2, dimension_numbers=shape)[
        0, :, :, 0
    ]


def convolution(p, t):
    return (jnp.sum(jax.nn.relu(correlated(p["X"], p["K"], 1, 0)) * p["W"]) - t) ** 2 / 2


def strided(p, t):
    return (jnp.sum(jax.nn.relu(correlated(p["X"], p["K"], 2, 1)) * p["W"]) - t) ** 2 / 2


def norm(p, X, Y, m):
    h = X @ p["W"]
    n = (h - h.mean(1, keepdims=True)) / jnp.sqrt(h.var(1, keepdims=True) + 0.001)
    return jnp.mean(jnp.sum((n * p["g"] + p["b"] - Y) ** 2, axis=1)) / 2


def attention(p, X, Y, h):
    q, k, v = (X @ p[name] for name in ("Wq", "Wk", "Wv"))
    shares = jax.nn.softmax(jnp.einsum("id,jd->ij", q, k) / h**0.5, axis=1)
    return jnp.sum((jnp.einsum("ij,jd->id", shares, v) - Y) ** 2) / 2


def recurrent(p, X1, X2, X3, H0, y, m):
    def step(h, x):
        return jnp.tanh(x @ p["U"] + h @ p["W"] + p["b"]), None

    last, _ = jax.lax.scan(step, H0, jnp.stack([X1, X2, X3]))
    return jnp.mean(jnp.sum((last @ p["V"] + p["c"] - y) ** 2, axis=1)) / 2


def dropout(p, X, y, M, keep, m):
    kept = jnp.where(M > 0, jnp.tanh(X @ p["W1"] + p["b1"]), 0) / keep
    return jnp.mean((kept @ p["W2"] + p["b2"] - y) ** 2) / 2


WRITTEN = [hidden, several, softmax, dropout, deep, convolution, strided, norm, attention, recurrent]


@pytest.mark.parametrize("loss", WRITTEN, ids=lambda loss: loss.__name__)
def test_gradients_are_those_of_the_network_written_with_jaxs_own_layers(loss):
    level = LEVELS[loss.__name__]
    for point in points(level):
        params = {name: point.given[name] for name in level.params}
        data = {name: point.given[name] for name in level.data}
        value, gradient = jax.value_and_grad(loss)(params, **data)
        assert float(point.values[level.cost]) == pytest.approx(float(value), rel=1e-12)
        for name in params:
            np.testing.assert_allclose(expected(point, f"d{name}"), gradient[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", LECTURE)
def test_f_of_x_has_the_lectures_values(name):
    printed = LECTURE[name]
    assert float(expected(points(LEVELS["chain"])[0], name)) == pytest.approx(printed, rel=6e-7)


def test_the_linear_network_by_its_closed_form():
    point = points(LEVELS["linear"])[0]
    X, y, beta, beta0 = (point.given[name] for name in ("X", "y", "beta", "beta0"))
    np.testing.assert_allclose(expected(point, "dbeta"), -2 * X.T @ (y - X @ beta - beta0), rtol=1e-12)


def test_what_a_name_stands_for():
    chain, hidden_layer = LEVELS["chain"], LEVELS["hidden"]
    assert (
        chain.meaning("dddc") == ("d", "c")
        and chain.meaning("dfdx") == ("f", "x")
        and chain.meaning("dd") == ("f", "d")
    )
    assert hidden_layer.meaning("dW1") == ("J", "W1") and hidden_layer.meaning("dA") is None is hidden_layer.meaning(
        "d"
    )
    assert [line.name for line in hidden_layer.forward] == ["Z1", "A1", "Z2", "A2", "J"]


def test_where_the_loss_bends_the_slopes_of_both_sides_are_known():
    assert {name for name, level in LEVELS.items() if bent(level)} == {"activations", "pooling"}
    level = LEVELS["activations"]
    slopes = slopes_at(level, "Z3", (0, 2))
    error = float(points(level)[0].values["P"][0, 2] - level.data["Y"][0, 2])
    assert slopes.kink and sorted((slopes.left.value, slopes.right.value)) == pytest.approx(
        sorted((0, error)), abs=1e-9
    )


def test_of_a_tie_only_the_shares_add_up():
    point = points(LEVELS["pooling"])[0]
    true = expected(point, "dX")
    half = true[2, 1]  # of the two that are equal autodiff gives a half to each
    for one, other, right in ((2, 0, True), (0.5, 1.5, True), (2, 2, False), (0, 0, False), (3, -1, False)):
        value = np.array(true)
        value[2, 1], value[3, 0] = one * half, other * half
        assert is_subgradient(point, "X", value, true, 1.0) is right


def test_zero_is_told_from_nearly_zero():
    assert not differs(np.array([1.0, 1e-13]), np.array([1.0, 0.0])).any()
    assert differs(np.array([1.0, np.nan]), np.array([1.0, 0.0])).tolist() == [False, True]


def test_every_level_is_of_the_language_from_end_to_end():
    for level in LEVELS.values():
        assert read(level.solution) and read(level.start) and level.forward
        assert set(level.missing) <= {line.name for line in read(level.solution)}
        assert level.bug is None or level.bug.wrong in level.start and level.bug.source.startswith("https://")
