"""One program run for many networks side by side: the first axis of every array counts the networks."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import Mesh

from jaxnn.devices import over_devices, replicated
from jaxnn.environment import cores
from jaxnn.errors import require


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


def side_by_side(run: Callable, backend: str, mesh: Mesh | None, options: dict | None, group: int = 1) -> Callable:
    """Return `run(state, *others)`, a program for one network, as one for many.

    The leaves of the state, and of what is returned, have the networks as the first axis. A CPU runs each by itself, as
    many at a time as it has cores: a batch of products of small matrices takes it longer than one after the other. An
    accelerator runs them as one batch. The devices of a mesh share the networks out; what is returned is whole on each,
    so that every process can look at all. `options` are XLA's. Many short runs are put together on a CPU, a `group` to
    a call, one after the other: a call costs as much as dozens of steps of a small network.
    """
    if backend == "cpu" and mesh is None:
        if group > 1:
            return _in_groups(partial(on_cores, jax.jit(_one_after_the_other(run), compiler_options=options)), group)
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

    shared = jax.jit(over_devices(part, mesh), compiler_options=options)

    def filled_up(state, *others):
        count = len(jax.tree.leaves(state)[0])
        # The last again, until every device has as many.
        rows = np.minimum(np.arange(-(-count // mesh.size) * mesh.size), count - 1)
        done = shared(*replicated((jax.tree.map(lambda leaf: leaf[rows], state), *others), mesh))
        return jax.tree.map(lambda leaf: leaf[:count], done)

    return filled_up


def _one_after_the_other(run: Callable) -> Callable:
    return lambda states, *others: lax.map(lambda state: run(state, *others), states)


def _in_groups(program: Callable, size: int) -> Callable:
    """Return the program of some networks at a time as one of any number, the last again until a group is full."""

    def run(state, *others):
        count = number_of(state)
        rows = np.minimum(np.arange(-(-count // size) * size), count - 1)
        groups = jax.tree.map(lambda leaf: np.asarray(leaf)[rows].reshape(-1, size, *leaf.shape[1:]), state)
        whole = lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[:count]  # noqa: E731
        return jax.device_put(jax.tree.map(whole, program(groups, *others)))

    return run


def on_cores(program: Callable, state: Any, *others: Any) -> Any:
    """Return `program(state, *others)` of each entry of the state, stacked: as many at a time as there are cores."""
    leaves, structure = jax.tree.flatten(state)
    others = jax.tree.map(jax.device_put, others)
    # Taken apart by NumPy, which has no keys: JAX would compile a program for each number of entries.
    keys = [jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    apart = [
        leaf if is_key else map(jax.device_put, np.asarray(leaf)) for leaf, is_key in zip(leaves, keys, strict=True)
    ]
    states = [structure.unflatten(some) for some in zip(*apart, strict=True)]
    # Threads, since XLA runs the loops of a single program one after the other. Compiled before they start, since
    # settings such as `jax.enable_x64` are the calling thread's own.
    compiled = program.lower(states[0], *others).compile()
    with ThreadPoolExecutor(cores()) as pool:
        done = list(pool.map(lambda one: jax.block_until_ready(compiled(one, *others)), states))
    return jax.tree.map(lambda *some: jax.device_put(np.stack(some)), *done)
