"""Tests for `python -m benchmarks`, with stand-ins for the cases."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as program
from benchmarks import limits, timing
from benchmarks.agreement import Different
from benchmarks.timing import Block

LIMITS = {"float64": 1e9, "float32": 2e9, "float32 exact": 2e9, "bfloat16": 1e9, "copy": 1e9}


@pytest.fixture(autouse=True)
def cases(monkeypatch):
    """Put two cases in the place of the real ones; each notes the peers that it was given."""
    seen = []

    def case(name):
        def sides(variant, peers):
            seen.append((name, variant, list(peers)))
            found = {"jaxnn": lambda units: Block(0.5, units, units * 10)}
            return found | ({"numpy": lambda units: Block(0.5, 2 * units, units * 10)} if "numpy" in peers else {})

        return SimpleNamespace(
            WHAT=f"what {name} is", VARIANTS=("v", "w"), PEERS=("numpy", "nobody_s_package"), SAMPLES=3, sides=sides
        )

    monkeypatch.setattr(program, "CASES", {name: case(name) for name in ("one", "two")})
    monkeypatch.setattr(timing, "rest", lambda: None)
    monkeypatch.setattr(limits, "measured", lambda: LIMITS)
    return seen


def test_file_and_table(tmp_path, capsys):
    path = tmp_path / "new" / "run.json"
    assert program.main(["two", "--against", "numpy", "--json", str(path)]) == 0
    run = json.loads(path.read_text())
    assert run["schema"] == 1 and run["environment"]["jax"] and run["environment"]["limits"] == LIMITS
    assert [(row["case"], row["variant"], row["who"]) for row in run["rows"]] == [
        ("two", variant, who) for variant in "vw" for who in ("jaxnn", "numpy")
    ]
    assert run["rows"][0]["samples"] == [0.1] * 3 and run["rows"][1]["median"] == 0.2
    out = capsys.readouterr().out
    assert "two: what two is" in out and "two v: jaxnn takes 0.50 (0.50 to 0.50) of the time of numpy" in out


def test_all_cases_in_their_order_and_no_peer_unless_asked(cases):
    assert program.main(["--samples", "1"]) == 0
    assert cases == [(name, variant, []) for name in ("one", "two") for variant in "vw"]


def test_a_peer_that_is_not_there_is_skipped(monkeypatch, cases, capsys):
    monkeypatch.setitem(program.HOW_TO_GET, "nobody_s_package", "pip install it")
    assert program.main(["one", "--against", "nobody_s_package,numpy"]) == 0
    assert cases[0] == ("one", "v", ["numpy"])
    skipped = [line for line in capsys.readouterr().out.splitlines() if line.startswith("nobody_s_package")]
    assert len(skipped) == 1 and "skipped" in skipped[0] and "pip install it" in skipped[0]


def test_a_peer_of_no_case_is_skipped(cases, capsys):
    assert program.main(["one", "--against", "torch"]) == 0
    assert cases[0] == ("one", "v", [])
    assert "torch: skipped, it is no peer of one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["three"], "NAME: got three, expected any of one, two"),
        (["--against", "abacus"], "--against: got abacus, expected any of numpy, torch"),
        (["--samples", "0"], "--samples: got 0"),
    ],
)
def test_wrong_arguments(arguments, message, cases, capsys):
    with pytest.raises(SystemExit) as caught:
        program.main(arguments)
    assert caught.value.code == 2 and message in capsys.readouterr().err and cases == []


def test_a_file_that_cannot_be_written_is_refused_before_measuring(tmp_path, cases, capsys):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "run.json"):
        with pytest.raises(SystemExit) as caught:
            program.main(["--json", str(path)])
        assert caught.value.code == 2 and f"--json: got {path}" in capsys.readouterr().err
    assert cases == []


def test_sides_that_differ_are_not_measured_and_the_others_are(tmp_path, capsys):
    def differ(variant, peers):
        raise Different("numpy's cost is another")

    program.CASES["one"].sides = differ
    path = tmp_path / "run.json"
    assert program.main(["--json", str(path)]) == 1
    assert {row["case"] for row in json.loads(path.read_text())["rows"]} == {"two"}
    assert "one v: not measured, numpy's cost is another" in capsys.readouterr().out


def test_what_was_finished_is_kept_when_interrupted(tmp_path, capsys):
    def interrupt(variant, peers):
        raise KeyboardInterrupt

    program.CASES["two"].sides = interrupt
    path = tmp_path / "run.json"
    assert program.main(["--json", str(path)]) == 130
    assert [row["case"] for row in json.loads(path.read_text())["rows"]] == ["one", "one"]
    assert "interrupted" in capsys.readouterr().out


def test_a_profile_of_jaxnns_side_for_each_variant(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setattr(program.profiling, "write", lambda folder, side: written.append((folder, side(1).seconds)))
    assert program.main(["two", "--against", "numpy", "--profile", str(tmp_path / "p")]) == 0
    assert written == [(tmp_path / "p" / "two-v", 1), (tmp_path / "p" / "two-w", 1)]
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        program.main(["two", "--profile", str(tmp_path / "file")])
    assert "--profile: got" in capsys.readouterr().err


def test_xlas_own_count_is_in_jaxnns_row(tmp_path):
    program.CASES["one"].program = lambda variant: (lambda a: a @ a, np.ones((2, 2), np.float32))
    assert program.main(["one", "--against", "numpy", "--json", str(tmp_path / "run.json")]) == 0
    rows = json.loads((tmp_path / "run.json").read_text())["rows"]
    assert [row.get("xla_flops") for row in rows] == [16, None, 16, None]
