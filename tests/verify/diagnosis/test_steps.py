"""Tests for `diagnosis/steps.py`: every assignment is seen as it stands in the source, and can be replaced."""

import gc
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify.diagnosis.steps import as_array, lines_run, record, rerun

X = np.array([1.0, 2.0])


def chain(x):
    y = 2 * x
    z = y + 1
    return z * y


def helper(x):
    inner = x**2
    return inner


def calls_a_helper(x):
    a = helper(x)
    return a + 1


def writes_into_an_array(x):
    out = np.zeros(2)
    out[0] = x[0]
    out += 10
    return out


def loops(x):
    for factor in (2.0, 3.0):
        x = x * factor
    return x


def unpacks(x):
    a, b = x + 1, x + 2
    return {"a": a, "b": [b]}


class Layer:
    def __call__(self, x):
        hidden = x * 5
        return hidden


def values(steps, name):
    return [step.value.tolist() for step in steps if step.name == name]


@pytest.mark.parametrize("x", [X, jnp.asarray(X)], ids=["numpy", "jax"])
def test_assignments_are_seen_in_order_with_their_values_and_lines(x):
    steps = record(chain, x)
    assert [step.name for step in steps if step.name != "x"] == ["y", "z", "return"]
    assert values(steps, "y") == [[2.0, 4.0]] and values(steps, "z") == [[3.0, 5.0]]
    assert values(steps, "return") == [[6.0, 20.0]]
    assert [step.line.text for step in steps if step.name in "yz"] == ["y = 2 * x", "z = y + 1"]
    assert all(step.line.file == __file__ for step in steps)
    assert [step.number for step in steps] == sorted({step.number for step in steps})


def test_what_a_garbage_collection_calls_is_not_seen():
    def callback(phase, info):
        now = 1.0
        return now

    def collects(x):
        garbage = [[i] for i in range(100_000)]
        return x if garbage else 0 * x

    gc.callbacks.append(callback)
    try:
        assert {step.name for step in record(collects, X)} == {"return"}
    finally:
        gc.callbacks.remove(callback)


def test_what_helpers_methods_and_closures_assign_is_seen():
    assert values(record(calls_a_helper, X), "inner") == [[1.0, 4.0]]
    assert values(record(Layer(), X), "hidden") == [[5.0, 10.0]]

    def closure(x):
        scaled = x * X
        return scaled

    assert values(record(closure, X), "scaled") == [[1.0, 4.0]]


def test_what_is_inside_of_jit_is_seen():
    assert values(record(jax.jit(chain), jnp.asarray(X)), "z") == [[3.0, 5.0]]


def test_an_array_that_is_written_into_is_seen_each_time():
    assert values(record(writes_into_an_array, X), "out") == [[0.0, 0.0], [1.0, 0.0], [11.0, 10.0]]


def test_each_round_of_a_loop_is_seen():
    assert values(record(loops, X), "x")[-2:] == [[2.0, 4.0], [6.0, 12.0]]


def test_the_leaves_of_what_is_returned_are_named_by_path():
    steps = record(unpacks, X)
    assert values(steps, "a") == [[2.0, 3.0]] and values(steps, "b") == [[3.0, 4.0]]
    assert values(steps, "return['a']") == [[2.0, 3.0]] and values(steps, "return['b'][0]") == [[3.0, 4.0]]


@pytest.mark.parametrize("x", [X, jnp.asarray(X)], ids=["numpy", "jax"])
@pytest.mark.parametrize(("name", "expected"), [("y", [101 * 100.0, 101 * 100.0]), ("z", [200.0, 400.0])])
def test_an_assignment_can_be_replaced(x, name, expected):
    (step,) = [step for step in record(chain, x) if step.name == name]
    found = rerun(chain, (x,), {step.key: np.array([100.0, 100.0])})
    np.testing.assert_array_equal(found, expected)
    assert type(found) is type(chain(x))


def test_one_round_of_a_loop_can_be_replaced():
    first = [step for step in record(loops, X) if step.name == "x"][-2]
    np.testing.assert_array_equal(rerun(loops, (X,), {first.key: np.array([1.0, 1.0])}), [3.0, 3.0])


def test_an_assignment_in_a_helper_can_be_replaced_and_keeps_its_dtype():
    x = jnp.asarray(X, jnp.float32)
    (step,) = [step for step in record(calls_a_helper, x) if step.name == "inner"]
    found = rerun(calls_a_helper, (x,), {step.key: np.array([7.0, 7.0])})
    assert found.dtype == "float32" and found.tolist() == [8.0, 8.0]


def test_without_a_replacement_nothing_changes_and_no_tracing_stays_on():
    before = sys.gettrace()
    np.testing.assert_array_equal(rerun(chain, (X,), {}), chain(X))
    assert sys.gettrace() is before


def test_an_error_is_the_functions_own_and_leaves_no_tracing_on():
    before = sys.gettrace()
    with pytest.raises(ZeroDivisionError):
        record(lambda x: 1 / 0, X)
    assert sys.gettrace() is before


@pytest.mark.parametrize("value", ["text", 3, None, np.array([1, 2]), jax.random.key(0), [1.0]])
def test_only_arrays_of_floating_point_numbers_are_steps(value):
    assert as_array(value) is None


def test_an_array_is_copied_to_float64():
    x = np.ones(2, np.float32)
    found = as_array(x)
    x[0] = 5
    assert found is not None and found.dtype == np.float64 and found.tolist() == [1.0, 1.0]
    assert as_array(jnp.bfloat16(1.5)).tolist() == 1.5


def test_the_lines_of_a_run_are_counted_up_to_a_limit():
    def f(rounds):
        for _ in range(rounds):
            np.sum([1.0])

    few, many = (lines_run(lambda n=n: f(n), 10**6) for n in (1, 10))
    assert few < many < 10**6
    assert lines_run(lambda: f(10**9), 1000) == 1000


def test_an_array_of_a_refused_class_ends_a_record():
    with pytest.raises(TypeError, match="return is a"):
        record(lambda x: x + 1, jnp.ones(2), refused=(jax.Array,))
