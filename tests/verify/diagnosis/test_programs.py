"""Tests for `diagnosis/programs.py`: what a run costs, and that nothing is tried where it costs too much."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.diagnosis.programs import HEAVY, Change, Program, Work, as_numpy
from jaxnn.verify.diagnosis.repair import by_value
from jaxnn.verify.diagnosis.steps import record

X = np.array([1.0, 2.0])


def doubled(x):
    y = x + x + 1
    return y


def of_its_own(x):
    """Take what only JAX has, so that NumPy cannot run it."""
    y = jax.scipy.special.i0e(x)
    return y


def wrong(output):
    return ~np.isclose(np.asarray(output), 2 * X)


def program(f, x, work):
    return as_numpy(Program(f, [((x,), wrong)], work=Work(work)), record(f, x))


def test_a_run_in_jax_weighs_more_than_one_in_numpy():
    in_numpy, in_jax = (program(f, jnp.asarray(X), 10**8) for f in (doubled, of_its_own))
    assert in_numpy.in_numpy and not in_jax.in_numpy
    assert 0 < in_numpy.lines < in_jax.lines / 10


def test_jax_code_of_python_floats_is_no_numpy_code():
    assert not program(lambda x: jax.scipy.special.i0e(x), 0.5, 10**8).in_numpy


def test_a_function_that_takes_too_many_lines_is_not_searched():
    step = record(doubled, X)[-1]
    enough, heavy = program(doubled, X, 10**8), program(doubled, X, HEAVY)
    assert by_value(enough, step, 2 * X).proven
    assert heavy.work.left == 0 and by_value(heavy, step, 2 * X) is None


def test_what_is_run_is_counted_until_nothing_is_left():
    work = Work(10)
    assert work.takes(6) and not work.takes(6)
    assert list(work.while_left([1, 2])) == []
    change = Change(record(doubled, X)[-1].line, None, None, ())
    assert not Program(doubled, [((X / 2,), wrong)], work=work).is_right_with([change])
