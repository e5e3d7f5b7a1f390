"""Training many networks side by side, each from a start of its own, on the same data."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxnn.devices import check_mesh
from jaxnn.epochs import Data, Training, compiler_options, epochs_per_call, keys_of_epochs, run_epochs
from jaxnn.errors import Diverged, require
from jaxnn.replicas import number_of, side_by_side
from jaxnn.train import Fit, checked_run, stop_if_diverged
from jaxnn.waiting import wait_for

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    import optax
    from jax.sharding import Mesh


def fit_ensemble(
    value_and_grad: Callable,
    starts: Any,
    optimizer: "optax.GradientTransformation",
    data: Data,
    *,
    epochs: int,
    batch_size: int | None = None,
    key: Key[Array, ""] | None = None,
    with_key: bool = False,
    progress: Callable[[int, Mapping[str, np.ndarray]], None] | None = None,
    mesh: "Mesh | None" = None,
) -> Fit:
    """Return what `jaxnn.fit` leaves of each start, all trained side by side on `data = (x, y)`.

    Every leaf of `starts`, and of what is returned, has the networks as its first axis; `history["loss"]` is
    `(networks, epochs)`. The other arguments are those of `fit`, for one network: `value_and_grad` is not batched, and
    network i shuffles and drops out by `jax.random.split(key, networks)[i]`. On a GPU or TPU all are one batch; on a
    CPU each is trained by itself, as many at a time as there are cores; the devices of a `mesh` share them out.
    `progress(epochs_done, last)` is called between compiled programs, `last` with an entry a network.

    Raises `InvalidArgument` for data or settings that cannot be right and `Diverged`, with the network, when a loss or
    a parameter turns NaN or infinite.
    """
    networks = number_of(starts)
    first = jax.tree.map(lambda leaf: leaf[0], starts)
    x, y = checked_run(value_and_grad, first, data, epochs, batch_size, key, with_key)
    batch = len(x) if batch_size is None else batch_size
    require(batch <= len(x), "batch_size", batch, f"at most the {len(x)} examples")
    if mesh is not None:
        check_mesh(mesh)
    x, y, starts = jax.tree.map(jnp.asarray, (x, y, starts))
    state = starts, jax.vmap(optimizer.init)(starts)
    keys = None
    if key is not None:
        keys = jax.vmap(lambda one: keys_of_epochs(one, epochs))(jax.random.split(key, networks))
    training = Training(value_and_grad, optimizer, batch, with_key)
    history, per_call = [], epochs_per_call(len(x), batch)
    for done in range(0, epochs, per_call):
        count = min(per_call, epochs - done)
        run = _compiled(jax.default_backend(), mesh, training, count)
        some_keys = None if keys is None else keys[:, done : done + count]
        state, record, losses, finite = wait_for(run((state, some_keys), (x, y)))
        losses, finite = np.asarray(losses), np.asarray(finite)
        history.append(jax.tree.map(np.asarray, record))
        for number in np.flatnonzero(~(np.isfinite(losses).all((1, 2)) & finite)):
            try:
                stop_if_diverged(losses[number], finite[number], done)
            except Diverged as error:
                raise Diverged(f"network {number + 1}: {error}") from None
        if progress is not None:
            progress(done + count, {name: values[:, -1] for name, values in history[-1].items()})
    return Fit(state[0], {name: np.concatenate([part[name] for part in history], axis=1) for name in history[0]})


@cache
def _compiled(backend, mesh, training, count):
    def run(state, data):
        trained, keys = state
        return run_epochs(training, count, trained, data, None, keys)

    return side_by_side(run, backend, mesh, compiler_options(backend))
