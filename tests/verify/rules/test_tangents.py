"""Tests for `rules/tangents.py`: a wrong `custom_jvp` rule is named by its own line, and the patch mends it."""

import functools

import jax
import jax.numpy as jnp
import pytest
from jax.core import Tracer

from jaxnn.verify import check_rule

X, W = jnp.array([0.3, -0.7, 1.1]), jnp.array([1.0, 2.0, 0.5])


@jax.custom_jvp
def squashed(x, w):
    return jnp.tanh(x) * w


@squashed.defjvp
def squashed_jvp(primals, tangents):
    x, w = primals
    dx, dw = tangents
    t = jnp.tanh(x)
    dout = w * (1 - t) * dx + t * dw
    return t * w, dout


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def powers(n, x, labels):
    return {"power": x**n, "labels": labels + 1, "sine": jnp.sin(x)}


@powers.defjvp
def powers_jvp(n, primals, tangents):
    x, labels = primals
    dx, none = tangents
    steep = (n - 1) * x ** (n - 1) * dx
    return powers(n, x, labels), {"power": steep, "labels": none, "sine": jnp.cos(x) * dx}


@jax.custom_jvp
def product(x, y):
    return x * y


product.defjvps(
    lambda dx, out, x, y: y * dx,
    lambda dy, out, x, y: y * dy,
)


@pytest.mark.parametrize(
    ("rule", "args", "line", "mended"),
    [
        (squashed, (X, W), "dout = w * (1 - t) * dx + t * dw", "(1 - t ** 2)"),
        (powers, (3, X, jnp.array([1, 2])), "steep = (n - 1) * x ** (n - 1) * dx", "(n) * x ** (n - 1)"),
        (product, (X, W), "lambda dy, out, x, y: y * dy", "x * dy"),
    ],
)
def test_a_wrong_rule_of_tangents_has_its_line_and_patch(rule, args, line, mended):
    verdict = check_rule(rule, *args)
    assert verdict.kind == "FAIL" and line in verdict.line
    assert mended in verdict.patch


def test_a_rule_that_only_runs_at_its_point_has_its_verdict_all_the_same():
    def f(x):
        if not isinstance(x, Tracer) and float(x) != 2.0:
            raise ValueError("not here")
        return x**2

    rule = jax.custom_jvp(f)
    rule.defjvp(lambda primals, tangents: (primals[0] ** 2, primals[0] * tangents[0]))
    verdict = check_rule(rule, jnp.array(2.0))
    assert verdict.kind == "FAIL" and "ValueError: not here" in verdict.note
