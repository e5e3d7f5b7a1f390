"""Tests for `jaxnn/trace/formulas.py`: every formula evaluated, beside JAX's value and slope at a point."""

import ast
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy import special

from jaxnn.trace import explain
from jaxnn.trace.formulas import OPERANDS, RULES, rule

FUNCTIONS = {
    name: getattr(jnp, name) for name in ("sqrt cbrt exp log sin cos tan sinh cosh tanh abs sign floor".split())
}
FUNCTIONS |= {name: getattr(jnp, f"arc{name[1:]}") for name in "asin acos atan asinh acosh atanh".split()}
FUNCTIONS |= {"atan2": jnp.arctan2, "sigmoid": jax.nn.sigmoid, "ceil": jnp.ceil, "round": jnp.round, "max": jnp.maximum}
FUNCTIONS |= {"min": jnp.minimum, "rem": jnp.fmod, "trunc": jnp.trunc, "pi": np.pi, "stop_gradient": lambda x: x}
FUNCTIONS |= {name: getattr(special, name) for name in ("erf", "erfc", "digamma", "polygamma")}
FUNCTIONS |= {"lgamma": special.gammaln, "erf_inv": special.erfinv, "where": jnp.where, "real": lambda x: x}

ONE = (
    "neg square sqrt rsqrt cbrt exp exp2 expm1 log log1p sin cos tan asin acos atan sinh cosh tanh asinh atanh".split()
)
ONE += "logistic erf erfc erf_inv lgamma digamma abs sign floor ceil round stop_gradient".split()
TWO = "add sub mul div rem pow atan2".split()
POINTS = {"acosh": (1.7,)}


def evaluated(expression, operands, out):
    return eval(expression, {**FUNCTIONS, **dict(zip(OPERANDS, operands, strict=False)), "out": out})


@pytest.mark.parametrize("name", [*ONE, *TWO, "acosh"])
def test_formulas_are_what_jax_computes(name):
    point = POINTS.get(name, (0.37, 1.4)[: 1 + (name in TWO)])
    rounding = [lax.RoundingMethod.TO_NEAREST_EVEN] if name == "round" else []
    point = tuple(jnp.float64(p) for p in point)

    def f(*x):
        return getattr(lax, name)(*x, *rounding)

    out = f(*point)
    result, slopes = rule(name, {}, len(point))
    assert float(evaluated(result, point, out)) == pytest.approx(float(out), rel=1e-12)
    assert len(slopes) == len(point)
    for i, slope in enumerate(slopes):
        expected = float(jax.grad(f, argnums=i)(*point))
        assert float(evaluated(slope, point, out)) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("power", [-2, -1, 1, 2, 3])
def test_whole_powers(power):
    result, (slope,) = rule("integer_pow", {"y": power}, 1)
    assert evaluated(result, (1.7,), None) == pytest.approx(1.7**power)
    assert evaluated(slope, (1.7,), None) == pytest.approx(power * 1.7 ** (power - 1))


def test_every_formula_is_an_expression_over_its_operands():
    for name, expressions in RULES.items():
        for expression in expressions:
            names = {node.id for node in ast.walk(ast.parse(expression or "0")) if isinstance(node, ast.Name)}
            words = re.findall(r"{(\w+)}", expression)
            used = {n for n in names if len(n) == 1} | set(words)
            assert used <= {*OPERANDS[: max(3, len(expressions))], "out"}, f"{name}: {expression}"


def test_about_forty_primitives_have_formulas():
    assert len([name for name, (_, *slopes) in RULES.items() if any(slopes)]) >= 40


@pytest.mark.parametrize(
    "f, text",
    [
        (lambda x: jnp.where(x > 1, x, 0.0), "where(x > 1, x, 0)"),
        (lambda x: x[1], "x[1]"),
        (lambda x: jnp.maximum(x, 2.0), "max(x, 2)"),
        (lambda x: 1 / x, "1/x"),
        (lambda x: x - -2.0, "x - (-2)"),
        (lambda x: jax.nn.sigmoid(x), "sigmoid(x)"),
    ],
)
def test_formulas_of_functions(f, text):
    x = np.array([0.5, 1.5])
    explanation = explain(lambda x: jnp.sum(f(x)), x)
    texts = [row.formula.text for row in explanation.rows if row.formula]
    assert text in texts or f"slice({text[0]})" in texts


@pytest.mark.parametrize("f", [jax.nn.relu, jax.nn.relu6, jax.nn.silu])
@pytest.mark.parametrize("x", [-1.3, 0.7, 6.5])
def test_functions_of_jax_have_formulas_too(f, x):
    row = explain(lambda x: f(x) * 1.0, x).rows[1]
    assert row.formula.text == f"{f.__name__}(x)"
    (slope,) = RULES[f"jax.{f.__name__}"][1:]
    assert row.slopes[0].formula
    if "where" not in slope:
        assert float(evaluated(slope, (x,), row.value)) == pytest.approx(float(jax.grad(f)(x)), rel=1e-9)


def test_a_function_of_the_users_by_the_same_name_has_none():
    @jax.custom_jvp
    def relu(x):
        return jnp.maximum(x, 0.0) ** 2

    relu.defjvp(lambda x, t: (relu(*x), 2 * x[0] * t[0]))
    (slope,) = explain(lambda x: relu(x) * 1.0, 3.0).rows[1].slopes
    assert slope.formula is None
    assert slope.value == 6
