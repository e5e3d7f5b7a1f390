"""Tests for `jaxnn/verify/rules/forms.py`: every form that JAX takes is judged as one (expected: on paper)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_derivatives import SymbolicZero

from jaxnn.errors import InvalidArgument
from jaxnn.verify import check_rule, survey
from jaxnn.verify.rules.forms import read

X = jnp.array([0.3, -1.2, 2.0])


def cube(x):
    return x**3


def cube_fwd(x):
    return x**3, x


def decorated(slope):
    rule = jax.custom_vjp(cube)
    rule.defvjp(cube_fwd, lambda x, g: (g * slope(x),))
    return rule


def right(x):
    return 3 * x**2


def wrong(x):
    return 2 * x**2


def by_tangents(slope):
    rule = jax.custom_jvp(cube)
    rule.defjvp(lambda primals, tangents: (cube(*primals), slope(*primals) * tangents[0]))
    return rule


def by_gradient(slope):
    return jax.custom_gradient(lambda x: (cube(x), lambda g: g * slope(x)))


def with_symbolic_zeros(slope):
    rule = jax.custom_vjp(cube)
    rule.defvjp(lambda x: (cube(x.value), x.value), lambda x, g: (g * slope(x),), symbolic_zeros=True)
    return rule


FORMS = [
    pytest.param(decorated, id="vjp"),
    pytest.param(by_tangents, id="jvp"),
    pytest.param(by_gradient, id="gradient", marks=pytest.mark.slow),
    pytest.param(with_symbolic_zeros, id="symbolic zeros", marks=pytest.mark.slow),
    pytest.param(lambda slope: jax.jit(decorated(slope)), id="jit", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_decorated_rule_is_held_against_the_function_under_it(form):
    assert check_rule(form(right), X).kind == "PASS"
    assert check_rule(form(wrong), X).kind == "FAIL"


def test_a_decorated_function_given_with_its_own_two_is_no_witness_of_itself():
    assert check_rule(decorated(wrong), cube_fwd, lambda x, g: (g * wrong(x),), X).kind == "FAIL"


def scaled(f, x, power):
    return f(x) ** power


def scaled_fwd(f, x, power):
    return scaled(f, x, power), x


def scaled_bwd(f, power, x, g):
    return (g * power * f(x) ** (power - 1) * jnp.cos(x),)


@pytest.mark.slow
def test_fixed_arguments_come_first_in_the_backward_and_have_no_cotangent():
    rule = jax.custom_vjp(scaled, nondiff_argnums=(0, 2))
    rule.defvjp(scaled_fwd, scaled_bwd)
    assert check_rule(rule, jnp.sin, X, 2).kind == "PASS"
    assert check_rule(scaled, scaled_fwd, scaled_bwd, jnp.sin, X, 2, nondiff_argnums=(0, 2)).kind == "PASS"
    bound = functools.partial(rule, jnp.sin)
    assert check_rule(bound, X, 2).kind == "PASS"
    rule.defvjp(scaled_fwd, lambda f, power, x, g: (g * power * f(x) ** (power - 1),))
    assert check_rule(rule, jnp.sin, X, 2).kind == "FAIL"


@pytest.mark.parametrize(
    ("factor", "kind"),
    [(1, "PASS"), pytest.param(-1, "FAIL", marks=pytest.mark.slow), pytest.param(1j, "FAIL", marks=pytest.mark.slow)],
)
def test_complex_numbers_follow_the_convention_of_jax(factor, kind):
    z = jnp.array([0.3 + 0.4j, -1.0 + 0.2j])
    rule = (lambda z: z**2, lambda z: (z**2, z), lambda z, g: (factor * g * 2 * z,))
    assert check_rule(*rule, z).kind == kind


@pytest.mark.slow
def test_the_modulus_is_real_of_complex_numbers():
    z = jnp.array([0.3 + 0.4j, -1.0 + 0.2j])
    # JAX: of a real loss the gradient is that by the real part minus i times that by the imaginary, 2 conj(z) here.
    right, wrong = (lambda z, g, f=f: (g * 2 * f(z),) for f in (jnp.conj, lambda z: z))
    square = lambda z: jnp.real(z * jnp.conj(z))  # noqa: E731
    assert check_rule(square, lambda z: (square(z), z), right, z).kind == "PASS"
    assert check_rule(square, lambda z: (square(z), z), wrong, z).kind == "FAIL"


@pytest.mark.slow
def test_a_survey_takes_a_rule():
    cases = [(X,), (X[:1],)]
    assert survey(decorated(right), cases).note.endswith("cases: 2 PASS")
    assert survey(decorated(wrong), cases).kind == "FAIL"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (cube, "rule: got .*, expected a function decorated"),
        (jax.custom_vjp(cube), "rule: got a function without a rule, expected rule.defvjp"),
        (jax.custom_jvp(cube), "rule: got a function without a rule, expected rule.defjvp"),
    ],
)
def test_what_is_no_rule_is_refused(rule, message):
    with pytest.raises(InvalidArgument, match=message):
        check_rule(rule, X)


def test_arguments_may_be_none_and_so_may_their_cotangents():
    def dense(x, w, b):
        return x @ w if b is None else x @ w + b[None]

    def bwd(residuals, g):
        x, w = residuals
        return g @ w.T, x.T @ g, None

    x, w = np.eye(3)[:2], np.arange(6.0).reshape(3, 2)
    assert check_rule(dense, lambda x, w, b: (dense(x, w, b), (x, w)), bwd, x, w, None).kind == "PASS"
    verdict = check_rule(dense, lambda x, w, b: (dense(x, w, b), (x, w)), bwd, x, w, np.ones(2))
    assert verdict.kind == "FAIL" and "None" in verdict.cause


def of_two_outputs(forgets):
    """A rule of (x y, sin x) in which the second output's cotangent is lost where none comes for the first."""
    rule = jax.custom_vjp(lambda x, y: (x * y, jnp.sin(x)))

    def bwd(residuals, cotangents):
        (x, y), (a, b) = residuals, cotangents
        dx = dy = jnp.zeros_like(x)
        if not isinstance(a, SymbolicZero):
            dx, dy = a * y, a * x
        elif forgets:
            return dx, dy
        return (dx if isinstance(b, SymbolicZero) else dx + b * jnp.cos(x)), dy

    def fwd(x, y):
        return (x.value * y.value, jnp.sin(x.value)), (x.value, y.value)

    rule.defvjp(fwd, bwd, symbolic_zeros=True)
    return rule


