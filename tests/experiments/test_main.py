"""Tests for `experiments/__main__.py`, with small stand-ins for the experiments."""

import json
import signal
import sys
from types import ModuleType

import jax
import pytest
from matplotlib.figure import Figure

from experiments import __main__ as program
from experiments.record import Number, Result


@pytest.fixture
def experiment(monkeypatch):
    """Put a stand-in in the place of an experiment; what is not replaced says so when it runs."""

    def put(name, run):
        module = ModuleType(f"experiments.{name}")
        module.SECTION, module.TITLE, module.run = "1", f"The {name}", run
        monkeypatch.setitem(sys.modules, f"experiments.{name}", module)

    for name in (*program.NAMES, *program.EXTRA):
        put(name, lambda options: Result({}, {}))
    return put


@pytest.fixture
def ctrl_c():
    """Let SIGINT interrupt, also where the shell that started the tests ignores it, as `nohup` and some CI do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda: signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


def drawn():
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1])
    return figure, "a line"


def saved(out):
    rows = json.loads((out / "numbers.json").read_text(encoding="utf-8"))["rows"]
    return {row["id"]: row for row in rows}


def test_all_run_in_the_lectures_order_and_options_reach_them(tmp_path, experiment):
    seen = []
    for name in program.NAMES:
        experiment(name, lambda options, name=name: seen.append((name, options.quick, options.seeds)) or Result({}, {}))
    assert program.main(["--quick", "--seeds", "2", "--out", str(tmp_path)]) == 0
    assert seen == [(name, True, 2) for name in program.NAMES]


def test_an_extra_runs_only_where_it_is_named_and_after_the_others(tmp_path, experiment):
    seen = []
    for name in (*program.NAMES, *program.EXTRA):
        experiment(name, lambda options, name=name: seen.append(name) or Result({}, {}))
    program.main(["--out", str(tmp_path)])
    assert seen == [*program.NAMES] and "spiral" in program.EXTRA
    seen.clear()
    program.main(["spiral", "linear", "--out", str(tmp_path)])
    assert seen == ["linear", "spiral"]


def test_what_is_asked_for_is_written(tmp_path, experiment, capsys):
    experiment("linear", lambda options: Result({"linear.circle.mean_y": Number(ours=0.583)}, {1: drawn()}))
    out = tmp_path / "a" / "b"
    assert program.main(["linear", "--out", str(out)]) == 0
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert files == ["figures/figure_01.png", "figures/figure_01.svg", "numbers.json", "report.html"]
    rows = saved(out)
    assert rows["linear.circle.mean_y"]["ok"] is True and rows["chain.value.a"]["note"] == "not run"
    assert "1 of 1 exact values equal, 188 exact values not run" in capsys.readouterr().out


def test_progress_is_said(tmp_path, experiment, capsys):
    experiment("mlp", lambda options: options.say("epoch [1] of 20") or Result({}, {}))
    program.main(["mlp", "--out", str(tmp_path)])
    assert "epoch [1] of 20" in capsys.readouterr().out


def test_a_missed_exact_number_is_status_1(tmp_path, experiment, capsys):
    experiment("linear", lambda options: Result({"linear.circle.mean_y": Number(ours=0.584)}, {}))
    assert program.main(["linear", "--out", str(tmp_path)]) == 1
    assert "exact numbers missed: linear.circle.mean_y" in capsys.readouterr().out


def test_a_random_number_outside_is_not_an_error(tmp_path, experiment):
    experiment("mlp", lambda options: Result({"mlp.test.loss": Number(ours=1.0, samples=[1.0, 1.1])}, {}))
    assert program.main(["mlp", "--out", str(tmp_path)]) == 0
    assert saved(tmp_path)["mlp.test.loss"]["ok"] is False


@pytest.mark.parametrize("numbers", [None, {"linear.typo": Number(ours=1)}, {"chain.value.a": Number(ours="4")}])
def test_the_others_go_on_when_one_fails(tmp_path, experiment, capsys, numbers):
    experiment("linear", lambda options: Result(numbers, {}) if numbers else 1 / 0)
    experiment("cnn", lambda options: Result({"cnn.params": Number(ours=[320, 2064, 3137000, 10010, 3149394])}, {}))
    assert program.main(["linear", "cnn", "--out", str(tmp_path)]) == 1
    assert saved(tmp_path)["cnn.params"]["ok"] is True
    printed = capsys.readouterr().out
    assert "failed: linear" in printed and "Traceback" not in printed
    assert "linear failed:" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_interrupt_keeps_what_was_finished(tmp_path, experiment, capsys, ctrl_c):
    experiment("linear", lambda options: Result({"linear.circle.mean_y": Number(ours=0.583)}, {1: drawn()}))
    experiment("mlp", lambda options: ctrl_c())
    assert program.main(["linear", "mlp", "--out", str(tmp_path)]) == 130
    assert saved(tmp_path)["linear.circle.mean_y"]["ok"] is True
    assert "finished and kept: linear" in capsys.readouterr().out
    assert "Unfinished run." in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not [path for path in tmp_path.rglob(".*")]


def test_an_experiment_cannot_change_the_precision_of_the_next(tmp_path, experiment):
    before = jax.config.jax_enable_x64
    experiment("linear", lambda options: jax.config.update("jax_enable_x64", not before) or Result({}, {}))
    program.main(["linear", "--out", str(tmp_path)])
    assert jax.config.jax_enable_x64 == before


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["linaer"], "linaer, expected any of linear, chain_rule, activations, hidden_layer, resilient, mlp"),
        (["spirals"], "spirals, expected any of linear"),
        (["--seeds", "0"], "--seeds: got 0"),
        (["--seeds", "x"], "--seeds"),
        (["--quik"], "--quik"),
    ],
)
def test_wrong_use_is_status_2_before_any_work(tmp_path, experiment, capsys, arguments, words):
    with pytest.raises(SystemExit) as stop:
        program.main([*arguments, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2 and words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path, experiment, capsys):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(SystemExit) as stop:
            program.main(["--out", str(out)])
        assert stop.value.code == 2 and "--out: got" in capsys.readouterr().err
