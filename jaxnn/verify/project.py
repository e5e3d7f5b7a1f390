"""The project's own gradients, those of the table `jaxnn.gradients`, before the witnesses: what `jaxnn verify` runs."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from threading import Thread

import jax
import jax.numpy as jnp

from jaxnn.environment import cores
from jaxnn.errors import require
from jaxnn.gradients import Gradient, Problem, Rule, rows
from jaxnn.references import near
from jaxnn.verify.grids import grid
from jaxnn.verify.reports import Row
from jaxnn.verify.rules.check import survey_rule
from jaxnn.verify.surveys import surveyed
from jaxnn.verify.verdict import Verdict

FEW = 8  # gradients, which are checked before other processes have started


def chosen(names: Sequence[str] | None = None) -> list[Gradient]:
    """Return the rows of the table named, by their own name or their module's; all of them without names."""
    found = list(rows())
    known = list(dict.fromkeys(name for row in found for name in (row.name.split(".")[0], row.name)))
    expected = f"any of {', '.join(known)}"
    for name in names or ():
        require(name in known, "--only", name, expected + near(name, known))
    require(names is None or bool(names), "--only", "nothing", expected)
    return [row for row in found if names is None or {row.name, row.name.split(".")[0]} & set(names)]


def checked(chosen: Sequence[Gradient]) -> Iterator[Row]:
    """Yield each gradient with its verdict, in order: as many are checked at a time as there are cores."""
    if len(chosen) < FEW or cores() < 2 or jax.default_backend() != "cpu":  # an accelerator's memory is one process's
        yield from (_row(row) for row in chosen)
        return
    # Processes, since what takes long, tracing and compiling, keeps Python's lock. They are started afresh: a fork of a
    # process with JAX's threads would hang.
    pool = ProcessPoolExecutor(cores(), get_context("spawn"), _start)
    try:
        yield from pool.map(_row_of, [row.title for row in chosen])
    except BaseException:  # Ctrl-C: nothing that still runs is waited for
        for process in active_children():
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the first process ends the others
    Thread(target=_end_with_the_first, daemon=True).start()
    jax.config.update("jax_enable_x64", True)


def _end_with_the_first():
    if (first := parent_process()) is not None:
        first.join()  # also where it is killed, and so cannot end the others
    os._exit(1)


def _row_of(title):
    return _row(next(row for row in rows() if row.title == title))


def _row(row):
    start, points = time.perf_counter(), cases(row)
    first = next(other for other in rows() if other.name == row.name)
    found = verdict(row.functions(), points, quick=row.title != first.title)
    where = f"{len(points)} points" if len(points) > 1 else "one point"
    return Row(row.name, ", ".join(filter(None, (row.variant, where))), found, time.perf_counter() - start)


def verdict(functions: Problem | Rule, points: dict[str, tuple], *, quick: bool = False) -> Verdict:
    """Return the verdict on a gradient over all points.

    The first row of a name is brought before every witness at its ordinary point; what is `quick`, the same function
    with other options, before those that look at every entry.
    """
    if isinstance(functions, Problem):
        return surveyed(*functions, points, quick=quick)
    return survey_rule(*functions, points, quick=quick)


def cases(row: Gradient) -> dict[str, tuple]:
    """Return the points of a row as JAX's arrays, with those that follow: one in float32, a network's in other shapes.

    Of points in other shapes than the ordinary one the first alone: each takes as long to compile as all else together.
    The tests compare all of them with autodiff.
    """
    points = {name: jax.tree.map(jnp.asarray, args) for name, args in row.points().items()}
    other = [name for name, args in points.items() if _shapes(args) != _shapes(points["std"])]
    points = {name: args for name, args in points.items() if name not in other[1:]}
    if row.variant:
        return points
    points["float32"] = jax.tree.map(_float32, points["std"])
    if row.dims and not other and isinstance(row.functions(), Problem):
        made = grid(points["std"], row.dims)
        points |= {
            case.name: case for case in made if case.name.startswith(("all dimensions unequal", "all data tied"))
        }
    return points


def _shapes(args):
    return [jnp.shape(leaf) for leaf in jax.tree.leaves(args)]


def _float32(leaf):
    return leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
