"""Tests for `diagnosis/repair.py`: the change that makes a wrong line right, found by evaluating it in its place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.repair import by_value
from jaxnn.verify.diagnosis.search import by_running
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


class Sums:
    def backward(self, x, g):
        self.d = np.zeros((3, 2))
        for row, seed in zip(x, g, strict=True):
            self.d = np.outer(row, seed)
        return self.d


def far_from_its_line(x, g):
    turned = x[::-1]
    d = turned.T @ g
    return d


def a_loop_the_wrong_way_round(x, g):
    d = np.zeros((3, 2))
    for k, row in enumerate(reversed(list(x))):
        d += np.outer(row, g[k])
    return d


def a_loop_that_may_not_end(x, g):
    d, k = np.zeros((3, 2)), 0
    while k < len(x):
        d -= np.outer(x[k], g[k])
        k += 1
    return d


def found_by_running(f, name="d"):
    steps = [step for step in record(f, X, G) if step.name == name or step.name.endswith(f".{name}")]
    return by_running(Program(f, [((X, G), wrong)]), steps[-1:])


def test_a_line_in_a_loop_is_changed_by_running_it_again():
    found = found_by_running(Sums().backward)
    assert found.line.text == "self.d = np.outer(row, seed)" and "`+=`" in found.why


def test_a_loop_is_walked_the_other_way_round():
    found = found_by_running(a_loop_the_wrong_way_round)
    assert found.line.text.startswith("for k, row in") and found_by_running(a_loop_that_may_not_end) is None


def test_lines_before_are_tried_too():
    steps = [step for step in record(far_from_its_line, X, G) if step.name in ("turned", "d")]
    found = by_running(Program(far_from_its_line, [((X, G), wrong)]), steps[:1])
    assert found.line.text == "turned = x[::-1]"


def test_the_function_is_left_as_it_was():
    code = far_from_its_line.__code__
    test_lines_before_are_tried_too()
    assert far_from_its_line.__code__ is code


def test_a_verdict_says_what_to_write():
    def grad(w, x, g):
        h = jnp.tanh(x @ w)
        dz = g * (1 - h)
        return x.T @ dz

    verdict = check(lambda w, x, g: jnp.sum(jnp.tanh(x @ w) * g), grad, RNG.normal(size=(3, 2)), X, G)
    assert verdict.line.startswith("dz = g * (1 - h)") and "`h ** 2`" in verdict.cause
