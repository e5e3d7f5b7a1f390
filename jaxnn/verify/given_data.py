"""What can be known of a gradient: data and constants of few digits, labels in float32 that add up to 1 to seven."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.compare import Comparison, largest, worst_entry
from jaxnn.verify.doubled import doubled
from jaxnn.verify.evaluation import FAST, Programs, split
from jaxnn.verify.problem import Problem, pose
from jaxnn.verify.rounding import EPSILON

RUNS, MARGIN = 4, 8.0
CONSTANTS = 97  # as many are moved each in its own way
JUMP = 1e-3  # of a leaf's largest entry: rounding the data that moves more has crossed a kink
FAR_BELOW = float(np.finfo(np.float32).eps) / 256
BELOW = "entries differ by less than a 256th of what float32 rounds them by"
WITHIN = "the difference is one that rounding the data, or a constant, to their own precision makes"


def as_far_as_known(
    own: Problem,
    exact: Problem,
    programs: Programs,
    argnums: int | Sequence[int],
    own_x64: bool | None,
    point: Sequence[Any],
    comparison: Comparison,
) -> Comparison | None:
    """Return a comparison with wider bars where rounding the data or the constants explains all its differences.

    `own` is the problem in the caller's dtypes, `point` are the parameters of the comparison. `own_x64` is the setting
    of a program that is judged in its own precision, whose constants have few digits; None of any other.
    """
    moves = _data_known(exact, programs, argnums, own.args, point)
    if own_x64 is not None:
        constants = _constants_known(own, exact, argnums, own_x64, point)
        moves = [np.add(*both) for both in zip(moves, constants, strict=True)] if moves else constants
    return _widened(comparison, moves)


def far_below(comparison: Comparison) -> Comparison | None:
    """Return a comparison with wider bars where every difference is far below float32's digits, beside its own entry.

    An epsilon of 1e-10 in a formula is nothing that arguments in float32 could show.
    """
    return _widened(comparison, [FAR_BELOW * np.abs(e) for e in comparison.expected])


def _data_known(
    problem: Problem, programs: Programs, argnums: int | Sequence[int], own: Sequence[Any], point: Sequence[Any]
) -> list[np.ndarray] | None:
    """Return how far rounding the data moves the two gradients apart, by leaf, at the parameters `point`.

    `own` are the arguments in the caller's dtypes. None where no data are of fewer digits than float64.
    """
    leaves, structure = jax.tree.flatten(tuple(problem.rebuild(list(point))))
    kinds = [getattr(v, "dtype", None) for v in jax.tree.leaves(tuple(own))]
    short = {i: float(jnp.finfo(kind).eps) for i, kind in enumerate(kinds) if kind is not None and _is_short(kind)}
    if not short or len(kinds) != len(leaves):
        return None
    rng, apart = np.random.default_rng(5), []
    for run in range(1 + RUNS):
        moved = list(leaves)
        for i, eps in short.items() if run else ():
            data = np.asarray(leaves[i])
            moved[i] = data * (1 + eps * rng.uniform(-1, 1, data.shape))
        posed = pose(
            problem.whole_loss, problem.whole_grad, jax.tree.unflatten(structure, moved), argnums, any_dtype=True
        )
        arrays = split(posed, posed.leaves, True)
        apart.append(
            [
                np.asarray(h) - np.asarray(r)
                for h, r in zip(programs.hand(*arrays), programs.autodiff(*arrays), strict=True)
            ]
        )
    return [MARGIN * np.max([np.abs(v - first) for v in others], axis=0) for first, *others in zip(*apart, strict=True)]


def _constants_known(
    own: Problem, exact: Problem, argnums: int | Sequence[int], x64: bool, point: Sequence[Any]
) -> list[np.ndarray]:
    """Return the same for the constants in the functions' programs: 0.1 / 9 is another float32 than 0.1 by 9."""
    args = exact.rebuild(list(point))

    def apart(factors):
        numbers = itertools.count()

        def constant(value):
            return shaken(value, factors[next(numbers) % len(factors)])

        loss, grad = (doubled(f, own.args, x64, constant) for f in (own.whole_loss, own.whole_grad))
        posed = pose(loss, grad, args, argnums, any_dtype=True)
        both = zip(posed.grad(posed.leaves), jax.grad(posed.loss)([jnp.asarray(v) for v in posed.leaves]), strict=True)
        return [h - r for h, r in both]

    rng, program = np.random.default_rng(7), jax.jit(apart, compiler_options=FAST)
    runs = [program(np.zeros(CONSTANTS)), *(program(rng.uniform(-1, 1, CONSTANTS)) for _ in range(RUNS))]
    seen = zip(*([np.asarray(v, np.float64) for v in run] for run in runs), strict=True)
    return [MARGIN * np.max([np.abs(v - first) for v in others], axis=0) for first, *others in seen]


def shaken(value: Any, factor: Any) -> Any:
    """Return a constant in float64, moved by a share of its own machine epsilon if it can have been rounded.

    Numbers of few digits, as 2 and 0.75, are what they are.
    """
    wide = np.asarray(value, np.float64) if _is_short(jnp.result_type(value)) else value
    if wide is value:
        return value
    rounded = wide * 2**12 != np.round(wide * 2**12)
    return wide * (1 + factor * float(jnp.finfo(jnp.result_type(value)).eps) * rounded)


def _widened(comparison: Comparison, moved: list[np.ndarray] | None) -> Comparison | None:
    """Return the comparison with what the data allow, if that explains every difference."""
    if moved is None or any(
        np.max(m, initial=0.0) > JUMP * (largest(e) or np.inf) for m, e in zip(moved, comparison.expected, strict=True)
    ):
        return None
    wider = comparison._replace(allowed=[a + m for a, m in zip(comparison.allowed, moved, strict=True)])
    return wider if worst_entry(wider) is None else None


def _is_short(dtype):
    return jnp.issubdtype(dtype, jnp.floating) and float(jnp.finfo(dtype).eps) > EPSILON
