"""Tests for `python -m benchmarks compare` (`benchmarks/comparison.py`)."""

import json

import pytest

from benchmarks.__main__ import main


@pytest.fixture
def file(tmp_path):
    def write(name, rows, **environment):
        path = tmp_path / name
        rows = [dict(zip(("case", "variant", "who", "samples"), row, strict=True)) for row in rows]
        path.write_text(json.dumps({"schema": 1, "environment": environment, "rows": rows}))
        return str(path)

    return write


def lines_with(word, text):
    return [line for line in text.splitlines() if word in line]


def test_a_verdict_only_where_there_is_one(file, capsys):
    a = file(
        "a.json", [("mlp", "v", "jaxnn", [1.0] * 9), ("mlp", "v", "torch", [1.0] * 9), ("cnn", "v", "jaxnn", [1.0] * 9)]
    )
    b = file(
        "b.json",
        [("mlp", "v", "jaxnn", [2.0] * 9), ("mlp", "v", "torch", [1.04] * 9), ("cnn", "v", "jaxnn", [0.5] * 9)],
    )
    assert main(["compare", a, b]) == 1
    slower, same, faster = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("| mlp", "| cnn"))
    ]
    assert "2.00 (2.00 to 2.00) | unknown | 2.00 (2.00 to 2.00) | slower" in slower
    assert "1.04 (1.04 to 1.04) | no verdict" in same
    assert "0.50 (0.50 to 0.50) | faster" in faster


def test_only_jaxnns_own_time_makes_the_exit_status(file):
    a = file("a.json", [("mlp", "v", "jaxnn", [1.0] * 9), ("mlp", "v", "torch", [1.0] * 9)])
    b = file("b.json", [("mlp", "v", "jaxnn", [1.04] * 9), ("mlp", "v", "torch", [3.0] * 9)])
    assert main(["compare", a, b]) == 0


def test_noise_is_said(file, capsys):
    a, b = (file(name, [("mlp", "v", "jaxnn", [1.0, 2.0, 3.0])]) for name in ("a.json", "b.json"))
    assert main(["compare", a, b]) == 0
    assert "no verdict (noisy)" in capsys.readouterr().out


def test_what_is_not_comparable_is_said(file, capsys):
    a = file("a.json", [("mlp", "v", "jaxnn", [1.0]), ("mlp", "v", "torch", [1.0])], jax="0.10", date="1", cpu="x")
    b = file("b.json", [("mlp", "v", "jaxnn", [1.0]), ("cnn", "v", "jaxnn", [1.0])], jax="0.12", date="2", cpu="x")
    assert main(["compare", a, b]) == 0
    out = capsys.readouterr().out
    assert "only in A: mlp v torch" in out and "only in B: cnn v jaxnn" in out
    assert lines_with("not the same", out) == ["not the same: jax, A 0.10, B 0.12"]


def test_unusable_input(file, capsys, tmp_path):
    a, b = file("a.json", [("mlp", "v", "jaxnn", [1.0])]), file("b.json", [("cnn", "v", "jaxnn", [1.0])])
    assert main(["compare", a, b]) == 2
    assert "both have" in capsys.readouterr().err
    assert main(["compare", a, str(tmp_path / "none.json")]) == 2
    assert "none.json: cannot be read" in capsys.readouterr().err


FASTER = {"float32": 200e9, "float64": 100e9, "copy": 20e9}
SLOWER = {"float32": 100e9, "float64": 25e9, "copy": 15e9}


def test_a_slower_machine_is_told_from_a_slower_loop(file, capsys):
    # In B a float32 product takes 2.00 of the time, a float64 one 4.00, a copy 1.33.
    rows = [("mlp", "float32", "jaxnn"), ("cnn", "float32", "jaxnn"), ("linear", "float64", "jaxnn")]
    a = file("a.json", [(*row, [1.0] * 9) for row in rows], limits=FASTER)
    b = file("b.json", [(*row, [t] * 9) for row, t in zip(rows, (1.9, 3.0, 1.0), strict=True)], limits=SLOWER)
    assert main(["compare", a, b]) == 1
    out = capsys.readouterr().out
    mlp, cnn, linear = (lines_with(f"| {name}", out)[0] for name in ("mlp", "cnn", "linear"))
    assert "1.90 (1.90 to 1.90) | 1.33 to 2.00 | 1.00 (1.00 to 1.00) | as the machine" in mlp
    assert "3.00 (3.00 to 3.00) | 1.33 to 2.00 | 1.50 (1.50 to 1.50) | slower" in cnn
    assert "1.00 (1.00 to 1.00) | 1.33 to 4.00 | 0.75 (0.75 to 0.75) | faster" in linear
    assert "2.00 (float32), 4.00 (float64), 1.33 (copy)" in out


def test_a_loop_that_is_as_slow_as_the_machine_is_no_failure(file):
    a, b = (file(f"{t}.json", [("mlp", "v", "jaxnn", [t] * 9)], limits=at) for t, at in ((1.0, FASTER), (1.6, SLOWER)))
    assert main(["compare", a, b]) == 0


@pytest.mark.parametrize("limits", [None, {}, {"float32": 0}])
def test_limits_that_are_not_there_are_said(file, capsys, limits):
    a = file("a.json", [("mlp", "float32", "jaxnn", [1.0] * 9)], limits=FASTER)
    b = file("b.json", [("mlp", "float32", "jaxnn", [2.0] * 9)], limits=limits)
    assert main(["compare", a, b]) == 1
    out = capsys.readouterr().out
    assert "limits are not in both runs" in out and "| unknown | 2.00 (2.00 to 2.00) | slower" in out
