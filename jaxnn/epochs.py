"""Some epochs of training as one compiled program: shuffling, batches, updates and metrics, the host not asked once."""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from jaxnn.devices import mean_of_rows, mean_over_devices, over_devices

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    import optax
    from jax.sharding import Mesh

Rows = Shaped[Array, "n ..."] | Shaped[np.ndarray, "n ..."]
Data = tuple[Rows, Rows]
"""`(x, y)`: one example a row, floating-point numbers or, for labels, whole ones."""
State = tuple[Any, Any]
"""The parameters and the optimizer's state."""


class Training(NamedTuple):
    """What is trained and how; a program is compiled for each."""

    value_and_grad: Callable
    optimizer: "optax.GradientTransformation"
    batch_size: int
    with_key: bool = False
    metrics: Callable | None = None


class Epochs(NamedTuple):
    """What epochs leave: the state, each epoch's `{name: mean}`, the loss of every update, are all parameters finite.

    Arrays have the shapes `(epochs,)` and `(epochs, updates)`.
    """

    state: State
    history: dict[str, Float[Array, " epochs"]]
    losses: Float[Array, "epochs updates"]
    finite: Bool[Array, ""]


def run_epochs(
    training: Training,
    count: int,
    state: State,
    data: Data,
    held_out: Data | None,
    keys: Key[Array, " epochs"] | None,
    *,
    mean: Callable = mean_of_rows,
) -> Epochs:
    """Return what `count` epochs over `data` leave, the metrics of the data `held_out` taken after each.

    `keys` are one an epoch; without them the examples stay in order. `mean(f)(params, x, y, rows, *key)` is what `f`
    gives for those rows, computed here or by several devices together.
    """
    (x, y), batch = data, training.batch_size
    full, rest = divmod(len(x), batch)
    weights = np.array([batch] * full + [rest] * (rest > 0), np.float32)

    def step(state, chosen):
        params, optimizer_state = state
        rows, key = chosen
        value, grads = mean(training.value_and_grad)(params, x, y, rows, *([key] if training.with_key else []))
        loss, others = value if isinstance(value, tuple) else (value, {})
        changes, optimizer_state = training.optimizer.update(grads, optimizer_state, params)
        # An optimizer may compute in a higher precision than the parameters have; they keep theirs.
        params = jax.tree.map(lambda p, change: p + change.astype(p.dtype), params, changes)
        return (params, optimizer_state), {"loss": loss, **others}

    def batches(state, key):
        if full == 1 and not rest:  # all of the data as they lie: nothing is gathered, and nothing to shuffle
            state, record = step(state, (None, key))
            return state, jax.tree.map(lambda value: value[None], record)
        order, keys = drawn_order(key, len(x), full + 1)
        state, record = lax.scan(
            step, state, (order[: full * batch].reshape(full, batch), None if keys is None else keys[:full])
        )
        if rest:
            state, last = step(state, (order[full * batch :], None if keys is None else keys[full]))
            record = jax.tree.map(lambda values, value: jnp.append(values, value), record, last)
        return state, record

    def epoch(state, key):
        state, record = batches(state, key)
        after = {}
        if held_out is not None and training.metrics is not None:
            after = mean_metrics(training.metrics, state[0], *held_out, mean=mean)
        return state, (record, {f"val_{name}": value for name, value in after.items()})

    state, (record, after) = lax.scan(epoch, state, keys, length=count)
    means = {name: jnp.average(values, axis=1, weights=weights) for name, values in record.items()}
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state[0])]).all()
    return Epochs(state, {**means, **after}, record["loss"], finite)


def drawn_order(
    key: Key[Array, ""] | None, examples: int, updates: int
) -> tuple[Int[Array, " examples"], Key[Array, " updates"] | None]:
    """Return the order of an epoch's examples and a key for each update, or the order they have where there is none."""
    if key is None:
        return jnp.arange(examples), None
    order_key, noise_key = jax.random.split(key)
    # One sort, of the two that `jax.random.permutation` takes to rule ties out: where two of the 32-bit numbers are
    # equal, one pair of 60,000 in two epochs, those two examples keep their order.
    order = jnp.argsort(jax.random.bits(order_key, (examples,), jnp.uint32))
    return order, jax.random.split(noise_key, updates)


def first_batch(training: Training, data: Data, key: Key[Array, ""] | None) -> tuple[Any, ...]:
    """Return what the first update of an epoch with that key is given beside the parameters: `(x, y)`, and its key."""
    x, y = data
    full, rest = divmod(len(x), training.batch_size)
    rows, keys = slice(None), None if key is None else key[None]
    if full > 1 or rest:
        order, keys = drawn_order(key, len(x), full + 1)
        rows = order[: training.batch_size]
    return (x[rows], y[rows], *([keys[0]] if training.with_key and keys is not None else []))


# Enough to fill the machine, few enough for the plain convolutions' intermediates to fit into memory.
EVALUATED_AT_ONCE = 1000


def mean_metrics(
    metrics: Callable,
    params: Any,
    x: Rows,
    y: Rows,
    batch_size: int = EVALUATED_AT_ONCE,
    mean: Callable = mean_of_rows,
) -> dict[str, Float[Array, ""]]:
    """Return the means over all examples of `metrics`, themselves means over a batch."""
    batch = min(batch_size, len(x))
    full, rest = divmod(len(x), batch)
    order = jnp.arange(len(x))
    sums = lax.map(lambda rows: mean(metrics)(params, x, y, rows), order[: full * batch].reshape(full, batch))
    sums = jax.tree.map(lambda values: batch * values.sum(), sums)
    if rest:
        last = mean(metrics)(params, x, y, order[full * batch :])
        sums = jax.tree.map(lambda total, value: total + rest * value, sums, last)
    return jax.tree.map(lambda total: total / len(x), sums)


@cache
def program(backend: str, mesh: "Mesh | None" = None) -> Callable[..., Epochs]:
    """Return `run_epochs(training, count, state, data, held_out, keys)`, compiled; it takes the state's buffers over.

    The devices of a `mesh` share every batch out.
    """
    mean = mean_of_rows if mesh is None else partial(mean_over_devices, mesh)

    def run(training, count, *arrays):
        part = partial(run_epochs, training, count, mean=mean)
        return (part if mesh is None else over_devices(part, mesh))(*arrays)

    return jax.jit(run, static_argnums=(0, 1), donate_argnums=2, compiler_options=compiler_options(backend))


def compiler_options(backend: str) -> dict[str, int | bool] | None:
    """Return what XLA is told when a loop is compiled for that backend."""
    if backend != "cpu":
        return None
    # XLA's CPU compiler uses half of an AVX-512 register unless told otherwise; lesser machines take what they have.
    # And it copies parameters at each step that are updated in place, unless it looks closer at who reads them when.
    return {"xla_cpu_prefer_vector_width": 512, "xla_cpu_copy_insertion_use_region_analysis": True}


# One compiled program runs about so many updates, or one epoch if that has more: 500 of the smallest take 5 ms, a
# hundred times what a call costs, and one epoch of the largest is as long as one wants to wait for the progress bar.
_UPDATES_PER_CALL = 500


def epochs_per_call(examples: int, batch_size: int) -> int:
    """Return how many epochs one compiled program runs."""
    return max(1, _UPDATES_PER_CALL // -(-examples // batch_size))


def keys_of_epochs(key: Key[Array, ""], epochs: int) -> Key[Array, " epochs"]:
    """Return a key an epoch, whatever their number: a longer run begins like a shorter one."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(epochs))
