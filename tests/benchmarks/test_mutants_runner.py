"""Tests for `python -m benchmarks mutants`: jaxnn's checker is a stand-in but for one test, the one peer is scipy."""

import json

import pytest

from benchmarks import __main__ as program
from benchmarks.mutants import ours, peers, runner, summary
from benchmarks.mutants.ours import Found
from jaxnn.errors import InvalidArgument


@pytest.fixture(autouse=True)
def one_peer(monkeypatch):
    monkeypatch.setattr(runner, "PEERS", {"scipy check_grad": peers.scipy_check_grad})
    monkeypatch.setattr(runner, "NEEDS", {"scipy check_grad": "scipy"})


@pytest.fixture
def says(monkeypatch):
    """Let jaxnn's checker say what the test wants: at a point, and in the survey."""

    def put(at_a_point, surveyed=None):
        monkeypatch.setattr(ours, "check", lambda *args, **options: at_a_point)
        monkeypatch.setattr(ours, "survey", lambda *args, **options: surveyed or at_a_point)

    return put


def run(tmp_path, only, capsys):
    path = tmp_path / "new" / "run.json"
    status = program.main(["mutants", "--only", only, "--json", str(path)])
    return status, json.loads(path.read_text()), capsys.readouterr().out


@pytest.mark.slow
def test_the_real_checker_finds_the_sign_and_accepts_what_is_right(tmp_path, capsys):
    status, kept, out = run(tmp_path, "a03,scalar", capsys)
    wrong, right = kept["rows"]
    assert status == 0 and kept["schema"] == 1 and kept["environment"]["jax"]
    assert wrong["id"] == "a03" and wrong["killed_by"] == {"jaxnn": "std", "scipy check_grad": "std"}
    assert wrong["kind"] == "FAIL" and wrong["leaf"] in ("W", "b") and wrong["line_ok"] and wrong["cause_ok"]
    assert right["id"] == "scalar" and right["alarms"] == [] and "a03" not in out and "1 of 1" in out


def test_the_survey_is_asked_where_one_point_does_not_tell(says, tmp_path, capsys):
    says(Found("PASS"), Found("FAIL", "W", "dYh = 2 * (Yh - Y) / Y.size  (a04.py:20)", "too small", "k = 3"))
    status, kept, _ = run(tmp_path, "a04", capsys)
    (row,) = kept["rows"]
    assert status == 0 and row["killed_by"] == {"jaxnn": "survey", "scipy check_grad": "ny"}
    assert row["line_ok"] and row["cause_ok"] and row["case"] == "k = 3" and row["told_where"]["killed"] is False


def test_a_miss_is_a_failure_and_shown(says, tmp_path, capsys):
    says(Found("PASS", message="PASS"))
    status, kept, out = run(tmp_path, "b04", capsys)
    assert status == 1 and kept["rows"][0]["killed_by"]["jaxnn"] is None
    assert "missed: b04 missing sigmoid': PASS PASS" in out and "0 of 1" in out


@pytest.mark.slow
def test_another_subgradient_is_to_be_a_kink(says, tmp_path, capsys):
    says(Found("FAIL", message="FAIL"))
    assert run(tmp_path, "c05", capsys)[0] == 1
    says(Found("KINK"))
    status, kept, out = run(tmp_path, "c05", capsys)
    assert status == 0 and kept["rows"][0]["subgradient"] and "cause:" not in out and "line:" not in out


def test_a_wrong_line_and_a_wrong_cause_are_shown(says, tmp_path, capsys):
    says(Found("FAIL", "W", "dW = dYh @ X.T", "transposed"))
    status, kept, out = run(tmp_path, "a01", capsys)
    assert status == 0 and not kept["rows"][0]["line_ok"] and not kept["rows"][0]["cause_ok"]
    assert "line: a01 'dYh = 2 * (Yh - Y)': 'dW = dYh @ X.T'" in out and "cause: a01 forgot 1/m: 'transposed'" in out


@pytest.mark.parametrize("kind", ["FAIL", "REFUSED", ours.CRASH])
def test_a_false_alarm_is_a_failure_and_shown(kind, says, tmp_path, capsys):
    says(Found(kind, message="because"))
    status, kept, out = run(tmp_path, "scalar", capsys)
    assert status == 1 and kept["rows"][0]["alarms"] == ["jaxnn"] and f"false alarm: scalar: {kind} because" in out


def test_the_totals_are_written_for_the_report(says, tmp_path):
    says(Found("FAIL", "W", "dYh = 2 * (Yh - Y)"))
    path = tmp_path / "new" / "totals.json"
    program.main(["mutants", "--only", "a01", "--totals", str(path)])
    kept = json.loads(path.read_text())
    assert kept["environment"]["jax"] and kept["environment"]["python"]
    assert [row["checker"] for row in kept["totals"]] == ["jaxnn", "scipy check_grad"]
    assert kept["totals"][0]["killed at one point"] == "1 of 1" and kept["totals"][0]["false alarms"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "a01,z99"], "--only: got z99, expected any of a01 to"),
        (["--json", "/"], "--json: got /"),
        (["--totals", "/"], "--totals: got /"),
        (["a01"], "unrecognized arguments: a01"),
    ],
)
def test_wrong_arguments(arguments, message, says, capsys):
    says(Found("PASS"))
    with pytest.raises(SystemExit) as caught:
        program.main(["mutants", *arguments])
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_a_peer_that_is_not_there_is_skipped(says, monkeypatch, tmp_path, capsys):
    says(Found("FAIL"))
    monkeypatch.setattr(runner, "PEERS", {"nobody gradcheck": peers.torch_slow})
    monkeypatch.setattr(runner, "NEEDS", {"nobody gradcheck": "nobody_s_package"})
    monkeypatch.setitem(runner.HOW_TO_GET, "nobody_s_package", "pip install it")
    status, kept, out = run(tmp_path, "a01", capsys)
    assert status == 0 and list(kept["rows"][0]["killed_by"]) == ["jaxnn"]
    assert "nobody_s_package: skipped" in out and "pip install it" in out


def test_what_is_finished_is_kept_where_it_is_interrupted(says, monkeypatch, tmp_path, capsys):
    says(Found("FAIL"))
    calls = iter([{"row": "correct", "id": "scalar", "alarms": []}])

    def row_of(*args):
        found = next(calls, None)
        if found is None:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(runner, "row_of", row_of)
    status, kept, _ = run(tmp_path, "scalar,nested", capsys)
    assert status == 130 and [row["id"] for row in kept["rows"]] == ["scalar"]


def test_what_the_checker_raises():
    def inside():
        raise ZeroDivisionError("here")

    def caught(raise_it):
        try:
            raise_it()
        except Exception as error:
            return error

    assert ours.raised(InvalidArgument("db: float16"), "m.py").kind == "REFUSED"
    assert ours.raised(caught(inside), "m.py").kind == ours.CRASH
    mine = ours.raised(caught(inside), __file__)
    assert mine.kind == "RAISED" and mine.line == 'raise ZeroDivisionError("here")' and mine.objects


def test_the_gravest_of_a_rules_points_is_kept():
    found = [Found("PASS"), Found("KINK"), Found("FAIL", case="second")]
    assert ours.first_objection(found).case == "second" and ours.first_objection(found[:2]).kind == "KINK"
    assert summary.share([], []) == "" and summary.share([1], [1, 2]) == "1 of 2"
