"""The lecture's sets: its printed mean, the labels by their definitions, the order of the draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.data.rrandom import RRandom
from jaxnn.data.synthetic import circle, circle_labels, flower, sigmoid_boundary, sigmoid_labels
from jaxnn.errors import InvalidArgument

SETS = [sigmoid_boundary, circle, flower]


def test_the_circles_mean_is_the_lectures():
    assert circle(RRandom(20240402)).y.mean() == 0.583  # lecture, section 5.2


@pytest.mark.parametrize("draw", [sigmoid_boundary, circle])
def test_x1_is_drawn_whole_before_x2(draw):
    rng = RRandom(20240402)
    x1, x2 = rng.rnorm(1000), rng.rnorm(1000)
    np.testing.assert_array_equal(draw(RRandom(20240402)).x, np.column_stack([x1, x2]))


@pytest.mark.parametrize("draw", SETS)
def test_the_stream_runs_on(draw):
    rng, other = RRandom(7), RRandom(7)
    draw(rng, 10)
    other.rnorm(20)
    np.testing.assert_array_equal(rng.runif(5), other.runif(5))


@pytest.mark.parametrize("draw", SETS)
@pytest.mark.parametrize("n", [2, 4, 500])
def test_shapes_dtypes_and_labels(draw, n):
    x, y = draw(RRandom(1), n)
    assert (x.shape, y.shape, x.dtype, y.dtype) == ((n, 2), (n,), np.float64, np.float64)
    assert set(y) <= {0.0, 1.0}


def test_the_same_points_are_labelled_anew():
    x = sigmoid_boundary(RRandom(5)).x
    np.testing.assert_array_equal(circle_labels(x), circle(RRandom(5)).y)
    np.testing.assert_array_equal(sigmoid_labels(x), sigmoid_boundary(RRandom(5)).y)


def test_labels_by_hand():
    # 2 (sigmoid(4) - 0.5) = 0.9640 to four digits.
    np.testing.assert_array_equal(
        sigmoid_labels(np.array([[1, 0.9641], [1, 0.9640], [0, 0], [-1, -0.9]])), [1, 0, 0, 1]
    )
    np.testing.assert_array_equal(circle_labels(np.array([[1, 0], [0, -1.01], [0.7, 0.7], [0.8, 0.8]])), [0, 1, 0, 1])


@settings(max_examples=50, deadline=None)
@given(st.floats(-5, 5))
def test_sigmoid_labels_on_both_sides_of_the_lectures_curve(x1):
    curve = 2 * (1 / (1 + np.exp(-4 * x1)) - 0.5)
    np.testing.assert_array_equal(sigmoid_labels(np.array([[x1, curve - 1e-9], [x1, curve + 1e-9]])), [0, 1])


def test_the_flower_by_the_lectures_loop():
    # planar_dataset() of section 6, in plain loops
    rng, n = RRandom(3), 10
    expected = []
    for j in (0, 1):
        seq = [j * 3.12 + i * 3.12 / (n - 1) for i in range(n)]
        t = [s + z for s, z in zip(seq, rng.rnorm(n, sd=0.2), strict=True)]
        r = [4 * np.sin(4 * a) + z for a, z in zip(t, rng.rnorm(n, sd=0.2), strict=True)]
        expected += [(b * np.sin(a), b * np.cos(a)) for a, b in zip(t, r, strict=True)]
    x, y = flower(RRandom(3), 2 * n)
    np.testing.assert_allclose(x, expected, rtol=1e-12)
    np.testing.assert_array_equal(y, [0] * n + [1] * n)


@pytest.mark.parametrize("draw", SETS)
@pytest.mark.parametrize("n", [0, -2, 2.0, True])
def test_a_bad_number_of_points_is_refused(draw, n):
    with pytest.raises(InvalidArgument, match="^n: got "):
        draw(RRandom(1), n)


def test_an_odd_flower_is_refused():
    with pytest.raises(InvalidArgument, match="^n: got 3, expected an even number"):
        flower(RRandom(1), 3)


@pytest.mark.parametrize("labels", [sigmoid_labels, circle_labels])
@pytest.mark.parametrize(
    "x", [np.zeros((3, 3)), np.zeros(2), np.zeros((0, 2)), np.array([[0, np.nan]]), np.array([[np.inf, 0]])]
)
def test_bad_points_are_refused(labels, x):
    with pytest.raises(InvalidArgument, match="^x: got "):
        labels(x)
