"""Tests for `jaxnn/verify/rules/check.py`: right rules pass, each way of wiring a `jax.custom_vjp` wrongly is named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import ops
from jaxnn.errors import InvalidArgument
from jaxnn.verify import check_rule
from tests.verify.unread import unread

RNG = np.random.default_rng(4)
X, W, B = RNG.normal(size=(3, 2)), RNG.normal(size=(2, 2)), RNG.normal(size=2)
V = RNG.normal(size=3)


def affine(x, w, b):
    return jnp.tanh(x @ w + b[None])


def affine_fwd(x, w, b):
    y = affine(x, w, b)
    return y, (x, w, y)


def affine_bwd(residuals, g):
    x, w, y = residuals
    dz = g * (1 - y**2)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def sine_fwd(x):
    return jnp.sin(x), x


def sine_bwd(x, g):
    return (g * jnp.cos(x),)


@pytest.fixture(scope="module")
def right():
    return check_rule(affine, affine_fwd, affine_bwd, X, W, B)


def test_a_right_rule_passes(right):
    assert right.kind == "PASS" and right.witnesses


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        pytest.param(jnp.ones_like, "g is ignored", marks=pytest.mark.slow),  # w01
        pytest.param(lambda g: g * g, "g is squared", marks=pytest.mark.slow),  # w02
        (lambda g: jnp.clip(g, -1, 1), "g is clipped, normalised or thresholded"),  # w03
        pytest.param(jnp.abs, "the sign of g is lost", marks=pytest.mark.slow),  # w04
        pytest.param(lambda g: g + 1, "0 at the cotangent 0", marks=pytest.mark.slow),
        pytest.param(
            lambda g: g / (1e-9 + jnp.linalg.norm(g)), "g is clipped, normalised or thresholded", marks=pytest.mark.slow
        ),
        (lambda g: g[::-1] * jnp.sign(g) * jnp.sign(g[::-1]), "f_bwd(g + h) is not f_bwd(g) + f_bwd(h)"),
    ],
)
def test_a_backward_that_is_not_linear_in_the_cotangent_fails(change, cause):
    @unread
    def bwd(x, g):
        changed = change(g)
        return sine_bwd(x, changed)

    verdict = check_rule(jnp.sin, sine_fwd, bwd, V)
    assert verdict.kind == "FAIL" and cause in verdict.cause


def test_a_forward_with_another_value_fails():  # w05
    verdict = check_rule(jnp.sin, lambda x: (jnp.sin(x) * 1.001, x), sine_bwd, V)
    assert verdict.kind == "FAIL" and verdict.leaf.startswith("f_fwd") and "another value than f" in verdict.cause
    assert verdict.actual == pytest.approx(1.001 * verdict.expected)


def test_parameters_captured_at_the_first_point_fail():  # w06
    stale = np.cos(V)

    @unread
    def bwd(x, g):
        return (g * stale,)

    verdict = check_rule(jnp.sin, sine_fwd, bwd, V)
    assert verdict.kind == "FAIL" and "second point" in verdict.note


def test_two_leaves_of_the_same_shape_swapped_fail():  # w07
    @unread
    def bwd(ab, g):
        return g * ab[0], g * ab[1]

    verdict = check_rule(jnp.multiply, lambda a, b: (a * b, (a, b)), bwd, V, V[::-1] + 2)
    assert verdict.kind == "FAIL" and verdict.index


def test_none_for_an_argument_fails():  # w08
    verdict = check_rule(affine, affine_fwd, lambda r, g: (*affine_bwd(r, g)[:2], None), X, W, B)
    assert verdict.kind == "FAIL" and verdict.leaf == "argument 2" and "None" in verdict.cause


def test_a_gradient_that_is_right_but_cannot_be_differentiated_again_rightly_fails():  # w09
    verdict = check_rule(jnp.sin, sine_fwd, lambda x, g: (g * jnp.cos(jax.lax.stop_gradient(x)),), V)
    assert verdict.kind == "FAIL" and verdict.cause.startswith("order 2")
    assert (verdict.witness, verdict.actual) == ("order 2", 0.0) and verdict.expected != 0


def test_a_cast_inside_of_the_backward_fails():  # w10
    @unread
    def bwd(x, g):
        return ((g * jnp.cos(x)).astype("float32").astype("float64"),)

    verdict = check_rule(jnp.sin, sine_fwd, bwd, V)
    assert verdict.kind == "FAIL" and 0 < abs(verdict.actual / verdict.expected - 1) < 1e-6


def test_a_backward_that_is_wrong_when_traced_fails():  # w11
    def traced_otherwise(x, g):
        return (g * jnp.cos(x) * (2 if isinstance(g, jax.core.Tracer) or isinstance(x, jax.core.Tracer) else 1),)

    assert check_rule(jnp.sin, sine_fwd, traced_otherwise, V).kind == "FAIL"


def test_a_stop_gradient_in_the_function_copied_by_hand_fails():  # w12
    def f(x):
        return x * jax.lax.stop_gradient(jnp.sum(x**2))

    @unread
    def f_bwd(x, g):
        return (g * jnp.sum(x**2),)

    verdict = check_rule(f, lambda x: (f(x), x), f_bwd, V)
    assert verdict.kind == "FAIL" and verdict.witness == "central differences" and "stop_gradient" in verdict.cause


@pytest.mark.slow
def test_with_x64_off_the_reference_is_float64_all_the_same():  # w13
    @unread
    def bwd(x, g):
        return (g * jnp.cos(x) * (1 + 1e-9),)

    with jax.enable_x64(False):
        x = jnp.asarray(V, "float32")
        assert check_rule(jnp.sin, sine_fwd, sine_bwd, x).kind == "PASS"
        verdict = check_rule(jnp.sin, sine_fwd, bwd, x)
    assert verdict.kind == "FAIL"


def test_a_factor_in_the_cotangents_fails_with_its_line():
    def doubled(x, g):
        dx = 2 * g * jnp.cos(x)
        return (dx,)

    verdict = check_rule(jnp.sin, sine_fwd, doubled, V)
    assert verdict.kind == "FAIL" and "exactly 2" in verdict.cause and "dx = 2 * g * jnp.cos(x)" in verdict.line


@pytest.mark.parametrize(
    ("fwd", "bwd", "words"),
    [
        (jnp.sin, sine_bwd, "not the pair"),
        (lambda x: ((jnp.sin(x),), x), sine_bwd, "of the structure"),
        (lambda x: (jnp.sin(x)[:2], x), sine_bwd, r"float64[2], that of f float64[3]"),
        (lambda x: (jnp.sin(x).astype("float32"), x), sine_bwd, r"float32[3], that of f float64[3]"),
        (sine_fwd, lambda x, g: g * jnp.cos(x), "a tuple, one for each"),
        (sine_fwd, lambda x, g: (g * jnp.cos(x), g), "2 cotangents for 1 arguments"),
        (sine_fwd, lambda x, g: (g[:2],), "the cotangent has the shape (2,), the argument (3,)"),
        (sine_fwd, lambda x, g: ({"x": g},), "has the structure"),
        (
            sine_fwd,
            lambda x, g: ((g * jnp.cos(x)).astype("float32"),),
            "the cotangent is float32, the argument float64",
        ),
    ],
)
def test_the_form_of_what_comes_back_is_checked(fwd, bwd, words):
    verdict = check_rule(jnp.sin, fwd, bwd, V)
    assert verdict.kind == "FAIL" and words in verdict.cause


def test_arguments_that_are_no_numbers_to_differentiate_by_need_no_cotangent():
    labels = np.array([0, 1, 1])

    def picked(x, labels, scale):
        return scale * jnp.sum(x[jnp.arange(3), labels] ** 2)

    def bwd(residuals, g):
        x, labels = residuals
        return jnp.zeros_like(x).at[jnp.arange(3), labels].set(2 * 3.0 * g * x[jnp.arange(3), labels]), None, None

    verdict = check_rule(
        lambda x, i: picked(x, i, 3.0), lambda x, i: (picked(x, i, 3.0), (x, i)), lambda r, g: bwd(r, g)[:2], X, labels
    )
    assert verdict.kind == "PASS"


def test_a_decorated_function_is_its_own_f():
    sine = jax.custom_vjp(jnp.sin)
    sine.defvjp(sine_fwd, sine_bwd)
    assert check_rule(sine, sine_fwd, sine_bwd, V).kind == "PASS"


def test_none_is_right_where_the_gradient_is_zero():
    def f(x, y):
        return jnp.sin(x) + 0 * y

    found = check_rule(f, lambda x, y: (f(x, y), x), lambda x, g: (g * jnp.cos(x), None), V, V)
    assert found.kind == "PASS"


def test_nan_in_a_cotangent_is_not_finite():
    found = check_rule(jnp.sin, sine_fwd, lambda x, g: (g * jnp.cos(x) * jnp.where(x == V[1], jnp.nan, 1),), V)
    assert found.kind == "NONFINITE" and found.index == (1,)


def test_pytrees_in_and_out():
    def f(p, x):
        return {"sum": p["w"] + x, "product": p["w"] * x}

    def bwd(residuals, g):
        w, x = residuals
        return {"w": g["sum"] + g["product"] * x}, g["sum"] + g["product"] * w

    def fwd(p, x):
        return f(p, x), (p["w"], x)

    assert check_rule(f, fwd, bwd, {"w": V}, V[::-1] + 1).kind == "PASS"


@pytest.mark.slow  # tests/test_gradients.py has all of them
def test_rules_of_the_library_pass():
    assert check_rule(ops.dense, ops.dense_fwd, ops.dense_bwd, X, W, B).kind == "PASS"
    kink = check_rule(ops.relu, ops.relu_fwd, ops.relu_bwd, np.array([0.0, 1.0, -2.0]))
    assert kink.kind in ("PASS", "KINK")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_rule(3, sine_fwd, sine_bwd, V), "f: got 3, expected a function"),
        (lambda: check_rule(jnp.sin, sine_fwd, None, V), "f_bwd: got None, expected a function"),
        (lambda: check_rule(jnp.sin, sine_fwd, sine_bwd, np.array([1, 2])), "args: got no argument of floating-point"),
        (lambda: check_rule(jnp.sin, sine_fwd, sine_bwd), "args: got no argument"),
        (
            lambda: check_rule(jnp.argmax, sine_fwd, sine_bwd, V),
            "f: got a result of .*, expected floating-point arrays",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InvalidArgument, match=message):
        call()


# What a rule is meant to be


def ste_fwd(x):
    return jnp.sign(x), x


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), pytest.param(2.0, "FAIL", marks=pytest.mark.slow)])
def test_a_straight_through_estimator_is_the_derivative_of_its_surrogate(factor, kind):
    verdict = check_rule(jnp.sign, ste_fwd, lambda x, g: (factor * g,), V, surrogate=lambda x: x)
    assert verdict.kind == kind and ("surrogate" in verdict.note) == (kind == "PASS")
    assert check_rule(jnp.sign, ste_fwd, lambda x, g: (factor * g,), V).kind == "FAIL"


def test_of_a_surrogate_the_derivative_is_meant_whatever_its_values_do():
    def reversed_(x):
        return -0.3 * x + jax.lax.stop_gradient(1.3 * x)

    rule = (lambda x: x, lambda x: (x, None))
    assert check_rule(*rule, lambda _, g: (-0.3 * g,), V, surrogate=reversed_).kind == "PASS"
    assert check_rule(*rule, lambda _, g: (0.3 * g,), V, surrogate=reversed_).kind == "FAIL"


@pytest.mark.parametrize(("tolerance", "kind"), [(None, "FAIL"), (1e-3, "PASS"), (1e-5, "FAIL")])
def test_what_is_wrong_by_a_little_on_purpose_has_a_tolerance(tolerance, kind):
    def approximate(x, g):
        return (g * (jnp.cos(x) + 1e-4),)

    verdict = check_rule(jnp.sin, sine_fwd, approximate, V, tolerance=tolerance)
    assert verdict.kind == kind and ("was used" in verdict.note) == (kind == "PASS")


# Precisions


def in_float32(x):
    x32 = x.astype(jnp.float32)
    return (x32 * jax.lax.rsqrt(jnp.mean(x32**2))).astype(x.dtype)


def in_float32_bwd(x, g, factor=1.0):
    x32, g32 = x.astype(jnp.float32), g.astype(jnp.float32)
    r = jax.lax.rsqrt(jnp.mean(x32**2))
    return (((g32 - factor * x32 * r * r * jnp.mean(g32 * x32)) * r).astype(x.dtype),)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("factor", "kind"), [(1.0, "PASS"), (1.01, "FAIL"), pytest.param(0.0, "FAIL", marks=pytest.mark.slow)]
)
def test_a_rule_that_computes_in_float32_is_judged_as_it_is_written(dtype, factor, kind):
    x = jnp.array([0.3, -1.2, 2.0, 0.7], dtype)

    @unread
    def bwd(x, g):
        return in_float32_bwd(x, g, factor)

    verdict = check_rule(in_float32, lambda x: (in_float32(x), x), bwd, x)
    assert verdict.kind == kind
    if kind == "PASS":
        assert "as they are written" in verdict.note and verdict.resolution > 1e-7


@pytest.mark.slow
def test_a_sum_that_stalls_in_few_digits_is_seen_though_the_formula_is_right():
    x = (0.5 + jax.random.uniform(jax.random.key(0), (600,))).astype(jnp.bfloat16)

    def total(w, x):
        return jnp.broadcast_to(w, x.shape)

    @unread
    def stalls(shape, g):
        dw = jax.lax.scan(lambda t, v: (t + v, None), jnp.zeros((), g.dtype), g)[0]
        return dw, jnp.zeros(shape, g.dtype)

    verdict = check_rule(total, lambda w, x: (total(w, x), x.shape), stalls, jnp.ones((), jnp.bfloat16), x)
    assert verdict.kind in ("FAIL", "NOISE")


@pytest.mark.parametrize(
    ("at", "kind"), [([3e-4, -1e-3], "FAIL"), pytest.param([0.3, -1.0], "PASS", marks=pytest.mark.slow)]
)
def test_digits_that_cancel_in_the_arguments_own_precision_are_a_mistake(at, kind):
    def f(x):
        return jnp.sin(x) / x

    def bwd(x, g):  # right in exact arithmetic
        return (g * (jnp.cos(x) / x - jnp.sin(x) / x**2),)

    verdict = check_rule(f, lambda x: (f(x), x), bwd, jnp.array(at, jnp.float32))
    assert verdict.kind == kind and ("cancel" in verdict.cause) == (kind == "FAIL")


# Errors and the caller's own code


@pytest.mark.parametrize("which", ["f_fwd", "f_bwd"])
def test_what_raises_is_a_verdict_with_its_line(which):
    def raises(*_):
        raise ValueError("too many values")

    rule = (raises, sine_bwd) if which == "f_fwd" else (sine_fwd, raises)
    verdict = check_rule(jnp.sin, *rule, V)
    assert verdict.kind == "FAIL" and verdict.cause.startswith(f"{which} raises ValueError: too many values")
    assert verdict.line.startswith("raise ValueError")


def test_the_callers_statement_is_never_run_again():
    calls = []

    def noted(verdict):
        calls.append(verdict)
        return verdict

    v = noted(check_rule(lambda x: x**2, lambda x: (x**2, x), lambda x, g: (3 * x * g,), V))
    assert len(calls) == 1 and v.kind == "FAIL" and "`3` should be `2`" in v.cause


def test_the_second_derivative_is_that_of_the_rule_itself_where_autodiff_of_f_fails():
    def xlogy(x, y):
        return jax.scipy.special.xlogy(x, y)

    def bwd(residuals, g):
        x, y = residuals
        return g * jnp.log(y), g * x / y

    x, y = np.array([0.0, 0.5, 2.0]), np.array([0.5, 0.3, 1.5])
    assert check_rule(xlogy, lambda x, y: (xlogy(x, y), (x, y)), bwd, x, y).kind in ("PASS", "KINK")
