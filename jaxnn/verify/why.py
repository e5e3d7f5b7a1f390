"""Why a line, or a leaf of the gradient, is wrong: its value beside the right one, and all that is known around it."""

import itertools
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify import batches
from jaxnn.verify.adjoints import Node
from jaxnn.verify.causes import cause
from jaxnn.verify.compare import Comparison
from jaxnn.verify.locate import Culprit
from jaxnn.verify.problem import Problem
from jaxnn.verify.rounding import SAFETY
from jaxnn.verify.steps import Step
from jaxnn.verify.targets import close
from jaxnn.verify.trial import Trial, loss_at


class Known(NamedTuple):
    """What a cause may be made of: the `problem`, the loss's intermediates, the `steps` by hand, likely `sizes`.

    `epsilon` is the precision in which the functions work.
    """

    problem: Problem
    tape: list[Node]
    steps: Sequence[Step]
    sizes: dict[str, float]
    epsilon: float

    def about(self, culprit: Culprit | None) -> dict[str, Any]:
        """Return the arrays and numbers that are known where a culprit stands."""
        named = [n for n in self.tape if n.name]
        others = {n.name: n.value for n in named} | {f"d{n.name}": n.adjoint for n in named}
        others |= {n: v for n, v in _data(self.problem).items() if n not in others}
        for step in itertools.takewhile(lambda s: culprit is None or s.number != culprit.step.number, self.steps):
            itself = culprit is not None and close(step.value, culprit.step.value)
            if step.name.isidentifier() and step.name not in {*others, "return"} and not itself:
                others[step.name] = step.value
        factors = {n.operation: n.local for n in self.tape if n.local is not None}
        return {"sizes": self.sizes, "factors": factors, "others": others}


def of_culprit(known: Known, culprit: Culprit) -> str:
    """Return the cause of a wrong line's own value."""
    size = np.max(np.abs(np.nan_to_num(culprit.expected)), initial=0.0)
    bar = np.asarray(max(1e-12, SAFETY * known.epsilon) * size)
    return cause(culprit.name, culprit.step.value, culprit.expected, bar, **known.about(culprit))


def of_leaf(known: Known, comparison: Comparison, culprit: Culprit | None, leaf: int) -> str:
    """Return the cause of a wrong leaf."""
    names = known.problem.names
    for other, true in zip(names, comparison.expected, strict=True):
        if culprit is None and other != names[leaf] and close(comparison.actual[leaf], true):
            return f"d{names[leaf]}: this is d{other}, not d{names[leaf]}: swapped, or one in place of the other"
    values = comparison.actual[leaf], comparison.expected[leaf], comparison.allowed[leaf]
    return cause(f"d{names[leaf]}", *values, **known.about(culprit))


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


def _data(problem) -> dict[str, np.ndarray]:
    """Return the floating arrays among the arguments by name."""
    found = {}
    for i, arg in enumerate(problem.args):
        for path, leaf in jax.tree.leaves_with_path(arg):
            if isinstance(leaf, jax.Array | np.ndarray) and jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating):
                name = jax.tree_util.keystr(path, simple=True, separator=".") or problem.titles[i]
                found[name] = np.asarray(leaf, np.float64)
    return found
