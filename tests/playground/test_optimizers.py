"""Each optimizer of the menu, one vector for its state and the rate outside, against the optimizer itself."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn.optimizers import rmsprop, rprop_minus, rprop_plus
from jaxnn.playground.optimizers import OPTIMIZERS, menu

RATE = 0.05
ITSELF = {
    "sgd": optax.sgd,
    "momentum": partial(optax.sgd, momentum=0.9),
    "nesterov": partial(optax.sgd, momentum=0.9, nesterov=True),
    "rmsprop": rmsprop,
    "rprop+": lambda rate: rprop_plus(),
    "rprop-": lambda rate: rprop_minus(),
    "adam": optax.adam,
    "adamw": optax.adamw,
    "amsgrad": optax.amsgrad,
    "adamax": optax.adamax,
    "nadam": optax.nadam,
    "radam": optax.radam,
    "adabelief": optax.adabelief,
    "adagrad": optax.adagrad,
    "adadelta": optax.adadelta,
    "yogi": optax.yogi,
    "novograd": optax.novograd,
    "lion": optax.lion,
    "lamb": optax.lamb,
}
# Before each change: plain descent and what is built by hand or takes an argument of its own; the rest are optax's.
FAST = ("sgd", "momentum", "nesterov", "rmsprop", "rprop+", "rprop-", "adam", "adamw", "lion")
PARAMS = {"W": jnp.array([[0.5, -1.2], [0.3, 0.8]], jnp.float32), "b": jnp.array([0.1, -0.4], jnp.float32)}


def grads(params, step):
    """Return gradients that change size and sign on the way."""
    return jax.tree.map(
        lambda p: p + 0.7 * jnp.cos(1.3 * step + jnp.arange(p.size, dtype=p.dtype)).reshape(p.shape), params
    )


def test_the_menu_has_each_of_them():
    assert list(OPTIMIZERS) == list(ITSELF)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in ITSELF]
)
def test_ten_steps_are_those_of_the_optimizer_itself(name):
    place, itself = list(OPTIMIZERS).index(name), ITSELF[name](RATE)
    choices = menu(PARAMS)
    flat, state = choices.starts[place], itself.init(PARAMS)
    seen = expected = PARAMS
    for step in range(10):
        changes, flat = choices.branches[place](flat, grads(seen, step), seen, RATE)
        seen = optax.apply_updates(seen, changes)
        changes, state = itself.update(grads(expected, step), state, expected)
        expected = optax.apply_updates(expected, changes)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), seen, expected)
    assert any(np.any(np.abs(seen[leaf] - PARAMS[leaf]) > 1e-3) for leaf in PARAMS)  # they do move


def test_a_rate_may_change_between_steps():
    choices, schedule = menu(PARAMS), [0.1, 0.001, 0.5]
    place = list(OPTIMIZERS).index("adam")
    itself = optax.adam(lambda count: jnp.array(schedule, jnp.float32)[count])
    flat, state = choices.starts[place], itself.init(PARAMS)
    for step, rate in enumerate(schedule):
        seen, flat = choices.branches[place](flat, grads(PARAMS, step), PARAMS, rate)
        expected, state = itself.update(grads(PARAMS, step), state, PARAMS)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5), seen, expected)


def test_every_state_has_the_length_of_the_longest():
    starts = menu(PARAMS).starts
    longest = max(sum(np.size(leaf) for leaf in jax.tree.leaves(make(RATE).init(PARAMS))) for make in ITSELF.values())
    assert starts.shape == (len(ITSELF), longest)
