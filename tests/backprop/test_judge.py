"""The judge by solutions that are right, worked out by hand, and by mistakes whose line and cause are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.backprop import judge as judging
from jaxnn.backprop.judge import GOOD, judge, solved
from jaxnn.backprop.levels.table import LEVELS
from jaxnn.errors import InvalidArgument
from tests.backprop import rewriting
from tests.backprop.solutions import others

NAMES = list(LEVELS)
BUGS = [name for name in NAMES if LEVELS[name].bug]


def said(name, text):
    """Return the verdicts on a text by the variable, of several lines the last."""
    return {verdict.name: verdict for verdict in judge(LEVELS[name], text)}


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_is_right_line_by_line(name):
    level = LEVELS[name]
    verdicts = judge(level, level.solution)
    assert solved(level, verdicts) and {v.kind for v in verdicts} <= {"right", "kink", "own", "part"}


@pytest.mark.parametrize("name", NAMES)
def test_other_right_solutions_are_right(name):
    level = LEVELS[name]
    for text in others(level):
        verdicts = judge(level, text)
        assert text != level.solution and solved(level, verdicts), [v for v in verdicts if v.kind not in GOOD]
        assert {"otherwise", "kink"} & {v.kind for v in verdicts}


@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_not_solved_and_every_line_is_asked_for(name):
    level = LEVELS[name]
    verdicts = judge(level, level.start)
    assert not solved(level, verdicts) and {v.name for v in verdicts} >= set(level.missing)


# The line of the report, its variable, and what its cause has to say.
CAUSES = {
    "bug-twice": ("dZ1", "the 1/m is taken here, and once more below"),
    "bug-total": ("db", "over one axis, not over all"),
    "bug-mean": ("db1", "too small by the factor m = 5: the 1/m is taken once too often"),
    "bug-upstream": ("dZ1", "the local derivative is that of a forward value, `A1 * (1 - A1)`"),
    "bug-itself": ("dZ1", "`1 - dA1` is not the local derivative: it is `A1 * (1 - A1)`"),
    "bug-logits": ("dZ2", "`Z2` in place of `P`: write `P`"),
    "bug-weights": ("dZ", "the factor w is missing"),
    "bug-regularised": ("db1", "the term `2 * reg * b1` is missing"),
    "bug-jacobian": ("dZ", "`P * sum(dP * P, axis=1, keepdims=True)` is missing"),
    "bug-selu": ("dZ", "wrong only where Z is negative (< 0)"),
    "bug-leaky": ("dZ1", "wrong only where Z1 is negative (< 0): a constant factor"),
    "bug-order": ("dB", "transposed"),
    "bug-overlapping": ("dV", "wrong only in the one entry [1, 1]"),
    "bug-shares": ("dS", "the term `- sum(dA * A, axis=1, keepdims=True)` is missing"),
    "bug-transport": ("dZ2", "`dZ3` has to go back through `W`"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_mistake_that_was_made_is_named_where_it_is_and_nowhere_else(name):
    variable, cause = CAUSES[name]
    found = said(name, LEVELS[name].start)
    assert [v.name for v in found.values() if v.kind == "wrong"] == [variable] and cause in found[variable].words
    assert all(v.kind in (*GOOD, "after", "part", "own") for v in found.values() if v.name != variable)


# A level, what is replaced in its solution by what, the variable that is blamed, how, and what is said of it.
PLANTED = [
    ("chain", "-sin(c)", "sin(c)", "dedc", "wrong", "the wrong sign"),
    ("chain", "dfdd * dddc + dfde * dedc", "dfdd * dddc", "dfdc", "wrong", "dfdc"),
    ("chain", "2 * x", "4", "dadx", "wrong", "a number stands where a name belongs"),
    ("chain", "exp(a)", "a * exp(a)", "dbda", "wrong", "the factor `a` is too much"),
    ("chain", "dfda * dadx", "dfda", "dfdx", "wrong", "the factor `dadx` is missing"),
    ("chain", "dfdb * dbda + dfdc * dcda", "dfdb * dbda", "dfda", "wrong", "the term `dfdc * dcda` is missing"),
    ("linear", "-2 *", "2 *", "dyhat", "wrong", "the wrong sign"),
    ("linear", "-2 *", "-", "dyhat", "wrong", "too small by the factor 2: a factor 2 is missing"),
    ("linear", "X.T @ dyhat", "X @ dyhat", "dbeta", "error", "X.T @ dyhat would go"),
    ("activations", "S * (1 - S)", "S * (1 + S)", "dZ1", "wrong", "dZ1"),
    ("activations", "dP * (Z3 > 0)", "dP * 2 * (Z3 >= 0)", "dZ3", "wrong", "too large by the factor 2"),
    ("activations", "dP * (Z3 > 0)", "abs(dP) * (Z3 > 0)", "dZ3", "wrong", "right for the numbers that are shown"),
    ("activations", "0 * dP", "dP", "dZ4", "wrong", "dP is passed straight through"),
    ("hidden", "X.T @ dZ1 / m", "X.T @ dZ1", "dW1", "wrong", "too large by the factor m = 5: a mean is missing"),
    ("hidden", "A2 - y", "y - A2", "dZ2", "wrong", "the wrong sign"),
    ("hidden", "X.T @ dZ1", "dZ1.T @ X", "dW1", "shape", "it is transposed"),
    ("hidden", "sum(dZ1, axis=0, keepdims=True)", "sum(dZ1, axis=0)", "db1", "shape", "keepdims=True keeps it"),
    ("hidden", "sum(dZ1, axis=0, keepdims=True)", "dZ1", "db1", "shape", "what was stretched forward is summed"),
    ("hidden", "sum(dZ1, axis=0, keepdims=True)", "sum(dZ1)", "db1", "shape", "summed over too many axes"),
    (
        "hidden",
        "A1 * (1 - A1)",
        "(1 - A1 ** 2)",
        "dZ1",
        "wrong",
        "`1 - A1 ** 2` is not the local derivative: it is `A1 * (1 - A1)`",
    ),
    ("hidden", "dZ2 @ W2.T", "dZ2 @ W2", "dZ1", "error", "would go"),
    (
        "hidden",
        "A2 - y",
        "(A2 - y) * A2 * (1 - A2)",
        "dZ2",
        "wrong",
        "the factor `A2 * (1 - A2)` is too much: it cancels",
    ),
    (
        "several",
        "(1 - A1 ** 2)",
        "A1 * (1 - A1)",
        "dZ1",
        "wrong",
        "`A1 * (1 - A1)` is not the local derivative: it is `1 - A1 ** 2`",
    ),
    ("several", "sum(dZ2, axis=0, keepdims=True)", "zeros((1, 3)) + sum(dZ2)", "db2", "wrong", "the same number"),
    ("softmax", "P - Y", "P * (1 - P) * (P - Y)", "dZ", "wrong", "the factor `P * (1 - P)` is too much"),
    ("softmax", "P - Y", "P * (P - Y)", "dZ", "wrong", "the factor P is too much"),
    ("dropout", "dD1 * M / keep", "dD1 / keep", "dA1", "wrong", "a mask is missing"),
    ("dropout", "dD1 * M / keep", "dD1 * M", "dA1", "wrong", "keep"),
    ("dropout", "dD1 * M / keep", "dD1", "dA1", "wrong", "the factor `M` and the division by `keep` are missing"),
    ("deep", "(Z2 > 0)", "(Z2 < 0)", "dZ2", "wrong", "dZ2"),
    ("convolution", "dK[0, 1] = sum(dZ * X[0:2, 1:3])", "dK[0, 1] = 0", "dK", "wrong", "[0, 1]: zero there: missing"),
    ("convolution", "dX[1:3, 1:3] +=", "dX[1:3, 1:3] =", "dX", "wrong", "from index 1 on of axis 0"),
    ("convolution", "dyhat * W", "dyhat * A", "dA", "wrong", "`A` in place of `W`: write `W`"),
    ("strided", "dP[1:5, 1:5]", "dP[0:4, 0:4]", "dX", "wrong", "`dP` is right, and the slice takes other entries"),
    ("pooling", "dM * R10 / N", "dM * R10", "dX", "wrong", "dX"),
    ("norm", " - mean(dC, axis=1, keepdims=True)", "", "dH", "wrong", "dH"),
    ("attention", "dS @ K / sqrt(h)", "dS @ K / h", "dQ", "wrong", "1.41421356237: a factor sqrt(h) is missing"),
    ("attention", "dS @ K / sqrt(h)", "dS @ K", "dQ", "wrong", "too large by the factor sqrt(h)"),
    ("recurrent", "X1.T @ dZ1 + X2.T @ dZ2 + ", "", "dU", "wrong", "the term `X1.T @ dZ1 + X2.T @ dZ2` is missing"),
    ("recurrent", "H1.T @ dZ2 + ", "", "dW", "wrong", "the term `H1.T @ dZ2` is missing"),
    (
        "recurrent",
        "H0.T @ dZ1 + H1.T @ dZ2 + H2.T @ dZ3",
        "H1.T @ dZ1 + H2.T @ dZ2 + H3.T @ dZ3",
        "dW",
        "wrong",
        "write `H0`, `H1`, `H2` in place of `H1`, `H2`, `H3`, in this order",
    ),
    ("recurrent", "X2.T @ dZ2 + X3.T", "X3.T @ dZ2 + X2.T", "dU", "wrong", "write `X2`, `X3` in place of `X3`, `X2`"),
    ("recurrent", "(dZ3 @ W.T) * (1 - H2 ** 2)", "(dZ3 @ W) * (1 - H3)", "dZ2", "wrong", "`H3` should not be in it"),
    (
        "norm",
        "(dN - N * mean(dN * N, axis=1, keepdims=True)) / s",
        "dN / s",
        "dC",
        "wrong",
        "the term `- N * mean(dN * N, axis=1, keepdims=True)` is missing",
    ),
]


@pytest.mark.parametrize(("name", "right", "wrong", "variable", "kind", "cause"), PLANTED)
def test_a_planted_mistake_is_named(name, right, wrong, variable, kind, cause):
    level = LEVELS[name]
    assert right in level.solution
    found = said(name, level.solution.replace(right, wrong))
    assert [v.name for v in found.values() if v.kind not in (*GOOD, "after", "own", "part")] == [variable]
    assert found[variable].kind == kind and cause in found[variable].words


def test_one_entry_is_shown_by_hand_beside_the_true_one_and_that_of_differences():
    level = LEVELS["hidden"]
    entry = said("hidden", level.solution.replace("X.T @ dZ1 / m", "X.T @ dZ1"))["dW1"].entry
    assert entry["hand"] == pytest.approx(5 * entry["true"], rel=1e-12)
    assert entry["difference"] == pytest.approx(entry["true"], rel=1e-7)


def test_a_line_waits_for_the_lines_above_it():
    found = said("hidden", LEVELS["hidden"].solution.replace("dZ2 = A2 - y", "dZ2 = "))
    assert found["dZ2"].kind == "empty" and found["dZ2"].words == "the derivative of J by Z2, shape (5, 1)"
    assert found["dW2"].kind == "after" and found["dW2"].words == "right, once dZ2 is"
    assert found["db1"].kind == "after" and found["db1"].words == "right, once dZ1 is"


def test_a_mean_may_be_taken_early_or_late_and_the_scale_is_said():
    early, late = (
        said("hidden", text)["dZ2"].words for text in (others(LEVELS["hidden"])[0], LEVELS["hidden"].solution)
    )
    assert "times" not in early and "m = 5 times the derivative" in late


def test_both_kinds_of_subgradient_are_said_to_be_some():
    for text in (LEVELS["activations"].solution, others(LEVELS["activations"])[0]):
        assert said("activations", text)["dZ3"].kind == "kink"
    assert "subgradients" in said("pooling", LEVELS["pooling"].solution)["dX"].words


def test_each_line_that_is_not_of_the_language_is_told_by_itself():
    verdicts = judge(LEVELS["hidden"], "dZ2 = A2 - y\ndW2 = import os\nX = 1\n# why not\ndb2 = dZ9\n")
    assert [v.number for v in verdicts] == [1, 2, 3, 5] and [v.kind for v in verdicts] == ["right", *["error"] * 3]
    assert "no formula" in verdicts[1].words and "X, which is given" in verdicts[2].words
    assert "dZ9: got no value" in verdicts[3].words


def test_lines_of_ones_own_are_recognised():
    found = said("hidden", "dZ2 = A2 - y\nback = dZ2 @ W2.T / m\n")
    assert found["back"].kind == "own" and found["back"].words == "this is the adjoint of A1"
    assert said("hidden", "delta = A2 - y\n")["delta"].words == "this is m times the adjoint of Z2"
    assert said("hidden", "dz2 = A2 - y\n")["dz2"].words == "a variable of your own: is dZ2 meant?"
    assert said("hidden", "dZ2 = a2 - y\n")["dZ2"].words.startswith("a2: got no value, expected A2, or another of W1, ")


def test_a_program_that_would_run_for_long_is_stopped(monkeypatch):
    monkeypatch.setattr(judging, "LONGEST", -1.0)  # whatever the machine, it is over
    with pytest.raises(InvalidArgument, match="take smaller arrays"):
        judge(LEVELS["linear"], LEVELS["linear"].solution)


def whatever_is_typed(name, seed):
    """Judge a solution written otherwise at random, which is right, and one with a random mistake, which is not."""
    level, random = LEVELS[name], np.random.default_rng(seed)
    text = rewriting.right(level, random)
    assert solved(level, judge(level, text)), text
    text = rewriting.wrong(level, random)
    assert text is None or not solved(level, judge(level, text)), text


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**32 - 1))
def test_no_right_solution_is_called_wrong_and_no_wrong_one_right(name, seed):
    whatever_is_typed(name, seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_of_each_level_no_right_solution_is_called_wrong_and_no_wrong_one_right(name):
    for seed in range(30):
        whatever_is_typed(name, seed)
