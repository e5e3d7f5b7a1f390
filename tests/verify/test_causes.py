"""Every cause is built on purpose from random arrays, and must be named; what has no cause must get none."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jaxnn.verify.causes import cause
from jaxnn.verify.causes.relations import relation

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
        (2, "too large by exactly 2"),
        (0.5, "a missing factor 2"),
        (M, "too large by exactly m = 20 in every entry: a missing 1/m"),
        (1 / M, "a missing factor m"),
        (-M, "wrong sign, and too large by exactly m = 20"),
        (N_Y, "a missing 1/n_y"),
        (M * N_Y, "a missing 1/(m n_y)"),
        (M / N_Y, "a missing n_y/m"),
        (M / 2, "a missing 2/m"),
        (0.8, "a missing 1/(keep probability)"),
        (1.25, "a missing keep probability"),
        (M / (M - 1), "a missing (m - 1)/m"),
        (4, "exactly 2 2 = 4"),
        (1 + 1e-4, "too large by 0.01 %"),
        (1 - 1e-6, "too small by 0.0001 %"),
        (1.3, "a constant factor 1.3"),
    ],
)
def test_a_constant_factor_is_named(factor, words):
    says(cause("dW1", factor * E, E, TOLERANCE, sizes=SIZES), "dW1: ", words)


@pytest.mark.parametrize(
    ("actual", "expected", "words"),
    [
        (SQUARE.T, SQUARE, "transposed"),
        (E.T.reshape(E.shape), E, "reshaped in place of transposed"),
        (E[::-1], E, "flipped along axis 0"),
        (-E[:, ::-1], E, "the wrong sign, and flipped along axis 1"),
        (K[::-1, ::-1], K, "flipped along axes 0 and 1"),
        (K.transpose(1, 0, 2, 3), K, "transposed (axes 0 and 1 swapped)"),
        (np.roll(E, 1, 1), E, "rolled by 1 along axis 1"),
        (np.roll(E, -2, 0), E, "rolled by -2 along axis 0"),
        (E[[0, 2, 1, 3, 4]], E, "rows permuted: 1 and 2 swapped"),
        (E[:, [3, 1, 2, 0, 4, 6, 5]], E, "columns permuted"),
        (RNG.permutation(E.ravel()).reshape(E.shape), E, "the right numbers in the wrong places"),
        (np.abs(E), E, "absolute value"),
        (np.clip(E, -0.5, 0.5), E, "clipped to [-0.5, 0.5]"),
        (np.minimum(E, 0.25), E, "clipped from above at 0.25"),
        (np.maximum(E, 0), E, "negative entries are set to zero"),
        (np.minimum(E, 0), E, "positive entries are set to zero"),
        (E * np.where(RNG.random(E.shape) < 0.5, 1, -1), E, "the sign is wrong in some of the entries"),
        (E + 1e-6, E, "constant offset of 1e-06"),
        (E.astype(np.float32).astype(float), E, "cast to float32"),
        (E.astype(np.float16).astype(float), E, "cast to float16"),
        ((E.astype(np.float32) * np.float32(1 / 3) * 3).astype(float), E, "float32"),
        (0 * E, E, "zero in every entry: forgotten"),
        (put(E, (1, 2), np.nan), E, "NaN in 1 of 35 entries, first at [1, 2]"),
        (put(E, (slice(None), 2), np.inf), E, "infinity in 5 of 35"),
    ],
)
def test_what_was_done_to_the_whole_array_is_named(actual, expected, words):
    says(cause("dW1", actual, expected, TOLERANCE), words)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (put(E, (0, 0), 0), ("wrong only in the one entry [0, 0]", "zero")),
        (put(E, (0, 0), lambda x: 5 * x + 1), ("wrong only in the one entry [0, 0]",)),
        (put(E, 2, 0), ("wrong only in row 2", "zero")),
        (put(E, (slice(None), 4), lambda x: 2 * x), ("wrong only in column 4", "too large by exactly 2")),
        (put(E, slice(3, None), lambda x: -x), ("wrong only from row 3 on", "sign")),
        (put(E, (slice(None), slice(None, 3)), lambda x: x + 0.5), ("up to column 2", "offset")),
        (put(E, (slice(None), [0, 6]), lambda x: x + x**3), ("first and the last column", "border")),
        (put(E, (slice(None), slice(None, None, 3)), 0), ("column 0 of every 3", "zero")),
    ],
)
def test_where_alone_it_is_wrong_is_named(actual, words):
    says(cause("dW1", actual, E, TOLERANCE), *words)


def test_the_name_of_an_axis_comes_from_its_size():
    says(cause("dZ2", put(dZ2, (slice(None), 3), 0), dZ2, TOLERANCE, sizes=SIZES), "column 3", "sample", "zero")
    says(cause("dZ2", put(dZ2, 1, 0), dZ2, TOLERANCE, sizes=SIZES), "row 1", "class", "zero")


def test_an_example_of_a_single_number_is_one_sample():
    wrong = np.array([[0.0], [2.0], [3.0]])
    said = cause("g", wrong, np.array([[1.0], [2.0], [3.0]]), 1e-12, sizes={"m": 3.0})
    assert "row 0 of axis 0 (one sample)" in said


def test_what_should_be_zero_everywhere_is_said_to_be_so():
    g = np.array([1.0, -2.0, 3.0])
    said = cause("x", g, np.zeros(3), 1e-12, others={"g": g})
    assert "zero in every entry is right" in said and "g is passed straight through" in said


def test_the_border_and_the_centre_of_a_kernel():
    images = RNG.normal(size=(2, 6, 6, 3))
    wrong = images * 1.0
    wrong[:, [0, -1]] += RNG.normal(size=(2, 2, 6, 3))
    wrong[:, :, [0, -1]] += RNG.normal(size=(2, 6, 2, 3))
    says(cause("dX", wrong, images, TOLERANCE), "border of axes 1 and 2")
    says(cause("dK", put(K, (1, 1), 0), K, TOLERANCE), "index 1 of axis 0, in index 1 of axis 1", "zero")


@pytest.mark.parametrize(
    ("name", "actual", "words"),
    [
        ("dZ1", dA1, "this is dA1: the factor sigmoid'(Z1) is missing"),
        ("dZ1", dA1 * (1 - A1**2), "1 - A1**2 (tanh') in place of sigmoid'(Z1)"),
        ("dZ1", dZ1 * A1 * (1 - A1), "multiplied by sigmoid'(Z1) once too often"),
        ("dZ1", dA1 * sigmoid(A1) * (1 - sigmoid(A1)), "sigmoid(A1) (1 - sigmoid(A1)) (sigmoid') in place of"),
        ("dZ1", dA1 * A1, "in place of sigmoid'(Z1)"),
        ("dZ2", dZ2 * A2 * (1 - A2), "multiplied by sigmoid'(Z2) once too often"),
        ("db1", dA1.sum(1, keepdims=True), "the sum over axis 1 of dA1 in place of the sum over axis 1 of dZ1"),
        ("db2", np.full(db2.shape, dZ2.sum()), "the sum over everything"),
        ("db1", dZ1[:, :1], "the first index of axis 1 only (one sample)"),
        ("db1", dZ1[:, 1:].sum(1, keepdims=True), "the sum without the first index of axis 1"),
        ("db1", dZ1.max(1, keepdims=True), "the maximum over axis 1"),
        ("db1", np.abs(dZ1).sum(1, keepdims=True), "the sum of the absolute value of dZ1"),
        ("db1", NET["b1"], "this is b1, not db1: swapped"),
        ("dW1", -NET["W1"], "this is -W1, not dW1"),
        ("dW1", dZ1 @ np.abs(X).T, "the absolute value of X in place of X in the product dZ1 @ X.T"),
        ("dW1", dA1 @ X.T, "dA1 in place of dZ1 in the product dZ1 @ X.T"),
        ("dW1", dZ1[:, :-1] @ X[:, :-1].T, "the last sample (term of the sum) is missing"),
        ("dW1", dW1 - np.outer(dZ1[:, 5], X[:, 5]), "sample 5 (one term of the sum) is missing"),
        ("dW1", dZ1 @ np.roll(X, 1, 1).T, "rolled by"),
        ("dW1", dZ1[:, ::-1] @ X.T, "flipped along axis 1, that of the sum"),
        ("dW1", dZ1.astype(np.float32).astype(float) @ X.T, "dZ1 cast to float32"),
        ("dW1", dZ1 @ X.T.astype(np.float16).astype(float), "X cast to float16"),
        ("dA1", (W2 - 0.1 * dW2).T @ dZ2, "W2.T minus 0.1 dW2.T in place of W2.T (stale"),
        ("dZ2", (A2 - np.roll(Y, 1, 0)) / M, "Y is rolled by 1 along axis 0"),
        ("dZ2", A2 / M, "plus 1/m Y: a term with Y"),
        ("dW1", dW1 + 0.01 * W1, "plus 0.01 W1"),
        ("dW1", dW1 + W1, "plus W1"),
    ],
)
def test_how_it_was_made_of_the_other_arrays_is_named(name, actual, words):
    says(cause(name, actual, NET[name], TOLERANCE, sizes=SIZES, others=NET), words)


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (dA1 * (Z1 < 0), "Z1 < 0 (relu' inverted) in place of Z1 > 0 (relu')"),
        (dA1 * np.where(Z1 > 0, 1, 0.01), "leaky relu'(Z1) of slope 0.01 in place of Z1 > 0 (relu')"),
        (dA1 * np.where(Z1 > 0, 1, 0.03), "slope of 0.03 where it should be 0"),
        (dA1 * A1, "sigmoid(Z1) (softplus') in place of Z1 > 0 (relu')"),
        (dA1 * (dA1 > 0) * (Z1 > 0), "negative entries are set to zero"),
    ],
)
def test_what_stands_for_a_relu_mask_is_named(actual, words):
    says(cause("dZ1", actual, dA1 * (Z1 > 0), TOLERANCE, others={"Z1": Z1, "dA1": dA1}), words)


def test_a_missing_mask_is_named_without_the_array_it_multiplies():
    says(cause("dZ1", dA1, dA1 * (Z1 > 0), TOLERANCE, factors={"relu'(Z1)": Z1 > 0}), "relu'(Z1)", "mask is missing")


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (dA1, "this is dH: the factor mask is missing"),
        (dA1 * MASK * MASK, "mask"),
        (dA1 * (RNG.random(MASK.shape) < 0.8) / 0.8, "another mask than mask"),
        (dA1 * (MASK == 0), "the inverse of mask in place of mask"),
    ],
)
def test_what_stands_for_a_dropout_mask_is_named(actual, words):
    says(cause("dH", actual, dA1 * MASK, TOLERANCE, factors={"mask": MASK}, others={"dH": dA1}), words)


def test_a_missing_contribution_is_named():
    part, other = RNG.normal(size=(2, 5, 7))
    says(cause("dA", part, part + other, TOLERANCE, others={"d1": part * 2, "d2": other}), "the part d2 is missing")


def test_operands_without_a_name_are_used():
    a, b = RNG.normal(size=(5, 9)), RNG.normal(size=(9, 4))
    says(cause("dW", np.abs(a) @ b, a @ b, TOLERANCE, operands=[(a, b)]), "absolute value of the first operand")


@pytest.mark.parametrize(
    ("actual", "array", "words"),
    [
        (np.where(np.abs(Z1) > 1.2, 2.5 * E[0, 0] + dA1**2, dA1), {"Z1": Z1}, "far from 0, by"),
        (np.where(Z1 > 0.8, dA1 + dA1**2, dA1), {"Z1": Z1}, "Z1 is largest, above"),
        (np.where(Z1 > 0, dA1 + dA1**2, dA1), {"Z1": Z1}, "Z1 is positive (> 0)"),
        (np.where(MASK == 0, dA1 + dA1**2, dA1), {"D": MASK}, "D is exactly zero"),
    ],
)
def test_the_array_that_tells_where_it_is_wrong_is_named(actual, array, words):
    says(cause("dZ1", actual, dA1, TOLERANCE, factors=array), "wrong only where", words)


def test_inputs_that_are_exactly_zero():
    x = put(X, ([2, 4, 2], [3, 4, 7]), 0)
    wrong = dZ1 @ np.where(x == 0, 1, x).T
    says(cause("dW1", wrong, dZ1 @ x.T, TOLERANCE, others={"X": x, "dZ1": dZ1}), "only where X is exactly zero")
    says(cause("dW1", wrong, dZ1 @ x.T, TOLERANCE, others={"X": x}), "axis 1 where X is exactly zero somewhere (2, 4)")


def pooled(share):
    """Return 2x2 max pooling's backward with each window's gradient handed back as `share` says."""
    x, d = np.random.default_rng(3).normal(size=(2, 2, 4, 6, 3)), np.random.default_rng(4).normal(size=(2, 2, 3, 3))
    windows = x[0].reshape(2, 2, 2, 3, 2, 3).transpose(0, 1, 3, 5, 2, 4).reshape(2, 2, 3, 3, 4)
    back = share(windows) * d[..., None]
    return back.reshape(2, 2, 3, 3, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(2, 4, 6, 3)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (lambda w: np.full(w.shape, 0.25), "spread evenly over the window: average pooling"),
        (lambda w: np.eye(4)[0 * w.argmax(-1)], "always entry (0, 0)"),
        (lambda w: np.eye(4)[w.argmin(-1)], "not the largest"),
    ],
)
def test_pooling_that_hands_back_to_the_wrong_entry(share, words):
    right = pooled(lambda w: np.eye(4)[w.argmax(-1)])
    says(cause("dZ", pooled(share), right, TOLERANCE), "2 x 2 window (axes 1 and 2) has the right sum", words)


GRADIENTS = ("dW1", "dZ1", "db1", "dZ2", "db2", "dA1")


@pytest.mark.slow
def test_noise_has_no_cause():
    for size, seed, name in itertools.product((1e-7, 1e-4, 1.0), range(8), GRADIENTS):
        noise = size * np.random.default_rng(seed).normal(size=NET[name].shape)
        said = cause(name, NET[name] + noise, NET[name], TOLERANCE, sizes=SIZES, others=NET, factors={"D": MASK})
        assert said == "", f"{name}, seed {seed}, size {size}"


@pytest.mark.slow
def test_an_unrelated_array_has_no_cause():
    for seed, name in itertools.product(range(20), GRADIENTS):
        unrelated = np.random.default_rng(seed).normal(size=NET[name].shape)
        assert cause(name, unrelated, NET[name], TOLERANCE, sizes=SIZES, others=NET) == "", f"{name}, seed {seed}"


def test_one_number_is_no_constant_unless_it_is_a_likely_one():
    one = np.array([[0.7]])
    assert cause("b", 1.3 * one, one, TOLERANCE, sizes=SIZES) == ""
    assert cause("b", one + 0.123, one, TOLERANCE, sizes=SIZES, others={"W": np.array([[2.0]])}) == ""
    says(cause("b", M * one, one, TOLERANCE, sizes=SIZES), "a missing 1/m")
    says(cause("b", -one, one, TOLERANCE, sizes=SIZES), "sign")


def test_equal_sizes_are_both_named():
    says(cause("dW1", 3 * E, E, TOLERANCE, sizes={"m": 3, "n_y": 3}), "a missing 1/m or a missing 1/n_y")
    says(cause("dW1", 2 * E, E, TOLERANCE, sizes={"m": 2}), "a factor 2 too much", "or a missing 1/m")


def test_a_coarse_tolerance_allows_no_cause():
    assert cause("dW1", 1.0001 * E, E, 1e-3, sizes=SIZES) == ""
    one = np.array([0.5])
    assert cause("b", 1.02 * one, one, 1e-2, sizes={"m": 50}) == ""


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
    assert cause("dW", expected + noise, expected, tolerance, sizes={"m": 7}, others=others, factors=others) == ""


@pytest.mark.slow
@given(arrays(np.float64, array_shapes(max_dims=3, max_side=4), elements=st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])))
@settings(deadline=None, max_examples=150)
def test_arrays_of_few_values_and_any_shape_raise_nothing(x):
    rng = np.random.default_rng(0)
    for actual in (x[::-1], x + rng.integers(0, 2, x.shape), 2 * x, np.where(x > 0, x, 0)):
        found = cause("dW", actual, x, TOLERANCE, sizes={"m": 2}, others={"A": x + 1, "Z": x}, factors={"D": x > 0})
        assert isinstance(found, str)
        assert not np.array_equal(actual, x) or not found


def test_arrays_that_cannot_be_compared_have_no_cause():
    assert cause("dW1", E, E[:3], TOLERANCE) == ""
    assert cause("dW1", E, put(E, (0, 0), np.nan), TOLERANCE) == ""
    assert cause("dW1", np.zeros((0, 3)), np.zeros((0, 3)), TOLERANCE) == ""
    says(cause("dW1", M * E, E, TOLERANCE, sizes={"m": M}, others={"Z": put(E, (0, 0), np.nan)}), "a missing 1/m")


@pytest.mark.parametrize(
    ("actual", "found"),
    [
        (Z1, "Z1"),
        (-dZ2, "-dZ2"),
        (dZ1.T, "dZ1.T"),
        (2 * dA1, "2 * dA1"),
        (0.05 * dA1, "0.05 * dA1"),
        (np.abs(X), "abs(X)"),
        (X**2, "X**2"),
        (X.reshape(-1), "X.reshape(120,)"),
        (X[::-1], "X, flipped along axis 0 (in reverse order)"),
        (np.maximum(Z1, 0), "maximum(Z1, 0)"),
        (1 - A1, "1 - A1"),
        (RNG.normal(size=X.shape), None),
        (np.zeros(X.shape), None),
        (RNG.permutation(X.ravel()).reshape(X.shape), None),
    ],
)
def test_a_relation_to_known_arrays(actual, found):
    assert relation("Q", actual, NET, 1e-13) == found


def test_another_array_without_its_mask():
    da = np.arange(1.0, 13).reshape(3, 4) ** 1.5
    said = cause("dz", da.reshape(4, 3), (da * (da > 9)).reshape(4, 3), 1e-12, others={"da": da})
    assert "this is da.reshape(4, 3), not dz: a mask is missing" in said


def test_a_mask_in_place_of_another_is_named_by_the_arrays_whose_signs_they_are():
    z, dz = np.array([1.0, -2, 3, -4, 5, 6]), np.array([-1.0, 2, 3, -4, 5, -6])
    assert "the mask dz > 0 in place of z > 0" in cause("m", dz > 0, z > 0, 1e-12, others={"z": z, "dz": dz})
    assert "a wrong mask, in place of z > 0: 3 of 6" in cause("m", dz > 0, z > 0, 1e-12, others={"z": z})


def test_the_array_of_the_same_name_comes_first():
    assert relation("b", E, {"a": E, "b": E}, 0.0) == "b"


def test_a_softmax_without_the_rest_of_its_jacobian_is_recognised():
    z, g = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4))
    P = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    true = P * (g - (g * P).sum(1, keepdims=True))
    assert "only the diagonal" in cause("dz", g * P * (1 - P), true, TOLERANCE, others={"P": P})
    assert "the sum in the softmax's Jacobian" in cause("dz", g * P, true, TOLERANCE, others={"P": P})
    assert cause("dz", true + 0.1 * RNG.normal(size=(6, 4)), true, TOLERANCE, others={"P": P}) == ""
