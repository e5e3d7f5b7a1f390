"""Tests for `diagnosis/edits/terms.py`: a term or factor left out is found, by evaluating it."""

import numpy as np
import pytest

from jaxnn.verify.diagnosis.edits.terms import missing, two_terms

RNG = np.random.default_rng(0)
X, Y, W, V = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=3)
ARRAYS, NUMBERS = {"x": X, "y": Y, "w": W, "v": V}, {"n": 4.0, "reg": 0.3}


@pytest.mark.parametrize(
    "lack", ["+ x", "- 2 * reg * x", "+ (x * y)", "+ (x @ w)", "+ (x @ w.T) / n", "* v", "* (x * y)", "* -y / n"]
)
def test_what_is_missing_is_found_as_an_expression(lack):
    expected = eval(f"y {lack}", {}, ARRAYS | NUMBERS)
    found = [f"y {sign} {part}".removeprefix("y = ") for sign, part in missing(Y, expected, ARRAYS, NUMBERS)]
    assert found
    for expression in found:
        np.testing.assert_allclose(eval(expression, {}, ARRAYS | NUMBERS), expected, rtol=1e-9)


def test_a_sum_is_taken_over_the_axis_that_fits():
    expected = V + (X * Y).sum(axis=0)
    assert ("+", "(x * y).sum(axis=0)") in list(missing(V, expected, ARRAYS, NUMBERS))


def test_a_mask_is_made_of_labels_and_numbers():
    labels = np.array([0.0, -1, 2, -1])
    found = list(missing(Y, Y * (labels != -1)[:, None], {"labels": labels}, {"ignored": -1.0}))
    assert ("*", "(labels != ignored)[..., None]") in found


def test_a_number_that_a_size_explains_is_written_as_that_size():
    found = [part for _, part in missing(Y, Y + 0.25 * X, {"x": X}, {})]
    assert found == ["1 / x.shape[0] * x"]


def test_what_no_product_gives_is_not_guessed():
    assert list(missing(Y, Y + np.cos(X), ARRAYS, NUMBERS)) == []


def test_the_second_term_of_a_quotient_and_two_terms_at_once_are_found():
    x, y = np.abs(X) + 1, np.abs(Y) + 1
    assert ("-", "(x / y ** 2)") in list(missing(Y, Y - x / y**2, {"x": x, "y": y}, {}))
    assert ("+", "((x * x) - (x * y))") in list(two_terms(Y, Y + X * X - X * Y, ARRAYS, {}))


def test_what_a_table_gets_from_a_lookup_is_found():
    table, labels, given = RNG.normal(size=(4, 2)), np.array([[0, 3], [3, 1]]), RNG.normal(size=(2, 2, 2))
    expected = table.copy()
    for row, place in zip(given.reshape(-1, 2), labels.ravel(), strict=True):
        expected[place] += row
    arrays = {"table": table, "labels": labels.astype(float), "given": given}
    (found, *_) = [part for sign, part in missing(table, expected, arrays, {}) if sign == "+"]
    names = {"table": table, "labels": labels, "given": given, "np": np}
    np.testing.assert_allclose(table + eval(found, names), expected)


def test_an_outer_product_of_two_vectors_is_found():
    rows = RNG.normal(size=4)
    assert list(missing(Y, Y - np.outer(rows, V), {"rows": rows, "v": V}, {})) == [("-", "np.outer(rows, v)")]
