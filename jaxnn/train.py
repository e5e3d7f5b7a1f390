"""One training loop for all networks and gradients, by hand or by `jax.grad`, with any optax optimizer.

An epoch, shuffling and validation included, is one compiled program; nothing happens on the host in between.
"""

import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from jaxnn.errors import Diverged, InvalidArgument, check_finite, check_key, check_positive_int, check_share, require
from jaxnn.feeding import fed_epoch, fed_means, read_ahead
from jaxnn.parallel import check_mesh, mean_of_rows, mean_over_devices, on_each, replicated, wait_for

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    from pathlib import Path

    import optax
    from jax.sharding import Mesh

Data = tuple[Array | np.ndarray, Array | np.ndarray]
History = dict[str, np.ndarray]
"""What each epoch was like, arrays of one entry an epoch: `loss`, other metrics, and `val_...` of the held-out part."""


class Fit(NamedTuple):
    """What training leaves: the parameters after the last step and the history."""

    params: Any
    history: History


def fit(
    value_and_grad: Callable,
    params: Any,
    optimizer: "optax.GradientTransformation",
    data: Data,
    *,
    epochs: int,
    batch_size: int | None = None,
    key: Array | None = None,
    with_key: bool = False,
    validation_split: float = 0.0,
    metrics: Callable | None = None,
    progress: Callable[[int, Mapping[str, float]], None] | None = None,
    progress_every: int | None = None,
    mesh: "Mesh | None" = None,
    checkpoint: "str | Path | None" = None,
    block_size: int | None = None,
) -> Fit:
    """Return the parameters after `epochs` passes over `data = (x, y)`, one example a row, and the history.

    `value_and_grad(params, x, y)` gives `(loss, gradient)` or `((loss, {name: metric}), gradient)`; with `with_key` it
    is given a random key as a fourth argument, for dropout. `batch_size=None` takes all examples at once, one step an
    epoch. Otherwise each epoch takes every example once, in an order drawn from `key` (as they come where there is
    none), the last batch smaller if need be. `validation_split` holds out the last share of the examples before any
    shuffling, and `metrics(params, x, y)` is taken over them after each epoch. All as Keras does it: `history["loss"]`
    and the metrics beside it are the means over the epoch's batches while the weights move, `history["val_loss"]` and
    so on belong to its end. `progress(epochs_done, last)` is called between compiled programs, each of `progress_every`
    epochs (`None`: as many as make some 500 updates, or one).

    With a `mesh` of devices each takes its share of every batch, and one sum over all of them a step puts the gradients
    together: the parameters are those of one device but for rounding, and dropout's, whose noise is each device's own.
    A batch need not divide evenly. The mesh may span several processes that make the same call (`jax.distributed`).

    With `checkpoint`, a folder, the run saves itself there, at most a twentieth of the time, and at its end. The same
    call then goes on from the newest checkpoint, to bit for bit what an undisturbed run leaves, however often it is
    killed; more `epochs` make a finished run longer.

    With a `block_size`, a multiple of the batch size, no more than two blocks of so many examples are on the device at
    a time: `x` and `y` may be memory-mapped files (`np.load(file, mmap_mode="r")`) larger than it. With a key the
    blocks come in a random order and each is shuffled in itself, so a file should not be sorted by class; without one
    the result is the same as without blocks. All is read once before the first epoch, to be checked. `progress` is
    called after each epoch.

    Raises `InvalidArgument` for data or settings that cannot be right, `Diverged`, with the epoch and the step, when
    the loss or the parameters turn NaN or infinite, and `CheckpointError` for a folder that cannot be written or has
    another run's checkpoints.
    """
    x, y = checked_run(value_and_grad, params, data, epochs, batch_size, key, with_key, block_size)
    if progress_every is not None:
        check_positive_int("progress_every", progress_every)
    check_share("validation_split", validation_split)
    require(
        validation_split == 0 or metrics is not None, "metrics", None, "a function, since validation_split asks for it"
    )
    kept = int(len(x) * (1 - validation_split))
    require(
        kept > 0, "validation_split", validation_split, f"a share that leaves some of the {len(x)} examples to train on"
    )
    batch = kept if batch_size is None else batch_size
    require(0 < batch <= kept, "batch_size", batch, f"at most the {kept} examples that are trained on")
    if mesh is not None:
        check_mesh(mesh, batch)

    place = partial(replicated, mesh=mesh) if mesh is not None else partial(jax.tree.map, jnp.asarray)
    # The program takes its arguments' buffers over: the caller's own stay untouched.
    state = jax.tree.map(jnp.array, (params, optimizer.init(params)))
    keys = None if key is None else keys_of_epochs(key, epochs)
    begin, history, due = 0, [], 0.0
    if checkpoint is not None:
        from jaxnn import checkpoints  # orbax takes as long to import as JAX

        settings = {"trained_on": kept, "batch_size": batch, "block_size": block_size, "with_key": with_key}
        made_by = checkpoints.run_of(key, x=x, y=y, **settings)
        begin, state, history = checkpoints.restore(checkpoint, made_by, state)
        expected = f"at least the {begin} of the checkpoint in {checkpoint}, or another folder"
        require(begin <= epochs, "epochs", epochs, expected)
    state, keys = place((state, keys))
    train = partial(_compiled(jax.default_backend(), mesh), value_and_grad, optimizer)
    parts = None if block_size else place((x[:kept], y[:kept], x[kept:], y[kept:]))

    def at_once(state, done, count):
        return train(metrics, batch, with_key, count, state, parts, None if keys is None else keys[done : done + count])

    def in_blocks(state, done, count):
        size = block_size or kept
        run, key_of_epoch = partial(train, None, batch, with_key, count), None if keys is None else keys[done]
        state, record, *seen = fed_epoch(run, place, state, x[:kept], y[:kept], size, key_of_epoch)
        if kept < len(x):
            means = fed_means(partial(_evaluated, metrics, state[0]), place, x[kept:], y[kept:], size)
            record |= {f"val_{name}": value[None] for name, value in means.items()}
        return state, record, *seen

    per_call = 1 if block_size else progress_every or epochs_per_call(kept, batch)
    for done in range(begin, epochs, per_call):
        count = min(per_call, epochs - done)
        state, record, losses, finite = (in_blocks if block_size else at_once)(state, done, count)
        history.append(jax.tree.map(np.asarray, wait_for(record)))
        require(
            history[0].keys() == history[-1].keys(),
            "metrics",
            f"{sorted(history[-1])}",
            f"{sorted(history[0])} as in the checkpoint in {checkpoint}, or another folder",
        )
        stop_if_diverged(np.asarray(losses), bool(finite), done)
        if checkpoint is not None and checkpoints.agreed(done + count == epochs or time.perf_counter() >= due):
            due = checkpoints.save(checkpoint, made_by, done + count, state, history)
        if progress is not None:
            progress(done + count, {name: float(values[-1]) for name, values in history[-1].items()})
    return Fit(state[0], {name: np.concatenate([part[name] for part in history]) for name in history[0]})


