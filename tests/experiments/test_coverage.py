"""How often intervals cover: counted by hand, and that what is refused is not counted."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments import coverage
from experiments.coverage_cases import CASES, OTHERS, TESTED, Case, same
from experiments.record import Options
from jaxnn.r_neuralnet.network import Architecture

LINE = Architecture((1, 1), "logistic", "linear", "sse")


@pytest.fixture(scope="module")
def result():
    """What a run returns that is cut to a straight line with many rows and with few."""
    cases = {
        "a line": Case(LINE, [1.0, 2.0], 60, same, "never", bootstrap=True),
        "few rows": Case(LINE, [1.0, 2.0], 10, same, "five rows a weight"),
    }
    told = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coverage, "GROUPS", {"": cases})
        patch.setattr(coverage, "QUICK_SETS", 60)
        patch.setattr(coverage, "QUICK_REFITS", 50)
        return coverage.run(Options(quick=True, say=told.append)), told


def test_intervals_of_a_straight_line_cover_as_often_as_they_say(result):
    header, rows = result[0].tables[0].header, result[0].tables[0].rows
    assert [row[0] for row in rows[:3]] == ["weight 1", "weight 2", "mean slope 1"] and len(rows) == 10
    for method in ("sandwich", "likelihood", "bootstrap"):
        place = header.index(f"{method} covers")
        # Of 60 data sets, so less four standard deviations; quantiles of 50 refits lie further in.
        least = (0.92 if method == "bootstrap" else 0.95) - 4 * np.sqrt(0.95 * 0.05 / 60)
        assert min(float(row[place].split(" ")[0]) for row in rows) > 100 * least, method


def test_what_is_refused_is_said_and_why(result):
    rows, remarks = result[0].tables[1].rows, result[0].remarks
    assert {row[2] for row in rows} == {"–"} and {row[3] for row in rows} == {"0.0 %"} and rows[0][4] != "–"
    assert "60 are refused: too few rows a weight (60)" in remarks[-1] and "five rows a weight" in remarks[-1]
    assert remarks[0].startswith("This is a quick run: 60 data sets") and result[1] == remarks[1:]
    assert isinstance(result[0].pictures["coverage"][0], Figure)


def test_shares_count_what_was_given():
    hits = np.array([[1, 1, np.nan], [0, np.nan, np.nan], [1, 1, np.nan], [1, 1, np.nan]])
    np.testing.assert_array_equal(coverage.share(hits), [0.75, 1, np.nan])
    found = coverage.within(np.array([1.0, 2, 3]), np.array([0.5, 3, np.nan]), np.array([1.5, 4, 9]))
    np.testing.assert_array_equal(found, [1, 0, np.nan])


def test_every_case_of_the_experiment_says_why_it_may_fail():
    for name, case in CASES.items():
        assert len(case.weights) == case.architecture.n_weights, name
        assert case.why or case.bootstrap


def test_what_the_limits_were_chosen_on_is_not_what_they_are_shown_on():
    others = OTHERS | TESTED
    assert not {tuple(c.weights) for c in others.values()} & {tuple(c.weights) for c in CASES.values()}
    for name, case in others.items():
        assert len(case.weights) == case.architecture.n_weights, name
    x = np.zeros((2, 2))
    assert all(case.noise(x).shape == (2, 1) for case in others.values() if case.architecture.sizes[0] == 2)
    rng = np.random.default_rng(0)
    for name, case in others.items():
        drawn = case.draw(rng, (100_000,))
        assert abs(drawn.mean()) < 0.02 and abs(drawn.std() - 1) < 0.02, name
