"""Tests for `diagnosis/phrases.py`: what was done to an array on purpose is named, of noise nothing is said."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jaxnn.verify.diagnosis.phrases import phrase

TOLERANCE = 1e-13
RNG = np.random.default_rng(7)
M, N_X, N_H, N_Y = 20, 6, 5, 3
SIZES = {"m": M, "n_y": N_Y, "keep probability": 0.8}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def network():
    """The arrays of a hidden-layer network by the textbook, samples in columns: forward, then backward."""
    a = {"X": RNG.normal(size=(N_X, M)), "Y": (RNG.random((N_Y, M)) < 0.4).astype(float)}
    a |= {"W1": RNG.normal(size=(N_H, N_X)), "b1": RNG.normal(size=(N_H, 1))}
    a |= {"W2": RNG.normal(size=(N_Y, N_H)), "b2": RNG.normal(size=(N_Y, 1))}
    a["Z1"] = a["W1"] @ a["X"] + a["b1"]
    a["A1"] = sigmoid(a["Z1"])
    a["Z2"] = a["W2"] @ a["A1"] + a["b2"]
    a["A2"] = sigmoid(a["Z2"])
    a["dZ2"] = (a["A2"] - a["Y"]) / M
    a["dW2"], a["db2"] = a["dZ2"] @ a["A1"].T, a["dZ2"].sum(1, keepdims=True)
    a["dA1"] = a["W2"].T @ a["dZ2"]
    a["dZ1"] = a["dA1"] * a["A1"] * (1 - a["A1"])
    a["dW1"], a["db1"] = a["dZ1"] @ a["X"].T, a["dZ1"].sum(1, keepdims=True)
    return a


NET = network()
X, Y, Z1, A1, A2 = (NET[name] for name in ("X", "Y", "Z1", "A1", "A2"))
W1, W2, dW2, dZ2, dA1, dZ1 = (NET[name] for name in ("W1", "W2", "dW2", "dZ2", "dA1", "dZ1"))
dW1, db1, db2 = NET["dW1"], NET["db1"], NET["db2"]
MASK = (RNG.random(A1.shape) < 0.8) / 0.8
E = RNG.normal(size=(5, 7))
K = RNG.normal(size=(3, 3, 2, 4))
SQUARE = RNG.normal(size=(4, 4))


def put(x, index, value):
    y = np.array(x)
    y[index] = value(y[index]) if callable(value) else value
    return y


def says(found, *words):
    assert all(word in found for word in words), found


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (-1, "sign"),
        (2, "too large by exactly 2 in every entry: a missing 1/2"),
        (0.5, "too small by exactly 2 in every entry: a missing 2"),
        (M, "too large by exactly m = 20 in every entry: a missing 1/m"),
        (1 / M, "too small by exactly m = 20 in every entry: a missing m"),
        (-M, "wrong sign, and too large by exactly m = 20"),
        (N_Y, "a missing 1/n_y"),
        (M * N_Y, "a missing 1/(m n_y)"),
        (M / N_Y, "a missing n_y/m"),
        (M / 2, "a missing 2/m"),
        (0.8, "a missing 1/(keep probability)"),
        (1.25, "a missing keep probability"),
        (M / (M - 1), "a missing (m - 1)/m"),
        (4, "by exactly 4 in every entry: a missing 1/4"),
        (1.3, "a constant factor 1.3"),
        (1 + 1e-4, "a constant factor 1.0001"),
    ],
)
def test_a_constant_factor_is_named(factor, words):
    says(phrase("dW1", factor * E, E, TOLERANCE, sizes=SIZES), "dW1: ", words)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (SQUARE.T, SQUARE, "transposed"),
        (E.T.reshape(E.shape), E, "reshaped in place of transposed"),
        (E[::-1], E, "flipped along axis 0"),
        (-E[:, ::-1], E, "the wrong sign, and flipped along axis 1"),
        (K[::-1, ::-1], K, "flipped along axes 0 and 1"),
        (K.transpose(1, 0, 2, 3), K, "transposed (axes in the order (1, 0, 2, 3))"),
        (np.roll(E, 1, 1), E, "rolled by 1 along axis 1"),
        (np.roll(E, 3, 0), E, "rolled by 3 along axis 0"),
        (RNG.permutation(E.ravel()).reshape(E.shape), E, "the right numbers in the wrong places"),
        (np.abs(E), E, "absolute value"),
        (np.clip(E, -0.5, 0.5), E, "clipped to [-0.5, 0.5]"),
        (np.maximum(E, 0), E, "negative entries are set to zero"),
        (np.minimum(E, 0), E, "positive entries are set to zero"),
        (E + 1e-6, E, "off by the same number everywhere"),
        (E + E[:1], E, "off by the same number all along axis 0"),
        (0 * E + E.sum(), E, "the same number everywhere"),
        (E.astype(np.float32).astype(float), E, "cast to float32"),
        (E.astype(np.float16).astype(float), E, "cast to float16"),
        (0 * E, E, "zero in every entry: forgotten"),
        (put(E, (1, 2), np.nan), E, "NaN in 1 of 35 entries, first at [1, 2]"),
        (put(E, (slice(None), 2), np.inf), E, "infinity in 5 of 35"),
    ],
)
def test_what_was_done_to_the_whole_array_is_named(actual, expected, words):
    says(phrase("dW1", actual, expected, TOLERANCE), words)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (put(E, (0, 0), 0), ("wrong only in the one entry [0, 0]", "zero")),
        (put(E, (0, 0), lambda x: 5 * x + 1), ("wrong only in the one entry [0, 0]",)),
        (put(E, 2, 0), ("wrong only in index 2 of axis 0", "zero")),
        (put(E, (slice(None), 4), lambda x: 2 * x), ("wrong only in index 4 of axis 1", "by exactly 2")),
        (put(E, slice(3, None), lambda x: -x), ("wrong only from index 3 on", "sign")),
        (put(E, (slice(None), slice(None, 3)), lambda x: x + x**3), ("in the indices 0 to 2 of axis 1",)),
        (put(E, (slice(None), [0, 6]), lambda x: x + x**3), ("first and the last index", "border")),
        (put(E, (slice(None), slice(None, None, 3)), 0), ("in every index 0, 3, ... of axis 1", "zero")),
    ],
)
def test_where_alone_it_is_wrong_is_named(actual, words):
    says(phrase("dW1", actual, E, TOLERANCE), *words)


def test_the_last_entry_of_a_vector_is_called_that():
    says(phrase("db", put(E[0], 6, lambda x: x / 2), E[0], TOLERANCE), "wrong only in the last entry [6]")


def test_the_name_of_an_axis_comes_from_its_size():
    says(phrase("dZ2", put(dZ2, (slice(None), 3), 0), dZ2, TOLERANCE, sizes=SIZES), "index 3", "that of m", "zero")


def test_what_should_be_zero_everywhere_is_said_to_be_so():
    g = np.array([1.0, -2.0, 3.0])
    said = phrase("x", g, np.zeros(3), 1e-12, arrays={"g": g})
    assert "zero in every entry is right" in said and "g is passed straight through" in said


def test_the_border_and_the_centre_of_a_kernel():
    images = RNG.normal(size=(2, 6, 6, 3))
    wrong = images * 1.0
    wrong[:, [0, -1]] += RNG.normal(size=(2, 2, 6, 3))
    wrong[:, :, [0, -1]] += RNG.normal(size=(2, 6, 2, 3))
    says(phrase("dX", wrong, images, TOLERANCE), "border of the axes 1, 2")
    says(phrase("dK", put(K, (1, 1), 0), K, TOLERANCE), "index 1 of axis 0, in index 1 of axis 1", "zero")


@pytest.mark.parametrize(
    ("name", "actual", "words"),
    [
        ("dZ1", dA1, "this is dA1, not dZ1"),
        ("db1", NET["b1"], "this is b1, not db1: swapped"),
        ("dW1", -NET["W1"], "this is -W1, not dW1"),
        ("dZ1", dZ1 * A1, "the factor A1 is too much"),
        ("dZ2", A2 / M, "the term 1 / m * Y is too much, or its negative is missing"),
        ("dW1", dW1 + 0.01 * W1, "the term 0.01 * W1 is too much"),
        ("dW1", dW1 + W1, "the term W1 is too much"),
    ],
)
def test_how_it_was_made_of_the_other_arrays_is_named(name, actual, words):
    says(phrase(name, actual, NET[name], TOLERANCE, sizes=SIZES, arrays=NET), words)


def test_a_missing_contribution_is_named():
    part, other = RNG.normal(size=(2, 5, 7))
    says(phrase("dA", part, part + other, TOLERANCE, arrays={"d1": part * 2, "d2": other}), "the term d2 is missing")


def test_a_missing_local_derivative_is_named():
    slope = 1 - np.tanh(Z1) ** 2
    said = phrase("dZ1", dA1, dA1 * slope, TOLERANCE, arrays={"tanh'(Z1)": slope})
    says(said, "the factor tanh'(Z1) is missing")


@pytest.mark.parametrize(
    ("actual", "array", "words"),
    [
        (np.where(Z1 > 0, dA1 + dA1**2, dA1), {"Z1": Z1}, "Z1 is positive (> 0)"),
        (np.where(MASK == 0, dA1 + dA1**2, dA1), {"D": MASK}, "D is exactly zero"),
        (np.where(np.round(Z1) == 0, dA1 + dA1**2, dA1), {"R": np.round(Z1)}, "R is exactly zero"),
    ],
)
def test_the_array_that_tells_where_it_is_wrong_is_named(actual, array, words):
    says(phrase("dZ1", actual, dA1, TOLERANCE, arrays=array), "wrong only where", words)


GRADIENTS = ("dW1", "dZ1", "db1", "dZ2", "db2", "dA1")


@pytest.mark.slow
def test_noise_has_no_cause():
    for size, seed, name in itertools.product((1e-7, 1e-4, 1.0), range(8), GRADIENTS):
        noise = size * np.random.default_rng(seed).normal(size=NET[name].shape)
        said = phrase(name, NET[name] + noise, NET[name], TOLERANCE, sizes=SIZES, arrays=NET | {"D": MASK})
        assert said == "", f"{name}, seed {seed}, size {size}"


@pytest.mark.slow
def test_an_unrelated_array_has_no_cause():
    for seed, name in itertools.product(range(20), GRADIENTS):
        unrelated = np.random.default_rng(seed).normal(size=NET[name].shape)
        assert phrase(name, unrelated, NET[name], TOLERANCE, sizes=SIZES, arrays=NET) == "", f"{name}, seed {seed}"


def test_one_number_is_no_constant_unless_it_is_a_likely_one():
    one = np.array([[0.7]])
    assert phrase("b", 1.3 * one, one, TOLERANCE, sizes=SIZES) == ""
    assert phrase("b", one + 0.123, one, TOLERANCE, sizes=SIZES, arrays={"W": np.array([[2.0]])}) == ""
    says(phrase("b", M * one, one, TOLERANCE, sizes=SIZES), "a missing 1/m")
    says(phrase("b", -one, one, TOLERANCE, sizes=SIZES), "sign")


def test_equal_sizes_are_both_named():
    says(phrase("dW1", 3 * E, E, TOLERANCE, sizes={"m": 3, "n_y": 3}), "by exactly m or n_y = 3")


def test_a_coarse_tolerance_allows_no_cause():
    assert phrase("dW1", 1.0001 * E, E, 1e-3, sizes=SIZES) == ""
    one = np.array([0.5])
    assert phrase("b", 1.02 * one, one, 1e-2, sizes={"m": 50}) == ""


@given(
    arrays(np.float64, array_shapes(max_dims=4, max_side=5), elements=st.floats(-1e6, 1e6, allow_subnormal=False)),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-15, 1e-7, 1e-3]),
)
@settings(deadline=None, max_examples=150)
def test_the_true_array_with_rounding_has_no_cause(expected, seed, unit):
    noise = np.random.default_rng(seed).uniform(-1, 1, expected.shape) * unit * np.abs(expected)
    others = {"X": expected[::-1], "Y": np.abs(expected), "dW": expected}
    tolerance = unit * np.abs(expected)
    assert phrase("dW", expected + noise, expected, tolerance, sizes={"m": 7}, arrays=others) == ""


@pytest.mark.slow
@given(arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])))
@settings(deadline=None, max_examples=150)
def test_arrays_of_few_values_and_any_shape_raise_nothing(x):
    rng = np.random.default_rng(0)
    for actual in (x[::-1], x + rng.integers(0, 2, x.shape), 2 * x, np.where(x > 0, x, 0)):
        found = phrase("dW", actual, x, TOLERANCE, sizes={"m": 2}, arrays={"A": x + 1, "Z": x, "D": x > 0})
        assert isinstance(found, str)
        assert not np.array_equal(actual, x) or not found


def test_arrays_that_cannot_be_compared_have_no_cause():
    assert phrase("dW1", E, E[:3], TOLERANCE) == ""
    assert phrase("dW1", E, put(E, (0, 0), np.nan), TOLERANCE) == ""
    assert phrase("dW1", np.zeros((0, 3)), np.zeros((0, 3)), TOLERANCE) == ""
    says(phrase("dW1", M * E, E, TOLERANCE, sizes={"m": M}, arrays={"Z": put(E, (0, 0), np.nan)}), "a missing 1/m")
