"""Training from many starts, each until its gradient is small."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int

from jaxnn.devices import check_mesh
from jaxnn.epochs import Data, compiler_options
from jaxnn.errors import Diverged, check_positive, check_positive_int
from jaxnn.replicas import number_of, side_by_side
from jaxnn.train import checked_data
from jaxnn.waiting import wait_for

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    import optax
    from jax.sharding import Mesh


class Restarts(NamedTuple):
    """Where each restart stopped, one entry a restart: every leaf of `params` has them as its first axis.

    One that did not converge has the parameters, loss and gradient of its lowest loss; one with `diverged` met a number
    that is not finite. `curves` has the loss at the steps that `curve_steps` names, NaN where none was taken.
    """

    params: Any
    loss: Float[np.ndarray, " restarts"]
    largest_gradient: Float[np.ndarray, " restarts"]
    steps: Int[np.ndarray, " restarts"]
    converged: Bool[np.ndarray, " restarts"]
    diverged: Bool[np.ndarray, " restarts"]
    curves: Float[np.ndarray, "restarts slots"]
    held_out: Float[np.ndarray, " restarts"] | None = None
    best_steps: Int[np.ndarray, " restarts"] | None = None
    stopped: Bool[np.ndarray, " restarts"] | None = None


class _Best(NamedTuple):
    """Where the loss, or that of the rows held out, was lowest."""

    params: Any
    loss: jax.Array
    largest: jax.Array
    judged: jax.Array  # the loss that is lowest here
    step: jax.Array


class _State(NamedTuple):
    params: Any
    memory: Any
    loss: jax.Array
    gradients: Any
    steps: jax.Array
    best: _Best
    smallest: jax.Array  # of all largest gradients so far
    curve: jax.Array


SLOTS = 232  # steps up to 2**31, eight slots an octave


def fit_until(
    value_and_grad: Callable,
    starts: Any,
    optimizer: "optax.GradientTransformation",
    data: Data,
    *,
    threshold: float = 0.01,
    stepmax: int = 100_000,
    progress: Callable[[np.ndarray, np.ndarray], None] | None = None,
    every: int = 10_000,
    patience: int | None = None,
    own_targets: bool = False,
    mesh: "Mesh | None" = None,
) -> Restarts:
    r"""Return where full-batch training from each start stops: at $\max |\partial J| \le$ `threshold` or `stepmax`.

    Every leaf of `starts` has the restarts as its first axis. On a GPU or TPU they run side by side, and those that
    have stopped leave the batch; on a CPU each runs by itself, as many at a time as there are cores. The devices of a
    `mesh` share them out, each restart staying on one device. Steps count as in R's neuralnet, where the first gradient
    is step 1: updates + 1, at most `stepmax` (lecture section 7). Every optimizer of optax will do, line searches
    included. `progress(steps, smallest largest gradients so far)` is called every `every` steps.

    With `patience` the function returns `((loss, loss of rows held out), gradient)`: a restart ends as well once that
    many steps have not lowered the second, whose lowest it keeps. With `own_targets` the first axis of `y` has the
    restarts, each with targets of its own.

    Raises `InvalidArgument` for data or settings that cannot be right and `Diverged` when no start has a finite
    loss and gradient.
    """
    x, of_one = checked_data((data[0], data[1][0]) if own_targets else data, starts)
    check_positive("threshold", threshold)
    check_positive_int("stepmax", stepmax)
    check_positive_int("every", every)
    count = number_of(starts)
    first = jax.tree.map(lambda leaf: leaf[0], starts)
    jax.eval_shape(lambda p: value_and_grad(p, x, of_one), first)
    if patience is not None:
        check_positive_int("patience", patience)
    patient_for = () if patience is None else (min(patience, 2**31 - 1),)
    if mesh is not None:
        check_mesh(mesh)
    backend = jax.default_backend()
    begin, advance = _restarts(value_and_grad, optimizer, backend, mesh, patience is not None, own_targets)
    # Put, not made by JAX: it would compile a program for each shape.
    starts, x, y = jax.device_put((starts, x, data[1] if own_targets else of_one))
    with_own = lambda state: (state, y) if own_targets else state  # noqa: E731
    shared = (x,) if own_targets else (x, y)
    state, limit, left = begin(with_own(starts), *shared), 0, np.arange(count)
    while True:
        limit = min(limit + every, stepmax)
        rows = left if backend == "cpu" and mesh is None else _padded(left, count)
        part = _take(with_own(state), rows, count)
        state = _put(state, rows, wait_for(advance(part, *shared, threshold, limit, *patient_for)))
        largest = np.asarray(_largest(state.gradients))
        finite = np.isfinite(state.loss) & np.isfinite(largest)
        patient = np.asarray(state.steps) - np.asarray(state.best.step) < (patience or np.inf)
        left = np.flatnonzero(finite & (largest > threshold) & patient)
        if progress is not None:
            progress(np.asarray(state.steps), np.asarray(state.smallest))
        if limit >= stepmax or not len(left):
            break
    return _result(state, largest, finite, threshold, None if patience is None else ~patient)


def _take(state: Any, rows: np.ndarray, count: int) -> Any:
    return state if len(rows) == count else jax.tree.map(lambda leaf: leaf[rows], state)


def _put(state: _State, rows: np.ndarray, part: _State) -> _State:
    if len(rows) == len(state.loss):
        return part
    return jax.tree.map(lambda whole, some: whole.at[rows].set(some), state, part)


def _padded(left: np.ndarray, count: int) -> np.ndarray:
    """Return these and the last of them again, a power of 2 of them or all, so that few programs are compiled."""
    size = min(1 << (len(left) - 1).bit_length(), count)
    return left[np.minimum(np.arange(size), len(left) - 1)]


def _result(
    state: _State, largest: np.ndarray, finite: np.ndarray, threshold: float, stopped: np.ndarray | None
) -> Restarts:
    best_params, best_loss, best_largest, judged, best_step = state.best
    if not (np.isfinite(best_loss) & np.isfinite(best_largest)).any():
        raise Diverged(
            f"loss: got {best_loss[0]}, with a largest gradient of {best_largest[0]}, at the start"
            f"{' of every restart' * (len(finite) > 1)}, expected finite numbers"
        )
    converged = finite & (largest <= threshold)
    last_kept = converged if stopped is None else np.zeros_like(converged)
    keep = lambda last, best: np.where(last_kept.reshape(-1, *(1,) * (np.ndim(last) - 1)), last, best)  # noqa: E731
    by_held_out = (None,) * 3
    if stopped is not None:
        stopped = stopped & finite & ~converged
        converged, by_held_out = converged | stopped, (np.asarray(judged), np.asarray(best_step), stopped)
    return Restarts(
        jax.tree.map(keep, state.params, best_params),
        keep(state.loss, best_loss),
        keep(largest, best_largest),
        np.asarray(state.steps),
        converged,
        ~finite,
        np.asarray(state.curve),
        *by_held_out,
    )


def curve_steps() -> np.ndarray:
    """Return the last step that each slot of a curve holds: all to 8, then eight an octave."""
    slots = np.arange(SLOTS)
    octave = np.maximum(slots // 8 - 1, 0)
    return np.where(slots < 8, slots, ((9 + slots % 8) << octave) - 1)


def _slot(step: jax.Array) -> jax.Array:
    """Return the slot of a step: its leading bit and the three bits behind."""
    shift = jnp.maximum(28 - lax.clz(step.astype(jnp.int32)), 0)
    return jnp.where(step < 8, step, 8 * shift + (step >> shift))


@cache
def _restarts(value_and_grad, optimizer, backend, mesh, held_out=False, own_targets=False):
    """Return the compiled functions that begin all restarts and take them on to step `limit`."""
    import optax

    optimizer = optax.with_extra_args_support(optimizer)

    def evaluated(params, x, y):
        """Return the loss, the one that judges, and the gradient."""
        value, gradients = value_and_grad(params, x, y)
        return *(value if held_out else (value, value)), gradients

    def begin(own, x, *shared):
        params, y = own if own_targets else (own, *shared)
        loss, judged, gradients = (
            jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), part)
            for part in jax.eval_shape(evaluated, params, x, y)
        )
        nothing = jnp.full((), jnp.inf, _largest_of_one(gradients).dtype)
        curve, step = jnp.full(SLOTS, jnp.nan, loss.dtype), jnp.zeros((), int)
        best = _Best(params, loss, nothing, judged, step)
        return _State(params, optimizer.init(params), loss, gradients, step, best, nothing, curve)

    # The first step takes the gradient alone, so that a program has the gradient once, which is most of compiling it.
    def step(state, x, y):
        before, memory, loss, gradients, steps, best, smallest, curve = state
        searching = {"value": loss, "grad": gradients, "value_fn": lambda p: evaluated(p, x, y)[0]}
        changes, remembered = optimizer.update(gradients, memory, before, **searching)
        first, steps = steps == 0, steps + 1
        params, memory = jax.tree.map(
            partial(jnp.where, first), (before, memory), (jax.tree.map(jnp.add, before, changes), remembered)
        )
        loss, judged, gradients = evaluated(params, x, y)
        largest = _largest_of_one(gradients)
        better = first | ((judged < best.judged) & jnp.isfinite(largest))
        best = jax.tree.map(partial(jnp.where, better), _Best(params, loss, largest, judged, steps), best)
        smallest, curve = jnp.fmin(smallest, largest), curve.at[_slot(steps)].set(loss)
        return _State(params, memory, loss, gradients, steps, best, smallest, curve)

    def advance(own, x, *others):
        (state, y), others = (own, others) if own_targets else ((own, others[0]), others[1:])
        threshold, limit, *patience = others

        def running(state):
            largest = _largest_of_one(state.gradients)
            going = ((largest > threshold) | (state.steps == 0)) & (state.steps < limit) & jnp.isfinite(state.loss)
            return going & (state.steps - state.best.step < patience[0]) if held_out else going

        return lax.while_loop(running, lambda state: step(state, x, y), state)

    # Those with targets of their own are the refits of a bootstrap and the like: many, and mostly short.
    group = 16 if own_targets else 1
    return tuple(side_by_side(run, backend, mesh, compiler_options(backend), group) for run in (begin, advance))


def _largest_of_one(gradients):
    return jnp.max(jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(gradients)]))


def _largest(gradients):
    """Return the largest entry of each restart's gradient, by NumPy: JAX would compile it for each number of them."""
    return np.max([np.abs(leaf).reshape(len(leaf), -1).max(axis=1) for leaf in jax.tree.leaves(gradients)], axis=0)
