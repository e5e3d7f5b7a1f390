"""Checkpoints of a training run, written by orbax, so that a run that was killed goes on where it was.

A folder `DIR/EPOCH` is one checkpoint: `state`, the arrays of `params`, `optimizer` and `history` by name, and `about`,
JSON of the run's settings, the arrays' shapes and their digest. It has its name only once it is complete.
"""

import hashlib
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jaxnn.errors import CheckpointError

KEPT = 3  # so that there is one to fall back to, twice
SHARE = 0.05  # of the time may go into saving
SHOWN = 8  # differences of another run

State = tuple[Any, Any]
"""The parameters and the optimizer's state."""

Run = dict[str, Any]
"""The settings that make a run that run, of what JSON can hold."""

Arrays = dict[str, np.ndarray]
History = dict[str, np.ndarray]


def run_of(key: Any, **settings: Any) -> Run:
    """Return the settings, the random key as its numbers and arrays by dtype and shape."""
    texts = {name: _described(value) if hasattr(value, "dtype") else value for name, value in settings.items()}
    return texts | {"key": None if key is None else _numbers(key).tolist()}


def restore(folder: str | Path, run: Run, state: State) -> tuple[int, State, list[History]]:
    """Return `(epoch, state, history)` of the newest checkpoint that is whole, the history in one part.

    Without any, epoch 0 and the state given. A damaged one is set aside with a warning. Raises `CheckpointError` where
    all are damaged, where the newest is another run's, and where the folder cannot be written.
    """
    folder = Path(folder).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        _clean(folder)
        with _manager(folder) as manager:
            epochs = sorted(manager.all_steps(), reverse=True)
    except OSError as error:
        raise CheckpointError(
            f"checkpoint: got {folder}, expected a folder that can be written ({error.strerror or error})"
        ) from error
    damaged = {}
    for epoch in epochs:
        try:
            about, arrays = _read(folder, epoch)
        except Exception as error:  # whatever orbax raises at files that are not what they were
            damaged[epoch] = error
            continue
        _set_aside(folder, damaged, epoch)
        trees = {"params": state[0], "optimizer": state[1]}
        _check_same_run(f"epoch {epoch} in {folder}", about, run, _named(trees))
        trees = _filled(arrays, trees)
        begins = "history."
        history = {name.removeprefix(begins): arrays[name] for name in arrays if name.startswith(begins)}
        return epoch, (trees["params"], trees["optimizer"]), [history]
    if epochs:
        raise CheckpointError(
            f"checkpoint: got {folder}, in which all checkpoints, of epochs {epochs}, are damaged, expected one that "
            "can be read: name another folder to start anew"
        )
    return 0, state, []


def save(folder: str | Path, run: Run, epoch: int, state: State, history: list[History]) -> float:
    """Write a checkpoint; return the `time.perf_counter()` at which the next one is due.

    Raises `CheckpointError` where it cannot be written; the earlier ones are kept.
    """
    start, folder = time.perf_counter(), Path(folder).absolute()
    arrays = _named({"params": state[0], "optimizer": state[1]})
    shapes = {name: _described(array) for name, array in arrays.items()}
    arrays |= {f"history.{name}": np.concatenate([part[name] for part in history]) for name in history[0]}
    about = {"schema": 1, "run": run, "arrays": shapes, "digest": _digest(arrays)}
    filled = {name: array for name, array in arrays.items() if array.size}  # orbax takes no others
    try:
        with _manager(folder) as manager:
            manager.save(
                epoch, args=ocp.args.Composite(state=ocp.args.PyTreeSave(filled), about=ocp.args.JsonSave(about))
            )
    except Exception as error:  # orbax passes on what its parts raise, of many kinds
        _clean(folder)
        raise CheckpointError(
            f"checkpoint: got an error when saving epoch {epoch} to {folder} ({error}), expected room and a folder "
            "that can be written: the same call goes on from the checkpoint before it"
        ) from error
    end = time.perf_counter()
    return end + (end - start) / SHARE


