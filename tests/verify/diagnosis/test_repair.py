"""Tests for `diagnosis/repair.py`: the change that makes a wrong line right, found by evaluating it in its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.repair import by_value
from jaxnn.verify.diagnosis.steps import record

RNG = np.random.default_rng(5)
X, G = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 2))


def plain(x, g):
    n = len(x)
    d = x.T @ g * n
    return d


def written_into(x, g):
    out = {}
    out["W"] = x.T @ g[::-1]
    return out


def returned(x, g):
    return {"W": x.T @ -g}


def added_to(x, g):
    d = 0 * x.T @ g
    d -= x.T @ g
    return d


def wrong(output):
    (found,) = jax.tree.leaves(output)
    return not np.allclose(found, X.T @ G)


def changed(f, args, name):
    """Return what to change in the last line that assigns to `name`, so that it is X.T @ G."""
    (step,) = [step for step in record(f, *args) if step.name == name][-1:]
    found = by_value(Program(f, [(args, wrong)]), step, X.T @ G)
    return found.why if found else ""


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
@pytest.mark.parametrize(
    ("f", "name", "why"),
    [
        (plain, "d", "the factor `n` is too much"),
        (written_into, "out['W']", "`g[::-1]`"),
        (returned, "return['W']", "the sign of `-g` is wrong"),
    ],
)
def test_the_change_is_said(array, f, name, why):
    assert why in changed(f, (array(X), array(G)), name)


def test_an_augmented_assignment_is_changed_as_a_whole():
    assert "`d - x.T @ g` should be `d + x.T @ g`" in changed(added_to, (jnp.asarray(X), jnp.asarray(G)), "d")


def test_what_numpy_has_written_over_is_remembered():
    assert "`d - x.T @ g` should be `d + x.T @ g`" in changed(added_to, (X, G), "d")


def test_a_line_of_which_nothing_is_right_is_written_anew():
    def far(x, g):
        d = jnp.cumsum(x.T @ g) * jnp.ones((3, 2)) if x.ndim == 1 else jnp.cos(x.T @ jnp.cumsum(g, axis=0))
        return d

    assert "should be `(x.T @ g)`" in changed(far, (jnp.asarray(X), jnp.asarray(G)), "d")


def test_what_no_single_change_makes_right_has_none():
    def far(x, g):
        d = jnp.cumsum(x.T @ g)
        return d

    args = (jnp.asarray(X), jnp.asarray(G))
    (step,) = [step for step in record(far, *args) if step.name == "d"]
    unrelated = np.random.default_rng(5).normal(size=step.value.shape)
    assert by_value(Program(far, [(args, wrong)]), step, unrelated) is None


def test_a_verdict_says_what_to_write():
    def grad(w, x, g):
        h = jnp.tanh(x @ w)
        dz = g * (1 - h)
        return x.T @ dz

    verdict = check(lambda w, x, g: jnp.sum(jnp.tanh(x @ w) * g), grad, RNG.normal(size=(3, 2)), X, G)
    assert verdict.line.startswith("dz = g * (1 - h)") and "`h ** 2`" in verdict.cause


def test_a_number_that_is_computed_in_another_line_scales_what_is_missing():
    def backward(x, g):
        dx = (x[0] @ x[1] - 3) * x[0]
        d = np.zeros(2)
        return dx[:2] + d

    def wrong(output):
        return ~np.isclose(output, (X[0] @ X[1] - 3) * (X[0, :2] + G[0]))

    (step,) = [step for step in record(backward, X, G) if step.name == "d"]
    found = by_value(Program(backward, [((X, G), wrong)]), step, (X[0] @ X[1] - 3) * G[0])
    assert found and found.proven and "`(x[0] @ x[1] - 3) * " in found.why
