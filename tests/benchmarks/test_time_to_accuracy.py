"""Time to accuracy on a few digits; the clocks from times that are known."""

import json
from types import SimpleNamespace

import pytest

import jaxnn
from benchmarks import time_to_accuracy
from benchmarks.__main__ import main


@pytest.fixture
def few(monkeypatch):
    mnist = jaxnn.load_mnist()
    some = mnist._replace(x_train=mnist.x_train[:1200], y_train=mnist.y_train[:1200])
    some = some._replace(x_test=mnist.x_test[:200], y_test=mnist.y_test[:200])
    monkeypatch.setattr(jaxnn, "load_mnist", lambda: some)


@pytest.mark.slow
def test_a_run_says_after_how_many_epochs_it_was_there(few, capsys):
    time_to_accuracy.main("50", "0")
    told = json.loads(capsys.readouterr().out)
    assert told["epochs"] >= 1 and told["best"] >= 0.5 and told["epoch"] > 0


@pytest.mark.slow
def test_a_run_that_does_not_get_there_says_how_far_it_came(few, capsys, monkeypatch):
    monkeypatch.setattr(time_to_accuracy, "EPOCHS", 1)
    time_to_accuracy.main("98", "0")
    assert json.loads(capsys.readouterr().out).keys() == {"epochs", "best"}


def test_each_clock_has_a_sample_a_seed(monkeypatch):
    asked = []

    def reached(percent, seed, cache):
        asked.append((percent, seed))
        return 10.0 + len(asked), 5.0

    monkeypatch.setattr(time_to_accuracy, "reached", reached)
    cold, warm, alone = time_to_accuracy.measure("97 %", 2, [])
    assert asked == [("97", 0), ("97", 0), ("97", 0), ("97", 1), ("97", 1)]
    assert (cold["samples"], warm["samples"], alone["samples"]) == ([12.0, 14.0], [13.0, 15.0], [5.0, 5.0])
    assert [row["variant"] for row in (cold, warm, alone)] == ["97 % cold", "97 % warm cache", "97 % training alone"]
    assert cold["unit"] == "s" and cold["who"] == "jaxnn" and cold["case"] == "accuracy"


def test_the_time_runs_from_the_start_of_the_process(monkeypatch):
    def run(*_, **__):
        return SimpleNamespace(stdout=json.dumps({"epochs": 3, "epoch": 2.0, "at": 110.0, "best": 0.98}))

    monkeypatch.setattr(time_to_accuracy.subprocess, "run", run)
    monkeypatch.setattr(time_to_accuracy.time, "monotonic", lambda: 100.0)
    assert time_to_accuracy.reached("97", 0, "") == (10.0, 6.0)


def test_a_seed_that_does_not_get_there_is_said(monkeypatch):
    lost = SimpleNamespace(stdout=json.dumps({"epochs": None, "best": 0.985}))
    monkeypatch.setattr(time_to_accuracy.subprocess, "run", lambda *_, **__: lost)
    with pytest.raises(time_to_accuracy.NotReached, match="seed 4: 0.9850 after 20 epochs, expected 99 %"):
        time_to_accuracy.reached("99", 4, "")


def test_what_is_not_reached_is_said_and_the_other_variants_are_measured(monkeypatch, capsys):
    def reached(percent, seed, cache):
        if percent == "97":
            raise time_to_accuracy.NotReached("seed 0: 0.9600 after 20 epochs, expected 97 %")
        return 10.0, 5.0

    monkeypatch.setattr(time_to_accuracy, "reached", reached)
    monkeypatch.setattr(time_to_accuracy, "VARIANTS", ("97 %", "98 %"))
    assert main(["accuracy", "--samples", "1"]) == 1
    said = capsys.readouterr().out
    assert "accuracy 97 %: not measured, seed 0: 0.9600" in said and "accuracy 98 % cold: jaxnn 10.0 s" in said
