"""Tests for `experiments/spiral.py`: its points and runs against the playground's own session and engine."""

import jax
import numpy as np
import pytest

from experiments import spiral
from experiments.record import Options
from jaxnn.playground import engine
from jaxnn.playground.session import Session

QUIET = Options(quick=True, seeds=2, say=lambda line: None)


def test_the_page_set_up_so_has_the_same_points_and_start():
    link = "#dataset=spiral&seed=0.00001&networkShape=3,2&activation=relu&optimizer=nadam&regularization=L2"
    session, (network, train, test) = Session(link), spiral.data("0.00001", [3, 2])
    np.testing.assert_array_equal(session.networks[0].params.W, network.params.W)
    for points, rows in ((train, session.split.train), (test, session.split.test)):
        assert int(points.n) == len(rows) == 250
        np.testing.assert_allclose(np.asarray(points.x)[:250, :2], rows[:, :2], rtol=1e-6)


def test_networks_side_by_side_train_as_the_engine_trains_one():
    found = spiral.runs(["0.00001", "0.00002"], [3, 2], 5)
    session = Session("#dataset=spiral&seed=0.00002&networkShape=3,2")
    losses, final = engine.run(
        spiral.CONFIG | {"hidden": [3, 2], "epochs": 5}, session.split.train, session.split.test, session.start
    )
    np.testing.assert_allclose(found.history[1, :, :2], losses[1:], rtol=1e-4)
    params = jax.tree.map(lambda leaf: leaf[1], found.networks.params)
    np.testing.assert_allclose(engine.weights_of(params, 2, [3, 2])["W"][0], final["W"][0], rtol=1e-3, atol=1e-5)


def test_solved_is_the_first_epoch_with_99_percent_of_the_test_points():
    history = np.zeros((3, 4, 4))
    history[0, :, 3] = [0.5, 0.99, 0.4, 1.0]
    history[1, :, 3] = [0.989, 0.5, 0.5, 0.5]
    history[2, :, 2] = 1.0  # of the training points: does not count
    assert spiral.solved_after(history) == [2, None, None]


def test_a_quick_run_says_so_and_has_a_row_a_seed(monkeypatch):
    monkeypatch.setattr(spiral, "DEPTHS", (1, 2))
    monkeypatch.setattr(spiral, "WIDTHS", (2,))
    result = spiral.run(QUIET)
    assert result.numbers == {} and result.figures == {} and list(result.pictures) == ["spiral"]
    assert "quick run: 100 epochs" in result.remarks[0]
    assert [row[0] for row in result.tables[0].rows] == ["0.00001", "0.00002"]
    left, right, *_ = result.pictures["spiral"][0].axes
    assert [text.get_text().split("\n")[1].split(" of ")[1] for text in left.texts] == ["2", "2"]
    assert sum(len(points.get_offsets()) for points in right.collections) == 500


@pytest.mark.slow
def test_nine_of_ten_seeds_solve_it():
    found = spiral.runs([f"0.{i:05d}" for i in range(1, 11)], spiral.HIDDEN, spiral.EPOCHS)
    assert sum(epoch is not None for epoch in spiral.solved_after(found.history)) >= 9
