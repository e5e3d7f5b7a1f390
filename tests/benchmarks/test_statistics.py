"""Tests for `benchmarks/statistics.py`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.statistics import Estimate, exponent, iqr, is_noisy, median, ratio, verdict

TIMES = st.lists(st.floats(0.5, 2.0), min_size=3, max_size=12)


def test_the_interval_of_a_median_by_hand():
    # The median of three draws out of {1, 2, 3} is 1 or 3 with 7/27 each.
    assert median([2.0, 3.0, 1.0]) == Estimate(2.0, 1.0, 3.0)
    assert median([7.0]) == Estimate(7.0, 7.0, 7.0)


def test_the_interval_of_a_median_holds_the_true_one_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(size=(200, 40))
    inside = [low <= 0 <= high for _, low, high in map(median, draws)]
    assert 0.9 <= np.mean(inside) <= 0.99


def test_iqr_by_hand():
    # Of 1..5 the quartiles are 2 and 4; of 1..4 they lie a quarter of the way between neighbours: 1.75 and 3.25.
    assert iqr([5, 1, 4, 2, 3]) == 2
    assert iqr([4, 1, 2, 3]) == 1.5
    assert iqr([7.0]) == 0


def test_noisy_is_above_a_tenth_of_the_median():
    assert not is_noisy([10.0, 10.4, 10.0, 9.6, 10.0])
    assert is_noisy([10.0, 11.5, 10.0, 9.0, 12.0])  # quartiles 10 and 11.5
    assert not is_noisy([9.5, 9.5, 10.0, 10.5, 10.5])  # quartiles 9.5 and 10.5: a tenth is not above it


def test_ratio_of_constant_times_is_certain():
    assert ratio([6.0] * 5, [2.0] * 7) == Estimate(3.0, 3.0, 3.0)


def test_ratio_is_of_medians_and_inside_its_interval():
    found = ratio([1.0, 2.0, 30.0], [4.0, 1.0, 5.0])
    assert found.value == 0.5 and found.low < 0.5 < found.high


def test_interval_by_enumeration():
    # Medians of 3 draws out of {1, 2, 3}: 7/27 are 1, 13/27 are 2, 7/27 are 3, so 2.5 % and 97.5 % are 1 and 3.
    assert ratio([1.0, 2.0, 3.0], [1.0]) == Estimate(2.0, 1.0, 3.0)


def test_interval_covers_the_truth_about_as_often_as_promised():
    rng = np.random.default_rng(1)
    intervals = [ratio(*rng.normal(10, 1, (2, 20))) for _ in range(60)]
    assert sum(found.low <= 1 <= found.high for found in intervals) >= 50  # 57 expected


@settings(max_examples=15, deadline=None)
@given(TIMES, TIMES, st.floats(0.1, 10))
def test_ratio_scales_with_its_first_argument(over, under, factor):
    scaled, plain = ratio(np.multiply(over, factor), under), ratio(over, under)
    np.testing.assert_allclose(scaled, np.multiply(plain, factor), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Estimate(1.2, 1.1, 1.3), "slower"),
        (Estimate(0.8, 0.7, 0.9), "faster"),
        (Estimate(1.2, 0.9, 1.3), ""),  # the interval holds 1
        (Estimate(1.04, 1.03, 1.05), ""),  # certain, but small
        (Estimate(0.96, 0.95, 0.97), ""),
    ],
)
def test_verdict(change, expected):
    assert verdict(change) == expected


@given(st.floats(-2, 3), st.floats(-3, 3), st.integers(2, 6))
def test_a_power_law_gives_its_exponent(power, factor, count):
    sizes = 2.0 ** np.arange(count)
    found = exponent(sizes, [[10**factor * size**power] * 3 for size in sizes])
    np.testing.assert_allclose(found, [power] * 3, atol=1e-9)


def test_the_exponent_of_noisy_times_is_numpys_and_inside_its_interval():
    rng = np.random.default_rng(1)
    sizes = np.array([1, 4, 16, 64])
    times = [size**0.8 * rng.lognormal(0, 0.1, 9) for size in sizes]
    found = exponent(sizes, times)
    assert np.isclose(found.value, np.polyfit(np.log(sizes), np.log(np.median(times, axis=1)), 1)[0])
    assert 0.6 < found.low < found.value < found.high < 1.0