def agreed(decision: bool) -> bool:
    """Return the first process's decision: their clocks differ, and all have to save together."""
    if jax.process_count() == 1:
        return decision
    return bool(multihost_utils.broadcast_one_to_all(np.asarray(decision)))


def _clean(folder: Path) -> None:
    """Remove what a save that did not end has left; orbax's own option for it races with the next save."""
    if jax.process_index() == 0:
        for unfinished in folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(unfinished, ignore_errors=True)


def _manager(folder: Path) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, enable_async_checkpointing=False)
    return ocp.CheckpointManager(folder, options=options)


def _read(folder: Path, epoch: int) -> tuple[dict[str, Any], Arrays]:
    """Return what a checkpoint holds, known to be what was saved."""
    with _manager(folder) as manager:
        wanted = ocp.args.Composite(state=ocp.args.PyTreeRestore(), about=ocp.args.JsonRestore())
        found = manager.restore(epoch, args=wanted)
    about, arrays = found["about"], dict(found["state"])
    arrays |= {name: _empty(text) for name, text in about["arrays"].items() if name not in arrays}
    if about["digest"] != _digest(arrays):
        raise ValueError("its arrays are not those that were saved")
    return about, arrays


def _set_aside(folder: Path, damaged: dict[int, Exception], whole: int) -> None:
    """Rename damaged checkpoints, so that the run can save those epochs again, and say so."""
    multihost_utils.sync_global_devices(f"{folder} was read")
    for epoch, error in damaged.items():
        new = f"damaged-{epoch}-{time.time_ns()}"
        if jax.process_index() == 0:
            (folder / str(epoch)).rename(folder / new)
        text = " ".join(str(error).split())[:200]
        warnings.warn(
            f"checkpoint: epoch {epoch} in {folder} is damaged ({text}): it is set aside as {new}, and the run goes on "
            f"from epoch {whole}, the checkpoint before it",
            stacklevel=4,
        )
    multihost_utils.sync_global_devices(f"{folder} has whole checkpoints")


def _check_same_run(what: str, about: dict[str, Any], run: Run, arrays: Arrays) -> None:
    """Raise `CheckpointError` with all differences where the checkpoint belongs to another run."""
    shapes = {name: _described(array) for name, array in arrays.items()}
    differences = [
        f"{name}: {theirs.get(name, 'nothing')} there, {ours.get(name, 'nothing')} here"
        for theirs, ours in ((about["run"], run), (about["arrays"], shapes))
        for name in sorted({*theirs, *ours})
        if theirs.get(name) != ours.get(name)
    ]
    if differences:
        shown = differences[:SHOWN] + [f"and {len(differences) - SHOWN} more"] * (len(differences) > SHOWN)
        raise CheckpointError(
            f"checkpoint: got {what}, of another run ({'; '.join(shown)}), expected one of this run: name "
            "another folder"
        )


def _described(array: Any) -> str:
    """Return dtype and shape in a few letters, such as `float32[784, 512]`."""
    return f"{array.dtype}{list(array.shape)}"


def _empty(text: str) -> np.ndarray:
    """Return the array that `_described` gave `text` for, of zeros."""
    dtype, shape = text.rstrip("]").split("[")
    return np.zeros([int(n) for n in shape.split(",")], np.dtype(dtype))


def _name(path: Any) -> str:
    """Return a leaf's place, such as `params['W1']`."""
    return path[0].key + jax.tree_util.keystr(path[1:])


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _numbers(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _named(trees: dict[str, Any]) -> Arrays:
    """Return the leaves by their places; random keys as the numbers they are of."""
    return {_name(path): _numbers(leaf) for path, leaf in jax.tree.leaves_with_path(trees)}


def _filled(arrays: Arrays, trees: dict[str, Any]) -> dict[str, Any]:
    """Return the trees with the arrays for leaves, the inverse of `_named`."""

    def filled(path, leaf):
        array = jnp.asarray(arrays[_name(path)])
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(leaf)) if _is_key(leaf) else array

    return jax.tree.map_with_path(filled, trees)


def _digest(arrays: Arrays) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(arrays):
        digest.update(f"{name} {_described(arrays[name])}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
