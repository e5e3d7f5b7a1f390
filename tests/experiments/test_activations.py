"""Tests for `experiments/activations.py`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import activations
from experiments.record import Options

LOG_3 = np.log(3)  # the logit of 3/4


@pytest.fixture(scope="module")
def result():
    return activations.run(Options(say=lambda line: None))


@pytest.mark.parametrize(
    "name, x, value, slope",
    [
        ("sigmoid", LOG_3, 3 / 4, 3 / 16),  # p (1 - p)
        ("tanh", LOG_3, 4 / 5, 9 / 25),  # (9 - 1) / (9 + 1) and 1 - y^2
        ("ReLU", 2.5, 2.5, 1),
        ("ReLU", -2.5, 0, 0),
        ("ReLU", 0.0, 0, 0),
        ("Heaviside", 0.1, 1, 0),
        ("Heaviside", 0.0, 0, 0),
        ("Heaviside", -0.1, 0, 0),
    ],
)
def test_activations_worked_by_hand(name, x, value, slope):
    with jax.enable_x64(True):
        np.testing.assert_allclose(activations.by_hand(name, jnp.asarray(x)), (value, slope), rtol=1e-15, atol=1e-15)
        np.testing.assert_allclose(activations.by_autodiff(name, jnp.asarray([x])), [slope], rtol=1e-15, atol=1e-15)


def test_bernoulli_worked_by_hand():
    # y = 1 at 1/4 and y = 0 at 1/3: J = log 4 + log 3/2; the slopes are -1/p and 1/(1 - p).
    p, y = jnp.array([1 / 4, 1 / 3]), jnp.array([1.0, 0.0])
    np.testing.assert_allclose(activations.bernoulli(p, y), np.log(6), rtol=1e-6)
    np.testing.assert_allclose(activations.bernoulli_slope(p, y), [-4, 3 / 2], rtol=1e-6)


def test_through_the_sigmoid_the_slope_is_the_error():
    z, y = jnp.array([LOG_3, -LOG_3]), jnp.array([1.0, 1.0])
    np.testing.assert_allclose(activations.bernoulli_logit_slope(z, y), [-1 / 4, -3 / 4], rtol=1e-6)


def test_tables_set_equal_numbers_side_by_side(result):
    derivatives, loss = result.tables
    assert len(derivatives.rows) == 4 * len(activations.POINTS)
    assert all(row[3] == row[4] for row in derivatives.rows)
    assert all(row[3] == row[4] and row[5] == row[6] for row in loss.rows)


def test_run_draws_figures_3_and_4(result):
    assert list(result.figures) == [3, 4]
    assert result.numbers == {}
    values, slopes = result.figures[4][0].axes
    tanh = next(line for line in values.lines if "tanh" in line.get_label())
    np.testing.assert_allclose(tanh.get_ydata(), (1 + np.tanh(np.linspace(-4, 4, 801))) / 2, atol=1e-12)
    assert max(line.get_ydata().max() for line in slopes.lines) == 1
