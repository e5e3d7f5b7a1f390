"""From columns to matrices: by name, factors by their levels, and what is missing named with its rows."""

import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.formulas.columns import columns_of
from jaxnn.r_neuralnet.formulas.design import data_warnings, design_of, many_levels
from jaxnn.r_neuralnet.formulas.formula import parse

DATA = {
    "y": [0, 1, 1],
    "x": [0.5, 1.5, 2.5],
    "ok": [True, False, True],
    "s": ["b", "a", "c"],
    "k": [10, 2, 10],
}


class Frame:
    """What pandas and polars have in common."""

    def __init__(self, **columns):
        self.held, self.columns = columns, list(columns)

    def __getitem__(self, name):
        return self.held[name]


def of(text, data=DATA):
    columns = columns_of("data", data)
    return design_of(parse(text), columns), columns


def both(text, data=DATA):
    plan, columns = of(text, data)
    return plan.covariate_matrix(columns), plan.response_matrix(columns), plan


def test_numbers_and_truth_values():
    x, y, plan = both("y ~ x + ok")
    np.testing.assert_array_equal(x, [[0.5, 1], [1.5, 0], [2.5, 1]])
    np.testing.assert_array_equal(y, [[0], [1], [1]])
    assert plan.variables == ["x", "ok"] and plan.outputs == ["y"] and x.dtype == y.dtype == float


def test_the_dot_is_every_column_that_is_no_response_and_not_taken_away():
    assert both("y ~ . - s - k")[2].variables == ["x", "ok"]
    assert both("y + ok ~ . - s")[2].variables == ["x", "k"]


def test_a_factor_as_response_has_a_column_for_each_level_in_their_order():
    _, y, plan = both("s ~ x")
    assert plan.outputs == ["a", "b", "c"]
    np.testing.assert_array_equal(y, [[0, 1, 0], [1, 0, 0], [0, 0, 1]])


def test_a_factor_as_covariate_has_one_for_each_level_but_the_first_as_rs_model_matrix():
    x, _, plan = both("y ~ s + factor(k)")
    assert plan.variables == ["sb", "sc", "k10"]
    np.testing.assert_array_equal(x, [[1, 0, 1], [0, 0, 0], [0, 1, 1]])


def test_categories_keep_their_order_unless_made_texts(categorical):
    data = Frame(y=[1, 0], s=categorical(["lo", "hi"], ["lo", "mid", "hi"]))
    assert both("s ~ y", data)[2].outputs == ["lo", "mid", "hi"]
    assert both("as.character(s) ~ y", data)[2].outputs == ["hi", "lo"]
    assert both("y ~ as.character(s)", data)[2].variables == ["as.character(s)lo"]


def test_categories_without_a_series_around_them_keep_their_order_too(categorical):
    alone = categorical(["lo", "hi"], ())
    alone.categories = ["lo", "mid", "hi"]  # as pandas.Categorical has them
    del alone.cat
    assert both("s ~ y", {"y": [1, 0], "s": alone})[2].outputs == ["lo", "mid", "hi"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [('s == "a"', [0, 1, 0]), ('s != "a"', [1, 0, 1]), ("x > 1.5", [0, 0, 1]), ("x <= 1.5", [1, 1, 0])]
    + [("k == 10", [1, 0, 1]), ("ok == TRUE", [1, 0, 1]), ('s > "a"', [1, 0, 1])],
)
def test_comparisons(text, expected):
    _, y, plan = both(f"{text} ~ y")
    np.testing.assert_array_equal(y[:, 0], expected)
    assert len(plan.outputs) == 1


@pytest.mark.parametrize(
    "data",
    [
        DATA,
        np.array([*zip(*DATA.values(), strict=True)], dtype=[(n, "O" if n == "s" else float) for n in DATA]),
        Frame(**DATA),
        {name: np.asarray(values, object) for name, values in DATA.items()},
    ],
    ids=["dict", "structured", "frame", "objects"],
)
def test_every_kind_of_data_is_alike(data):
    x, y, _ = both("s ~ x + ok + factor(k)", data)
    np.testing.assert_array_equal(x, both("s ~ x + ok + factor(k)")[0])
    np.testing.assert_array_equal(y, both("s ~ x + ok + factor(k)")[1])


def test_new_data_is_found_by_name_a_matrix_by_place():
    plan, _ = of("y ~ x + k")
    expected = [[7, 1], [8, 2]]
    np.testing.assert_array_equal(plan.x({"k": [1, 2], "other": ["a", "b"], "x": [7, 8]}), expected)
    np.testing.assert_array_equal(plan.x(np.array(expected)), expected)
    np.testing.assert_array_equal(plan.x(expected), expected)


