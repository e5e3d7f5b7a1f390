"""What a session writes down gives the session's own numbers again: as a program, and as a run of the engine."""

import json
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest

from jaxnn.playground import engine
from jaxnn.playground.config import to_hash
from jaxnn.playground.frames import Losses
from jaxnn.playground.session import Session
from tests.playground.reader import trained

LINKS = {
    "the original's start": "#seed=0.5",
    "everything else": "#seed=0.5&dataset=spiral&networkShape=8,3,4,2&activations=relu,softplus,sigmoid,linear"
    "&x=false&xSquared=true&ySquared=true&xTimesY=true&sinX=true&sinY=true&regularization=L1&regularizationRate=0.001"
    "&optimizer=adam&dropout=0.1&batchSize=7&percTrainData=90&networks=2&hideText=true&noise_hide=true",
    "regression": "#seed=0.5&problem=regression&regDataset=reg-gauss&noise=10&networkShape=5",
}


def ran(folder, code):
    """Run the program in a folder of its own, and return the losses and accuracies that it prints."""
    (folder / "playground.py").write_text(code)
    command = [sys.executable, "-W", "error", "playground.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return scores_in(done.stdout)


def scores_in(printed):
    lines = [re.fullmatch(r"(train|test): loss (\S+), accuracy (\S+)", line) for line in printed.splitlines()]
    return {line[1]: [float(line[2]), float(line[3])] for line in lines}


def assert_scores(seen, expected):
    """Compare with `[train loss, test loss, train accuracy, test accuracy]`."""
    np.testing.assert_allclose([seen["train"][0], seen["test"][0]], expected[:2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose([seen["train"][1], seen["test"][1]], expected[2:], atol=1e-4)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_program_prints_the_sessions_scores(link, tmp_path):
    play = Session(link)
    rows = trained(play, 6)
    answer = play.export("python")
    assert answer["name"] == "playground.py"
    assert_scores(ran(tmp_path, answer["export"]), rows[-1][1:])


def test_the_program_trains_on(tmp_path, monkeypatch, capsys):
    play = Session("#seed=0.5")
    trained(play, 3)
    (tmp_path / "playground.py").write_text(play.export("python")["export"])
    monkeypatch.setattr(sys, "argv", ["playground.py", "3"])
    runpy.run_path(str(tmp_path / "playground.py"), run_name="__main__")  # here, where JAX has compiled the training
    assert_scores(scores_in(capsys.readouterr().out), trained(play, 3)[-1][1:])


@pytest.mark.parametrize("percent, printed", [(100, {"train"}), (1, {"train", "test"})])
def test_the_program_tells_only_of_points_that_are_there(percent, printed, tmp_path):
    play = Session(f"#seed=0.5&percTrainData={percent}")
    assert set(ran(tmp_path, play.export("python")["export"])) == printed


def test_the_program_says_which_link_it_is_of():
    play = Session("#seed=0.5&seed=a-b_c.d%2B")
    assert to_hash(play.config) in play.export("python")["export"].splitlines()[0]


@pytest.mark.parametrize("link", [LINKS["the original's start"], LINKS["regression"]])
def test_a_run_as_json_is_run_again_by_the_engine(link):
    play = Session(link)
    trained(play, 6)
    answer = play.export("json")
    found = json.loads(answer["export"])
    assert answer["name"] == "playground.json" and found["lossEpochs"] == list(range(7))
    assert found["link"] == to_hash(play.config)
    losses, final = engine.run(found["config"], found["train"], found["test"], found["init"])
    np.testing.assert_allclose(losses, found["loss"], rtol=1e-5)
    for name in ("W", "b"):
        for one, other in zip(final[name], found["final"][name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_losses_that_are_not_kept_are_not_in_the_json(monkeypatch):
    monkeypatch.setattr(Losses, "MOST", 4)
    play = Session("#seed=0.5")
    rows = trained(play, 9)
    found = json.loads(play.export("json")["export"])
    assert found["lossEpochs"] == [0, 4, 8] and found["loss"] == [rows[epoch][1:3] for epoch in (0, 4, 8)]
    assert found["config"]["epochs"] == 9


def test_the_loss_of_no_test_points_is_null():
    play = Session("#seed=0.5&percTrainData=100")
    rows = trained(play, 1)
    assert json.loads(play.export("json")["export"])["loss"] == [[row[1], None] for row in rows]
