"""The record's recipe on a few digits, and its claim from accuracies and times that are known."""

import json

import jax
import numpy as np
import pytest
from scipy import stats

import jaxnn
from benchmarks import time_to_accuracy
from benchmarks.speedrun import __main__ as tuning
from benchmarks.speedrun import recipe, record
from jaxnn.networks import whitened

REACHED = [0.991, 0.992, 0.9905, 0.9915]


@pytest.fixture
def few(monkeypatch):
    mnist = jaxnn.load_mnist()
    some = mnist._replace(x_train=mnist.x_train[:1024], y_train=mnist.y_train[:1024])
    some = some._replace(x_test=mnist.x_test[:100], y_test=mnist.y_test[:100])
    monkeypatch.setattr(jaxnn, "load_mnist", lambda: some)
    monkeypatch.setitem(recipe.RECIPE, "digits", 1024)
    return some


@pytest.fixture
def known(monkeypatch):
    """Training that takes no time and has the accuracies of `REACHED`, a product at 410 GFLOP/s."""
    left = iter(REACHED)
    monkeypatch.setattr(recipe, "train", lambda x, y, seed: {"seed": seed})
    monkeypatch.setattr(recipe, "accuracy", lambda *_: next(left))
    monkeypatch.setattr(record, "product_rate", lambda: 410e9)


@pytest.mark.slow
def test_a_thousand_digits_teach_most_and_leave_the_first_layer_as_it_was(few, monkeypatch):
    monkeypatch.setitem(recipe.RECIPE, "batch", 32)  # in batches of 256 there would be four updates
    params = recipe.train(few.x_train, few.y_train, 0)
    assert recipe.accuracy(params, few.x_test, few.y_test) > 0.7
    start = whitened.init(jax.random.key(0), recipe.cropped(few.x_train)[: recipe.RECIPE["whitened on"]])
    for name, same in {"W1": True, "b1": True, "W2": False, "b2": False, "W3": False, "b4": False}.items():
        assert np.array_equal(params[name], start[name]) == same


def test_the_recipe_is_judged_by_training_digits_that_it_does_not_see(few, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(recipe, "train", lambda x, y, seed: seen.append(x))
    monkeypatch.setattr(recipe, "accuracy", lambda params, x, y: seen.append(x) or 0.99)
    monkeypatch.setattr(tuning, "HELD_OUT", 100)
    tuning.main("1")
    assert [len(x) for x in seen] == [924, 100] and "mean 99.000 %" in capsys.readouterr().out
    assert np.array_equal(np.concatenate(seen), few.x_train)


def test_digits_lose_their_margin_and_nothing_else():
    x = np.arange(2 * 28 * 28).astype(np.uint8).reshape(2, 28, 28)
    assert recipe.cropped(x).shape == (2, 24, 24, 1) and recipe.cropped(x).dtype == np.uint8
    assert recipe.cropped(x)[1, 0, 0, 0] == x[1, 2, 2] and recipe.cropped(x)[0, -1, -1, 0] == x[0, 25, 25]


def test_the_bound_is_the_lower_end_of_students_interval():
    told = record.claim(REACHED, 2.0, 410e9)
    # SciPy's own interval: another way to the same number.
    interval = stats.ttest_1samp(REACHED, 0).confidence_interval(0.95)
    assert told["mean"] == pytest.approx(0.99125) and told["bound"] == pytest.approx(interval.low)
    assert told["times"] == pytest.approx(2.0)  # 0.41 TFLOP at 0.41 TFLOP/s are a second


@pytest.mark.parametrize(
    ("accuracies", "seconds", "reached"),
    [(REACHED, 2.3, (True, True)), (REACHED, 2.5, (True, False)), ([0.99, 0.991, 0.9895], 1.0, (False, True))],
)
def test_the_claim_is_about_the_bound_and_about_the_time(accuracies, seconds, reached):
    told = record.claim(accuracies, seconds, 410e9)
    assert tuple(told["reached"].values()) == reached
    assert record.missed([{}, {"record": told}]) == (reached != (True, True))


def test_every_single_result_is_in_the_row(few, known):
    row = record.row(4)
    assert row["record"]["accuracies"] == REACHED and row["record"]["recipe"] == recipe.RECIPE
    assert row["record"]["seeds"] == list(range(record.FIRST_SEED, record.FIRST_SEED + 4))
    assert len(row["samples"]) == len(row["record"]["processor"]) == 4 and row["unit"] == "s"
    json.dumps(row, allow_nan=False)


def test_what_is_said_has_the_line_of_the_table(few, known):
    where = {"cores": 2, "cpu": "One", "date": "2026-11-30T12:00:00+00:00", "commit": "0123456789"}
    accuracy, seconds, line = record.conclusions([{"case": "mlp"}, record.row(4)], where)
    assert "mean 99.125 %" in accuracy and "over 4 seeds" in accuracy and accuracy.endswith(": reached")
    assert "0.41 TFLOP" in seconds and "410 GFLOP/s" in seconds and seconds.endswith(": reached")
    assert line.startswith("| 2026-11-30 | 0123456 | 2 cores, One, 410 GFLOP/s | ") and "| 99.125 % | " in line


def test_the_case_has_the_record_for_its_training_alone(few, known, monkeypatch):
    monkeypatch.setattr(time_to_accuracy, "reached", lambda *_: (5.0, 1.0))
    monkeypatch.setattr(time_to_accuracy, "SEEDS_A_SAMPLE", 4)
    cold, warm, alone = time_to_accuracy.measure("99 %", 1, [])
    assert cold["samples"] == warm["samples"] == [5.0] and alone["variant"] == "99 % training alone"
    assert len(alone["record"]["seeds"]) == 4
