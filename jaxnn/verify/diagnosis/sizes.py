"""Numbers that a gradient is likely to be wrong by: the number of examples, constants of the loss, other sizes."""

from collections.abc import Iterable
from functools import partial

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify import batches
from jaxnn.verify.problem import Problem
from jaxnn.verify.trial import Trial, loss_at


def likely_sizes(trial: Trial, problem: Problem, constants: Iterable[float]) -> dict[str, float]:
    """Return the numbers that a gradient is likely to be wrong by: m, `constants` of the loss, scalars, other sizes."""
    found: dict[str, float] = {}
    try:
        split = batches.split(problem, partial(loss_at, trial))
    except Exception:
        split = None
    if split is not None:
        found["m"] = float(split.size)
    found |= {f"the constant {c:g} of the loss": c for c in constants}
    titles = problem.titles
    for i, arg in enumerate(problem.args):
        if i not in problem.argnums and isinstance(arg, jax.Array | np.ndarray):
            for axis, size in enumerate(np.shape(arg)):
                if size > 1 and float(size) not in found.values():
                    found[f"the size of axis {axis} of {titles[i]}"] = float(size)
        if isinstance(arg, float) and np.isfinite(arg) and arg not in (0.0, 1.0):
            found[f"{titles[i]}"] = arg
    return found


def constants(problem: Problem) -> list[float]:
    """Return the numbers that stand in the loss, but for the plainest."""
    program, _ = jaxprs.program(problem.loss, problem.leaves)
    atoms = (atom for equation in program.equations for atom in equation.inputs if not isinstance(atom, int))
    numbers = (
        float(atom.val) for atom in atoms if np.ndim(atom.val) == 0 and isinstance(atom.val, float | np.floating)
    )
    return [c for c in dict.fromkeys(numbers) if np.isfinite(c) and c not in (0.0, 1.0, -1.0, 2.0, -2.0, 0.5)]
