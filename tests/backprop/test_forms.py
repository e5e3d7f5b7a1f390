"""Formulas that are the same one and formulas that are not, each pair by the rules of arithmetic."""

import pytest

from jaxnn.backprop.forms import alike
from jaxnn.backprop.language import read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q = A * B / m", "q = 1 / m * B * A"),
        ("q = A - y + B", "q = (B + A) - y"),
        ("q = -(y - A)", "q = A - y"),
        ("q = sum(A, axis=0)", "q = np.sum(A, 0)"),
        ("q = A.sum(keepdims=True, axis=0)", "q = sum(A, axis=0, keepdims=True)"),
        ("q = maximum(0, Z)", "q = maximum(Z, 0.0)"),
        ("q = (A.T @ B)[0:2]", "q = A.T @ B\n"[:-1].replace("A.T @ B", "(A.T @ B)[0:2]")),
    ],
)
def test_the_same(one, other):
    assert alike(read(one), read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q = A @ B", "q = B @ A"),
        ("q = A / B", "q = B / A"),
        ("q = A - B", "q = B - A"),
        ("q = A ** 2", "q = A * A"),
        ("q = sum(A, axis=0)", "q = sum(A, axis=1)"),
        ("q = sum(A, axis=0)", "q = sum(A, axis=0, keepdims=True)"),
        ("q[0] = A", "q[1] = A"),
        ("q = A\nq += B", "q = A + B"),
        ("q = A > 0", "q = A >= 0"),
    ],
)
def test_not_the_same(one, other):
    assert not alike(read(one), read(other))
