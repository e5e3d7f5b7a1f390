"""`fit(verify=k)`: the gradient in use before the witnesses, on the batch at hand, with the weights of the moment."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from jaxnn.verify import Verdict


def gradient_check(value_and_grad: Callable) -> "Callable[..., Verdict]":
    """Return `judged(params, x, y, *key)`, whose programs are compiled once: `jaxnn.verify.check`'s verdict.

    It is on the gradient that `value_and_grad` returns, as that of the value that it returns.
    """
    from jaxnn.verify.check import run  # half a second: paid by those who ask
    from jaxnn.verify.evaluation import programs

    def loss(params, *batch):
        value = value_and_grad(params, *batch)[0]
        return value[0] if isinstance(value, tuple) else value

    def grad(params, *batch):
        return value_and_grad(params, *batch)[1]

    ready = programs(loss, grad, 0)

    def judged(params: Any, *batch: Any) -> "Verdict":
        here = jax.tree.map(np.asarray, (params, *batch[:2])) + batch[2:]
        return run(loss, grad, here, 0, ready)

    return judged
