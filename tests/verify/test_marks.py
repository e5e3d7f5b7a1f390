"""Tests for `jaxnn/verify/marks.py`: the variables of a traced function are found in its jaxpr."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.marks import is_mark, marked_program

X = jnp.array([1.0, 2.0])


def values(f):
    program, places = marked_program(f, X)
    env = jaxprs.run(program, [X])
    return program, [(key[1], np.asarray(env[slot]).tolist()) for slot, key in places.items()]


def test_every_assignment_is_a_slot_of_its_own():
    def f(x):
        y = x * 2
        z = y
        return z + 1

    program, found = values(f)
    assert found == [("y", [2.0, 4.0]), ("z", [2.0, 4.0]), ("return", [3.0, 5.0])]
    assert sum(map(is_mark, program.equations)) == 3


def test_compiled_functions_and_scans_are_opened():
    @jax.jit
    def doubled(x):
        twice = x * 2
        return twice

    def f(x):
        return jax.lax.scan(lambda carry, _: (doubled(carry), None), x, None, length=2)[0]

    assert [value for name, value in values(f)[1] if name == "twice"] == [[2.0, 4.0], [4.0, 8.0]]


def test_a_loop_of_unknown_length_stays_closed():
    def f(x):
        y = jax.lax.while_loop(lambda v: jnp.sum(v) < 10, lambda v: v * 2, x)
        return y

    assert ("y", [4.0, 8.0]) in values(f)[1]
