"""Tests for `jaxnn/verify/check.py`: the verdict, kind by kind, on gradients that are right or wrong on purpose.

Expected values are the derivatives on paper.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check, check_rule
from tests.verify.unread import unread

RNG = np.random.default_rng(9)
M = 4
X, Y = RNG.normal(size=(M, 2)), RNG.normal(size=(M, 1))
W = np.array([[0.5], [-0.3]])


def squares(w, x, y):
    return jnp.sum((x @ w - y) ** 2) / len(x)


def squares_grad(w, x, y):
    residual = x @ w - y
    return 2 * x.T @ residual / len(x)


def missing_mean(w, x, y):
    dy = 2 * (x @ w - y)
    dw = x.T @ dy
    return dw


def waves(w, x):
    return jnp.sum(jnp.sin(x * w))


def waves_grad(w, x, factor=1.0):
    return factor * x * jnp.cos(x * w)


def witness(verdict, name):
    return next(report for report in verdict.witnesses if report.witness == name)


@pytest.fixture(scope="module")
def right():
    return check(squares, squares_grad, W, X, Y)


@pytest.fixture(scope="module")
def wrong():
    return check(squares, missing_mean, W, X, Y)


def test_a_right_gradient_passes_and_says_how_small_an_error_would_have_been_seen(right):
    assert right and right.kind == "PASS" and 0 < right.resolution < 1e-10
    assert right.cause == right.line == right.leaf == ""


@pytest.mark.parametrize(
    "name",
    [
        "autodiff, reverse", "autodiff, forward", "JVP against VJP", "central differences", "complex step",
        "batch split", "jit against eager", "vmap against a loop", "run twice", "at a second point",
    ],
)  # fmt: skip
def test_every_witness_is_heard_and_reported(right, name):
    report = witness(right, name)
    assert report.agrees is True and report.difference <= report.error or not report.error


def test_a_wrong_gradient_fails_with_leaf_index_values_line_and_cause(wrong):
    true = 2 * X.T @ (X @ W - Y) / M
    assert wrong.kind == "FAIL" and not wrong
    assert wrong.leaf == "w" and len(wrong.index) == 2
    assert wrong.expected == pytest.approx(true[wrong.index], rel=1e-12)
    assert wrong.actual == pytest.approx(M * true[wrong.index], rel=1e-12)
    assert "missing 1/m" in wrong.cause and "4" in wrong.cause
    assert "test_check.py" in wrong.line and "in missing_mean" in wrong.line
    assert witness(wrong, "autodiff, reverse").agrees is False


def test_the_message_can_be_acted_on(wrong):
    assert str(wrong).startswith(f"FAIL: w[{wrong.index[0]}, {wrong.index[1]}]")
    assert wrong.cause in str(wrong) and wrong.line in str(wrong)


# Large parameters, precisions


@pytest.mark.slow
@pytest.mark.parametrize(("n", "k"), [(20, 60), pytest.param(784, 512, marks=pytest.mark.slow)])
def test_a_single_wrong_entry_among_many_is_found(n, k):
    w, x = RNG.normal(size=(n, k)) / 28, RNG.normal(size=(1, n))

    def f(w, x):
        return jnp.sum(jnp.sin(x @ w))

    @unread
    def by_hand(w, x):
        dw = x.T @ jnp.cos(x @ w)
        return dw.at[n // 2, 37].multiply(1 + 1e-6)

    verdict = check(f, by_hand, w, x)
    assert verdict.kind == "FAIL" and (verdict.leaf, verdict.index) == ("w", (n // 2, 37))
    assert verdict.actual / verdict.expected == pytest.approx(1 + 1e-6, abs=1e-9)


@pytest.mark.parametrize(("off", "kind"), [(0.0, "PASS"), (1e-5, "FAIL")])  # far below the resolution of bfloat16
def test_low_precision_is_judged_by_a_float64_reference(off, kind):
    w, x = (jnp.asarray(v, "bfloat16") for v in (W[:, 0], X[0]))
    assert check(waves, partial(waves_grad, factor=1 + off), w, x).kind == kind


def test_a_cast_in_the_middle_is_seen():
    @unread
    def cast(w):
        dw = jnp.cos(w.astype(jnp.float32))
        return dw.astype(float)

    verdict = check(lambda w: jnp.sum(jnp.sin(w)), cast, W)
    assert verdict.kind == "FAIL" and 0 < abs(verdict.actual / verdict.expected - 1) < 1e-5


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), (4.0, "FAIL")])
def test_with_x64_off_the_reference_is_float64_all_the_same(factor, kind):
    with jax.enable_x64(False):
        arrays = [jnp.asarray(v) for v in (W[:, 0], X[0])]
        assert arrays[0].dtype == "float32"
        verdict = check(waves, partial(waves_grad, factor=factor), *arrays)
        assert jnp.ones(1).dtype == "float32"  # as before
    assert verdict.kind == kind
    if kind == "PASS":
        assert verdict.resolution < 1e-10


@pytest.mark.parametrize("w", [0.3, np.array([0.3, 1.2])], ids=["number", "numpy"])
def test_with_x64_off_float64_arguments_may_give_float32_gradients(w):
    with jax.enable_x64(False):
        assert check(lambda w: jnp.sum(jnp.sin(w)), jnp.cos, w).kind == "PASS"


# Forms of functions and arguments


class Layer(NamedTuple):
    w: jax.Array
    b: jax.Array


def test_lists_of_named_tuples_and_their_paths():
    def penalty(layers):
        return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(layers)) / 2

    @unread
    def penalty_grad(layers):
        first, second = layers
        return [first, Layer(second.w, 2 * second.b)]

    layers = [Layer(RNG.normal(size=(2, 2)), RNG.normal(size=2)), Layer(RNG.normal(size=(2, 1)), RNG.normal(size=1))]
    verdict = check(penalty, penalty_grad, layers)
    assert verdict.kind == "FAIL" and verdict.leaf == "1.b" and "exactly 2" in verdict.cause


@pytest.mark.slow
def test_several_argnums():
    def f(x, w):
        return jnp.sum(jnp.sin(x) * w)

    @unread
    def by_hand(x, w):
        return -jnp.cos(x) * w, jnp.sin(x)

    verdict = check(f, by_hand, X, X[::-1] + 1, argnums=(0, 1))
    assert verdict.kind == "FAIL" and verdict.leaf == "x" and "sign" in verdict.cause


def test_numpy_gradients_and_jitted_functions():
    def numpy_grad(w, x):
        return np.asarray(x) * np.cos(np.asarray(x) * np.asarray(w))

    assert check(waves, numpy_grad, W[:, 0], X[0]).kind == "PASS"
    assert check(jax.jit(waves), jax.jit(waves_grad), jnp.asarray(W[:, 0]), X[0]).kind == "PASS"


def numpy_loss(w):
    return float(np.sum(np.tanh(np.asarray(w)) ** 2))


def test_a_loss_that_jax_cannot_trace_is_judged_by_differences():
    def numpy_grad(w):
        return 2 * np.tanh(w) * (1 - np.tanh(w) ** 2)

    assert check(numpy_loss, numpy_grad, W).kind == "PASS"
    verdict = check(numpy_loss, lambda w: numpy_grad(w) * (1 + 1e-4), W)
    assert verdict.kind == "FAIL" and verdict.witness == "central differences"


@pytest.mark.parametrize(("factor", "kind"), [(1, "PASS"), (2, "FAIL")])
def test_a_loss_without_a_reverse_rule_is_judged_by_differences(factor, kind):
    @jax.jit
    def fourth_power(w):
        return jax.lax.while_loop(lambda c: c[1] < 3, lambda c: (c[0] * w, c[1] + 1), (w, 0))[0]

    assert check(fourth_power, lambda w: factor * 4 * w**3, 0.7).kind == kind


def test_a_loss_with_a_custom_vjp_has_no_forward_mode_but_a_verdict():
    sine = jax.custom_vjp(jnp.sin)
    sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))
    found = check(lambda w: jnp.sum(sine(w)), jnp.cos, W)
    assert found.kind == "PASS" and witness(found, "autodiff, forward").agrees is None


def with_value_and_names(w, x, factor=1.0):
    dz = jnp.cos(x * w)
    return factor * waves(w, x), x * dz, {"dz": dz}


def test_the_value_and_named_intermediates_may_come_along():
    verdict = check(waves, with_value_and_names, W[:, 0], X[0])
    assert verdict.kind == "PASS" and witness(verdict, "value beside the gradient").agrees


def test_a_wrong_value_beside_a_right_gradient_is_an_error():
    verdict = check(waves, lambda w, x: with_value_and_names(w, x, 0.5)[:2], W[:, 0], X[0])
    assert (verdict.kind, verdict.leaf) == ("FAIL", "loss") and "not the loss" in verdict.cause
    assert verdict.actual == pytest.approx(verdict.expected / 2)


# What one ordinary look does not see


def test_writing_into_an_argument_is_an_error():
    def impatient(w, x, y):
        x -= x.mean(0)
        return 2 * x.T @ (x @ w - y) / len(x)

    x = X.copy()
    verdict = check(squares, impatient, W, x, Y)
    assert verdict.kind == "FAIL" and verdict.leaf == "argument 1" and "write into" in verdict.cause
    np.testing.assert_array_equal(x, X)


def test_changing_a_list_among_the_arguments_is_an_error():
    verdict = check(lambda w, seen: seen.append(1) or jnp.sum(w**2), lambda w, seen: 2 * w, W, [])
    assert verdict.kind == "FAIL" and "change" in verdict.cause and "lists" in verdict.cause


def test_a_stop_gradient_copied_by_hand_is_seen_by_differences():
    def detached(w):
        scale = jax.lax.stop_gradient(jnp.sum(w**2))
        return jnp.sum(w) * scale

    @unread
    def by_hand(w):
        return jnp.ones_like(w) * jnp.sum(w**2)

    verdict = check(detached, by_hand, W)
    assert verdict.kind == "FAIL" and verdict.witness == "central differences"
    assert "stop_gradient" in verdict.cause and "test_check.py" in verdict.cause


@pytest.mark.slow
def test_the_line_that_copied_a_stop_gradient_is_named():
    def loss(w, x):
        h = x @ w
        scale = jax.lax.stop_gradient(jnp.sqrt(jnp.mean(h**2)))
        return jnp.sum(jnp.tanh(h / scale))

    def grad(w, x):
        h = x @ w
        scale = jnp.sqrt(jnp.mean(h**2))
        du = 1 - jnp.tanh(h / scale) ** 2
        dscale = 0.0
        dh = du / scale + dscale * h / (scale * h.size)
        return x.T @ dh

    verdict = check(loss, grad, RNG.normal(size=3), RNG.normal(size=(5, 3)))
    assert "stop_gradient" in verdict.cause and verdict.line.startswith("dscale = 0.0")


def test_matrix_products_are_exact_where_accelerators_would_round_them():
    seen = []

    def grad(w, x):
        seen.append(jax.config.jax_default_matmul_precision)
        return x.T @ jnp.ones(len(x), w.dtype)

    with jax.default_matmul_precision("bfloat16"):
        assert check(lambda w, x: jnp.sum(x @ w), grad, jnp.ones(2), jnp.ones((3, 2)))
        rule = (lambda x: x @ x, lambda x: (x @ x, x), lambda x, g: (seen.append(precision()) or 2 * g * x,))
        assert check_rule(*rule, jnp.ones(2))
    assert set(seen) == {"highest"}


def precision():
    return jax.config.jax_default_matmul_precision


def test_captured_parameters_are_stale_at_a_second_point():
    @unread
    def stale(w):
        return 3 * w * W

    verdict = check(lambda w: jnp.sum(w**3), stale, W)
    assert verdict.kind == "FAIL" and "second point" in verdict.note


def test_a_mistake_at_one_example_alone_is_found_by_splitting_the_batch():
    @unread
    def squeezed(w, x, y):
        return squares_grad(w, x, y) if len(x) > 1 else 0 * w

    verdict = check(squares, squeezed, W, X, Y)
    assert verdict.kind == "FAIL" and verdict.witness == "batch split"
    assert "the first example alone" in verdict.note and witness(verdict, "batch split").agrees is False


def test_a_gradient_that_raises_for_one_example_alone_is_no_error_of_the_check():
    def two_at_least(w, x, y):
        if len(x) == 1:
            raise IndexError("one row")
        return squares_grad(w, x, y)

    found = check(squares, two_at_least, W, X, Y)
    assert found.kind in ("FAIL", "PASS") and "one row" in str(found)


def test_a_mistake_under_tracing_alone_is_found():
    @unread
    def traced_otherwise(w):
        return jnp.cos(w) * (2 if isinstance(w, jax.core.Tracer) else 1)

    assert check(lambda w: jnp.sum(jnp.sin(w)), traced_otherwise, W).kind == "FAIL"


def test_a_mistake_under_jit_in_the_precision_of_the_arguments_alone_is_found():
    @unread
    def compiled_otherwise(w, x):
        wrong = isinstance(w, jax.core.Tracer) and w.dtype == "float32"
        return waves_grad(w, x, 2.0 if wrong else 1.0)

    with jax.enable_x64(False):
        verdict = check(waves, compiled_otherwise, *(jnp.asarray(v, "float32") for v in (W[:, 0], X[0])))
    assert verdict.kind == "FAIL" and verdict.witness == "jit against eager"


def test_the_error_of_a_function_is_its_own():
    with pytest.raises(ZeroDivisionError):
        check(squares, lambda w, x, y: 1 / 0, W, X, Y)
    with pytest.raises(NameError, match="no_such_name"):
        check(lambda w: no_such_name * w, jnp.ones_like, W)  # noqa: F821


def test_what_differs_at_a_second_point_under_jit_alone_is_reported_and_no_failure():
    point = RNG.normal(size=3)

    def grad(x):  # as XLA may, which computes some values twice and differently
        off = jnp.where(jnp.any(x != point), 1.001, 1.0) if isinstance(x, jax.core.Tracer) else 1.0
        return 2 * x * off

    verdict = check(lambda x: jnp.sum(x**2), grad, point)
    (report,) = [report for report in verdict.witnesses if report.witness == "at a second point"]
    assert verdict.kind == "PASS" and report.agrees is None and "under jit alone" in report.note
