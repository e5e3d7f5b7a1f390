"""Tests for `jaxnn/verify/verdict.py`: what counts as right, what a message says, which of several is the gravest."""

import pytest

from jaxnn.verify import Report, Verdict
from jaxnn.verify.verdict import table, worst

FAIL = Verdict(
    "FAIL", "W1", (3, 0), 0.25, 0.5, "autodiff, reverse", 1e-15,
    cause="dW1: too large by exactly 2", line="dW1 = 2 * dZ1 @ X.T  (net.py:42, in grad)", case="m = 1",
    note="at a second point",
    witnesses=(Report("autodiff, reverse", False, 0.25, 1e-15), Report("complex step", None, note="not analytic: max")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "right"),
    [("PASS", True), ("KINK", True), ("NOISE", True), ("FAIL", False), ("RANDOM", False), ("NONFINITE", False)],
)
def test_a_verdict_is_true_where_the_gradient_is_right_as_far_as_can_be_seen(kind, right):
    assert bool(Verdict(kind)) is right


def test_the_message_says_where_what_why_and_who():
    lines = str(FAIL).splitlines()
    assert lines[0] == "FAIL: W1[3, 0] (m = 1)"
    assert "by hand 0.5" in lines[1] and "autodiff, reverse 0.25" in lines[1] and "1.0e-15" in lines[1]
    for part in (FAIL.cause, FAIL.line, FAIL.note, "DISAGREES", "cannot tell", "not analytic: max"):
        assert part in str(FAIL)


def test_a_bare_verdict_is_one_line():
    assert str(Verdict("PASS")) == "PASS"


def test_a_scalar_leaf_has_no_brackets():
    assert str(Verdict("FAIL", "bias")).splitlines()[0] == "FAIL: bias"


def test_only_what_is_right_says_how_small_an_error_would_have_been_seen():
    assert "would have been seen" in str(Verdict("PASS", resolution=1e-13))
    assert "would have been seen" not in str(Verdict("FAIL", "W", resolution=1e-13))


def test_the_table_has_a_line_a_witness_in_columns():
    lines = table(FAIL.witnesses)
    assert len(lines) == 2 and lines[0].index("DISAGREES") == lines[1].index("cannot tell")
    assert table(()) == []


@pytest.mark.parametrize(
    ("kinds", "gravest"),
    [
        (["PASS", "FAIL", "NOISE"], "FAIL"),
        (["KINK", "PASS", "NOISE"], "KINK"),
        (["PASS", "NOISE"], "NOISE"),
        (["FAIL", "NONFINITE"], "NONFINITE"),
    ],
)
def test_the_gravest_of_several(kinds, gravest):
    assert worst([Verdict(kind) for kind in kinds]).kind == gravest


def test_the_first_among_equals_is_taken():
    assert worst([Verdict("FAIL", "a"), Verdict("PASS"), Verdict("FAIL", "b")]).leaf == "a"
