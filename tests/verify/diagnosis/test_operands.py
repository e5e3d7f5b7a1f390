"""Tests for `diagnosis/operands.py`: of a wrong line's parts, those that are right values are told from the rest."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.adjoints import nodes
from jaxnn.verify.diagnosis.operands import made_of
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.steps import record
from jaxnn.verify.diagnosis.targets import Targets

RNG = np.random.default_rng(2)
W, X = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3))


def loss(leaves):
    z = X @ leaves[0]
    a = jnp.tanh(z)
    return jnp.sum(a**2 * jnp.cos(z))


def grad(w):
    z = X @ w
    a = jnp.tanh(z)
    da = 2 * a * jnp.cos(z)
    wrong = 3.1 * z
    dz_product = da * wrong
    dz_missing = da * a
    dz_sum = da + wrong
    dz_call = jnp.hypot(a, z)
    dz_unknown = jnp.exp(wrong)
    return dz_product + dz_missing + dz_sum + dz_call + dz_unknown


TARGETS = Targets(nodes(loss, [W], ["W"]), {"W": W}, (W,))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dz_product", "`da` is right, so the factor `wrong` is not"),
        ("dz_missing", "`da` and `a` are right, their product is not"),
        ("dz_sum", "`da` is right, so the term `wrong` is not"),
        ("dz_call", "`a` and `z` are right, what is made of them is not"),
        ("dz_unknown", ""),
    ],
)
def test_what_is_right_and_what_is_not_is_said(name, says):
    (step,) = [step for step in record(grad, jnp.asarray(W)) if step.name == name]
    found = made_of(Program(grad, [((jnp.asarray(W),), lambda output: True)]), step, TARGETS)
    assert found.startswith(says) if says else found == ""


def test_of_a_lambda_within_a_callers_statement_the_statement_is_not_run_again():
    calls = []

    def run(thunk):
        calls.append(1)
        return thunk()

    verdict = run(lambda: check(lambda p, x: jnp.sum(x) + jnp.abs(p), lambda p, x: 0.3 + 0 * p, jnp.ones(()), X))
    assert verdict.kind == "FAIL" and len(calls) == 1
