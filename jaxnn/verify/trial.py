"""What one check knows: the problem in its own precision and in float64, and what was evaluated where."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.compare import Comparison, compare, shared_out
from jaxnn.verify.differences import is_symmetric, step_scale
from jaxnn.verify.evaluation import Evaluation, Evaluator, Programs, can_trace, split
from jaxnn.verify.problem import Leaves, Problem, pose
from jaxnn.verify.rounding import EPSILON, lowest_epsilon, rounded_apart
from jaxnn.verify.verdict import Report, Verdict

MOVED = "at a second point, the parameters moved by 10 %"


class Point(NamedTuple):
    """Parameters, what both sides give there, and the comparison; `args` are all the arguments, `note` says which."""

    leaves: Leaves
    evaluation: Evaluation
    comparison: Comparison
    args: tuple[Any, ...]
    note: str = ""


class Given(NamedTuple):
    """What the functions return in the arguments' own precision: the loss, the value beside the gradient (or None),
    the gradient and its named intermediates."""

    loss: float
    value: Any
    gradient: Leaves
    named: dict[str, Any]


class Trial(NamedTuple):
    """A problem on trial, in its `own` precision and the `exact` one, float64.

    `given` is what the functions return in the precision `own_epsilon`, with x64 as the caller has it (`own_x64`);
    `epsilon` is the precision they work in when asked for float64, `loss_epsilon` the lowest of what the leaves move
    in the loss. `here` is the point asked about, `moved` a second one (None where the loss has no value near by).
    `rounds` where the functions are judged as `doubled`, which round to `own_epsilon` in themselves. `programs` are of
    the `exact` functions, `own_programs` of the `own` ones. `tolerated` is the
    share of a leaf's largest entry that may be wrong on purpose. The loss `defines` the gradient where its autodiff is
    what is meant, whatever its values do. `rounded_data` where only the rounding of the data explains a difference.
    `cleared` until an entry is found to be wrong.
    """

    argnums: int | Sequence[int]
    own: Problem
    exact: Problem
    given: Given
    own_x64: bool
    own_epsilon: float
    epsilon: float
    loss_epsilon: float
    evaluator: Evaluator
    programs: Programs
    own_programs: Programs
    here: Point
    moved: Point | None
    rounds: bool
    tolerated: float
    defines: bool
    rounded_data: bool
    cleared: bool = True


class Finding(NamedTuple):
    """What a witness adds: its reports, and the verdict if it ends the trial, with the point it was found at."""

    reports: list[Report]
    verdict: Verdict | None = None
    point: Point | None = None


@contextmanager
def float64() -> Iterator[None]:
    """A context in which JAX computes in float64 and matrix products exactly."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


def working_epsilon(exact: Problem, evaluator: Evaluator, epsilon: float) -> float:
    """Return the precision that the functions themselves work in, where it is no lower than the arguments'."""
    traced = [f for f, can in ((exact.grad, evaluator.grad_traceable), (exact.loss, evaluator.loss_traceable)) if can]
    apart = rounded_apart(exact.grad, exact.loss, exact.leaves) if len(traced) == 2 else EPSILON
    lowest = max([apart, *(lowest_epsilon(f, exact.leaves) for f in traced)])
    return lowest if lowest <= epsilon else EPSILON


def second_point(exact: Problem, evaluator: Evaluator, epsilon: float, tolerated: float) -> Point | None:
    """Return a point near the first at which everything is finite: what remembers the first point is wrong there."""
    rng = np.random.default_rng(3)
    for size in (0.1, 0.01, 1e-4) if evaluator.loss_traceable else ():
        leaves = [moved_by(np.asarray(leaf), size, rng) for leaf in exact.leaves]
        found = evaluator.at(leaves)
        if found.reference and np.isfinite(found.value) and all(np.all(np.isfinite(v)) for v in found.reference):
            return Point(
                leaves,
                found,
                shared_out(leaves, compare(found, epsilon, tolerated)),
                tuple(exact.rebuild(leaves)),
                MOVED,
            )
    return None


def moved_by(leaf: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Return a leaf with each entry changed by a share of itself, of the typical one where it is 0.

    What holds exactly is kept, since the loss may need it: a symmetric matrix stays so, and positive definite if it is,
    a triangle keeps its zeros, and rows of shares their sum of 1.
    """
    by = size * rng.uniform(0.5, 1, np.shape(leaf)) * rng.choice([-1, 1], np.shape(leaf))
    square = leaf.ndim >= 2 and leaf.shape[-1] == leaf.shape[-2] > 1
    if is_symmetric(leaf):
        by = by[..., 0]
        return leaf * ((1 + by[..., :, None]) * (1 + by[..., None, :]))  # in this order to the last bit
    moved = leaf + by * np.where(leaf == 0, step_scale(leaf), leaf)
    if square and (np.array_equal(leaf, np.tril(leaf)) or np.array_equal(leaf, np.triu(leaf))):
        moved = np.where(leaf == 0, 0.0, moved)
    if leaf.ndim and leaf.shape[-1] > 1 and np.all(leaf >= 0) and np.allclose(leaf.sum(axis=-1), 1, rtol=0, atol=1e-6):
        moved = np.abs(moved) / np.abs(moved).sum(axis=-1, keepdims=True)
    return moved


def loss_at(trial: Trial, args: Sequence[Any]) -> float:
    """Return the loss at other arguments, compiled where JAX can trace it."""
    problem = pose(trial.exact.whole_loss, trial.exact.whole_grad, args, trial.argnums, any_dtype=True)
    if can_trace(problem.whole_loss, problem, data_too=True):
        return float(trial.programs.loss(*split(problem, problem.leaves, True)))
    return float(problem.loss(problem.leaves))


def dtype_name(trial: Trial) -> str:
    return str(jnp.result_type(*trial.own.leaves))


def at_entry(kind: Any, name: str, index: Sequence[Any], expected: Any, actual: Any, **more: Any) -> Verdict:
    """Return a verdict on one entry of one leaf."""
    return Verdict(kind, name, tuple(int(k) for k in index), float(expected), float(actual), **more)
