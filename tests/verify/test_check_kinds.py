"""Tests for `jaxnn/verify/check.py`: kinks, what rounding drowns, random functions, NaN; expected values on paper."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from tests.verify.unread import unread

RNG = np.random.default_rng(9)
X, Y, W = RNG.normal(size=(4, 2)), RNG.normal(size=(4, 1)), np.array([[0.5], [-0.3]])


def squares(w, x, y):
    return jnp.sum((x @ w - y) ** 2) / len(x)


def squares_grad(w, x, y):
    return 2 * x.T @ (x @ w - y) / len(x)


# Data in float32, made ready within the loss

DATA, SEEN = np.float32(RNG.normal(size=(5, 3))), np.float32(RNG.normal(size=5))
AT = np.float32([0.3, -0.2, 0.7])


@pytest.mark.parametrize(("m", "kind"), [(5, "PASS"), pytest.param(1, "FAIL", marks=pytest.mark.slow)])
def test_data_that_numpy_rounds_differently_is_no_error(m, kind):
    def grad(w):
        return 2e4 * (DATA * np.float32(100)).T @ (DATA @ w * 100 - SEEN * np.float32(1e4)) / 5

    assert check(lambda w: jnp.sum((1e4 * DATA @ w - 1e6 * SEEN) ** 2) / m, grad, AT).kind == kind


def test_data_that_jax_rounds_leave_the_differences_sharp():
    def loss(w):
        return jnp.mean((jnp.sqrt(jnp.square(DATA) + 1) @ w - SEEN) ** 2)

    found = check(loss, jax.grad(loss), AT)
    bars = {report.witness: report.error for report in found.witnesses}
    assert found.kind == "PASS" and bars["central differences"] < 1e-4 and bars["jit against eager"] < 1e-3


def test_labels_of_64_bits_make_no_warning():
    labels = np.array([0, 1, 2, 1, 0])

    def loss(z):
        return jnp.sum(jax.nn.one_hot(labels, 3) * z[None] ** 2)

    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(loss, jax.grad(loss), np.full(3, 1.5, np.float32)).kind == "PASS"


# Kinks


def relu_sum(z):
    return jnp.sum(jax.nn.relu(z))


AT_0 = np.array([0.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("slope", "kind"),
    [(0.0, "PASS"), pytest.param(0.5, "KINK", marks=pytest.mark.slow), (1.0, "KINK"), (2.0, "FAIL"), (-0.1, "FAIL")],
)
def test_relu_at_0_may_have_any_slope_from_0_to_1(slope, kind):
    @unread
    def by_hand(z):
        return jnp.where(z > 0, 1.0, jnp.where(z == 0, slope, 0.0))

    verdict = check(relu_sum, by_hand, AT_0)
    assert verdict.kind == kind or (slope == 0 and verdict.kind == "KINK")
    if kind != "PASS":
        assert (verdict.leaf, verdict.index, verdict.actual) == ("z", (0,), slope)
    if kind == "KINK":
        assert "subgradient" in verdict.note


@pytest.mark.parametrize(("slope", "kind"), [(-1.0, "KINK"), (0.0, "KINK"), (1.5, "FAIL")])
def test_an_absolute_value_at_0_may_have_any_slope_from_minus_1_to_1(slope, kind):
    @unread
    def by_hand(z):
        return jnp.where(z == 0, slope, jnp.sign(z))

    assert check(lambda z: jnp.sum(jnp.abs(z)), by_hand, AT_0).kind == kind


def test_an_error_beside_a_kink_is_an_error():
    @unread
    def by_hand(z):
        return jnp.where(z == 0, 0.5, jnp.where(z > 0, 1.01, 0.0))

    found = check(relu_sum, by_hand, AT_0)
    assert found.kind == "FAIL" and found.index == (1,) and found.actual == 1.01


def pooled(image):
    return jnp.sum(jnp.max(image.reshape(2, 4), axis=1) * jnp.array([1.0, 3.0]))


@pytest.mark.parametrize(
    ("share", "kinds"),
    [
        pytest.param([0.25, 0.25, 0.25, 0.25], ("PASS", "KINK"), marks=pytest.mark.slow),
        pytest.param([1.0, 0, 0, 0], ("KINK",), marks=pytest.mark.slow),
        ([0.5, 0.5, 0, 0], ("KINK",)),
        pytest.param([2.0, 0, 0, 0], ("FAIL",), marks=pytest.mark.slow),
    ],
)
def test_a_tie_of_max_pooling_may_be_shared_out_in_any_way(share, kinds):
    @unread
    def by_hand(image):
        windows = image.reshape(2, 4)
        largest = windows == jnp.max(windows, axis=1, keepdims=True)
        shares = jnp.where(jnp.sum(largest, axis=1, keepdims=True) == 4, jnp.array([share]), largest * 1.0)
        return (shares * jnp.array([[1.0], [3.0]])).reshape(-1)

    assert check(pooled, by_hand, np.array([1.0, 1, 1, 1, 0, 5, 2, 3])).kind in kinds


def test_a_tie_of_which_each_gets_all_is_an_error():
    """Entry by entry the values lie between the one-sided slopes; together they are no subgradient."""

    @unread
    def all_to_each(image):
        windows = image.reshape(2, 4)
        return ((windows == windows.max(1, keepdims=True)) * jnp.array([[1.0], [3.0]])).reshape(-1)

    assert check(pooled, all_to_each, np.array([1.0, 1, 1, 1, 0, 5, 2, 3])).kind == "FAIL"


# What cannot be resolved


def test_where_autodiff_is_wrong_differences_decide_or_say_that_they_cannot():
    """JAX gives sigmoid' = 0 at 37.43 in float64, where it is 5.6e-17; the value alone is 1 to the last digit."""
    slope = float(np.exp(-37.43) / (1 + np.exp(-37.43)) ** 2)
    verdict = check(jax.nn.sigmoid, lambda z: slope, 37.43)
    assert verdict.kind in ("NOISE", "PASS") and verdict


