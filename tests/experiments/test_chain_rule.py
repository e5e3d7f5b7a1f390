"""Tests for `experiments/chain_rule.py`."""

import math

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import chain_rule
from experiments.record import Options, agrees, judge_all

# The lecture's section 3, every digit it prints at x = 2.
VALUES = {"a": "4", "b": "54.59815", "c": "58.59815", "d": "7.654943", "e": "-0.4606132", "f": "7.19433"}
LOCALS = {
    "xa": "4",
    "ab": "54.59815",
    "ac": "1",
    "bc": "1",
    "cd": "0.06531727",
    "ce": "-0.887601",
    "df": "1",
    "ef": "1",
}
ADJOINTS = {"f": "1", "e": "1", "d": "1", "c": "-0.8222837", "b": "-0.8222837", "a": "-45.71745", "x": "-182.8698"}


def test_forward_pass_prints_the_lectures_digits():
    values = chain_rule.values(2.0)
    assert all(agrees(printed, values[node]) for node, printed in VALUES.items())


def test_local_derivatives_print_the_lectures_digits():
    slopes = chain_rule.local_derivatives(chain_rule.values(2.0))
    assert {p + q for p, q in slopes} == set(LOCALS)
    assert all(agrees(printed, slopes[tuple(edge)]) for edge, printed in LOCALS.items())


def test_adjoints_print_the_lectures_digits():
    adjoint = chain_rule.adjoints(chain_rule.local_derivatives(chain_rule.values(2.0)))
    assert set(adjoint) == set(ADJOINTS)
    assert all(agrees(printed, adjoint[node]) for node, printed in ADJOINTS.items())


def test_adjoints_sum_over_the_children():
    # x -> a -> f and a -> b -> f with slopes 2, 3, 5, 7: df/da = 3 + 5 * 7, df/dx = 2 * 38.
    slopes = {("x", "a"): 2.0, ("a", "f"): 3.0, ("a", "b"): 5.0, ("b", "f"): 7.0}
    adjoint = chain_rule.adjoints(slopes)
    assert (adjoint["b"], adjoint["a"], adjoint["x"]) == (7, 38, 76)


@given(st.floats(-1.8, 1.8))
@settings(max_examples=50, deadline=None)
def test_backward_pass_equals_the_closed_form(x):
    by_hand = chain_rule.adjoints(chain_rule.local_derivatives(chain_rule.values(x)))
    assert math.isclose(by_hand["x"], chain_rule.closed_form(x), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("x", [-1.5, 0.0, 2.0])
def test_backward_pass_equals_autodiff_at_every_node(x):
    by_hand = chain_rule.adjoints(chain_rule.local_derivatives(chain_rule.values(x)))
    with jax.enable_x64(True):
        autodiff = chain_rule.autodiff_adjoints(x)
    assert all(by_hand[node] == pytest.approx(float(autodiff[node]), rel=1e-12, abs=1e-12) for node in ADJOINTS)


def test_closed_form_against_a_central_difference():
    h = 1e-6
    slope = (chain_rule.values(2 + h)["f"] - chain_rule.values(2 - h)["f"]) / (2 * h)
    assert chain_rule.closed_form(2.0) == pytest.approx(slope, rel=1e-5)


def test_rule_names_the_children():
    slopes = chain_rule.local_derivatives(chain_rule.values(2.0))
    assert chain_rule.rule("c", slopes) == "∂f/∂d ∂d/∂c + ∂f/∂e ∂e/∂c"


def test_run_meets_every_number_of_the_section():
    result = chain_rule.run(Options(say=lambda line: None))
    rows = [row for row in judge_all(result.numbers) if row["section"] == "3"]
    assert len(rows) == 19
    assert all(row["ok"] for row in rows)
    assert all(row["autodiff"] is not None for row in rows if "value" not in row["id"])
    assert list(result.figures) == [2]
