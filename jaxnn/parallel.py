"""Data-parallel training, where every device holds all parameters and takes its share of each batch; many side by side.

What is taken over a batch is a mean, of n examples on N devices: each device has the mean of its n // N, the first
n % N devices that of one example more, and one sum over the devices, of everything in one vector, puts them together.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxnn.environment import cores
from jaxnn.errors import require


def wait_for(result: Any) -> Any:
    """Return `result` once it is computed, and hear Ctrl-C before.

    `block_until_ready` would not, so a thread waits there in place of the main one. Looking every now and then whether
    the result is there would take some 4 % of two cores from what computes it.
    """
    if threading.current_thread() is threading.main_thread():
        for _ in range(20):  # a millisecond: what starting a thread is too long for
            if all(leaf.is_ready() for leaf in jax.tree.leaves(result)):
                return result
            time.sleep(5e-5)
        waiting = threading.Thread(target=_wait_without_a_word, args=(result,))
        waiting.start()
        while waiting.is_alive():
            waiting.join(0.1)
    return jax.block_until_ready(result)


def _wait_without_a_word(result):
    with contextlib.suppress(Exception):  # the caller raises it
        jax.block_until_ready(result)


def check_mesh(mesh: Any, batch: int | None = None) -> None:
    """A mesh of devices, with at least one example of each whole batch for every one of them."""
    require(isinstance(mesh, Mesh), "mesh", repr(mesh), "a jax.sharding.Mesh, such as jax.make_mesh((8,), ('batch',))")
    require(
        batch is None or mesh.size <= batch,
        "mesh",
        f"{mesh.size} devices for batches of {batch}",
        f"an example for each device: a mesh of at most {batch}, or batches of {mesh.size} or more",
    )


def replicated(tree: Any, mesh: Mesh) -> Any:
    """Return copies of the arrays, whole on every device of the mesh, those of other processes too."""

    def copy(leaf):
        leaf = jnp.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(copy(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.device_put(np.asarray(leaf), NamedSharding(mesh, PartitionSpec()))

    return jax.tree.map(copy, tree)


def on_each(run: Callable, mesh: Mesh) -> Callable:
    """Return `run`, a program of whole arrays, as one that every device runs, knowing its place in the mesh."""
    return jax.shard_map(run, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False)


def number_of(starts: Any) -> int:
    """Return the number of networks, the first axis of every leaf."""
    counts = {np.shape(leaf)[:1] for leaf in jax.tree.leaves(starts)}
    require(
        len(counts) == 1 and min(counts) > (0,),
        "starts",
        f"first axes {sorted(counts)}",
        "one network or more, as many in each leaf",
    )
    ((number,),) = counts
    return number


def side_by_side(run: Callable, backend: str, mesh: Mesh | None, options: dict | None) -> Callable:
    """Return `run(state, *others)`, a program for one network, as one for many.

    The leaves of the state, and of what is returned, have the networks as the first axis. A CPU runs each by itself, as
    many at a time as it has cores: a batch of products of small matrices takes it longer than one after the other. An
    accelerator runs them as one batch. The devices of a mesh share the networks out; what is returned is whole on each,
    so that every process can look at all. `options` are XLA's.
    """
    if backend == "cpu" and mesh is None:
        return partial(on_cores, jax.jit(run, compiler_options=options))

    def each(state, *others):
        one = lambda state: run(state, *others)  # noqa: E731
        return lax.map(one, state) if backend == "cpu" else jax.vmap(one)(state)

    if mesh is None:
        return jax.jit(each, compiler_options=options)

    def part(state, *others):
        place, share = lax.axis_index(mesh.axis_names), len(jax.tree.leaves(state)[0]) // mesh.size
        mine = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, place * share, share), state)
        return lax.all_gather(each(mine, *others), mesh.axis_names, tiled=True)

    shared = jax.jit(on_each(part, mesh), compiler_options=options)

    def filled_up(state, *others):
        count = len(jax.tree.leaves(state)[0])
        rows = np.minimum(np.arange(-(-count // mesh.size) * mesh.size), count - 1)  # the last again, to fill up
        done = shared(*replicated((jax.tree.map(lambda leaf: leaf[rows], state), *others), mesh))
        return jax.tree.map(lambda leaf: leaf[:count], done)

    return filled_up


def on_cores(program: Callable, state: Any, *others: Any) -> Any:
    """Return `program(state, *others)` of each entry of the state, stacked: as many at a time as there are cores.

    XLA runs the loops of a single program one after the other. The program is compiled before the threads start, since
    settings such as `jax.enable_x64` are the calling thread's own.
    """
    leaves, structure = jax.tree.flatten(state)
    others = jax.tree.map(jnp.asarray, others)
    states = [structure.unflatten(some) for some in zip(*leaves, strict=True)]
    compiled = program.lower(states[0], *others).compile()
    with ThreadPoolExecutor(cores()) as pool:
        done = list(pool.map(lambda one: jax.block_until_ready(compiled(one, *others)), states))
    return jax.tree.map(lambda *some: jnp.asarray(np.stack(some)), *done)


def mean_of_rows(mean: Callable) -> Callable:
    """Return `mean(params, x, y, *key)` as a function of some rows of `x` and `y`, or of all: `rows` is then `None`."""

    def chosen(data, rows):
        # Each as one long row: a CPU gathers images pixel row by pixel row, which takes three times as long.
        return data.reshape(len(data), -1)[rows].reshape(len(rows), *data.shape[1:])

    def of_rows(params, x, y, rows, *key):
        return mean(params, *((x, y) if rows is None else (chosen(x, rows), chosen(y, rows))), *key)

    return of_rows


def mean_over_devices(mesh: Mesh, mean: Callable) -> Callable:
    """Return `mean_of_rows(mean)`, a tree of means, as `on_each` runs it: the rows are shared out among the devices.

    A key becomes another one on each device, since their dropout must not be alike.
    """
    axes, devices = mesh.axis_names, mesh.size

    def of_rows(params, x, y, rows, *key):
        rows = jnp.arange(len(x)) if rows is None else rows
        place = lax.axis_index(axes)
        each, over = divmod(len(rows), devices)
        key = [jax.random.fold_in(k, place) for k in key]

        def part(start, count):
            return mean_of_rows(mean)(params, x, y, lax.dynamic_slice(rows, (start,), (count,)), *key)

        sums = []
        if each:
            sums.append(jax.tree.map(lambda v: each * v, part(place * each, each)))
        if over:  # one example more for the first devices; the others do the work too, for nothing
            more = part(each * devices + jnp.minimum(place, over - 1), 1)
            sums.append(jax.tree.map(lambda v: jnp.where(place < over, v, 0), more))
        flat, unflat = ravel_pytree(jax.tree.map(lambda *values: sum(values) / len(rows), *sums))
        return unflat(lax.psum(flat, axes))

    return of_rows
