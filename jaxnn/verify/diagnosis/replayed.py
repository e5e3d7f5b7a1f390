"""The adjoints of a loss that JAX cannot trace: its variables are changed entry by entry, and the rest is run again."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxnn.verify.adjoints import Node
from jaxnn.verify.diagnosis.steps import Step, record, rerun

MOST_ENTRIES = 600  # whose adjoint is taken: each needs four runs of the loss
STEP = 1e-3  # relative to an entry: with four points the error is some 1e-12 of a smooth loss


def nodes_by_replaying(loss: Callable[..., Any], args: Sequence[Any]) -> list[Node]:
    r"""Return the named variables of `loss(*args)` with their adjoints, the small ones first where there are many.

    The adjoint of an entry v is $(8 (f(v + h) - f(v - h)) - f(v + 2h) + f(v - 2h)) / 12 h$, f the loss where the rest
    of the function is run with it.
    """
    steps = [step for step in record(loss, *args) if step.value.size and step.dtype != bool]
    named = [step for step in steps if not step.name.startswith("return") and np.all(np.isfinite(step.value))]
    left, chosen = MOST_ENTRIES, []
    for step in sorted(named, key=lambda step: step.value.size):
        left -= step.value.size
        if left < 0:
            break
        chosen.append(step)
    return [_node(loss, args, step) for step in sorted(chosen, key=lambda step: step.number)]


def _node(loss: Callable[..., Any], args: Sequence[Any], step: Step) -> Node:
    adjoint = np.zeros(step.value.shape)
    for index in np.ndindex(step.value.shape):
        h = STEP * max(1.0, abs(step.value[index]))

        def f(move, index=index):
            changed = step.value.copy()
            changed[index] += move
            return float(rerun(loss, args, {step.key: changed}))

        adjoint[index] = (8 * (f(h) - f(-h)) - f(2 * h) + f(-2 * h)) / (12 * h)
    return Node(step.name, step.value, adjoint, None, "", False)
