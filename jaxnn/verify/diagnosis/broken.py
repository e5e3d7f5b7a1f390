"""Where a gradient breaks that cannot be computed, or has another form, at arguments where the loss has a value."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.convolutions import convolutions, no_others
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.search import in_lines
from jaxnn.verify.diagnosis.steps import raised_in, scopes, until_error
from jaxnn.verify.diagnosis.targets import close
from jaxnn.verify.problem import in_float64, split_output
from jaxnn.verify.trial import float64

LINES = 8  # of those that were run last


def place(loss: Callable, grad: Callable, args: Sequence[Any], argnums: int | Sequence[int]) -> tuple[Line | None, str]:
    """Return the line to blame, and the one change in it that makes the gradient right ("" if none does).

    Without such a change it is the line that raises; None where none does.
    """
    with float64():
        problem = in_float64(loss, grad, args, argnums)
        steps, error = until_error(grad, *problem.args)
        lines = raised_in(error) if error is not None else []
        last = list({step.line: step for step in reversed(steps)}.values())[:LINES]
        seen = scopes(grad, problem.args, {step.key for step in last})
        lines += [(step.line, seen[step.key]) for step in last if step.key in seen]
        raises = lines[0][0] if error is not None and lines else None
        if raises is not None and raises.text.startswith("raise"):  # it is meant to
            return raises, ""
        try:
            true = [np.asarray(v) for v in jax.grad(problem.loss)(problem.leaves)]
        except Exception:  # whatever keeps JAX from differentiating the loss
            return raises, ""

        def wrong(output):
            found = split_output(output, problem.structure, problem.names)[1]
            return [not close(np.asarray(a, np.float64), e) for a, e in zip(found, true, strict=True)]

        def run(*args):
            jax.eval_shape(lambda: grad(*args))  # what breaks still, breaks here without being compiled
            return grad(*args)

        with no_others(convolutions(lambda: grad(*problem.args))):
            change = in_lines(Program(run, [(problem.args, wrong)]), list(dict(lines).items()))
    return (change.line, change.why) if change else (raises, "")
