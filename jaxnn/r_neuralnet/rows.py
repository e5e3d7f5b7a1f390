"""Which rows of the data a fit takes, what each of them weighs, and how many a program is compiled for."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import require
from jaxnn.r_neuralnet.formulas.columns import Columns, array_of, missing
from jaxnn.r_neuralnet.formulas.expressions import Column, value_of
from jaxnn.r_neuralnet.formulas.syntax import names_in, tree_of
from jaxnn.r_neuralnet.network import Architecture

_PADDED = 50_000  # products of a row and a weight: below, a step costs little more than its calls, with padding too


def rows_of(columns: Columns, used: set[str], subset: Any, na_action: str) -> Int[np.ndarray, " rows"]:
    """Return the places of the rows that are in the subset and, with `na_action="omit"`, have no gap in a column used.

    `subset` is R's condition as text, truth values, or places from 0; a condition that is missing is not met.
    """
    require(na_action in ("fail", "omit"), "na_action", repr(na_action), '"fail" or "omit"')
    present = {name: column for name, column in columns.items() if column is not None}
    n = len(next(iter(present.values())).values)
    rows = np.arange(n) if subset is None else _subset(subset, present, n)
    if na_action == "omit":
        gaps = [_gaps(column) for name, column in present.items() if name in used]
        rows = rows[~np.any(gaps, axis=0)[rows]]
    require(rows.size > 0, "data", "no rows that are in the subset and have no gap", "at least one")
    return rows


def _gaps(column: Column) -> np.ndarray:
    return np.array([missing(v) for v in column.values.tolist()], bool)


def _subset(subset: Any, columns: dict[str, Column], n: int) -> np.ndarray:
    if isinstance(subset, str):
        names = names_in(tree_of("subset", subset))
        unknown = [name for name in names if name not in columns]
        require(not unknown, "subset", f"the column {', '.join(unknown)}, which the data lacks", "columns of the data")
        require(bool(names), "subset", repr(subset), "a condition on columns of the data")
        met = value_of(subset, columns)[0].values
        gaps = np.any([_gaps(columns[name]) for name in names], axis=0)
        return np.flatnonzero((met != 0) & ~gaps)
    return _places("subset", subset, n)


def _places(argument: str, given: Any, n: int) -> np.ndarray:
    """Return the places that truth values or places name."""
    seen = array_of(given)
    if seen.dtype.kind == "b":
        require(seen.shape == (n,), argument, f"{seen.size} truth values for {n} rows", "one for each row")
        return np.flatnonzero(np.ma.filled(seen, False))
    places = seen.ndim == 1 and seen.dtype.kind in "iu" and bool(((seen >= -n) & (seen < n)).all())
    also = "a condition as text, " * (argument == "subset")
    require(places, argument, f"{given!r}"[:80], f"{also}truth values, or places from 0 to {n - 1}")
    return np.asarray(seen) % n


def row_weights(weights: Any, columns: Columns, n: int) -> Float[np.ndarray, " n"] | None:
    """Return what each row weighs: the column of that name, or the numbers given; `None` where all weigh 1."""
    if weights is None:
        return None
    if isinstance(weights, str):
        column = columns.get(weights)
        require(column is not None, "weights", repr(weights), "a column of the data, or a number for each row")
        weights = column.values  # pyright: ignore[reportOptionalMemberAccess]
    given = np.ma.filled(np.ma.asarray(array_of(weights), float), np.nan)
    require(given.shape == (n,), "weights", f"shape {given.shape}", f"({n},), a number for each row")
    right = bool((np.isfinite(given) & (given >= 0)).all() and given.sum() > 0)
    require(right, "weights", "a number below 0 or not finite, or zeros only", "finite numbers of at least 0")
    return given


def padded_size(n: int) -> int:
    """Return the number of rows that a program for n rows is compiled for: four sizes an octave, and 2 rows to spare.

    A function of n alone, so that a fit does not hang on those before it. The spare rows keep the numbers of rows that
    people have, and those of folds of them, away from the ends of the sizes.
    """
    unit = 1 << max((n + 2).bit_length() - 3, 3)
    return -(-(n + 2) // unit) * unit


def padded(rows: Float[np.ndarray, "n m"], size: int) -> Float[np.ndarray, "size m"]:
    """Return the rows and behind them the first one again, until they are as many as that."""
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])


def weighed(
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n k"],
    weights: Float[np.ndarray, " n"] | None,
    architecture: Architecture,
    held_out: Bool[np.ndarray, " n"] | None = None,
) -> tuple[Float[np.ndarray, "rows p"], Float[np.ndarray, "rows q"], int]:
    """Return what the objective is given, and the columns behind the targets: what each row weighs, if that is needed,
    and what each of those that are held out weighs, if there are any.

    Small data are padded with rows that weigh 0, so that another number of rows, such as another fold's, mostly
    compiles nothing; of large ones and of functions of the user's the rows are left as they are.
    """
    n = len(x)
    pads = isinstance(architecture.error, str) and n * architecture.n_weights <= _PADDED
    if not pads and weights is None and held_out is None:
        return x, y, 0
    size = padded_size(n) if pads else n
    of_rows = np.ones(n) if weights is None else weights
    columns = [of_rows] if held_out is None else [np.where(held_out, 0, of_rows), np.where(held_out, of_rows, 0)]
    filled = [np.pad(column, (0, size - n)) for column in columns]
    return padded(x, size), np.column_stack([padded(y, size), *filled]), len(columns)


def held_out_rows(validation: Any, rows: Int[np.ndarray, " n"], n: int, stream: RRandom) -> Bool[np.ndarray, " n"]:
    """Return which of the rows of a fit are held out: a share of them, drawn, or those that are named of all `n`."""
    if np.ndim(validation) == 0:
        number = isinstance(validation, float | np.floating) and 0 < validation < 1
        require(number, "validation", repr(validation), "a share in (0, 1) such as 0.2, truth values, or places from 0")
        places = stream.sample(len(rows), max(1, round(float(validation) * len(rows)))) - 1
        found = np.isin(np.arange(len(rows)), places)
    else:
        found = np.isin(rows, _places("validation", validation, n))
    count = int(found.sum())
    require(0 < count < len(rows), "validation", f"{count} of {len(rows)} rows", "some of the rows, not all")
    return found
