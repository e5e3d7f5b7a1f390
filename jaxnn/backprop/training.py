"""Trains a level's network by plain gradient descent with the learner's gradient, and beside it with the true one."""

import functools
import time
from typing import Any

import numpy as np

from jaxnn.backprop.interpreter import run
from jaxnn.backprop.judge import gradient_of, parsed
from jaxnn.backprop.level import Level
from jaxnn.data.playground_sets import CLASSIFICATION
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.errors import InvalidArgument

POINTS, EDGE, MAPS, REACH = 120, 30, 16, 6.0  # points of a set, pixels of a map, maps of a run, the plane's edge
SCALE = 3.0  # by which the plane is divided before it goes into a network
LONGEST = 20  # seconds of work, ten times what the levels take
LOST = 1e6  # times the first loss: from there on a run is lost


def train(level: Level, text: str) -> dict[str, Any]:
    """Return the losses of both runs, and for a network of the plane its points and maps along the way.

    A loss is None from where a run is lost on. Raises `InvalidArgument` where the text gives no gradient.
    """
    program = parsed(level, text)
    if program.refused:
        raise program.refused[0]
    hand, maps = _run(level, program)
    true, true_maps = _true(level)
    found: dict[str, Any] = {"losses": [[step, a, b] for step, (a, b) in enumerate(zip(hand, true, strict=True))]}
    found["rate"] = level.training.rate
    if level.training.points:
        found |= {"points": _set(level.training.points).tolist(), "edge": EDGE, "steps": _moments(level).tolist()}
        found["maps"] = {"hand": maps, "true": true_maps}
    return found


@functools.cache
def _true(level: Level):
    """Return the run of the level's own solution, which the tests compare with autodiff."""
    return _run(level, parsed(level, level.solution))


@functools.cache
def _set(name: str) -> np.ndarray:
    """Return the points of a set of the plane: x1, x2, and a label of 1 or -1."""
    points = CLASSIFICATION[name](SeedRandom("backprop"), POINTS, 0.0)
    return np.column_stack([*points])


def _data(level: Level) -> dict[str, Any]:
    if not level.training.points:
        return dict(level.data)
    points = _set(level.training.points)
    return {"X": points[:, :2] / SCALE, "y": (points[:, 2:] > 0) * 1.0, "m": len(points)}


def _moments(level: Level) -> np.ndarray:
    """Return the steps before which a map is drawn: more of them at the start, where more changes."""
    return np.unique(np.round(level.training.steps * np.linspace(0, 1, MAPS) ** 2).astype(int))


def _run(level: Level, program) -> tuple[list[float | None], list[list[int]]]:
    data, params, losses, maps = _data(level), dict(level.params), [], []
    start = time.thread_time()
    moments = set(_moments(level).tolist()) if level.training.points else set()
    for step in range(level.training.steps + 1):
        if time.thread_time() - start > LONGEST:
            raise InvalidArgument(f"the program: got {LONGEST} s of training, expected less: take smaller arrays")
        scope = {**params, **data}
        run(level.forward, scope)
        loss = float(scope[level.cost])
        if not np.isfinite(loss) or (losses and abs(loss) > LOST * max(1.0, abs(losses[0]))):
            losses += [None] * (level.training.steps + 1 - step)
            break
        losses.append(loss)
        if step in moments:
            maps.append(_map(level, params, data))
        gradient = gradient_of(level, program, scope)
        with np.errstate(all="ignore"):
            params = {name: value - level.training.rate * gradient[name] for name, value in params.items()}
    return losses, maps


def _map(level: Level, params, data) -> list[int]:
    """Return the network's output over the plane as bytes, row by row from the top left corner."""
    middle = REACH * (2 * (np.arange(EDGE) + 0.5) / EDGE - 1)
    x1, x2 = np.meshgrid(middle, -middle)
    grid = np.column_stack([x1.ravel(), x2.ravel()]) / SCALE
    scope = {**params, **data, "X": grid, "y": np.zeros((len(grid), 1))}
    for line in level.forward:
        if line.name == level.cost:
            break
        run([line], scope)
    output = np.asarray(scope[level.training.output])[:, 0]
    return np.round(255 * np.clip(np.nan_to_num(output), 0, 1)).astype(int).tolist()
