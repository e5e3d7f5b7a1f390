"""Tests for `benchmarks/agreement.py`."""

import numpy as np
import pytest

from benchmarks.agreement import Different, agree


def test_by_hand():
    agree("this", np.array([1.0, 100.0]), np.array([1.5, 100.0]), 0.005)
    with pytest.raises(Different, match="this: the relative difference is 5.0e-03, expected at most 4e-03"):
        agree("this", np.array([1.0, 100.0]), np.array([1.5, 100.0]), 0.004)


def test_nan_never_agrees():
    with pytest.raises(Different):
        agree("this", np.array([np.nan]), np.array([1.0]), 1.0)


def test_another_shape_is_not_stretched():
    with pytest.raises(Different, match=r"this: the shapes are \(1,\) and \(2,\), expected the same"):
        agree("this", np.ones(1), np.ones(2), 1.0)
