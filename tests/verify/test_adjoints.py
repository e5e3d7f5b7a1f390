"""Tests for `jaxnn/verify/adjoints.py`: values and adjoints of a small network against the textbook's formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnn.verify.adjoints import nodes, nodes_by_replaying

RNG = np.random.default_rng(2)
X, Y = RNG.normal(size=(5, 2)), (RNG.random((5, 1)) < 0.5) * 1.0
W1, W2 = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 1))


def loss(leaves):
    w1, w2 = leaves
    Z1 = X @ w1
    A1 = jax.nn.sigmoid(Z1)
    Z2 = A1 @ w2
    R = Z2 - Y
    return jnp.sum(R**2) / 5


@pytest.fixture(scope="module")
def tape():
    return nodes(loss, [W1, W2], ("W1", "W2"))


@pytest.fixture(scope="module")
def named(tape):
    return {node.name: node for node in tape if node.name}


def test_the_named_intermediates_are_those_of_the_source(named):
    assert {"W1", "W2", "Z1", "A1", "Z2", "R"} <= set(named)


def test_values_and_adjoints_are_the_textbooks(named):
    Z1 = X @ W1
    A1 = 1 / (1 + np.exp(-Z1))
    R = A1 @ W2 - Y
    dR = 2 * R / 5
    dA1 = dR @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    for name, value, adjoint in [("Z1", Z1, dZ1), ("A1", A1, dA1), ("Z2", A1 @ W2, dR), ("R", R, dR)]:
        np.testing.assert_allclose(named[name].value, value, atol=1e-14)
        np.testing.assert_allclose(named[name].adjoint, adjoint, atol=1e-14)
    np.testing.assert_allclose(named["W1"].adjoint, X.T @ dZ1, atol=1e-14)
    np.testing.assert_allclose(named["W2"].adjoint, A1.T @ dR, atol=1e-14)


def test_the_local_derivative_of_an_elementwise_operation_is_there(named):
    A1 = 1 / (1 + np.exp(-(X @ W1)))
    np.testing.assert_allclose(named["A1"].local, A1 * (1 - A1), atol=1e-14)
    assert named["A1"].operation == "sigmoid'(Z1)"
    assert named["Z1"].local is None


def test_every_adjoint_is_the_derivative_by_what_is_added_there(tape):
    last = tape[-1]
    assert float(last.adjoint) == 1.0 and float(last.value) == pytest.approx(float(loss([W1, W2])))


def test_what_is_used_twice_gets_the_sum_of_its_adjoints():
    def f(leaves):
        y = leaves[0] * 3
        return jnp.sum(y * y + y)

    found = {node.name: node.adjoint for node in nodes(f, [np.array([2.0])], ("x",)) if node.name}
    assert found["y"].tolist() == [13.0] and found["x"].tolist() == [39.0]  # 2 y + 1 at y = 6; times 3


def test_a_loop_is_seen_step_by_step():
    def f(leaves):
        def body(carry, _):
            a = jnp.tanh(carry)
            h = a * 2
            return h, None

        return lax.scan(body, leaves[0], None, length=3)[0]

    values = [float(node.value) for node in nodes(f, [np.float64(0.3)], ("x",)) if node.name == "h"]
    expected = [2 * np.tanh(0.3)]
    expected += [2 * np.tanh(expected[0])]
    expected += [2 * np.tanh(expected[1])]
    np.testing.assert_allclose(values, expected)


def test_a_loop_whose_length_hangs_on_values_has_its_inputs_at_least():
    def f(leaves):
        total = lax.fori_loop(0, 4, lambda i, y: y * leaves[0], leaves[0])
        return total

    found = {node.name: node for node in nodes(f, [np.float64(1.5)], ("x",))}
    assert float(found["x"].adjoint) == pytest.approx(5 * 1.5**4)


def test_each_use_of_a_value_has_its_part_of_the_adjoint():
    def f(leaves):
        y = leaves[0] * 3
        return jnp.sum(y * 5.0 + jnp.sin(y))

    parts = [node.adjoint.tolist() for node in nodes(f, [np.array([2.0])], ("x",)) if not node.name]
    assert [5.0] in parts and [np.cos(6.0)] in parts


def test_several_names_on_a_line_are_told_apart_and_so_are_the_rounds_of_a_loop():
    def f(leaves):
        a, b = leaves[0] * 2, leaves[0] * 3
        total, kept = a * b, []
        for factor in (5.0, 7.0):
            total = total * factor
            kept.append(total + 1)
        return total + kept[0]

    found = [(node.name, float(node.value)) for node in nodes(f, [np.float64(1.0)], ("x",)) if node.name]
    assert {("a", 2.0), ("b", 3.0), ("total", 6.0), ("total", 30.0), ("total", 210.0), ("kept[0]", 31.0)} <= set(found)


def numpy_loss(w, x):
    hidden = np.tanh(x @ w)
    total = np.zeros(len(x))
    for k, row in enumerate(hidden):
        total[k] = np.sum(row**2)
    return np.mean(total)


def test_the_adjoint_of_a_variable_of_numpy_code_is_that_of_autodiff():
    seen = {node.name: node for node in nodes_by_replaying(numpy_loss, (W1, X))}
    hidden = jnp.tanh(X @ W1)
    expected = jax.grad(lambda h: jnp.mean(jnp.sum(h**2, axis=1)))(hidden)
    np.testing.assert_allclose(seen["hidden"].adjoint, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(seen["hidden"].value, hidden, rtol=1e-12)


def test_arguments_of_numpy_code_are_left_as_they_were():
    before = W1.copy()
    nodes_by_replaying(numpy_loss, (W1, X))
    np.testing.assert_array_equal(W1, before)
