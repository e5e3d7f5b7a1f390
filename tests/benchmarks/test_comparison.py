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
    assert "2.00 (2.00 to 2.00) | slower" in slower
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
