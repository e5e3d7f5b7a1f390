"""Time several sides of a comparison in alternating blocks, so that what disturbs the machine disturbs all of them.

A side is a function `side(units) -> Block`. It does its own set-up and one unit of work that is not timed (after which
the caches hold what is its own), then `units` units that are. A unit is what cannot be divided, such as one epoch.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import jaxnn


class Block(NamedTuple):
    """One timed block."""

    lead: float  # seconds from the call to the end of the untimed unit; the first time, compilation too
    seconds: float  # of the timed steps
    steps: int
    phases: dict[str, float] = {}  # seconds of parts of the lead, where the side knows them
    peak: int = 0  # bytes of its process's memory, where it has one of its own
    dispatch: float = 0.0  # seconds of all steps until their calls returned, where the side knows


Side = Callable[[int], Block]


class Timing(NamedTuple):
    """What was measured of one side."""

    first_call: float  # seconds from the very first call to its first result
    steps: int  # in a block
    block: float  # seconds of the shortest block
    samples: list[float]  # seconds a step, one entry a block
    phases: dict[str, float] = {}  # seconds of parts of the first call, compiling the largest program among them
    peak: int = 0  # bytes, the most of a block
    dispatch: float = 0.0  # seconds a step


SHORTEST = 0.3  # seconds of a block: a thousand times the clock's and the scheduler's grain
# The blocks of a median, the share two medians may differ by, how often to try, seconds of a block that needs no more.
GROUP, AGREE, AGREEING, LONG = 3, 0.1, 4, 2.0
PHASES = {  # JAX's own names
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lower",
    "/jax/core/compile/backend_compile_duration": "compile",
}
NAP, NAPS = 0.02, 50  # seconds, and how many of them at most between two blocks


def alternate(sides: dict[str, Side], samples: int, shortest: float = SHORTEST) -> dict[str, Timing]:
    """Return the timing of each side: after a warm-up, `samples` rounds in each of which every side runs one block."""
    warm = {who: warm_up(side, shortest) for who, side in sides.items()}
    rounds = [{who: rested(side, warm[who][1]) for who, side in sides.items()} for _ in range(samples)]
    return {who: summary(warm[who][0], [blocks[who] for blocks in rounds]) for who in sides}


def warm_up(side: Side, shortest: float) -> tuple[Block, int]:
    """Return the first block and the number of units that take at least `shortest` seconds, once two medians agree."""
    with compiling() as compiled:
        first = rested(side, 1)
    phases = first.phases | compiled
    if compiled:
        phases["first run"] = max(0.0, first.lead - sum(compiled.values()))
    units, block = 1, first
    while block.seconds < shortest:
        units = max(units + 1, math.ceil(1.2 * units * shortest / max(block.seconds, 1e-9)))
        block = rested(side, units)
    if block.seconds < LONG:
        median = median_of_blocks(side, units)
        for _ in range(AGREEING):
            before, median = median, median_of_blocks(side, units)
            if abs(median - before) <= AGREE * before:
                break
    return first._replace(phases=phases), units


def median_of_blocks(side: Side, units: int) -> float:
    """Return the median of the seconds of a few blocks."""
    return float(np.median([rested(side, units).seconds for _ in range(GROUP)]))


@contextmanager
def compiling() -> Iterator[dict[str, float]]:
    """Return a dict that has, at the end, seconds to trace, lower and compile the program that took longest to compile.

    JAX reports programs within a program too, before it: their times are part of its own.
    """
    largest, last = {}, {}

    def listen(event: str, duration_secs: float, **_) -> None:
        if event in PHASES:
            last[PHASES[event]] = duration_secs
            if PHASES[event] == "compile" and duration_secs > largest.get("compile", 0):
                largest.update(last)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield largest
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def rested(side: Side, units: int) -> Block:
    """Return the side's block, run once the threads of the one before have come to rest."""
    rest()
    return side(units)


def rest() -> None:
    """Sleep until this process uses less than a tenth of a core, for at most a second.

    The idle threads of a peer's pool spin before they sleep, for milliseconds or for ever as OpenMP is set up, and
    would slow the next side down.
    """
    for _ in range(NAPS):
        before = time.process_time()
        time.sleep(NAP)
        if time.process_time() - before < NAP / 10:
            break


def summary(first: Block, blocks: list[Block]) -> Timing:
    """Return the timing that the blocks make, `first` being the one that is not counted."""
    samples = [block.seconds / block.steps for block in blocks]
    shortest, peak = min(block.seconds for block in blocks), max(block.peak for block in blocks)
    dispatch = float(np.median([block.dispatch / block.steps for block in blocks]))
    return Timing(first.lead, blocks[0].steps, shortest, samples, first.phases, peak, dispatch)


def fit_side(
    value_and_grad: Callable,
    params: Any,
    optimizer: optax.GradientTransformation,
    data: tuple,
    *,
    epochs: int,
    updates: int,
    fit: Callable = jaxnn.fit,
    **options: Any,
) -> Side:
    """Return jaxnn's side: `jaxnn.fit` itself, or `fit_ensemble`, timed between its progress calls.

    A unit is `epochs` epochs of `updates` updates each, what one compiled program of `fit` runs. Time runs from the
    first progress call to the last, so it includes whatever `fit` does between programs, and not its set-up. JAX runs
    in the precision of the data.
    """
    double, placed = data[0].dtype == np.float64, seconds_to_place(data)

    def side(units: int) -> Block:
        stamps = []
        start = time.perf_counter()

        def progress(done, last):
            stamps.append((time.perf_counter(), done))

        count = epochs * (1 + units)
        with jax.enable_x64(double):
            fit(value_and_grad, params, optimizer, data, epochs=count, progress=progress, **options)
        (first, before), (end, after) = stamps[0], stamps[-1]
        if before == after:
            raise RuntimeError(f"fit ran all {count} epochs as one program, so there is nothing between to time")
        return Block(first - start, end - first, updates * (after - before), {"data to device": placed})

    return side


def seconds_to_place(data: tuple) -> float:
    """Return the seconds that it takes to copy data to the device; a CPU may take them where they are."""
    arrays = [np.asarray(part) for part in data]
    with jax.enable_x64(True):  # or JAX would convert what is float64
        jax.block_until_ready(jax.device_put(arrays))
        start = time.perf_counter()
        jax.block_until_ready(jax.device_put(arrays))
        return time.perf_counter() - start


def peer_side(begin: Callable[[], Callable[[], object]], steps: int) -> Side:
    """Return a peer's side: `begin()` makes all as at the start and returns what runs one unit of `steps` steps."""

    def side(units: int) -> Block:
        start = time.perf_counter()
        work = begin()
        work()
        first = time.perf_counter()
        for _ in range(units):
            work()
        return Block(first - start, time.perf_counter() - first, units * steps)

    return side
