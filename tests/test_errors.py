"""The checks: what they let through, what they refuse, and that the message says all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import errors
from jaxnn.errors import InvalidArgument


def test_all_are_value_errors():
    assert all(issubclass(e, ValueError) for e in (InvalidArgument, errors.Diverged, errors.DataFileError))


def test_the_message_names_the_argument_what_was_seen_and_what_was_expected():
    with pytest.raises(InvalidArgument, match=r"^rate: got 2, expected less than 1$"):
        errors.require(False, "rate", 2, "less than 1")
    errors.require(True, "rate", 2, "less than 1")


@pytest.mark.parametrize("value", [1, 7, np.int32(2), np.uint8(3)])
def test_positive_whole_numbers(value):
    errors.check_positive_int("n", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, np.True_, "3", None, float("nan"), np.array(3), [3]])
def test_no_positive_whole_numbers(value):
    with pytest.raises(InvalidArgument, match="^n: got .*expected a whole number of at least 1"):
        errors.check_positive_int("n", value)


@pytest.mark.parametrize("value", [1, 0.5, np.float32(2), np.int64(2), 1e-300])
def test_positive_numbers(value):
    errors.check_positive("rate", value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "1", None])
def test_no_positive_numbers(value):
    with pytest.raises(InvalidArgument, match="^rate: got .*expected a finite number above 0"):
        errors.check_positive("rate", value)


@pytest.mark.parametrize("expected", [(2, 3), ("n", 3), (2, "d"), ("n", "d")])
def test_shapes_that_fit(expected):
    for x in (np.ones((2, 3)), jnp.ones((2, 3)), [[1, 2, 3], [4, 5, 6]]):
        errors.check_shape("x", x, expected)


@pytest.mark.parametrize(
    ("shape", "expected", "message"),
    [
        ((2, 3), (3, 2), r"x: got shape \(2, 3\), expected shape \(3, 2\)"),
        ((2, 3), ("n", 2), r"x: got shape \(2, 3\), expected shape \(n, 2\)"),
        ((2,), ("n", "d"), r"x: got shape \(2,\), expected shape \(n, d\)"),
        ((2, 3), ("n",), r"x: got shape \(2, 3\), expected shape \(n,\)"),
        ((0, 3), ("n", 3), r"x: got shape \(0, 3\), expected shape \(n, 3\)"),
        ((), (1,), r"x: got shape \(\), expected shape \(1,\)"),
    ],
)
def test_shapes_that_do_not_fit(shape, expected, message):
    with pytest.raises(InvalidArgument, match=f"^{message}$"):
        errors.check_shape("x", np.ones(shape), expected)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[0, 1], [np.nan, np.inf]], r"x: got nan at index \(1, 0\), expected finite numbers only"),
        ([0, -np.inf], r"x: got -inf at index \(1,\)"),
        (np.nan, r"x: got nan at index \(\)"),
        (jnp.array([1, jnp.nan], jnp.bfloat16), r"x: got nan at index \(1,\)"),
    ],
)
def test_what_is_not_finite_is_found(bad, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        errors.check_finite("x", bad)


@pytest.mark.parametrize("fine", [[1, 2], np.array(["a"]), np.array([], float), jnp.array([1, 2], jnp.uint8), 3.0])
def test_what_is_finite_passes(fine):
    errors.check_finite("x", fine)


def test_inside_jit_shapes_are_checked_and_values_are_not():
    def checks(x, y):
        errors.check_finite("x", x)
        errors.check_labels("y", y, 3)
        errors.check_shape("x", x, ("n",))
        return x

    assert jnp.isnan(jax.jit(checks)(jnp.array([jnp.nan]), jnp.array([7]))).all()
    with pytest.raises(InvalidArgument, match="^x: got shape"):
        jax.jit(checks)(jnp.ones((2, 2)), jnp.array([7]))
    with pytest.raises(InvalidArgument, match="^y: got dtype"):
        jax.jit(checks)(jnp.ones(2), jnp.array([7.0]))


def test_labels_at_the_ends_of_their_range():
    errors.check_labels("y", np.array([0, 9]), 10)
    for wrong in (-1, 10):
        with pytest.raises(
            InvalidArgument, match=rf"^y: got {wrong} at index \(1,\), expected whole numbers in 0\.\.9$"
        ):
            errors.check_labels("y", np.array([0, wrong]), 10)


def test_float64_only_where_jax_is_set_up_for_it():
    errors.check_dtype("dtype", jnp.float64)
    with jax.enable_x64(False):
        errors.check_dtype("dtype", jnp.float32)
        with pytest.raises(InvalidArgument, match="^dtype: got float64, of which JAX would make float32"):
            errors.check_dtype("dtype", jnp.float64)


@pytest.mark.parametrize("key", [0, None, jnp.arange(2), "key"])
def test_what_is_no_random_key_is_refused(key):
    with pytest.raises(InvalidArgument, match="^key: got"):
        errors.check_key("key", key)


@pytest.mark.parametrize("key", [jax.random.key(0), jax.random.PRNGKey(0)])
def test_random_keys_of_both_makes_are_taken(key):
    errors.check_key("key", key)


@pytest.mark.parametrize("y", [[0.0, 1.5], [-0.1], [float("nan")]])
def test_what_is_no_probability_is_refused(y):
    with pytest.raises(InvalidArgument, match="^y: got"):
        errors.check_probabilities("y", np.array(y))
