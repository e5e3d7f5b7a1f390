"""The playground's points: the original's sets, the lecture's, and a table of the user's own."""

import csv
import io
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxnn.data import synthetic
from jaxnn.data.playground_sets import CLASSIFICATION, LECTURE, REGRESSION, shuffled
from jaxnn.data.rrandom import RRandom
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.data.synthetic import Points
from jaxnn.errors import InvalidArgument, require
from jaxnn.playground.config import OWN, POINTS

LECTURE_SEED = str(synthetic.SEED)  # with it the lecture's own points
CLASSIFY, REGRESS = 500, 1200  # points of a set, as in the original
LECTURED = 1000  # of a set of the lecture, as there


class Split(NamedTuple):
    """Rows `[x1, x2, label]`, and the stream as it is after them."""

    train: np.ndarray
    test: np.ndarray
    stream: SeedRandom


def split(config: Mapping[str, Any]) -> Split:
    """Return the points of a set-up, shuffled and split at `floor(n percTrainData / 100)`, from its seed.

    Own points that were drawn since the last split stand behind the others for training, in their order.
    """
    # One stream for the points, their order and then the start weights, as in the original, whose links hold its seed.
    stream = SeedRandom(config["seed"])
    points = _points(config, stream)
    old = max(0, len(points.y) - config["drawn"]) if name_of(config) == OWN else len(points.y)
    mixed = shuffled(stream, Points(points.x[:old], points.y[:old]))
    rows, drawn = np.column_stack([mixed.x, mixed.y]), np.column_stack([points.x[old:], points.y[old:]])
    train = math.floor(old * config["percTrainData"] / 100)
    return Split(np.concatenate([rows[:train], drawn]), rows[train:], stream)


def name_of(config: Mapping[str, Any]) -> str:
    """Return the name of the set that a set-up shows: that of its problem."""
    return config["regDataset" if config["problem"] == "regression" else "dataset"]


def seed_after(before: Mapping[str, Any], after: Mapping[str, Any], draw: Callable[[], str]) -> str:
    """Return the seed of a changed set-up: a set of the lecture comes with the lecture's, and takes it along."""
    old, new = name_of(before), name_of(after)
    if new in LECTURE and (old != new or not after["seed"]):
        return LECTURE_SEED
    left = old in LECTURE and new not in LECTURE and after["seed"] == LECTURE_SEED
    return draw() if left or not after["seed"] else after["seed"]


def _points(config: Mapping[str, Any], stream: SeedRandom) -> Points:
    regression, name = config["problem"] == "regression", name_of(config)
    if name == OWN:
        rows = np.array(config["points"], float).reshape(-1, 3)
        return Points(rows[:, :2], rows[:, 2] if regression else np.where(rows[:, 2] >= 0, 1.0, -1.0))
    if name in LECTURE:
        return _lecture_points(name, r_seed(config["seed"]), LECTURED)
    draw, count = (REGRESSION[name], REGRESS) if regression else (CLASSIFICATION[name], CLASSIFY)
    return draw(stream, count, config["noise"] / 100)


def _lecture_points(name: str, seed: int, n: int) -> Points:
    points = LECTURE[name](RRandom(seed), n)
    return Points(points.x, 1 - 2 * points.y)  # the lecture's figures have class 0 blue and 1 orange: here 1 and -1


def r_seed(seed: str) -> int:
    """Return R's seed for a playground's: a whole number itself, of 0.12345 the digits, of other text its sum."""
    digits = seed.removeprefix("0.")
    return int(digits) if digits.isdecimal() and len(digits) < 10 else sum(map(ord, seed))


def thumbnails() -> dict[str, list]:
    """Return 200 points of every set without noise, `[x1, x2, label]`, for its button; in the buttons' order."""

    def rows(points):
        return np.round(np.column_stack([points.x, points.y]), 2).tolist()

    def drawn(table):
        return {name: rows(draw(SeedRandom(name), 200, 0.0)) for name, draw in table.items()}

    lecture = {name: rows(_lecture_points(name, synthetic.SEED, LECTURED))[::5] for name in LECTURE}
    return drawn(CLASSIFICATION) | lecture | drawn(REGRESSION)


def from_table(text: str, problem: str) -> tuple[list[list[float]], list[str]]:
    """Return points within the plane's [-6, 6] from a table of `x1, x2, label` a line, and what was done to them.

    Commas, semicolons, tabs or spaces between; one line of names may stand first. Coordinates beyond 6 are scaled to
    [-5, 5], an axis each. For classification the label is one of two texts or numbers, of which the smaller becomes
    -1; for regression a number, scaled to [-1, 1] where it lies outside.
    """
    lines = [(i, line) for i, line in enumerate(text.replace("\ufeff", "").splitlines(), 1) if line.strip()]
    require(len(lines) > 0, "table", "no line", "x1, x2, label on each line")
    separator = next((s for s in ",;\t" if s in lines[0][1]), None)
    rows = [(i, _cells(line, separator)) for i, line in lines]
    if isinstance(rows[0][1][0], str):
        rows = rows[1:]  # the names
    require(0 < len(rows) <= POINTS, "table", f"{len(rows)} points", f"1 to {POINTS} lines of x1, x2, label")
    for i, row in rows:
        require(len(row) == 3, f"line {i}", f"{len(row)} values", "three: x1, x2, label")
        bad = next((cell for cell in row[: 2 + (problem == "regression")] if isinstance(cell, str)), None)
        require(bad is None, f"line {i}", repr(bad), "a finite number")
    labels, notes = _labels([row[2] for _, row in rows], problem)
    columns = [np.array([row[axis] for _, row in rows], float) for axis in (0, 1)]
    for axis, column in enumerate(columns):
        if np.abs(column).max() > 6:
            low, high = column.min(), column.max()
            middle, reach = low / 2 + high / 2, high / 2 - low / 2  # halved first: the difference may be infinite
            columns[axis] = 5 * np.clip((column - middle) / (reach or 1), -1, 1)
            notes.append(f"X{axis + 1} = 5 (x{axis + 1} - {middle:.6g}) / {reach or 1:.6g}")
    # Four decimals: the points are part of the link, which is to stay short.
    return np.round(np.column_stack([*columns, labels]), 4).tolist(), notes


def _cells(line: str, separator: str | None) -> list[float | str]:
    """Return the values of a line: a finite number as such, all else as the text that it is."""
    try:
        row = next(csv.reader(io.StringIO(line), delimiter=separator)) if separator else line.split()
    except csv.Error as error:
        raise InvalidArgument(f"table: {error}") from None
    return [_value(cell.strip()) for cell in row]


def _value(cell: str) -> float | str:
    try:
        value = float(cell)
    except ValueError:
        return cell
    return value if math.isfinite(value) else cell


def _labels(labels: list, problem: str) -> tuple[np.ndarray, list[str]]:
    if problem == "regression":
        values = np.array(labels)
        most = np.abs(values).max()
        return (values, []) if most <= 1 else (values / most, [f"label divided by {most:.6g}"])
    found = sorted(set(labels), key=lambda label: (isinstance(label, str), label))  # numbers before texts
    require(len(found) <= 2, "label", f"{len(found)} different ones", "two, for classification; choose regression else")
    if len(found) == 1:  # of one class only: the sign says which
        only = found[0]
        return np.full(len(labels), 1.0 if isinstance(only, str) or only > 0 else -1.0), []
    notes = [] if found == [-1, 1] else [f"label {found[0]} is -1, {found[1]} is 1"]
    return np.array([1.0 if label == found[1] else -1.0 for label in labels]), notes
