"""An epoch from data that need not fit into the device's memory, or into any: block by block, the next one ahead."""

import mmap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from jaxnn.epochs import Data, Epochs, Rows, State
from jaxnn.waiting import wait_for

Block = tuple[np.ndarray, np.ndarray]


def fed_epoch(run: Callable, place: Callable, state: State, data: Data, size: int, key: Array | None) -> Epochs:
    """Return what one epoch over `data = (x, y)` leaves, `size` examples on the device at a time.

    `run(epochs, state, block, None, keys)` trains on a block, `place(tree)` puts arrays on the devices. With a key the
    blocks come in a random order, each shuffled in itself. While a block is trained on, the next one is copied to the
    device and the one after that is read.
    """
    starts, keys = drawn_blocks(key, len(data[0]), size)
    rows, histories, losses, finite = [], [], [], jnp.array(True)
    for number, block in enumerate(read_ahead(*data, starts, size)):
        some_keys = None if keys is None else keys[number : number + 1]
        placed, some_keys = place((block, some_keys))
        wait_for(finite)  # of the block before: no more than two are on the device
        state, history, loss, finite = run(1, state, placed, None, some_keys)
        rows.append(len(block[0]))
        histories.append(history)
        losses.append(loss)
    means = jax.tree.map(lambda *values: jnp.average(jnp.stack(values), axis=0, weights=np.array(rows)), *histories)
    return Epochs(state, means, jnp.concatenate(losses, axis=1), finite)


def drawn_blocks(key: Key[Array, ""] | None, examples: int, size: int) -> tuple[np.ndarray, Key[Array, " n"] | None]:
    """Return the rows at which an epoch's blocks start, in its order, and a key for each block."""
    starts = np.arange(0, examples, size)
    if key is None:
        return starts, None
    order_key, noise_key = jax.random.split(key)
    starts = np.asarray(jax.random.permutation(order_key, starts))
    return starts, jax.random.split(noise_key, len(starts))


def first_block(data: Data, size: int, key: Key[Array, ""] | None) -> tuple[Data, Key[Array, ""] | None]:
    """Return the block that an epoch with that key begins with, and the block's key."""
    starts, keys = drawn_blocks(key, len(data[0]), size)
    return read(*data, starts[0], size), None if keys is None else keys[0]


def fed_means(evaluated: Callable, place: Callable, data: Data, size: int) -> dict[str, Array]:
    """Return the means over all examples of `evaluated(x, y)`, the means over a block."""
    starts, examples = np.arange(0, len(data[0]), size), len(data[0])
    found = [(len(block[0]), evaluated(*place(block))) for block in read_ahead(*data, starts, size)]
    return jax.tree.map(lambda *values: sum(values) / examples, *[{k: n * v for k, v in m.items()} for n, m in found])


def read_ahead(x: Rows, y: Rows, starts: np.ndarray, size: int) -> Iterator[Block]:
    """Yield the blocks of `x` and `y` from those rows on, each read while the caller works with the one before."""
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(read, x, y, starts[0], size)
        for following in starts[1:]:
            block, ahead = ahead.result(), pool.submit(read, x, y, following, size)
            yield block
        yield ahead.result()


def read(x: Rows, y: Rows, start: int, size: int) -> Block:
    """Return a copy of those rows; what the process held in memory of a mapped file is given back."""
    block = np.array(x[start : start + size]), np.array(y[start : start + size])
    for part in (x, y):
        # What was changed in a map of mode "c" is nowhere else.
        if isinstance(part, np.memmap) and part.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
            mapped = getattr(part, "_mmap", None)  # None of what was computed from a map and lies in memory
            if mapped is not None:
                mapped.madvise(mmap.MADV_DONTNEED)
    return block
