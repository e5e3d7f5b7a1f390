"""The playground's menu of optimizers as one operation: which of them runs is a number, not another program.

`lax.switch` takes the branches of a program only if all of them take and give arrays of one shape and type. So every
optimizer's state is laid out as one vector of the parameters' float type, padded to the longest of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxnn.optimizers import rmsprop, rprop_minus, rprop_plus

# At a learning rate of 1: the program multiplies the changes by the rate, so that it may vary from update to update.
OPTIMIZERS: dict[str, Callable[[], optax.GradientTransformation]] = {
    "sgd": lambda: optax.sgd(1.0),
    "momentum": lambda: optax.sgd(1.0, momentum=0.9),
    "nesterov": lambda: optax.sgd(1.0, momentum=0.9, nesterov=True),
    "rmsprop": lambda: rmsprop(1.0),
    "rprop+": rprop_plus,
    "rprop-": rprop_minus,
    "adam": lambda: optax.adam(1.0),
    "adamw": lambda: optax.adamw(1.0),
    "amsgrad": lambda: optax.amsgrad(1.0),
    "adamax": lambda: optax.adamax(1.0),
    "nadam": lambda: optax.nadam(1.0),
    "radam": lambda: optax.radam(1.0),
    "adabelief": lambda: optax.adabelief(1.0),
    "adagrad": lambda: optax.adagrad(1.0),
    "adadelta": lambda: optax.adadelta(1.0),
    "yogi": lambda: optax.yogi(1.0),
    "novograd": lambda: optax.novograd(1.0),
    "lion": lambda: optax.lion(1.0),
    "lamb": lambda: optax.lamb(1.0),
}
WITHOUT_RATE = ("rprop+", "rprop-")  # their steps are lengths of their own


class Menu(NamedTuple):
    """All optimizers for parameters of one shape, in the order of `OPTIMIZERS`."""

    starts: Float[Array, "optimizers s"]
    branches: list[Callable]


def menu(params: Any) -> Menu:
    """Return the optimizers' start states and updates, each `(state, grads, params, rate) -> (changes, state)`.

    `params` is any pytree of floats; its values are of no account, only its shapes and its type are.
    """
    optimizers = [make() for make in OPTIMIZERS.values()]
    flats = [ravel_pytree(optimizer.init(params)) for optimizer in optimizers]
    dtype = jax.tree.leaves(params)[0].dtype
    size = max(flat.size for flat, _ in flats)

    def padded(flat):
        return jnp.pad(flat.astype(dtype), (0, size - flat.size))

    def branch(name, optimizer, length, unravel):
        def update(state, grads, params, rate):
            changes, new = optimizer.update(grads, unravel(state[:length]), params)
            factor = 1 if name in WITHOUT_RATE else rate
            return jax.tree.map(lambda change: factor * change, changes), padded(ravel_pytree(new)[0])

        return update

    branches = [
        branch(name, optimizer, flat.size, _as_given(unravel, flat.dtype))
        for (name, optimizer, (flat, unravel)) in zip(OPTIMIZERS, optimizers, flats, strict=True)
    ]
    return Menu(jnp.stack([padded(flat) for flat, _ in flats]), branches)


def _as_given(unravel, dtype):
    # A state may have a type of its own: a count is a whole number, and nothing at all is of the default float type.
    return lambda flat: unravel(flat.astype(dtype))
