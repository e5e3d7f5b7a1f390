"""Time several sides of a comparison in alternating blocks, so that what disturbs the machine disturbs all of them.

A side is a function `side(units) -> Block`. It does its own set-up and one unit of work that is not timed (after which
the caches hold what is its own), then `units` units that are. A unit is what cannot be divided, such as one epoch.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

import jaxnn


class Block(NamedTuple):
    """One timed block."""

    lead: float  # seconds from the call to the end of the untimed unit; the first time, compilation too
    seconds: float  # of the timed steps
    steps: int


Side = Callable[[int], Block]


class Timing(NamedTuple):
    """What was measured of one side."""

    first_call: float  # seconds from the very first call to its first result
    steps: int  # in a block
    block: float  # seconds of the shortest block
    samples: list[float]  # seconds a step, one entry a block


SHORTEST = 0.3  # seconds of a block: a thousand times the clock's and the scheduler's grain
NAP, NAPS = 0.02, 50  # seconds, and how many of them at most between two blocks


def alternate(sides: dict[str, Side], samples: int, shortest: float = SHORTEST) -> dict[str, Timing]:
    """Return the timing of each side: after a warm-up, `samples` rounds in each of which every side runs one block."""
    warm = {who: warm_up(side, shortest) for who, side in sides.items()}
    rounds = [{who: rested(side, warm[who][1]) for who, side in sides.items()} for _ in range(samples)]
    return {who: summary(warm[who][0], [blocks[who] for blocks in rounds]) for who in sides}


def warm_up(side: Side, shortest: float) -> tuple[float, int]:
    """Return the first call's seconds and the number of units that take at least `shortest` seconds."""
    units, block = 1, rested(side, 1)
    first_call = block.lead
    while block.seconds < shortest:
        units = max(units + 1, math.ceil(1.2 * units * shortest / max(block.seconds, 1e-9)))
        block = rested(side, units)
    return first_call, units


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


def summary(first_call: float, blocks: list[Block]) -> Timing:
    """Return the timing that the blocks make."""
    samples = [block.seconds / block.steps for block in blocks]
    return Timing(first_call, blocks[0].steps, min(block.seconds for block in blocks), samples)


def fit_side(value_and_grad: Callable, params, optimizer, data: tuple, *, epochs: int, updates: int, **options) -> Side:
    """Return jaxnn's side: `jaxnn.fit` itself, timed between its progress calls.

    A unit is `epochs` epochs of `updates` updates each, what one compiled program of `fit` runs. Time runs from the
    first progress call to the last, so it includes whatever `fit` does between programs, and not its set-up. JAX runs
    in the precision of the data.
    """
    double = data[0].dtype == np.float64

    def side(units: int) -> Block:
        stamps = []
        start = time.perf_counter()

        def progress(done, last):
            stamps.append((time.perf_counter(), done))

        count = epochs * (1 + units)
        with jax.enable_x64(double):
            jaxnn.fit(value_and_grad, params, optimizer, data, epochs=count, progress=progress, **options)
        (first, before), (end, after) = stamps[0], stamps[-1]
        if before == after:
            raise RuntimeError(f"fit ran all {count} epochs as one program, so there is nothing between to time")
        return Block(first - start, end - first, updates * (after - before))

    return side


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