def test_what_rounding_drowns_is_noise_and_says_at_which_leaf():
    def f(p):
        return jnp.sum((p["u"] + 1e16) - 1e16) + jnp.sum(p["v"] ** 3)

    verdict = check(
        f, lambda p: {"u": (p["u"] * 0 + 1e15 + 1) - 1e15, "v": 3 * p["v"] ** 2}, {"u": np.ones(2), "v": np.ones(2)}
    )
    assert verdict.kind == "NOISE" and verdict
    assert verdict.leaf == "u" and verdict.error > 1e-3 and verdict.resolution > 0.01


@pytest.mark.parametrize(("at_minus_1", "right"), [(0.0, True), (7.0, False)])
def test_where_autodiff_is_nan_differences_decide(at_minus_1, right):
    """The branch that is not taken has an infinite slope: autodiff multiplies it by 0."""

    def loss(w):
        return jnp.sum(jnp.where(w > 0, jnp.sqrt(w), 0.0))

    @unread
    def by_hand(w):
        return jnp.where(w > 0, 0.5 / jnp.sqrt(jnp.abs(w)), at_minus_1)

    assert np.isnan(jax.grad(loss)(-1.0))
    assert bool(check(loss, by_hand, np.array([-1.0, 1.0]))) is right


# Random


def test_a_random_gradient_is_called_random():
    rng = np.random.default_rng(0)
    verdict = check(squares, lambda w, x, y: squares_grad(w, x, y) + 1e-7 * rng.normal(size=w.shape), W, X, Y)
    assert verdict.kind == "RANDOM" and not verdict and verdict.leaf == "w"
    assert "random" in verdict.cause and "key" in verdict.cause


def test_a_random_loss_is_called_random():
    rng = np.random.default_rng(0)
    verdict = check(lambda w: jnp.sum(w**2) + rng.random(), lambda w: 2 * w, W)
    assert (verdict.kind, verdict.leaf) == ("RANDOM", "loss") and verdict.expected != verdict.actual


def test_numbers_drawn_while_tracing_are_random_too():
    rng = np.random.default_rng(0)
    frozen = jax.jit(lambda w: 2 * w * (1 + 1e-3 * rng.normal(size=w.shape)))  # eager runs repeat what was traced
    verdict = check(lambda w: jnp.sum(w**2), frozen, W)
    assert verdict.kind in ("RANDOM", "FAIL") and not verdict


def test_a_key_among_the_arguments_is_not_random():
    def mask(w, key):
        return jax.random.bernoulli(key, 0.8, w.shape) / 0.8

    verdict = check(
        lambda w, key: jnp.sum((w * mask(w, key)) ** 2), lambda w, key: 2 * w * mask(w, key) ** 2, W, jax.random.key(1)
    )
    assert verdict.kind == "PASS"


# NaN and infinity


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_not_finite_has_no_gradient(value):
    verdict = check(lambda w: jnp.sum(w) * 0 + value, lambda w: w, W)
    assert (verdict.kind, verdict.leaf) == ("NONFINITE", "loss") and not verdict and "no gradient" in verdict.cause


def overflowing_softmax(z, y):
    e = jnp.exp(z)
    p = e / jnp.sum(e)
    return p - y


def test_the_first_nan_of_a_gradient_is_named_with_its_line():
    z, y = np.array([1000.0, 0.0, 1.0]), np.array([1.0, 0, 0])
    verdict = check(lambda z, y: -jnp.sum(y * jax.nn.log_softmax(z)), overflowing_softmax, z, y)
    assert verdict.kind == "NONFINITE" and not verdict
    assert (verdict.leaf, verdict.index) == ("z", (0,)) and np.isnan(verdict.actual)
    assert verdict.line.startswith("e = jnp.exp(z)") and "infinity first appears here" in verdict.cause


