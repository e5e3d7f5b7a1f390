"""Tests for `jaxnn/verify/differences.py`: the derivative lies within the error bar, which is no wider than it must be.

Expected values are the derivatives on paper.
"""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jaxnn.verify.differences import Slope, Slopes, along, slopes

EPSILON = float(np.finfo(float).eps)
COEFFICIENTS = st.lists(st.floats(-10, 10), min_size=2, max_size=6)


def sides(found):
    return found.left, found.right, found.central


@given(COEFFICIENTS)
@example([1e6, 1.0])  # a slope that the size of the value drowns in rounding
@example([0.0, 0.0])
def test_the_slope_of_a_polynomial_is_its_linear_coefficient_within_the_bar(c):
    def phi(t):
        return float(np.polynomial.polynomial.polyval(t, c))

    found = slopes(phi, noise=4 * EPSILON * max(map(abs, c)))
    for side in sides(found):
        assert abs(side.value - c[1]) <= side.error + 1e-300
    assert not found.kink


@given(st.floats(0.05, 20), st.floats(-3, 3))
def test_the_slope_of_an_exponential_lies_within_the_bar(k, at):
    true = k * math.exp(k * at)
    found = slopes(lambda t: math.exp(k * (at + t)), noise=4 * EPSILON * (1 + abs(k * at)) * math.exp(k * at))
    assert abs(found.central.value - true) <= found.central.error
    assert found.central.error <= 1e-6 * true


@pytest.mark.parametrize(
    ("phi", "true"), [(math.sin, 1.0), (math.exp, 1.0), (math.tanh, 1.0), (lambda t: 1 / (2 - t), 0.25)]
)
def test_extrapolation_reaches_ten_digits(phi, true):
    found = slopes(phi, noise=EPSILON).central
    assert abs(found.value - true) <= found.error < 1e-10


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5))
def test_at_a_bend_the_sides_have_their_own_slopes(left, right, curve):
    def phi(t):
        return (right if t > 0 else left) * t + curve * t**2

    found = slopes(phi, noise=1e-17)
    assert abs(found.left.value - left) <= found.left.error + 1e-12
    assert abs(found.right.value - right) <= found.right.error + 1e-12
    if abs(left - right) > 1e-3:
        assert found.kink


@pytest.mark.parametrize(
    ("phi", "left", "right"),
    [
        (abs, -1, 1),
        (lambda t: max(t, 0.0), 0, 1),
        (lambda t: max(3 * t, -t), -1, 3),
        (lambda t: math.exp(abs(t)), -1, 1),
    ],
)
def test_known_kinks(phi, left, right):
    found = slopes(phi, noise=EPSILON)
    assert found.kink
    assert found.left.value == pytest.approx(left, abs=1e-9)
    assert found.right.value == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize("phi", [math.sin, lambda t: t**3, lambda t: 1.0, lambda t: 1e-3 * t, math.cos])
def test_what_is_smooth_is_no_kink(phi):
    assert not slopes(phi, noise=EPSILON).kink


def test_what_rounding_drowns_has_a_wide_bar():
    found = slopes(lambda t: 1e12 + t, noise=1e-3)  # values that are known to 1e-3
    assert found.central.error > 1e-2 and abs(found.central.value - 1) <= found.central.error


def test_steps_at_which_the_function_has_no_value_are_passed_over():
    found = slopes(lambda t: math.sin(t) if abs(t) < 0.01 else float("nan"), noise=EPSILON)
    assert abs(found.central.value - 1) <= found.central.error < 1e-8


def test_no_value_anywhere_gives_a_bar_of_infinity():
    found = slopes(lambda t: float("nan"), noise=EPSILON)
    assert all(math.isinf(side.error) for side in sides(found)) and not found.kink


@pytest.mark.parametrize(("gap", "kink"), [(10.0, True), (7.9, False)])
def test_a_bend_must_exceed_four_bars(gap, kink):
    one = Slope(0.0, 1.0)
    assert Slopes(one, Slope(gap, 1.0), one).kink is kink


def test_along_moves_every_leaf_by_its_direction():
    phi = along(
        lambda leaves: leaves[0] @ leaves[0] + leaves[1], [np.array([1.0, 2.0]), 5.0], [np.array([1.0, 0.0]), 2.0]
    )
    assert phi(0.0) == 10 and phi(1.0) == 2**2 + 2**2 + 7
