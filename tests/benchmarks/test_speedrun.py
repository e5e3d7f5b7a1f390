"""The record's recipe on a few digits, and its claim from accuracies and times that are known."""

import json
import sys
from types import ModuleType, SimpleNamespace

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
    (row,) = record.rows(4)
    assert row["record"]["accuracies"] == REACHED and row["record"]["recipe"] == recipe.RECIPE
    assert row["record"]["seeds"] == list(range(record.FIRST_SEED, record.FIRST_SEED + 4))
    assert len(row["samples"]) == len(row["record"]["processor"]) == 4 and row["unit"] == "s"
    json.dumps(row, allow_nan=False)


def test_what_is_said_has_the_line_of_the_table(few, known):
    where = {"cores": 2, "cpu": "One", "date": "2026-11-30T12:00:00+00:00", "commit": "0123456789"}
    accuracy, seconds, line = record.conclusions([{"case": "mlp", "variant": ""}, *record.rows(4)], where)
    assert "mean 99.125 %" in accuracy and "over 4 seeds" in accuracy and accuracy.endswith(": reached")
    assert "0.41 TFLOP" in seconds and "410 GFLOP/s" in seconds and seconds.endswith(": reached")
    assert line.startswith("| 2026-11-30 | 0123456 | 2 cores, One, 410 GFLOP/s | ") and "| 99.125 % | " in line


def test_the_case_has_the_record_for_its_training_alone(few, known, monkeypatch):
    monkeypatch.setattr(time_to_accuracy, "reached", lambda *_: (5.0, 1.0))
    monkeypatch.setattr(record, "SEEDS_A_PEERS", 4)
    cold, warm, alone = time_to_accuracy.measure("99 %", 1, [])
    assert cold["samples"] == warm["samples"] == [5.0] and alone["variant"] == "99 % training alone"
    assert len(alone["record"]["seeds"]) == 4


@pytest.mark.parametrize(("seconds", "reached"), [(5.5, True), (4.5, False)])
def test_a_peer_trains_once_in_so_many_seeds_and_its_time_is_part_of_the_claim(
    few, known, monkeypatch, seconds, reached
):
    """By a clock that only training moves: a second for ours, for the peer somewhat more or less than five."""
    clock, seen, peer = [0.0], [], ModuleType("peer")

    def takes(seconds, *, seed):
        clock[0] += seconds
        seen.append((seconds, seed))

    peer.train, peer.accuracy = lambda x, y, seed: takes(seconds, seed=seed), lambda *_: 0.989
    monkeypatch.setitem(sys.modules, "benchmarks.peers.torch_record", peer)
    monkeypatch.setattr(record, "SEEDS_A_PEERS", 2)
    monkeypatch.setattr(record, "rest", lambda: None)
    monkeypatch.setattr(record, "time", SimpleNamespace(perf_counter=lambda: clock[0], process_time=lambda: clock[0]))
    monkeypatch.setattr(recipe, "train", lambda x, y, seed: takes(1.0, seed=seed))
    ours, theirs = record.rows(4, ["torch"])
    first = record.FIRST_SEED
    assert [seed for took, seed in seen if took == seconds] == [0, first, first + 2]
    assert [seed for took, seed in seen if took == 1] == [0, first, first + 1, first + 2, first + 3]
    assert ours["record"]["reached"]["torch"] == reached and record.missed([ours, theirs]) != reached
    where = {"cores": 2, "cpu": "One", "date": "2026-11-30T12:00:00+00:00", "commit": None}
    said = record.conclusions([ours, theirs], where)[2]
    assert "98.90 % in the mean" in said and said.endswith("0.2: reached" if reached else "0.2: NOT reached")


def test_the_earlier_record_in_torch_is_the_network_of_its_authors():
    """215 thousand parameters, as train_mnist_fast's; a thousand digits teach it something in four updates."""
    pytest.importorskip("torch", reason="PyTorch is an optional peer")
    from benchmarks.peers import torch_record

    assert sum(p.numel() for p in torch_record.build().parameters()) == 215_194
    x = np.zeros((1024, 28, 28), np.uint8)
    x[:512, :14], x[512:, 14:] = 255, 255
    y = np.repeat([3, 8], 512).astype(np.uint8)
    model = torch_record.train(x, y, 0)
    assert torch_record.accuracy(model, x, y) == 1