def test_an_infinite_gradient_is_not_finite_and_no_warning_escapes():
    found = check(lambda w: jnp.sum(jnp.sqrt(w)), lambda w: 0.5 / jnp.sqrt(w), np.array([1.0, 0.0]))
    assert (found.kind, found.leaf, found.index) == ("NONFINITE", "w", (1,))


def test_a_kink_of_a_loss_in_numpy_has_its_place_and_both_slopes():
    def by_hand(w):  # 0.5 at 0, where the slopes are -2 and 2
        return np.where(w == 0, 0.25, np.sign(w)) * [1.0, 2.0]

    found = check(lambda w: float(np.sum(np.abs(np.asarray(w)) * [1.0, 2.0])), by_hand, AT_0[1::-1])
    assert (found.kind, found.leaf, found.index, found.actual) == ("KINK", "w", (1,), 0.5)
    assert found.expected == pytest.approx(0.0, abs=1e-6) and found.error == pytest.approx(2.0)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [1.0, pytest.param(1.5, marks=pytest.mark.slow)])
def test_draws_that_depend_on_x64_are_the_same_on_both_sides(wrong):
    # Without x64 bernoulli and uniform take 32 bits an entry, in the float64 of the reference 64: another mask.
    def mask(w, key):
        return jax.random.bernoulli(key, 0.8, w.shape) / 0.8

    @unread
    def by_hand(w, key):
        return wrong * 2 * w * mask(w, key) ** 2

    with jax.enable_x64(False):
        w, key = jnp.arange(1.0, 9.0), jax.random.key(0)
        verdict = check(lambda w, key: jnp.sum((w * mask(w, key)) ** 2), by_hand, w, key)
    assert verdict.kind == ("PASS" if wrong == 1 else "FAIL")


@pytest.mark.slow
def test_windows_that_tie_exactly_are_each_decided_by_itself():
    rows = jnp.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5], [0.5, 0.5, 0.0]])
    signs = jnp.array([1.0, -0.7])

    def pooled(w):
        return jnp.sum(signs * jnp.max((rows @ w).reshape(2, 2), axis=1))

    def first(w, factor=1.0):
        which = jnp.argmax((rows @ w).reshape(2, 2), axis=1)
        return factor * sum(signs[k] * rows[2 * k + which[k]] for k in range(2))

    assert check(pooled, first, jnp.full(3, 0.25)).kind == "KINK"
    assert check(pooled, lambda w: first(w, 2.0), jnp.full(3, 0.25)).kind == "FAIL"


@pytest.mark.slow
def test_symmetric_parameters_stay_so_at_the_second_point():
    def loss(s):
        return jnp.sum(jnp.linalg.inv(s) ** 2)

    def grad(s):  # for symmetric matrices alone
        inv = jnp.linalg.inv(s)
        return -2 * inv @ inv @ inv

    s = jnp.array([[2.0, 0.3, -0.1], [0.3, 1.5, 0.2], [-0.1, 0.2, 1.0]])
    assert check(loss, grad, s).kind == "PASS"


def test_an_infinite_example_says_nothing_about_the_others():
    x, w = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([0.5, 0.5])

    def loss(w, x):
        return jnp.log(jnp.mean(x @ w) + len(x) - 2.0)  # of one example alone it is the logarithm of less than 0

    assert check(loss, jax.grad(loss), w, x).kind == "PASS"


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), (1.01, "FAIL")])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_numpy_code_that_gives_its_gradient_in_the_parameters_dtype(dtype, factor, kind):
    w, x, y = (np.random.default_rng(0).normal(size=size).astype(dtype) for size in (3, (6, 3), 6))

    def loss(w, x, y):
        return np.mean((np.tanh(x @ w) - y) ** 2)

    @unread
    def grad(w, x, y):
        h = np.tanh(x @ w)
        return (factor * 2 * x.T @ ((h - y) * (1 - h**2)) / len(y)).astype(dtype)

    assert check(loss, grad, w, x, y).kind == kind


@pytest.mark.slow
def test_sums_scattered_into_zeros_of_float32_are_exact():
    table, y = (jnp.asarray(np.random.default_rng(4).normal(size=s), jnp.float32) for s in ((5, 3), (4, 3)))
    rows = jnp.array([0, 2, 2, 4])

    def grad(table, y):
        return jnp.zeros(table.shape, jnp.float32).at[rows].add(table[rows] - y)

    verdict = check(lambda table, y: 0.5 * jnp.sum((table[rows] - y) ** 2), grad, table, y)
    assert verdict.kind == "PASS" and "data" not in verdict.note
