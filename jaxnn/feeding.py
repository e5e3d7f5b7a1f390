"""An epoch from data that need not fit into the device's memory, or into any: block by block, the next one ahead."""

import mmap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn.parallel import wait_for

Block = tuple[np.ndarray, np.ndarray]


def fed_epoch(run: Callable, place: Callable, state: Any, x, y, size: int, key: Array | None):
    """Return what `train.run_epochs` returns of one epoch over `x` and `y`, `size` examples on the device at a time.

    `run(state, parts, keys)` trains on a block, `place(tree)` puts arrays on the devices. With a key the blocks come in
    a random order, each shuffled in itself. While a block is trained on, the next one is copied to the device and the
    one after that is read.
    """
    starts, keys = np.arange(0, len(x), size), None
    if key is not None:
        order_key, noise_key = jax.random.split(key)
        starts = np.asarray(jax.random.permutation(order_key, starts))
        keys = jax.random.split(noise_key, len(starts))
    rows, records, losses, finite = [], [], [], jnp.array(True)
    for number, block in enumerate(read_ahead(x, y, starts, size)):
        some_keys = None if keys is None else keys[number : number + 1]
        parts, some_keys = place(((*block, *(part[:0] for part in block)), some_keys))
        wait_for(finite)  # of the block before: no more than two are on the device
        state, record, loss, finite = run(state, parts, some_keys)
        rows.append(len(block[0]))
        records.append(record)
        losses.append(loss)
    means = jax.tree.map(lambda *values: jnp.average(jnp.stack(values), axis=0, weights=np.array(rows)), *records)
    return state, means, jnp.concatenate(losses, axis=1), finite


def fed_means(evaluated: Callable, place: Callable, x, y, size: int) -> dict[str, Array]:
    """Return the means over all examples of `evaluated(x, y)`, the means over a block."""
    starts = np.arange(0, len(x), size)
    found = [(len(block[0]), evaluated(*place(block))) for block in read_ahead(x, y, starts, size)]
    return jax.tree.map(lambda *values: sum(values) / len(x), *[{k: n * v for k, v in m.items()} for n, m in found])


def read_ahead(x, y, starts: np.ndarray, size: int) -> Iterator[Block]:
    """Return the blocks of `x` and `y` from those rows on, each read while the caller works with the one before."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(read, x, y, starts[0], size)
        for following in starts[1:]:
            block, ahead = ahead.result(), pool.submit(read, x, y, following, size)
            yield block
        yield ahead.result()


def read(x, y, start: int, size: int) -> Block:
    """Return a copy of those rows; what the process held in memory of a mapped file is given back."""
    block = np.array(x[start : start + size]), np.array(y[start : start + size])
    for part in (x, y):
        mapped = getattr(part, "_mmap", None)
        # What was changed in a map of mode "c" is nowhere else.
        if isinstance(mapped, mmap.mmap) and part.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)
    return block