def test_a_rule_with_symbolic_zeros_is_called_as_jax_calls_it():
    # JAX's own vjp is the witness: a fixed argument comes first, a whole number is not perturbed, and for an output
    # without a cotangent a symbolic zero comes.
    seen = []

    def fwd(power, x, k):
        seen.append((x.perturbed, k.perturbed))
        return (x.value**power, k.value), x.value

    def bwd(power, x, cotangents):
        seen.append([isinstance(g, SymbolicZero) for g in cotangents])
        return cotangents[0] * power * x ** (power - 1), None

    rule = jax.custom_vjp(lambda power, x, k: (x**power, k), nondiff_argnums=(0,))
    rule.defvjp(fwd, bwd, symbolic_zeros=True)
    k, zero = jnp.arange(3), np.zeros(3, jax.dtypes.float0)
    (expected,) = jax.vjp(lambda x: rule(3, x, k)[0], X)[1](jnp.ones_like(X))
    by_jax, seen[:] = list(seen), []
    found, args = read(rule, (3, X, k))
    out, residuals = found.f_fwd(*args)
    fixed, cotangent, none = found.f_bwd(residuals, (jnp.ones_like(X), zero))
    np.testing.assert_array_equal(cotangent, expected)
    assert (fixed, none) == (None, None) and seen == by_jax == [(True, False), [False, True]]


@pytest.mark.slow
def test_each_output_alone_is_pulled_back_where_zeros_are_symbolic():
    assert check_rule(of_two_outputs(forgets=False), X, X + 1)
    verdict = check_rule(of_two_outputs(forgets=True), X, X + 1)
    assert verdict.kind == "FAIL" and "for one output alone" in verdict.note
