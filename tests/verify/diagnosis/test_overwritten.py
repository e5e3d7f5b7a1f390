"""Tests for `diagnosis/overwritten.py`: mended, a gradient is x.T (x w - y) and leaves its arguments alone."""

import numpy as np
import pytest

from jaxnn.verify import check

RNG = np.random.default_rng(3)
W, X, Y = RNG.normal(size=3), RNG.normal(size=(5, 3)), RNG.normal(size=5)


def loss(w, x, y):
    return 0.5 * np.sum((x @ w - y) ** 2)


def in_place(w, x, y):
    error = y
    error -= x @ w
    return -x.T @ error


def through_a_view(w, x, y):
    d = np.zeros(3)
    for k in range(len(x)):
        row = x[k]
        row *= x[k] @ w - y[k]
        d += row
    return d


def an_entry(w, x, y):
    error = x @ w - y
    x[0] = x[0] * error[0]
    return x[0] + x[1:].T @ error[1:]


def an_entry_of_another_name(w, x, y):
    error = x @ w - y
    rows = x
    rows[0] = rows[0] * error[0]
    return rows[0] + x[1:].T @ error[1:]


@pytest.mark.parametrize(
    ("gradient", "line", "mend"),
    [
        (in_place, "error -= x @ w", "+    error = error - x @ w"),
        (through_a_view, "row *= x[k] @ w - y[k]", "+        row = row * (x[k] @ w - y[k])"),
        (an_entry, "x[0] = x[0] * error[0]", "+    x = x.copy()"),
        (an_entry_of_another_name, "rows[0] = rows[0] * error[0]", "+    rows = x.copy()"),
    ],
)
def test_the_line_that_writes_is_named_and_the_copy_that_it_lacks_is_tried(gradient, line, mend):
    kept = X.copy()
    verdict = check(loss, gradient, W, X, Y)
    assert verdict.kind == "FAIL" and verdict.line.startswith(line) and mend in verdict.patch.splitlines()
    np.testing.assert_array_equal(X, kept)


def test_what_is_wrong_without_writing_too_has_a_line_and_no_patch():
    def in_place_and_half(w, x, y):
        error = y
        error -= x @ w
        return -0.5 * x.T @ error

    verdict = check(loss, in_place_and_half, W, X, Y)
    assert verdict.kind == "FAIL" and verdict.line.startswith("error -= x @ w") and not verdict.patch
