"""One training run on several devices: each has whole copies of all arrays and takes its share of every batch.

What is taken over a batch is a mean, of n examples on N devices: each device has the mean of its n // N, the first
n % N devices that of one example more, and one sum over the devices, of everything in one vector, puts them together.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxnn.errors import require


def check_mesh(mesh: Any, batch_size: int | None = None) -> None:
    """A mesh of devices, with at least one example of each whole batch for every one of them."""
    require(isinstance(mesh, Mesh), "mesh", repr(mesh), "a jax.sharding.Mesh, such as jax.make_mesh((8,), ('batch',))")
    require(
        batch_size is None or mesh.size <= batch_size,
        "mesh",
        f"{mesh.size} devices for batches of {batch_size}",
        f"an example for each device: a mesh of at most {batch_size}, or batches of {mesh.size} or more",
    )


def replicated(tree: Any, mesh: Mesh) -> Any:
    """Return copies of the arrays, whole on every device of the mesh, those of other processes too."""

    def copy(leaf):
        leaf = jnp.asarray(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):  # a typed key is no NumPy array
            return jax.random.wrap_key_data(copy(jax.random.key_data(leaf)), impl=jax.random.key_impl(leaf))
        return jax.device_put(np.asarray(leaf), NamedSharding(mesh, PartitionSpec()))

    return jax.tree.map(copy, tree)


def over_devices(run: Callable, mesh: Mesh) -> Callable:
    """Return `run`, a program of whole arrays, as one that every device runs, knowing its place in the mesh."""
    # What `run` returns is equal on all devices by its own sums over them, which JAX does not see: it is not to check.
    return jax.shard_map(run, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(), check_vma=False)


def mean_of_rows(mean: Callable) -> Callable:
    """Return `mean(params, x, y, *key)` as a function of some rows of `x` and `y`, or of all: `rows` is then `None`."""

    def chosen(data, rows):
        # Each as one long row: a CPU gathers images pixel row by pixel row, which takes three times as long.
        return data.reshape(len(data), -1)[rows].reshape(len(rows), *data.shape[1:])

    def of_rows(params, x, y, rows, *key):
        return mean(params, *((x, y) if rows is None else (chosen(x, rows), chosen(y, rows))), *key)

    return of_rows


def mean_over_devices(mesh: Mesh, mean: Callable) -> Callable:
    """Return `mean_of_rows(mean)`, a tree of means, as `over_devices` runs it: the devices share the rows out.

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
        if over:  # one example more for the first devices; the others do the work too, since all run one program
            more = part(each * devices + jnp.minimum(place, over - 1), 1)
            sums.append(jax.tree.map(lambda v: jnp.where(place < over, v, 0), more))
        # One vector, so that a step waits for the other devices once and not once for each array.
        flat, unflat = ravel_pytree(jax.tree.map(lambda *values: sum(values) / len(rows), *sums))
        return unflat(lax.psum(flat, axes))

    return of_rows
