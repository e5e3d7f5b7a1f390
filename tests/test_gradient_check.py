"""Tests for `jaxnn/gradient_check.py`: what training with `verify` finds that a check beforehand does not.

The batch that is checked is held against those that a gradient is really given, which it writes down as it runs.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import fit
from jaxnn.epochs import Training, first_batch
from jaxnn.errors import InvalidArgument, WrongGradient
from jaxnn.feeding import first_block
from jaxnn.networks import linear

KEY = jax.random.key(3)
X = np.random.default_rng(0).normal(size=(10, 2))
Y = X @ np.array([[1.0], [-2.0]]) + 3


def training(value_and_grad=linear.value_and_grad, **options):
    return fit(value_and_grad, linear.init(KEY, 2, dtype=float), optax.sgd(0.1), (X, Y), **{"epochs": 7} | options)


def wrong_beyond(bias):
    """Return a gradient that is right until the bias has come that far."""

    def value_and_grad(params, x, y):
        loss, grads = linear.value_and_grad(params, x, y)
        return loss, grads | {"W1": grads["W1"] * jnp.where(params["b1"][0] > bias, 1.5, 1.0)}

    return value_and_grad


def test_a_mistake_of_late_weights_stops_the_run_with_the_last_good_ones():
    with pytest.raises(WrongGradient, match="FAIL: W1") as stopped:
        training(wrong_beyond(2.4), epochs=40, verify=4)
    done = len(stopped.value.history["loss"])
    assert done in (4, 8) and f"before epoch {done + 5}:" in str(stopped.value)  # the second point is a little ahead
    assert stopped.value.verdict.kind == "FAIL"
    good = training(epochs=done)
    jax.tree.map(np.testing.assert_array_equal, stopped.value.params, good.params)
    np.testing.assert_array_equal(stopped.value.history["loss"], good.history["loss"])


def test_a_mistake_that_is_there_at_once_stops_before_the_first_epoch():
    with pytest.raises(WrongGradient, match="before epoch 1:") as stopped:
        training(wrong_beyond(-1.0), verify=100)
    assert stopped.value.history == {}
    jax.tree.map(np.testing.assert_array_equal, stopped.value.params, linear.init(KEY, 2, dtype=float))


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 3, "key": KEY},
        pytest.param({"batch_size": 2, "key": KEY, "block_size": 4, "progress_every": 2}, marks=pytest.mark.slow),
        pytest.param({"progress_every": 2}, marks=pytest.mark.slow),
    ],
)
def test_it_changes_nothing_where_the_gradient_is_right(options):
    jax.tree.map(np.testing.assert_array_equal, training(verify=3, **options), training(**options))


@pytest.mark.parametrize("batch_size", [3, 10])
@pytest.mark.parametrize("block_size", [None, 30])
@pytest.mark.parametrize("with_key", [True, False])
def test_the_batch_checked_is_the_one_that_the_first_update_gets(batch_size, block_size, with_key):
    seen = []

    def value_and_grad(params, x, y, *key):
        jax.debug.callback(lambda *batch: seen.append(batch), x, y, *map(jax.random.key_data, key), ordered=True)
        return linear.value_and_grad(params, x, y)

    options = {"batch_size": batch_size, "block_size": block_size, "key": KEY, "with_key": with_key}
    training(value_and_grad, epochs=1, **options)
    key, data = jax.random.fold_in(KEY, 0), (jnp.asarray(X), jnp.asarray(Y))
    if block_size:
        data, key = first_block(data, block_size, key)
    x, y, *drawn = first_batch(Training(value_and_grad, optax.sgd(0.1), batch_size, with_key), data, key)
    for one, other in zip(seen[0], (x, y, *map(jax.random.key_data, drawn)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_how_often_is_a_whole_number(wrong):
    with pytest.raises(InvalidArgument, match="^verify: got"):
        training(verify=wrong)
