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


def flat(quick):
    """Return the digits as rows of pixels."""
    mnist = digits.digits(quick)
    return mnist._replace(x_train=mlp_section.flatten(mnist.x_train), x_test=mlp_section.flatten(mnist.x_test))


@pytest.mark.slow
def test_a_longer_run_begins_like_a_shorter_one():
    # what lets one epoch of jax.grad stand beside the first of the CNN's twenty
    mnist = flat(quick=True)
    params = mlp.init(jax.random.key(0), n_hidden=8)
    short, long = (digits.train(mlp, mlp.metrics_and_grad, params, mnist, 0, "MLP", n).history for n in (1, 3))
    assert all(short[name][0] == long[name][0] for name in short)


@pytest.mark.slow
@pytest.mark.parametrize(("section", "most", "exact"), [(mlp_section, 2, 4), (cnn_section, 1, 2)])
def test_a_section_runs_and_its_exact_numbers_are_the_lectures(section, most, exact, monkeypatch):
    monkeypatch.setattr(digits, "QUICK_DIGITS", 640)
    monkeypatch.setattr(digits, "fit", lambda *args, epochs, **kw: fit(*args, epochs=min(epochs, most), **kw))
    result = section.run(Options(quick=True, seeds=1))
    rows = [row for row in judge_all(result.numbers) if row["kind"] == "exact" and row["ours"] is not None]
    assert len(rows) == exact and all(row["ok"] for row in rows)


# On all digits, and for fewer epochs than the lecture's twenty: as near to where they end. A network with one gradient
# wrong (a sign, a missing mask, a transposed matrix) stays far below.


@pytest.mark.slow
def test_the_mlp_reaches_the_lectures_accuracy():
    mnist = flat(quick=False)
    fitted = digits.train(mlp, mlp.metrics_and_grad, models.to_params(models.MLP(rngs=nnx.Rngs(0))), mnist, 0, "MLP", 8)
    run = digits.tested(mlp, fitted, mnist)
    assert 0.976 < run.test["accuracy"] < 0.988  # lecture: 0.9827
    assert run.test["accuracy"] == pytest.approx((run.predicted == mnist.y_test).mean(), abs=1e-6)


@pytest.mark.slow
def test_the_cnn_reaches_the_lectures_accuracy():
    raw = cnn_section.images(digits.digits(quick=False), 1)
    fitted = digits.train(cnn, cnn.metrics_and_grad, models.to_params(models.CNN(rngs=nnx.Rngs(0))), raw, 0, "CNN", 2)
    assert 0.975 < digits.tested(cnn, fitted, raw).test["accuracy"] < 0.993  # lecture: 0.9829
