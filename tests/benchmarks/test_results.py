"""Tests for `benchmarks/results.py`."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from benchmarks import results
from benchmarks.timing import Timing

TIMINGS = {"jaxnn": Timing(2.0, 10, 0.5, [1.0, 2.0, 3.0]), "torch": Timing(0.1, 10, 0.5, [4.0, 4.0, 4.0])}


def test_rows_by_hand():
    ours, theirs = results.rows("mlp", "float32", TIMINGS)
    assert {name: ours[name] for name in ("case", "who", "variant", "unit")} == {
        "case": "mlp",
        "who": "jaxnn",
        "variant": "float32",
        "unit": "s/step",
    }
    assert (ours["median"], ours["min"], ours["iqr"], ours["ratio"]) == (2.0, 1.0, 1.0, None)
    assert ours["interval"] == [1.0, 3.0] and theirs["interval"] == [4.0, 4.0]
    # The median of three draws out of {1, 2, 3} is 1 or 3 with 7/27 each.
    assert theirs["ratio"] == {"value": 2.0, "low": 4 / 3, "high": 4.0}
    assert theirs["samples"] == [4.0, 4.0, 4.0] and ours["first_call"] == 2.0


def test_written_is_read_again_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    rows = results.rows("mlp", "float32", TIMINGS)
    results.write(path, results.surroundings(["numpy"]), rows)
    run = results.read(path)
    assert run == json.loads(path.read_text()) and run["schema"] == 1 and run["rows"] == rows
    assert {"jax", "numpy", "cpu", "cores", "threads", "load"} <= run["environment"].keys()
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_keeps_the_old_file(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("old")
    with pytest.raises(ValueError):
        results.write(path, {"load": float("nan")}, [])
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "schema None, expected 1"),
        ('{"schema": 2}', "schema 2, expected 1"),
        ('{"schema": 1}', "environment or rows missing"),
        ('{"schema": 1, "environment": {}, "rows": [3]}', "row 0 cannot be used"),
        (
            '{"schema": 1, "environment": {}, "rows": [{"case": "a", "who": "b", "variant": "c", "samples": []}]}',
            "row 0",
        ),
        (
            '{"schema": 1, "environment": {}, "rows": [{"case": "a", "who": "b", "variant": "c", "samples": [0]}]}',
            "row 0",
        ),
        (
            '{"schema": 1, "environment": {}, "rows": [{"case": "a", "who": "b", "variant": "c", "samples": [NaN]}]}',
            "row 0",
        ),
    ],
)
def test_unusable_files_are_refused(tmp_path, text, message):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(results.Unusable, match=message) as caught:
        results.read(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(results.Unusable, match="cannot be read"):
        results.read(tmp_path / "none.json")


def test_inverse_by_hand():
    assert results.inverse({"value": 2.0, "low": 1.0, "high": 4.0}) == {"value": 0.5, "low": 0.25, "high": 1.0}


def test_the_table_is_markdown():
    out = StringIO()
    Console(file=out, width=160).print(results.table(results.rows("mlp", "float32", TIMINGS)))
    lines = [line.strip() for line in out.getvalue().splitlines() if line.strip()]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == [
        "case",
        "variant",
        "who",
        "median",
        "95 % interval",
        "IQR",
        "min",
        "first call",
        "median / jaxnn's",
    ]
    assert set("".join(cells[1])) <= {"-", ":"}
    assert cells[3] == [
        "mlp",
        "float32",
        "torch",
        "4.00 s",
        "4.00 s to 4.00 s",
        "0 us",
        "4.00 s",
        "100 ms",
        "2.00 (1.33 to 4.00)",
    ]


def test_doubts_are_said(monkeypatch):
    monkeypatch.setattr(results, "cores", lambda: 2)
    busy, noisy = results.warnings(results.rows("mlp", "float32", TIMINGS), 2.5)
    assert "load average before was 2.5 on 2 cores" in busy and noisy.startswith("mlp float32 jaxnn: too noisy to tell")
    assert results.warnings([], None) == []
    (short,) = results.warnings(results.rows("mlp", "v", {"jaxnn": Timing(2.0, 10, 0.05, [1.0])}), None)
    assert short == "mlp v jaxnn: a block took 50.0 ms, expected at least 100 ms"


def test_the_versions_are_those_of_the_packages_behind_a_peer():
    found = results.surroundings(["c", "sklearn", "numpy"])
    assert found["numpy"] == np.__version__ and "scikit-learn" in found and "c" not in found and "sklearn" not in found
