"""Tests for `experiments/linear.py`."""

import jax
import numpy as np
import pytest

from experiments import linear
from experiments.record import Options, judge_all


@pytest.fixture(scope="module")
def result():
    return linear.run(Options())


def test_every_number_equals_the_lectures_digits(result):
    rows = [row for row in judge_all(result.numbers) if row["ours"] is not None]
    assert {row["id"] for row in rows} == {"linear.circle.mean_y", "linear.circle.beta"}
    assert all(row["ok"] for row in rows)


def test_all_figures_are_drawn(result):
    assert set(result.figures) == {1, 5, 6, 7, 8}


def test_one_step_is_the_lectures_update():
    # beta + rate * X'(y - X beta), as the lecture writes it, in plain NumPy
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 0.0])
    design, beta = np.column_stack([np.ones(2), x]), np.array(linear.BETA)
    expected = beta + linear.LEARNING_RATE * design.T @ (y - design @ beta)
    with jax.enable_x64(True):
        found = linear.betas(linear.linear.value_and_grad, x, y, [0, 1])
    np.testing.assert_allclose(found[0], beta)
    np.testing.assert_allclose(found[1], expected, rtol=1e-12)
