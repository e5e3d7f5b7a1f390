"""Tests for `diagnosis/replay.py`: compiled or line by line, a replay gives what the function itself gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify.diagnosis.replay import line_by_line, replay

X = np.array([1.0, 2.0])


def chain(x):
    y = 2 * x
    z = y + 1
    return [z * y, z]


class Layer:
    def backward(self, x):
        self.dx = 3 * x


def kept(x):
    layer, found = Layer(), []
    layer.backward(x)
    found.append(layer.dx + 1)
    return found


def scanned(x):
    def body(carry, _):
        grown = carry * 2
        return grown, None

    return [jax.lax.scan(body, x, None, length=3)[0]]


def branching(x):
    y = x * 3 if x[0] > 0 else x
    return [y]


@pytest.mark.parametrize("how", [replay, line_by_line])
@pytest.mark.parametrize("f", [chain, kept, scanned, branching])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_without_replacements_it_gives_the_functions_own_result(how, f, array):
    found = how(f, (array(X),), lambda out: out).outputs({})
    for got, expected in zip(found, f(array(X)), strict=True):
        np.testing.assert_allclose(got, expected)


@pytest.mark.parametrize("how", [replay, line_by_line])
@pytest.mark.parametrize(
    ("f", "name", "expected"),
    [
        (chain, "y", [[110.0, 110.0], [11.0, 11.0]]),
        (chain, "z", [[20.0, 40.0], [10.0, 10.0]]),
        (kept, "self.dx", [[11.0, 11.0]]),
        (kept, "found[0]", [[10.0, 10.0]]),
        (scanned, "grown", [[40.0, 40.0]]),
        (branching, "y", [[10.0, 10.0]]),
    ],
)
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_an_assignment_can_be_replaced(how, f, name, expected, array):
    backward = how(f, (array(X),), lambda out: out)
    first = next(step for step in backward.steps if step.name == name)
    found = backward.outputs({first.key: np.array([10.0, 10.0])})
    np.testing.assert_allclose(found, expected)


def test_both_ways_see_the_same_steps():
    for f in (chain, kept):
        one, two = (how(f, (jnp.asarray(X),), lambda out: out).steps for how in (replay, line_by_line))
        mine, other = (
            [(s.key, s.value.tolist()) for s in steps if "lambda" not in s.line.function] for steps in (one, two)
        )
        assert mine == other and len(mine) > 3


def test_the_arguments_stay_as_they_are():
    def f(p):
        q = dict(p)
        w = p["w"] * 2
        return [w + q["w"]]

    params = {"w": jnp.asarray(X)}
    backward = replay(f, (params,), lambda out: out)
    for step in backward.steps:
        backward.outputs({step.key: 0 * step.value})
    np.testing.assert_array_equal(params["w"], X)
