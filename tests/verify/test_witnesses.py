"""Tests for `jaxnn/verify/witnesses.py`: the lines they look along, their bars, and what each can and cannot tell."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.compare import Comparison
from jaxnn.verify.differences import lines
from jaxnn.verify.witnesses import AT_A_KINK, bars, furthest, judged, products

RNG = np.random.default_rng(12)


def test_a_small_problem_is_looked_at_along_every_entry():
    found = lines([np.zeros((2, 2)), np.full(3, 5.0)])
    single = {
        (k, tuple(map(int, index)))
        for direction in found
        if sum(np.count_nonzero(v) for v in direction) == 1
        for k, v in enumerate(direction)
        for index in np.argwhere(v)
    }
    assert single == {(0, index) for index in np.ndindex(2, 2)} | {(1, (k,)) for k in range(3)}


def test_a_large_problem_is_looked_at_along_every_leaf_and_all_at_once():
    found = lines([RNG.normal(size=(30, 30)), 1e-3 * RNG.normal(size=5)])
    assert len(found) < 20
    moved = [tuple(bool(np.any(v)) for v in direction) for direction in found]
    assert {(True, False), (False, True), (True, True)} <= set(moved)
    for direction in found:
        for v in direction:
            assert not np.any(v) or (np.all(v != 0) and len(np.unique(np.abs(v))) == 1)  # signs alone
    assert any(len(np.unique(direction[0])) == 2 for direction in found)  # of both kinds
    sizes = [np.max(np.abs(direction[1])) for direction in found if np.any(direction[1])]
    assert all(1e-4 < size < 1e-2 for size in sizes)  # a step that suits the leaf


def test_products_are_the_derivatives_along_the_directions():
    gradient = [np.array([1.0, 2.0]), np.array([[3.0]])]
    directions = [[np.array([1.0, 0.0]), np.array([[0.0]])], [np.array([1.0, -1.0]), np.array([[2.0]])]]
    assert products(gradient, directions).tolist() == [1.0, 5.0]


def test_bars_add_up_as_independent_errors_do():
    comparison = Comparison([np.zeros(2)], [np.zeros(2)], [np.array([3.0, 4.0])])
    assert bars(comparison, [[np.array([1.0, 1.0])], [np.array([-2.0, 0.0])]]) == pytest.approx([5.0, 6.0])


def test_what_entries_were_judged_on_is_not_held_against_them_again():
    comparison = Comparison([np.array([1.0, 2.0])], [np.array([1.0, 2.5])], [np.array([0.1, 0.1])])
    trial = SimpleNamespace(here=SimpleNamespace(comparison=comparison), cleared=True)
    assert judged(trial)[0].tolist() == [1.0, 2.0]
    trial.cleared = False
    assert judged(trial)[0].tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("gaps", "error", "agrees", "difference"),
    [
        ([1.0, 2.0], [2.0, 3.0], True, 2.0),
        ([1.0, 0.1], [2.0, 0.01], False, 0.1),
        ([np.nan, 1.0], [1.0, 2.0], True, 1.0),
        ([1.0], [np.inf], None, 0.0),
        ([np.nan], [1.0], None, 0.0),
    ],
)
def test_the_report_is_of_the_line_that_is_furthest_off_beside_its_bar(gaps, error, agrees, difference):
    found = furthest("someone", np.array(gaps), np.array(error))
    assert (found.agrees, found.difference) == (agrees, difference)


# What each can and cannot tell: a ReLU layer at a kink, whose loss has a penalty, and one that branches


def kinked(w, x):
    return jnp.sum(jax.nn.relu(x @ w) ** 1.0) + jnp.sum(w**2)


def kinked_grad(w, x):
    if isinstance(w, jax.core.Tracer):
        raise TypeError("no tracing")
    return np.asarray(x).T @ (np.asarray(x) @ np.asarray(w) >= 0) + 2 * np.asarray(w)


@pytest.fixture(scope="module")
def reports():
    verdict = check(kinked, kinked_grad, np.array([0.5, 1.0]), np.array([[1.0, -0.5], [1.0, 1.0], [0.3, 2.0]]))
    assert verdict.kind == "KINK"
    return {report.witness: report for report in verdict.witnesses}


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("complex step", "not analytic: max"),
        ("batch split", "no sum or mean over examples"),
        ("jit against eager", "cannot trace the gradient"),
        ("vmap against a loop", "cannot trace the gradient"),
    ],
)
def test_a_witness_that_cannot_tell_says_why(reports, name, note):
    assert reports[name].agrees is None and note in reports[name].note


def test_at_a_kink_the_witnesses_agree_and_say_so(reports):
    assert reports["autodiff, reverse"].agrees and reports["autodiff, reverse"].note == AT_A_KINK
    assert reports["central differences"].agrees
    assert reports["JVP against VJP"].agrees


def test_the_complex_step_is_exact_where_the_loss_is_analytic():
    def analytic(w):
        return jnp.sum(jnp.exp(w) / (jnp.sin(w) ** 3 + jnp.cos(w) ** 3))  # Squire and Trapp's function

    def by_hand(w):
        s, c = jnp.sin(w), jnp.cos(w)
        below = s**3 + c**3
        return jnp.exp(w) / below - jnp.exp(w) * 3 * s * c * (s - c) / below**2

    found = {r.witness: r for r in check(analytic, by_hand, np.array([1.5, 0.2])).witnesses}
    assert found["complex step"].agrees and 0 < found["complex step"].error < 1e-11
    assert found["central differences"].error > 10 * found["complex step"].error
