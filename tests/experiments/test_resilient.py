"""Section 7 by `jaxnn.neuralnet`, the circle made small; that fits equal R's is tested in `tests/r_neuralnet`."""

import numpy as np
import pytest

from experiments import resilient
from experiments.record import Options, judge_all
from jaxnn.data import RRandom, circle


@pytest.fixture(scope="module")
def result():
    patch, told = pytest.MonkeyPatch(), []
    patch.setattr(resilient, "circle", lambda rng: circle(rng, 60))
    patch.setattr(resilient, "QUICK_RESTARTS", 4)
    patch.setattr(resilient, "QUICK_STEPMAX", 3000)
    yield resilient.run(Options(quick=True, say=told.append))
    patch.undo()


@pytest.mark.slow
def test_both_numbers_are_judged_by_all_restarts(result):
    rows = {row["id"]: row for row in judge_all(result.numbers) if row["id"] in result.numbers}
    assert set(rows) == {"neuralnet.steps", "neuralnet.error"}
    assert all(
        row["n"] == 4 and "the best of 4 restarts after set.seed(20240402)" in row["note"] for row in rows.values()
    )


@pytest.mark.slow
def test_figures_and_the_spread_beside_the_lectures_run(result):
    assert list(result.figures) == [16, 17, 18] and list(result.pictures) == ["restarts", "errors"]
    (figure, caption) = result.pictures["restarts"]
    (lecture,) = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert (lecture.get_xdata()[0], lecture.get_ydata()[0]) == (74_792, 0.41125)
    assert "4 restarts" in caption


@pytest.mark.slow
def test_the_table_has_the_best_restarts_and_the_lectures(result):
    (table,) = result.tables
    assert [row[0] for row in table.rows] == ["1", "2", "3", "4", "lecture"]
    errors = [float(row[1]) for row in table.rows[:-1]]
    assert errors == sorted(errors)


def test_the_gradients_agree(result):
    (said,) = [line for line in result.remarks if "by hand and that of `jax.grad`" in line]
    assert float(said.split()[-1].rstrip(".")) < 1e-9


def test_starts_go_on_in_the_stream_that_made_the_points():
    rng = RRandom(resilient.SEED)
    points = circle(rng, 30)
    expected = RRandom(resilient.SEED)
    circle(expected, 30)
    net = resilient.train(points, rng, Options(quick=True, say=lambda _: None))
    np.testing.assert_array_equal(net.starts.ravel(), expected.rnorm(net.starts.size))


def test_restarts_that_all_ran_out_of_steps_have_no_spread_to_measure_by():
    alike, apart = (resilient.number(np.array(steps), 0, 74_792, "{:,.0f}") for steps in ([9e3] * 3, [9e3, 8e3]))
    assert "sd from our mean" not in alike.note and "sd from our mean" in apart.note
