"""One training loop for all networks and gradients, by hand or by `jax.grad`, with any optax optimizer.

An epoch, shuffling and validation included, is one compiled program; nothing happens on the host in between.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from jaxnn.devices import check_mesh, replicated
from jaxnn.epochs import Data, Rows, Training, epochs_per_call, first_batch, keys_of_epochs, mean_metrics, program
from jaxnn.errors import (
    Diverged,
    InvalidArgument,
    WrongGradient,
    check_finite,
    check_key,
    check_positive_int,
    check_share,
    require,
)
from jaxnn.feeding import fed_epoch, fed_means, first_block, read_ahead
from jaxnn.gradient_check import gradient_check
from jaxnn.waiting import wait_for

if TYPE_CHECKING:  # optax takes a tenth of the time of `import jax`
    from pathlib import Path

    import optax
    from jax.sharding import Mesh

History = dict[str, Float[np.ndarray, " epochs"]]
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
    key: Key[Array, ""] | None = None,
    with_key: bool = False,
    validation_split: float = 0.0,
    metrics: Callable | None = None,
    progress: Callable[[int, Mapping[str, float]], None] | None = None,
    progress_every: int | None = None,
    mesh: "Mesh | None" = None,
    checkpoint: "str | Path | None" = None,
    block_size: int | None = None,
    verify: int | None = None,
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

    With `verify=k` the gradient is checked before the first and every k-th epoch that follows (`jaxnn.verify.check`),
    on the epoch's first batch with the parameters of that moment: mistakes that show on real data or late weights only
    are found there. A check takes seconds for a small network and a minute or more for one of millions of parameters.

    Raises `InvalidArgument` for data or settings that cannot be right; `WrongGradient` where `verify` finds a mistake,
    with the verdict, and the parameters and the history of the last check that passed, or of the start; `Diverged`,
    with the epoch and the step, when the loss or the parameters turn NaN or infinite; and `CheckpointError` for a
    folder that cannot be written or has another run's checkpoints.
    """
    x, y = checked_run(value_and_grad, params, data, epochs, batch_size, key, with_key, block_size)
    if progress_every is not None:
        check_positive_int("progress_every", progress_every)
    if verify is not None:
        check_positive_int("verify", verify)
    kept = _trained_on(len(x), validation_split, metrics)
    batch = kept if batch_size is None else batch_size
    require(0 < batch <= kept, "batch_size", batch, f"at most the {kept} examples that are trained on")
    if mesh is not None:
        check_mesh(mesh, batch)

    training = Training(value_and_grad, optimizer, batch, with_key, metrics)
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
    trained_on, held_out = (x[:kept], y[:kept]), (x[kept:], y[kept:]) if kept < len(x) else None
    run = partial(program(jax.default_backend(), mesh), training)
    if block_size is None:
        trained_on, held_out = place((trained_on, held_out))

    per_call = 1 if block_size else progress_every or epochs_per_call(kept, batch)
    judged, good, done = None if verify is None else gradient_check(value_and_grad), (params, {}), begin
    while done < epochs:
        count = min(per_call, epochs - done)
        if judged is not None and verify is not None:
            count = min(count, verify - done % verify)
            if done == begin or done % verify == 0:
                of_epoch = None if keys is None else keys[done]
                some = trained_on, of_epoch
                if block_size is not None:
                    some = first_block(trained_on, block_size, of_epoch)
                verdict = judged(state[0], *first_batch(training, *some))
                if not verdict:
                    raise WrongGradient(f"the gradient is wrong before epoch {done + 1}:\n{verdict}", verdict, *good)
                good = jax.tree.map(np.array, state[0]), _joined(history)
        if block_size is None:
            some_keys = None if keys is None else keys[done : done + count]
            state, record, losses, finite = run(count, state, trained_on, held_out, some_keys)
        else:
            key_of_epoch = None if keys is None else keys[done]
            state, record, losses, finite = fed_epoch(run, place, state, trained_on, block_size, key_of_epoch)
            if held_out is not None:
                means = fed_means(partial(_evaluated, metrics, state[0]), place, held_out, block_size)
                record |= {f"val_{name}": value[None] for name, value in means.items()}
        history.append(jax.tree.map(np.asarray, wait_for(record)))
        require(
            history[0].keys() == history[-1].keys(),
            "metrics",
            f"{sorted(history[-1])}",
            f"{sorted(history[0])} as in the checkpoint in {checkpoint}, or another folder",
        )
        stop_if_diverged(np.asarray(losses), bool(finite), done)
        done += count
        if checkpoint is not None and checkpoints.agreed(done == epochs or time.perf_counter() >= due):
            due = checkpoints.save(checkpoint, made_by, done, state, history)
        if progress is not None:
            progress(done, {name: float(values[-1]) for name, values in history[-1].items()})
    return Fit(state[0], _joined(history))


def _joined(history: list[History]) -> History:
    return {name: np.concatenate([part[name] for part in history]) for name in (history or [{}])[0]}


def _trained_on(examples: int, validation_split: float, metrics: Callable | None) -> int:
    """Return how many of the examples are trained on, the first ones; the others are held out."""
    check_share("validation_split", validation_split)
    asked = validation_split == 0 or metrics is not None
    require(asked, "metrics", None, "a function, since validation_split asks for it")
    kept = int(examples * (1 - validation_split))
    expected = f"a share that leaves some of the {examples} examples to train on"
    require(kept > 0, "validation_split", validation_split, expected)
    return kept


def evaluate(metrics: Callable, params: Any, data: Data, *, batch_size: int = 1000) -> dict[str, float]:
    """Return `metrics(params, x, y)` over all of `data`, taken `batch_size` examples at a time, as numbers."""
    x, y = checked_data(data, params)
    check_positive_int("batch_size", batch_size)
    jax.eval_shape(lambda p: metrics(p, x, y), params)
    return {name: float(value) for name, value in _evaluated(metrics, params, x, y, min(batch_size, len(x))).items()}


def predict(apply: Callable, params: Any, x: Rows, *, batch_size: int = 1000) -> Shaped[np.ndarray, "n ..."]:
    """Return `apply(params, x)`, computed `batch_size` examples at a time."""
    check_positive_int("batch_size", batch_size)
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    require(np.ndim(x) > 0 and len(x) > 0, "x", f"shape {np.shape(x)}", "at least one example")
    check_finite("x", x)
    _check_precision("x", x, params)
    run = jax.jit(apply)
    return np.concatenate([run(params, x[i : i + batch_size]) for i in range(0, len(x), batch_size)])


_evaluated = jax.jit(mean_metrics, static_argnums=(0, 4))


def checked_run(
    value_and_grad: Callable,
    params: Any,
    data: Data,
    epochs: int,
    batch_size: int | None,
    key: Key[Array, ""] | None,
    with_key: bool,
    block_size: int | None = None,
) -> Data:
    """Return `checked_data(data, params)` once all is known to fit together; the arguments are those of `fit`.

    Data that come in blocks are looked at block by block, and returned as they were given.
    """
    x, y = checked_data(data, params, finite=block_size is None)
    for name, value in {"epochs": epochs, "batch_size": len(x) if batch_size is None else batch_size}.items():
        check_positive_int(name, value)
    if block_size is not None:
        check_positive_int("block_size", block_size)
        require(batch_size is not None, "batch_size", None, "a number, since block_size asks for it")
        whole = block_size % (batch_size or 1) == 0
        require(whole, "block_size", block_size, f"a multiple of the batch size {batch_size}")
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


def stop_if_diverged(losses: Float[np.ndarray, "epochs updates"], finite: bool, epochs_before: int) -> None:
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
