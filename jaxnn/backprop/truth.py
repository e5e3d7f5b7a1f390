"""What a level's lines should be: the forward values and the true adjoint of every variable, at six points.

The adjoints are those of `jaxnn.verify`, by autodiff of the level's own function; differences of the forward pass, run
by the interpreter, say where the loss bends and what the slopes on both sides are.
"""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import numpy as np

from jaxnn.backprop.interpreter import assign, evaluate, run
from jaxnn.backprop.language import function_of
from jaxnn.backprop.level import Level
from jaxnn.verify.adjoints import Node, nodes_at
from jaxnn.verify.differences import Slopes, rounding_of, slopes, step_scale

SHARE = 1e-8  # of the largest entry, by which right values may differ: formulas round differently
FLOOR = 1e-12


@dataclass(frozen=True, eq=False)
class Point:
    """The numbers of a level at one point: `given` and computed `values` by name, the adjoint of each variable."""

    level: Level
    given: dict[str, Any]
    values: dict[str, Any]
    adjoints: dict[str, np.ndarray]


@cache
def points(level: Level) -> tuple[Point, ...]:
    """Return the point that is shown, and the others at which a formula has to be right too."""
    numbers = {**level.params, **level.data}
    names = [name for name, value in numbers.items() if not isinstance(value, int)]
    whole = {name: value for name, value in numbers.items() if isinstance(value, int)}

    def loss(leaves):
        return level.loss(**dict(zip(names, leaves, strict=True)), **whole)

    with jax.enable_x64(True):
        at = nodes_at(loss, [numbers[name] for name in names], names)
        return tuple(_point(level, given, at, names) for given in (numbers, *level.elsewhere()))


def _point(level: Level, given: dict[str, Any], at: Callable[[list], list[Node]], names: list[str]) -> Point:
    values = dict(given)
    run(level.forward, values)
    adjoints = {node.name: node.adjoint for node in at([given[name] for name in names]) if node.name}
    return Point(level, given, values, adjoints)


def expected(point: Point, name: str) -> np.ndarray | None:
    """Return the derivative that a name such as "dW1" or "dadx" stands for, None where it stands for none."""
    meaning = point.level.meaning(name)
    if meaning is None:
        return None
    of, by = meaning
    if of == point.level.cost:
        return point.adjoints.get(by)
    return np.asarray(_local(point, of, by))


@cache
def _local(point: Point, of: str, by: str) -> float:
    """Return the derivative of a variable by one that stands in its line, all others held: both are numbers."""
    (line,) = (line for line in point.level.forward if line.name == of)

    def moved(t):
        scope = {**point.values, by: point.values[by] + t}
        assign(line, scope)
        return float(scope[of])

    return slopes(moved, rounding_of(moved)).central.value


def slopes_along(point: Point, by: str, direction: np.ndarray) -> Slopes:
    """Return the slopes of the loss, from both sides, along a direction of one variable of the forward pass."""
    forward, cost = point.level.forward, point.level.cost

    def phi(t):
        scope = dict(point.given)
        if by in scope:
            scope[by] = scope[by] + t * direction
        for line in forward:
            assign(line, scope)
            if line.name == by:
                scope[by] = scope[by] + t * direction
        return float(scope[cost])

    return slopes(phi, rounding_of(phi), 0.02 * step_scale(np.asarray(point.values[by])))


@cache
def slopes_at(level: Level, by: str, index: tuple[int, ...]) -> Slopes:
    """Return the slopes of the loss, at the point that is shown, along one entry of a variable."""
    point = points(level)[0]
    direction = np.zeros(np.shape(point.values[by]))
    direction[index] = 1.0
    return slopes_along(point, by, direction)


def differs(value: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the entries in which a value of the right shape is not the true one."""
    size = np.max(np.abs(true), initial=0.0)
    with np.errstate(invalid="ignore"):
        return ~(np.abs(value - true) <= SHARE * size + FLOOR)


@cache
def bent(level: Level) -> bool:
    """Return whether the forward pass bends at the point that is shown: at a ReLU's 0, or where two are the largest."""
    values = points(level)[0].values
    return any(_bends(node, values) for line in level.forward for node in ast.walk(line.value or ast.Constant(0)))


def _bends(node: ast.AST, values: dict[str, Any]) -> bool:
    if not isinstance(node, ast.Call) or function_of(node)[0] != "maximum":
        return False
    one, other = (evaluate(value, values) for value in node.args)
    return bool(np.any(np.equal(one, other)))


@cache
def bends_at(level: Level, by: str) -> bool:
    """Return whether the loss bends, at the point that is shown, along any entry of a variable."""
    places = np.ndindex(np.shape(points(level)[0].values[by]))
    return bent(level) and any(slopes_at(level, by, index).kink for index in places)


def nearest(point: Point, by: str, value: np.ndarray, true: np.ndarray, scale: float) -> np.ndarray:
    """Return the right value that is nearest to a wrong one: where the loss bends there are several."""
    found = np.array(true)
    if bent(point.level):
        for index in (tuple(map(int, index)) for index in np.argwhere(differs(value, true))):
            seen = slopes_at(point.level, by, index)
            if seen.kink:
                low, high = sorted((scale * seen.left.value, scale * seen.right.value))
                found[index] = min(max(value[index], low), high)
    return found


def is_subgradient(point: Point, by: str, value: np.ndarray, true: np.ndarray, scale: float) -> bool:
    """Return whether a value that autodiff contradicts is right, since the loss bends in each entry where it does.

    Each entry has to lie between the slopes of both sides, and so has the whole along all bent entries together: of a
    tie only the shares add up.
    """
    wrong, bends = differs(value, true), np.zeros(np.shape(true), bool)
    if not bent(point.level):
        return False
    for index in np.ndindex(*np.shape(true)):
        seen = slopes_at(point.level, by, index)
        bends[index] = seen.kink
        if wrong[index] and not (seen.kink and _between(float(value[index]) / scale, seen)):
            return False
    signs = np.random.default_rng(3).choice([-1.0, 1.0], (3, *np.shape(true)))
    directions = [bends * sign for sign in (1.0, *signs)]
    return all(_between(np.vdot(value, d).item() / scale, slopes_along(point, by, d)) for d in directions)


def _between(value: float, found: Slopes) -> bool:
    low, high = sorted((found.left.value, found.right.value))
    room = 4 * (found.left.error + found.right.error) + 1e-9 * max(abs(low), abs(high))
    return bool(low - room <= value <= high + room)
