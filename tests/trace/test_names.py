"""Tests for `jaxnn/trace/names.py`, `folding.py` and `entries.py`: what rows are called, left out, and show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.trace import explain
from jaxnn.trace.names import argument_names, letters


def formulas(explanation):
    return [f"{row.name} = {row.formula.text}" for row in explanation.rows if row.formula]


def test_arguments_are_called_by_their_last_key_where_that_is_alone():
    def f(params, x, *rest): ...

    layers = {"W": 1.0, "b": 2.0}
    assert argument_names(f, (layers, 3.0, 4.0)) == ["W", "b", "x", "rest0"]
    assert argument_names(f, ({"l1": layers, "l2": layers}, 3.0)) == [
        "params.l1.W",
        "params.l1.b",
        "params.l2.W",
        "params.l2.b",
        "x",
    ]
    assert argument_names(f, ([1.0, 2.0], 3.0)) == ["params.0", "params.1", "x"]
    assert argument_names(max, (3.0,))[0]


def test_letters_leave_out_what_is_taken():
    free = letters({"a", "c"})
    assert [next(free) for _ in range(25)][-1] == "a1"


def test_a_statement_names_the_last_value_it_makes():
    def f(x):
        y = jnp.sin(x) * 2.0 + 1.0
        return y**2

    assert formulas(explain(f, 1.0)) == ["a = sin(x)", "b = a * 2", "y = b + 1", "f = y^2"]


def test_a_name_used_again_has_a_number():
    def f(x):
        h = x
        for _ in range(3):
            h = jnp.sin(h)
        return h

    assert formulas(explain(f, 1.0)) == ["h = sin(x)", "h_2 = sin(h)", "h_3 = sin(h_2)"]


def test_the_outer_name_is_taken_of_a_function_called():
    def inner(t):
        result = jnp.exp(t)
        return result

    def f(x):
        outer = inner(x)
        return outer * x

    assert formulas(explain(f, 1.0)) == ["outer = e^x", "f = outer * x"]


def test_equal_values_are_one_row_unless_named_apart():
    assert formulas(explain(lambda x: jnp.sin(x) + jnp.sin(x) ** 2, 1.0)) == ["a = sin(x)", "b = a^2", "c = a + b"]

    def f(x):
        p = jnp.sin(x)
        q = jnp.sin(x)
        return p * q

    assert formulas(explain(f, 1.0)) == ["p = sin(x)", "q = sin(x)", "f = p * q"]


def test_casts_and_reshapes_are_no_rows_unless_asked_for():
    def f(x):
        y = x.reshape(2, 2).astype(jnp.float32)
        return jnp.sum(y[None] ** 2)

    assert formulas(explain(f, np.ones(4))) == ["a = x^2", "f = sum(a)"]
    assert len(formulas(explain(f, np.ones(4), fold=False))) == 5


def test_a_bias_added_to_rows_sums_over_them():
    def f(b, x):
        return jnp.sum((x + b[None]) ** 2)

    b = explain(f, np.zeros(2), np.arange(6.0).reshape(3, 2)).row("b")
    np.testing.assert_array_equal(b.adjoint, [12, 18])  # 2 (0 + 2 + 4), 2 (1 + 3 + 5)
    assert b.terms[0].factors is None


def activation(x):
    y = jnp.exp(-x)
    return 1 / (1 + y)


def layer(x):
    h = activation(x)
    return h * 2


@pytest.mark.parametrize("limit, expected", [(20, 7), (4, 3), (2, 2)])
def test_functions_are_closed_until_the_table_is_short(limit, expected):
    def f(x):
        z = layer(x)
        return jnp.sum(z)

    explanation = explain(f, np.array([0.3, -1.0]), limit=limit)
    assert len(formulas(explanation)) <= expected
    np.testing.assert_allclose(explanation.rows[0].adjoint, jax.grad(f)(jnp.array([0.3, -1.0])), rtol=1e-12)
    assert {row.check.kind for row in explanation.rows} == {"ok"}


def test_entries_lie_on_one_path():
    def f(W, x):
        h = jnp.tanh(x @ W)
        return jnp.sum(h * h)

    W, x = np.random.default_rng(0).normal(size=(2, 3, 4))[0][:, :2], np.random.default_rng(1).normal(size=(5, 3))
    explanation = explain(f, W, x)
    for row in explanation.rows:
        for slope in row.slopes:
            assert slope.linked
    largest = np.unravel_index(np.argmax(np.abs(explanation.row("W").adjoint)), W.shape)
    assert explanation.row("W").entry == largest


def test_of_an_array_with_nan_that_entry_is_shown():
    explanation = explain(lambda x: jnp.sum(jnp.sqrt(x)), np.array([1e-9, -1.0, 9.0]))
    assert [row.entry for row in explanation.rows] == [(1,), (1,), ()]
