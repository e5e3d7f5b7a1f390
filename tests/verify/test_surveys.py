"""Tests for `jaxnn/verify/surveys.py`: mistakes that hide at one point are found, what has no loss is left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.verify import grid, survey
from tests.verify.unread import unread

RNG = np.random.default_rng(6)
W, X, Y = RNG.normal(size=(2, 1)), RNG.normal(size=(4, 2)), RNG.normal(size=(4, 1))


def squares(w, x, y):
    return jnp.sum((x @ w - y) ** 2) / len(x)


def squares_grad(w, x, y):
    dz = 2 * (x @ w - y) / len(x)
    return x.T @ dz


@unread
def over_all_outputs(w, x, y):
    dz = 2 * (x @ w - y) / y.size  # right for one output
    return x.T @ dz


def case(n_y=1, n=4):
    return RNG.normal(size=(2, n_y)), RNG.normal(size=(n, 2)), RNG.normal(size=(n, n_y))


def test_a_right_gradient_passes_and_the_cases_are_counted():
    verdict = survey(squares, squares_grad, [case(), case(2)])
    assert verdict.kind == "PASS" and verdict.case == "" and "2 PASS" in verdict.note


@pytest.mark.slow
def test_a_mistake_that_shows_with_two_outputs_alone_is_found_and_the_case_named():
    verdict = survey(squares, over_all_outputs, {"one output": case(), "two outputs": case(2)})
    assert verdict.kind == "FAIL" and verdict.case == "two outputs" and "(two outputs)" in str(verdict)
    assert "the case before it was right" in verdict.note
    assert verdict.actual == pytest.approx(verdict.expected / 2)


@pytest.mark.slow
def test_the_grid_finds_what_one_point_hides():
    cases = grid((W, X, Y), ("d k", "n d", "n k"))
    named = {
        c.name: c for c in cases if c.name in ("the example", "n = 1") or c.name.startswith("all dimensions unequal")
    }
    verdict = survey(squares, over_all_outputs, named)
    assert len(named) == 3 and verdict.kind == "FAIL" and verdict.case.startswith("all dimensions unequal")
    assert f"({verdict.case})" in str(verdict) and "before it were right" in verdict.note


def sigmoid_loss(w, x):
    return jnp.sum(jnp.tanh(x @ w))


def test_a_mistake_at_inputs_of_exactly_zero_is_found():
    @unread
    def never_zero(w, x):
        return jnp.where(x == 0, 1.0, x).T @ (1 - jnp.tanh(x @ w) ** 2)

    verdict = survey(sigmoid_loss, never_zero, [(W, X), (W, X * np.array([0.0, 1.0]))])
    assert verdict.kind == "FAIL" and verdict.case == "case 1"


@pytest.mark.slow  # test_grids.py sees that the grid has such labels
def test_labels_that_do_not_sum_to_1_are_found_by_the_grid():
    def cross_entropy(z, y):
        return -jnp.sum(y * jax.nn.log_softmax(z, axis=1))

    @unread
    def by_hand(z, y):
        return jax.nn.softmax(z, axis=1) - y

    hard = np.eye(3)[[0, 1, 2, 1]]
    cases = [c for c in grid((RNG.normal(size=(4, 3)), hard), ("n k", "n k")) if "labels" in c.name]
    verdict = survey(cross_entropy, by_hand, cases)
    assert verdict.kind == "FAIL" and "labels" in verdict.case


def test_a_gradient_that_raises_where_the_loss_does_not_fails():
    def only_some(w, x, y):
        if len(x) == 6:
            raise IndexError("six rows")
        return squares_grad(w, x, y)

    verdict = survey(squares, only_some, [case(), case(n=6)])
    assert verdict.kind == "FAIL" and verdict.case == "case 1"
    assert "IndexError: six rows" in verdict.cause and 'raise IndexError("six rows")' in verdict.line


def test_a_gradient_of_another_shape_at_some_sizes_fails():
    @unread
    def squeezed(w, x, y):
        return jnp.squeeze(squares_grad(w, x, y)) if w.shape == (1, 1) else squares_grad(w, x, y)

    verdict = survey(squares, squeezed, [case(), (W[:1], X[:, :1], Y)])
    assert verdict.kind == "FAIL" and "another form" in verdict.cause and "shape ()" in verdict.cause


def test_cases_at_which_the_loss_has_no_value_are_left_out_and_counted():
    def log_loss(w):
        if w.shape == (3,):
            raise ValueError("three")
        return jnp.sum(jnp.log(w))

    positive, negative, three = (np.array([1.0, 2.0]),), (np.array([1.0, -2.0]),), (np.ones(3),)
    verdict = survey(log_loss, lambda w: 1 / w, [positive, negative, three])
    assert verdict.kind == "PASS" and "left out" in verdict.note and "2" in verdict.note.split("left out")[1]


def test_no_case_with_a_value_is_bad_input():
    def raises(w):
        raise ValueError("never")

    with pytest.raises(
        InvalidArgument, match="cases: the loss cannot be computed at any of them, at case 0: ValueError: never"
    ):
        survey(raises, lambda w: w, [(W,), (X,)])


def test_a_kink_somewhere_is_said():
    verdict = survey(
        lambda z: jnp.sum(jax.nn.relu(z)), lambda z: (z >= 0) * 1.0, {"smooth": (np.ones(2),), "at 0": (np.zeros(2),)}
    )
    assert verdict.kind == "KINK" and verdict.case == "at 0" and verdict


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([], "cases: got none, expected argument tuples; grid"),
        ({}, "cases: got none"),
        ([W], "cases: case 0: got ndarray, expected a tuple of arguments"),
    ],
)
def test_bad_cases_are_refused(cases, message):
    with pytest.raises(InvalidArgument, match=message):
        survey(squares, squares_grad, cases)


@pytest.mark.parametrize(("w", "message"), [(np.array([1, 2]), "dtype int64, which has no gradient"), ("w", "str 'w'")])
def test_a_parameter_that_has_no_gradient_is_the_callers_mistake(w, message):
    with pytest.raises(InvalidArgument, match=message):
        survey(lambda w: jnp.sum(jnp.abs(w)), lambda w: w, [(w,)])


@pytest.mark.parametrize(
    ("count", "kind"),
    [pytest.param(1, "KINK", marks=pytest.mark.slow), (2, "FAIL"), pytest.param(3, "FAIL", marks=pytest.mark.slow)],
)
def test_of_a_tie_each_may_get_all_but_not_several_at_once(count, kind):
    """Later cases are heard by the witnesses of single entries only, which have to see entries together."""

    @unread
    def grad(window):
        ties = window == jnp.max(window)
        last_ones = jnp.cumsum(ties[::-1])[::-1] <= count
        return 1.0 * (ties & last_ones)

    assert survey(jnp.max, grad, [(np.arange(3.0),), (np.full(3, 0.5),)]).kind == kind
