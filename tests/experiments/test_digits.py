"""Tests for `experiments/digits.py`, `mlp.py` and `cnn.py`: real digits, trained for a short while."""

import jax
import numpy as np
import pytest
from flax import nnx

from experiments import cnn as cnn_section
from experiments import digits
from experiments import mlp as mlp_section
from experiments.record import Options, judge_all
from jaxnn import fit, models
from jaxnn.data import Mnist
from jaxnn.networks import cnn, mlp


def test_confusion_counts_predicted_by_actual():
    found = digits.confusion(np.array([3, 3, 5]), np.array([3, 5, 5]))
    assert found[3, 3] == 1 and found[3, 5] == 1 and found[5, 5] == 1 and found.sum() == 3


def test_the_reshape_example():
    # the lecture's printed result, section 8.3
    expected = [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]
    assert mlp_section.small_images().reshape(3, 4).tolist() == expected


def test_flatten_runs_along_the_rows_of_pixels():
    image = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)
    np.testing.assert_allclose(mlp_section.flatten(image)[0, 28], image[0, 1, 0] / 255)


@pytest.mark.slow
def test_the_mlp_by_hand_learns_digits_in_a_few_seconds():
    # a network with one gradient wrong (a sign, a missing mask, a transposed matrix) stays far below
    mnist = digits.digits(quick=True)
    flat = Mnist(*(mlp_section.flatten(a) if a.ndim == 3 else a for a in mnist))
    fitted = digits.train(mlp, mlp.metrics_and_grad, models.to_params(models.MLP(rngs=nnx.Rngs(0))), flat, 0, "MLP", 10)
    run = digits.tested(mlp, fitted, flat)
    assert run.test["accuracy"] > 0.89
    assert run.test["accuracy"] == pytest.approx((run.predicted == mnist.y_test).mean(), abs=1e-6)


@pytest.mark.slow
def test_the_cnn_by_hand_learns_digits_in_a_few_seconds():
    mnist = digits.digits(quick=True)
    some = Mnist(mnist.x_train[:1280], mnist.y_train[:1280], mnist.x_test[:1000], mnist.y_test[:1000])
    raw = cnn_section.images(some, 1)
    params = models.to_params(models.CNN(rngs=nnx.Rngs(0)))
    fitted = digits.train(cnn, cnn.metrics_and_grad, params, raw, 0, "CNN", 5)
    assert digits.tested(cnn, fitted, raw).test["accuracy"] > 0.75


@pytest.mark.slow
def test_a_longer_run_begins_like_a_shorter_one():
    # what lets one epoch of jax.grad stand beside the first of the CNN's twenty
    mnist = digits.digits(quick=True)
    flat = Mnist(*(mlp_section.flatten(a) if a.ndim == 3 else a for a in mnist))
    params = mlp.init(jax.random.key(0), n_hidden=8)
    short, long = (digits.train(mlp, mlp.metrics_and_grad, params, flat, 0, "MLP", n).history for n in (1, 3))
    assert all(short[name][0] == long[name][0] for name in short)


@pytest.fixture
def at_most(monkeypatch):
    """Cut every training short: all of the section runs, on all digits, and comes near to where the lecture's ends."""

    def cut(most):
        monkeypatch.setattr(digits, "fit", lambda *args, epochs, **kw: fit(*args, epochs=min(epochs, most), **kw))

    return cut


@pytest.mark.slow
def test_the_mlp_reaches_the_lectures_accuracy(at_most):
    at_most(8)
    result = mlp_section.run(Options(seeds=1))
    assert 0.976 < result.numbers["mlp.test.accuracy"].ours < 0.988  # lecture, after 20 epochs: 0.9827
    rows = [row for row in judge_all(result.numbers) if row["kind"] == "exact" and row["ours"] is not None]
    assert len(rows) == 4 and all(row["ok"] for row in rows)


@pytest.mark.slow
def test_the_cnn_reaches_the_lectures_accuracy(at_most, monkeypatch):
    at_most(2)
    monkeypatch.setattr(cnn_section, "SCALED_EPOCHS", 1)
    result = cnn_section.run(Options())
    assert 0.975 < result.numbers["cnn.test.accuracy"].ours < 0.993  # lecture, after 20 epochs: 0.9829
    rows = [row for row in judge_all(result.numbers) if row["kind"] == "exact" and row["ours"] is not None]
    assert len(rows) == 2 and all(row["ok"] for row in rows)
