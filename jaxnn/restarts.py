"""Training from many starts, each until its gradient is small."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnn.errors import Diverged, check_positive, check_positive_int
from jaxnn.parallel import check_mesh, number_of, side_by_side, wait_for
from jaxnn.train import Data, checked_data, compiler_options

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    import optax
    from jax.sharding import Mesh


class Restarts(NamedTuple):
    """Where each restart stopped, one entry a restart: every leaf of `params` has them as its first axis."""

    params: Any
    loss: np.ndarray
    largest_gradient: np.ndarray
    steps: np.ndarray
    converged: np.ndarray


def fit_until(
    value_and_grad: Callable,
    starts: Any,
    optimizer: "optax.GradientTransformation",
    data: Data,
    *,
    threshold: float = 0.01,
    stepmax: int = 100_000,
    progress: Callable[[np.ndarray, np.ndarray], None] | None = None,
    mesh: "Mesh | None" = None,
) -> Restarts:
    r"""Return where full-batch training from each start stops: at $\max |\partial J| \le$ `threshold` or `stepmax`.

    Every leaf of `starts` has the restarts as its first axis. On a GPU or TPU they run side by side, and one that has
    stopped stands still; on a CPU each by itself, as many at a time as there are cores. The devices of a `mesh` share
    them out, each restart staying on one device. Steps count as in R's neuralnet, where the first gradient is step 1:
    updates + 1, at most `stepmax` (lecture section 7). `progress(steps, largest gradients)` is called every 10,000
    steps.

    Raises `InvalidArgument` for data or settings that cannot be right and `Diverged` when a loss turns NaN or infinite.
    """
    x, y = checked_data(data, starts)
    check_positive("threshold", threshold)
    check_positive_int("stepmax", stepmax)
    number_of(starts)
    first = jax.tree.map(lambda leaf: leaf[0], starts)
    jax.eval_shape(lambda p: value_and_grad(p, x, y), first)
    if mesh is not None:
        check_mesh(mesh)
    begin, advance = _restarts(value_and_grad, optimizer, jax.default_backend(), mesh)
    starts, x, y = jax.tree.map(jnp.asarray, (starts, x, y))
    state, limit = begin(starts, x, y), 1
    running = True
    while running:
        limit = min(limit + 10_000, stepmax)
        state = params, _, losses, gradients, steps = wait_for(advance(state, x, y, threshold, limit))
        largest = np.asarray(_largest(gradients))
        for number in np.flatnonzero(~(np.isfinite(losses) & np.isfinite(largest))):
            raise Diverged(
                f"loss: got {losses[number]}, with a largest gradient of {largest[number]}, in restart {number + 1}, "
                f"step {steps[number]}, expected finite numbers"
            )
        running = limit < stepmax and (largest > threshold).any()
        if progress is not None:
            progress(np.asarray(steps), largest)
    return Restarts(params, np.asarray(losses), largest, np.asarray(steps), np.less_equal(largest, threshold))


@cache
def _restarts(value_and_grad, optimizer, backend, mesh):
    """Return the compiled functions that begin all restarts and take them on to step `limit`."""

    def begin(params, x, y):
        return params, optimizer.init(params), *value_and_grad(params, x, y), jnp.ones((), int)

    def step(state, x, y):
        params, optimizer_state, _, gradients, steps = state
        changes, optimizer_state = optimizer.update(gradients, optimizer_state, params)
        params = jax.tree.map(jnp.add, params, changes)
        return params, optimizer_state, *value_and_grad(params, x, y), steps + 1

    def advance(state, x, y, threshold, limit):
        def running(state):
            largest = jnp.max(jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(state[3])]))
            return (largest > threshold) & (state[4] < limit) & jnp.isfinite(state[2])

        return lax.while_loop(running, lambda state: step(state, x, y), state)

    return tuple(side_by_side(run, backend, mesh, compiler_options(backend)) for run in (begin, advance))


def _largest(gradients):
    """Return the largest entry of each restart's gradient."""
    return jnp.stack([jnp.abs(leaf).reshape(len(leaf), -1).max(axis=1) for leaf in jax.tree.leaves(gradients)]).max(
        axis=0
    )
