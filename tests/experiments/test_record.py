"""Tests for `experiments/record.py`."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from experiments import record
from experiments.record import Number
from jaxnn.errors import InvalidArgument


def entry(printed, kind="exact"):
    return {"id": "a.b", "section": "1", "what": "something", "printed": printed, "kind": kind, "count": 1}


@pytest.mark.parametrize(
    "printed, value, equal",
    [
        ("0.1209820", 0.12098204, True),
        ("0.1209820", 0.12098206, False),
        ("2.706173e-04", 2.7061734e-4, True),
        ("2.706173e-04", 2.7061737e-4, False),
        ("9.2792344e-4", 9.27923436e-4, True),
        ("0.449592", 0.44959204, True),  # R dropped a trailing zero
        ("-0.887601", -0.8876010, True),
        ("-0.887601", 0.8876010, False),
        ("74792", 74792, True),
        ("74792", 74791, False),
        ("4", 4.0, True),
        ("4", 4.3, False),  # no decimals printed: a whole number, not one rounded to units
        ("0", -0.0, True),
        ("0.5", 1e308, False),
    ],
)
def test_agrees_is_equality_of_the_printed_digits(printed, value, equal):
    assert record.agrees(printed, value) is equal


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_agrees(value):
    assert not record.agrees("0.5", value, units=1)
    assert not record.within("0.5", value, value)
    row = record.judge(entry("0.5"), Number(ours=value))
    assert row["ok"] is False and isinstance(row["ours"], str) and "not finite" in row["note"]
    json.dumps(row, allow_nan=False)


@given(st.floats(-1e6, 1e6), st.integers(1, 12))
def test_rounding_is_that_of_printf(value, decimals):
    # Python's own % formatting, which rounds the exact binary value half to even as C's printf does
    assert record.agrees(f"%.{decimals}f" % value, value)


@pytest.mark.parametrize("array", [np.array([[0.5], [2.0]]), jnp.array([[0.5], [2.0]]), [[0.5], (np.float32(2),)]])
def test_arrays_are_judged_as_nested_lists(array):
    row = record.judge(entry([["0.5"], ["2.0"]]), Number(ours=array))
    assert row["ok"] is True and row["ours"] == [[0.5], [2.0]]


def test_both_sides_of_an_exact_row_have_to_agree():
    assert record.judge(entry(["0.50", "1.0"]), Number(ours=[0.5, 1.0], autodiff=[0.5, 1.0]))["ok"] is True
    row = record.judge(entry(["0.50", "1.0"]), Number(ours=[0.5, 1.0], autodiff=[0.5, 1.1], note="mine"))
    assert row["ok"] is False and row["note"] == "autodiff: 1 of 2 equal the lecture's digits; mine"


def test_other_nesting_is_a_miss_that_says_so():
    row = record.judge(entry(["0.5", "1.0"]), Number(ours=[[0.5, 1.0]]))
    assert row["ok"] is False and "1 x 2 values, where the lecture has 2 values" in row["note"]


def test_ragged_rows_are_compared_too():
    assert record.judge(entry([["28", "32"], ["3136"]]), Number(ours=[(28, 32), (3136,)]))["ok"] is True


def test_one_unit_in_the_last_digit_only_where_allowed_and_said():
    assert record.judge(entry("0.583"), Number(ours=0.584))["ok"] is False
    row = record.judge(entry("0.583"), Number(ours=0.584, rounded=True))
    assert row["ok"] is True and "off by one in the last digit" in row["note"]
    assert record.judge(entry("0.583"), Number(ours=0.585, rounded=True))["ok"] is False


def test_stochastic_row_by_hand():
    # mean 2, sd 1 with ddof=1: the interval is [-1, 5]; the second column has mean 0 and sd 0
    number = Number(ours=[1, 0], samples=[[1, 0], [2, 0], [3, 0]])
    row = record.judge(entry(["5.0", "0.0"], "stochastic"), number)
    assert row["ok"] is True and row["mean"] == [2, 0] and row["sd"] == [1, 0] and row["n"] == 3
    row = record.judge(entry(["5.1", "0.0"], "stochastic"), number)
    assert row["ok"] is False and row["note"] == "1 of 2 within our mean ± 3 sd of 3 runs"
    assert record.marks(row) == [False, True]


@pytest.mark.parametrize("samples", [None, [0.5]])
def test_one_run_gives_no_verdict(samples):
    row = record.judge(entry("0.5", "stochastic"), Number(ours=0.5, samples=samples))
    assert row["ok"] is None and row["note"] == "one run only"


def test_a_row_without_a_number_is_not_run():
    row = record.judge(entry("0.5"), None)
    assert (row["ours"], row["autodiff"], row["ok"], row["note"]) == (None, None, None, "not run")


def test_every_number_of_the_lecture_once_and_in_order():
    lecture = record.lecture()
    rows = record.judge_all({"linear.circle.mean_y": Number(ours=0.583)})
    assert [row["id"] for row in rows] == [e["id"] for e in lecture]
    assert len({row["id"] for row in rows}) == len(rows) == 63
    assert [row["id"] for row in rows if row["ok"]] == ["linear.circle.mean_y"]


def test_the_counts_of_the_lecture_file_are_those_of_its_values():
    lecture = record.lecture()
    assert all(len(record.leaves(e["printed"])) == e["count"] for e in lecture)
    assert sum(e["count"] for e in lecture if e["kind"] == "exact") == 189
    assert sum(e["count"] for e in lecture if e["kind"] == "stochastic") == 331


def test_an_unknown_id_is_refused():
    with pytest.raises(InvalidArgument, match="linear.typo"):
        record.judge_all({"linear.typo": Number(ours=1)})


def test_tally_counts_single_values():
    rows = record.judge_all({"hidden.init.b1": Number(ours=[0, 0, 0, 1]), "chain.value.a": Number(ours=4)})
    assert record.tally(rows, "exact") == (4, 5, 184)
    assert record.tally(rows, "stochastic") == (0, 0, 331)


def test_numbers_file_is_strict_json(tmp_path):
    rows = record.judge_all({"neuralnet.steps": Number(ours=math.nan, samples=[math.nan, math.inf])})
    record.write_numbers(tmp_path / "numbers.json", {"jax": "0"}, rows)

    def refuse(word):
        raise AssertionError(word)

    read = json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"), parse_constant=refuse)
    keys = {"id", "section", "what", "kind", "lecture", "ours", "autodiff", "ok", "note"}
    assert read["environment"] == {"jax": "0"} and all(keys <= set(row) for row in read["rows"])


def test_figures_are_written_twice_the_same(tmp_path):
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([0, 1])
    for _ in range(2):
        record.write_figure(tmp_path, 1, figure)
        first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    record.write_figure(tmp_path, 1, figure)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert sorted(first) == ["figure_01.png", "figure_01.svg"]
    record.write_figure(tmp_path, "restarts", figure)
    assert {"restarts.png", "restarts.svg"} <= {path.name for path in tmp_path.iterdir()}