# One compiled program runs about so many updates, or one epoch if that has more: 500 of the smallest take 5 ms, a
# hundred times what a call costs, and one epoch of the largest is as long as one wants to wait for the progress bar.
_UPDATES_PER_CALL = 500


def epochs_per_call(examples: int, batch: int) -> int:
    """Return how many epochs one compiled program runs."""
    return max(1, _UPDATES_PER_CALL // -(-examples // batch))


def keys_of_epochs(key: Array, epochs: int) -> Array:
    """Return a key an epoch, whatever their number: a longer run begins like a shorter one."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(epochs))


def run_epochs(mean, value_and_grad, optimizer, metrics, batch, with_key, count, state, parts, keys):
    """Return the state after `count` epochs, `{name: (count,)}`, losses `(count, updates)`, are all parameters finite.

    `mean(f)(params, x, y, rows, *key)` is what `f` gives for those rows, computed here or by several devices together.
    """
    x, y, x_val, y_val = parts
    full, rest = divmod(len(x), batch)
    weights = np.array([batch] * full + [rest] * (rest > 0), np.float32)

    def step(state, chosen):
        params, optimizer_state = state
        rows, key = chosen
        value, grads = mean(value_and_grad)(params, x, y, rows, *([key] if with_key else []))
        loss, others = value if isinstance(value, tuple) else (value, {})
        changes, optimizer_state = optimizer.update(grads, optimizer_state, params)
        params = jax.tree.map(lambda p, change: p + change.astype(p.dtype), params, changes)
        return (params, optimizer_state), {"loss": loss, **others}

    def batches(state, key):
        if full == 1 and not rest:
            state, record = step(state, (None, key))
            return state, jax.tree.map(lambda value: value[None], record)
        order, keys = jnp.arange(len(x)), None
        if key is not None:
            order_key, noise_key = jax.random.split(key)
            # One sort, of the two that `jax.random.permutation` takes to rule ties out: where two of the 32-bit numbers
            # are equal, one pair of 60,000 in two epochs, those two examples keep their order.
            order = jnp.argsort(jax.random.bits(order_key, (len(x),), jnp.uint32))
            keys = jax.random.split(noise_key, full + 1)
        state, record = lax.scan(
            step, state, (order[: full * batch].reshape(full, batch), None if keys is None else keys[:full])
        )
        if rest:
            state, last = step(state, (order[full * batch :], None if keys is None else keys[full]))
            record = jax.tree.map(lambda values, value: jnp.append(values, value), record, last)
        return state, record

    def epoch(state, key):
        state, record = batches(state, key)
        held_out = _mean_metrics(metrics, state[0], x_val, y_val, _EVALUATED_AT_ONCE, mean) if len(x_val) else {}
        return state, (record, {f"val_{name}": value for name, value in held_out.items()})

    state, (record, held_out) = lax.scan(epoch, state, keys, length=count)
    means = {name: jnp.average(values, axis=1, weights=weights) for name, values in record.items()}
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state[0])]).all()
    return state, {**means, **held_out}, record["loss"], finite


@cache
def _compiled(backend, mesh):
    mean = mean_of_rows if mesh is None else partial(mean_over_devices, mesh)

    def run(value_and_grad, optimizer, metrics, batch, with_key, count, *arrays):
        part = partial(run_epochs, mean, value_and_grad, optimizer, metrics, batch, with_key, count)
        return (part if mesh is None else on_each(part, mesh))(*arrays)

    return jax.jit(run, static_argnums=range(6), donate_argnums=6, compiler_options=compiler_options(backend))


def compiler_options(backend: str) -> dict[str, int | bool] | None:
    """Return what XLA is told when a loop is compiled for that backend."""
    if backend != "cpu":
        return None
    # XLA's CPU compiler uses half of an AVX-512 register unless told otherwise; lesser machines take what they have.
    # And it copies parameters at each step that are updated in place, unless it looks closer at who reads them when.
    return {"xla_cpu_prefer_vector_width": 512, "xla_cpu_copy_insertion_use_region_analysis": True}


def evaluate(metrics: Callable, params: Any, data: Data, *, batch_size: int = 1000) -> dict[str, float]:
    """Return `metrics(params, x, y)` over all of `data`, taken `batch_size` examples at a time, as numbers."""
    x, y = checked_data(data, params)
    check_positive_int("batch_size", batch_size)
    jax.eval_shape(lambda p: metrics(p, x, y), params)
    return {name: float(value) for name, value in _evaluated(metrics, params, x, y, min(batch_size, len(x))).items()}


def predict(apply: Callable, params: Any, x: Array | np.ndarray, *, batch_size: int = 1000) -> np.ndarray:
    """Return `apply(params, x)`, computed `batch_size` examples at a time."""
    check_positive_int("batch_size", batch_size)
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    require(np.ndim(x) > 0 and len(x) > 0, "x", f"shape {np.shape(x)}", "at least one example")
    check_finite("x", x)
    _check_precision("x", x, params)
    run = jax.jit(apply)
    return np.concatenate([run(params, x[i : i + batch_size]) for i in range(0, len(x), batch_size)])


# Enough to fill the machine, few enough for the plain convolutions' intermediates to fit into memory.
_EVALUATED_AT_ONCE = 1000


def _mean_metrics(metrics, params, x, y, batch=_EVALUATED_AT_ONCE, mean=mean_of_rows):
    """Return the means over all examples of `metrics`, themselves means over a batch."""
    batch = min(batch, len(x))
    full, rest = divmod(len(x), batch)
    order = jnp.arange(len(x))
    sums = lax.map(lambda rows: mean(metrics)(params, x, y, rows), order[: full * batch].reshape(full, batch))
    sums = jax.tree.map(lambda values: batch * values.sum(), sums)
    if rest:
        last = mean(metrics)(params, x, y, order[full * batch :])
        sums = jax.tree.map(lambda total, value: total + rest * value, sums, last)
    return jax.tree.map(lambda total: total / len(x), sums)


_evaluated = jax.jit(_mean_metrics, static_argnums=(0, 4))


def checked_run(value_and_grad, params, data, epochs, batch_size, key, with_key, block_size=None) -> Data:
    """Return `checked_data(data, params)` once all is known to fit together; the arguments are those of `fit`.

    Data that come in blocks are looked at block by block, and returned as they were given.
    """
    x, y = checked_data(data, params, finite=block_size is None)
    for name, value in {"epochs": epochs, "batch_size": len(x) if batch_size is None else batch_size}.items():
        check_positive_int(name, value)
    if block_size is not None:
        check_positive_int("block_size", block_size)
        require(batch_size is not None, "batch_size", None, "a number, since block_size asks for it")
        require(block_size % batch_size == 0, "block_size", block_size, f"a multiple of the batch size {batch_size}")
    require(key is not None or not with_key, "key", None, "a random key, since with_key asks for it")
    if key is not None:
        check_key("key", key)

    def look(x, y):
        # Tracing the gradient with the data in sight lets the network look at their values, once.
        jax.eval_shape(lambda p: value_and_grad(p, x, y, *([key] if with_key else [])), params)

    if block_size is None:
        x, y = jnp.asarray(x), jnp.asarray(y)
        look(x, y)
        return x, y
    starts = np.arange(0, len(x), block_size)
    for start, block in zip(starts, read_ahead(x, y, starts, block_size), strict=True):
        try:
            look(*map(jnp.asarray, checked_data(block, params)))
        except InvalidArgument as error:
            raise InvalidArgument(f"{error} (counted from row {start})") from error
    return x, y


def checked_data(data: Data, params: Any, finite: bool = True) -> Data:
    """Return `(x, y)` as arrays, known to be finite, of one length, and of the precision of the parameters."""
    require(isinstance(data, tuple | list) and len(data) == 2, "data", type(data).__name__, "a pair (x, y)")
    x, y = (part if isinstance(part, jax.Array | np.ndarray) else np.asarray(part) for part in data)
    require(x.ndim > 0 and len(x) > 0, "x", f"shape {x.shape}", "at least one example")
    require(y.ndim > 0 and len(y) == len(x), "y", f"shape {y.shape}", f"one row for each of the {len(x)} rows of x")
    if finite:
        check_finite("x", x)
        check_finite("y", y)
    _check_precision("x", x, params)
    _check_precision("y", y, params)
    return x, y


def _check_precision(name, array, params):
    leaves = jax.tree.leaves(params)
    require(bool(leaves), "params", repr(params), "arrays to train")
    promised = jnp.result_type(*leaves)
    if jnp.issubdtype(array.dtype, jnp.floating):
        expected = f"{promised} as in params: convert one of them, or the precision of neither is what it says"
        require(array.dtype == promised, name, f"dtype {array.dtype}", expected)


def stop_if_diverged(losses: np.ndarray, finite: bool, epochs_before: int) -> None:
    """Raise `Diverged` where one of the losses, `(epochs, updates)`, or the parameters after them are not `finite`."""
    bad = np.argwhere(~np.isfinite(losses))
    if len(bad):
        epoch, step = bad[0]
        raise Diverged(
            f"loss: got {losses[epoch, step]} at epoch {epochs_before + epoch + 1}, step {step + 1}, "
            "expected a finite number: try a smaller learning rate, or look for unscaled or extreme inputs"
        )
    if not finite:
        epoch, step = epochs_before + losses.shape[0], losses.shape[1]
        raise Diverged(
            f"params: got NaN or infinity after epoch {epoch}, step {step}, expected finite numbers: "
            "try a smaller learning rate"
        )
