"""Tests for `jaxnn/trace/tape.py`: what is recorded, and where in the source it says that it stands."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.trace.tape import record


@jax.jit
def doubled(t):
    inner = jnp.sin(t)
    return inner * 2.0


def twice(x):
    first = doubled(x)
    second = doubled(first)
    return first * second


def recorded(f, *args, opened=lambda *_: True):
    return record(jax.make_jaxpr(f)(*args), [jnp.asarray(x) for x in args], opened)


def test_a_cached_function_stands_where_it_is_called():
    tape = recorded(twice, 1.0)
    called = [step.lines[1].text for step in tape.steps if len(step.lines) == 2 or step.lines[0].function == "doubled"]
    assert called == ["first = doubled(x)"] * 2 + ["second = doubled(first)"] * 2
    assert [step.lines[0].text for step in tape.steps[:2]] == ["inner = jnp.sin(t)", "return inner * 2.0"]


def test_a_library_function_has_no_lines_of_an_earlier_call():
    def f(x):
        a = jnp.where(x > 0, x, 0.0)
        return a + jnp.where(a > 1, a, 1.0)

    tape = recorded(f, np.ones(3))
    selects = [step.lines[0].text for step in tape.steps if step.name == "select_n"]
    assert selects == ["a = jnp.where(x > 0, x, 0.0)", "return a + jnp.where(a > 1, a, 1.0)"]


def test_values_are_those_of_the_function():
    def f(x):
        y = lax.scan(lambda h, t: (h * t, h + t), x, jnp.arange(1.0, 5.0), reverse=True)
        weighted = y[1] * jnp.arange(4.0)
        return y[0] + lax.cond(x > 1, jnp.sum, lambda v: v[0], weighted), lax.while_loop(lambda h: h < 9, jnp.square, x)

    for opened in (lambda *_: True, lambda *_: False):
        tape = recorded(f, 1.5, opened=opened)
        np.testing.assert_allclose([float(tape.read(atom)) for atom in tape.outputs], f(1.5), rtol=1e-14)


def test_a_number_of_an_array_becomes_the_output():
    tape = recorded(lambda x: x**2, np.arange(3.0))
    tape = tape.with_output(tape.outputs[0], (2,))
    assert float(tape.read(tape.outputs[0])) == 4
