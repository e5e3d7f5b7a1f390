"""`fit(verify=k)`: the gradient in use before the witnesses, on the batch at hand, with the parameters of the moment."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.errors import WrongGradient


def gradient_check(value_and_grad: Callable) -> Callable[..., None]:
    """Return `stop_if_wrong(epoch, history, params, x, y, *key)`, which compiles its programs once.

    It raises `WrongGradient` where the gradient that `value_and_grad` returns is not that of the value it returns.
    """
    from jaxnn.verify.check import run  # half a second: paid by those who ask
    from jaxnn.verify.evaluation import programs

    def loss(params, *batch):
        value = value_and_grad(params, *batch)[0]
        return value[0] if isinstance(value, tuple) else value

    def grad(params, *batch):
        return value_and_grad(params, *batch)[1]

    ready = programs(loss, grad, 0)

    def stop_if_wrong(epoch: int, history: dict[str, np.ndarray], params: Any, *batch: Any) -> None:
        here = jax.tree.map(np.asarray, (params, *batch[:2])) + batch[2:]
        verdict = run(loss, grad, here, 0, ready)
        if not verdict:
            raise WrongGradient(f"the gradient is wrong before epoch {epoch}:\n{verdict}", verdict, params, history)

    return stop_if_wrong