@pytest.mark.parametrize(
    ("text", "data", "message"),
    [
        ("y ~ xx", DATA, "formula: got the column xx, which the data lacks; did you mean x?, expected any of y, x"),
        ("zzzz ~ x", DATA, "formula: got the column zzzz, which the data lacks, expected any of"),
        ("y ~ . - zz", DATA, "formula: got the column zz"),
        ("y ~ y", DATA, "y on both sides"),
        ("y ~ .", {"y": [1, 2]}, "no covariates"),
        ("y ~ x", DATA | {"x": [1, float("nan"), float("inf")]}, "x: got nan in rows 1, 2"),
        ("y ~ x", DATA | {"x": [1, None, 3]}, "x: got nan in row 1"),
        ("s ~ x", DATA | {"s": ["a", None, "b"]}, "s: got None in row 1"),
        ("s ~ x", DATA | {"s": ["a", "a", "a"]}, "s: got the level"),
        ("y ~ x", DATA | {"x": [1, 2]}, "data: got 2 rows in x and 3 in y, expected columns of one length"),
        ("y ~ x", {"y": [], "x": []}, "data: got no rows"),
        ("y ~ x", {}, "data: got no columns"),
        ("y ~ x", 3, "data: got a int, expected a dict of arrays"),
        ("y ~ x", [[1, 2]], "data: got a list, expected a dict of arrays"),
        ("y ~ x", DATA | {"x": [[1], [2], [3]]}, "data: got shape (3, 1) in column x"),
        ("y ~ x", DATA | {"x": [1 + 1j, 2, 3]}, "data: got dtype complex128 in column x"),
        ("y ~ x", DATA | {"x": ["a", 3, "b"]}, "data: got 3 among the texts of column x"),
        ("y ~ x", DATA | {"x": np.array(["2020-01-01"] * 3, "datetime64[D]")}, "data: got dtype datetime64"),
        ("s == 3 ~ x", DATA, "formula: got s == 3, expected a text"),
        ('x == "a" ~ y', DATA, 'formula: got x == "a", expected a number'),
    ],
)
def test_what_cannot_be_right_is_named(text, data, message):
    with pytest.raises(InvalidArgument) as error:
        both(text, data)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"s": ["a", "d", "e"]}, "s: got d in rows 1, 2 (from 0), expected the levels of the fit: a, b, c"),
        ({"S": ["a"]}, "data: got the column s, which the data lacks"),
        ([["a", "b"]], "data: got shape (1, 2), expected"),
    ],
)
def test_new_data_that_does_not_fit_is_named(new, message):
    plan, _ = of("y ~ s")
    with pytest.raises(InvalidArgument) as error:
        plan.x(new)
    assert message in str(error.value)


def test_columns_that_are_not_wanted_may_hold_anything():
    odd = DATA | {"day": np.array(["2020-01-01"] * 3, "datetime64[D]"), "two": np.ones((3, 2)), "short": [1]}
    assert columns_of("data", odd, wanted=["x"])["day"] is None
    plan, _ = of("y ~ x")
    np.testing.assert_array_equal(plan.x(odd)[:, 0], DATA["x"])


class NotAvailable:
    """What pandas.NA does."""

    def __ne__(self, other):
        return self

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")


@pytest.mark.parametrize("column", [[1, NotAvailable(), 3], ["a", NotAvailable(), "b"]])
def test_pandas_missing_values_are_missing(column):
    with pytest.raises(InvalidArgument, match="in row 1 "):
        both("y ~ v", DATA | {"v": np.array(column, object)})


@pytest.mark.parametrize("values", [[1.0, 1e6, 3.0], [1, 10**6, 3], [True, True, False], ["a", "b", "c"]])
def test_what_lies_under_a_mask_is_missing(values):
    hidden = np.ma.masked_array(values, [0, 1, 0])
    for data in (DATA | {"v": hidden}, Frame(**DATA | {"v": hidden}), DATA | {"v": list(hidden)}):
        with pytest.raises(InvalidArgument, match="^v: got (nan|None) in row 1 "):
            both("y ~ v", data)
    plan, _ = of("y ~ v", DATA | {"v": values})
    with pytest.raises(InvalidArgument, match="^v: got (nan|None) in row 1 "):
        plan.x(hidden[:, None])
    x, _, _ = both("y ~ v", DATA | {"v": np.ma.masked_array(values)})
    np.testing.assert_array_equal(x, both("y ~ v", DATA | {"v": values})[0])


def test_texts_in_a_column_of_numbers_are_named():
    plan, _ = of("y ~ x")
    with pytest.raises(InvalidArgument, match="^x: got texts such as 'a', expected numbers"):
        plan.x({"x": ["a"]})


def test_data_warnings_name_constant_and_unscaled_columns():
    x = np.array([[1, 2, 100.0], [1, 3, 300]])
    y = np.array([[5000.0], [50000]])
    constant, wide, far = data_warnings(x, y, ["one", "fine", "big"], ["medv"])
    assert constant == "column one is constant: it says nothing"
    assert wide.startswith("unscaled: big (100 to 300); ")
    assert far.startswith("unscaled response: medv (5000 to 50000); ") and "scale=True" in far
    assert data_warnings(x[:, 1:2], y, ["fine"], []) == []


def test_texts_that_are_nearly_all_different_are_warned_of_where_the_dot_takes_them():
    data = {"y": range(9), "x": range(9), "car": [f"car{i // 2}" for i in range(9)], "g": ["a", "b", "c"] * 3}
    said = {text: many_levels(parse(text), of(text, data)[0], 9) for text in ("y ~ .", "y ~ car", "y ~ . - car")}
    assert said["y ~ car"] == said["y ~ . - car"] == []
    (one,) = said["y ~ ."]
    assert one.startswith("column car has 5 different texts in 9 rows") and one.endswith("y ~ . - car")
