"""From data of any kind to columns by name: numbers or texts, and what is missing marked as such."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Bool

from jaxnn.errors import require
from jaxnn.r_neuralnet.formulas.expressions import Column

Columns = dict[str, Column | None]  # None: a column that is there and not wanted


def columns_of(
    argument: str, data: Any, names: Sequence[str] | None = None, wanted: Collection[str] | None = None
) -> Columns:
    """Return the columns of a dict, a structured array or anything that has `columns`, such as pandas' and polars'.

    A plain matrix has no names: its columns are `names` in their order, if given. Only those `wanted` are looked at, by
    default all. Raises `InvalidArgument` for other data, and where the columns are not equally long or empty.
    """
    expected = "a dict of arrays, a structured array or a data frame"
    found = named_columns(data)
    if found is None:
        require(names is not None, argument, f"a {type(data).__name__}", expected)
        rows, names = array_of(data), names or ()
        fits = rows.ndim == 2 and rows.shape[1] == len(names)
        require(fits, argument, f"shape {rows.shape}", f"{expected}, or a matrix with the columns {', '.join(names)}")
        found = dict(zip(names, rows.T, strict=True))
    require(bool(found), argument, "no columns", expected)
    columns = {
        str(name): column_of(argument, name, values) if wanted is None or str(name) in wanted else None
        for name, values in found.items()
    }
    lengths = {name: len(column.values) for name, column in columns.items() if column is not None} or {"": 1}
    short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    seen = f"{lengths[short]} rows in {short} and {lengths[long]} in {long}"
    require(lengths[short] == lengths[long], argument, seen, "columns of one length")
    require(lengths[short] > 0, argument, "no rows", "at least one")
    return columns


def named_columns(data: Any) -> dict | None:
    """Return the columns by name as they are, `None` for data whose columns have no names."""
    if isinstance(data, Mapping):
        return dict(data)
    if isinstance(data, np.ndarray) and data.dtype.names:
        return {name: data[name] for name in data.dtype.names}
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        return {name: data[name] for name in data.columns}  # pyright: ignore[reportAttributeAccessIssue]
    return None


def array_of(given: Any) -> np.ndarray:
    """Return an array of what is given; a masked one stays masked, for what lies under a mask is missing."""
    return given if isinstance(given, np.ma.MaskedArray) else np.asarray(given)


def column_of(argument: str, name: Any, given: Any) -> Column:
    """Return one column as numbers or texts; raises `InvalidArgument` for anything else."""
    categories = getattr(getattr(given, "cat", given), "categories", None)  # pandas' series, and its Categorical
    levels = None if categories is None else tuple(np.asarray(categories).tolist())
    if isinstance(given, list | tuple):
        given = [None if v is np.ma.masked else v for v in given]
        if any(isinstance(v, str) for v in given):
            given = np.asarray(given, object)  # NumPy would make texts of all
    values = array_of(given)
    values = values.astype(str) if values.dtype.kind == "S" else values
    if isinstance(values, np.ma.MaskedArray):
        gaps, values = np.ma.getmaskarray(values), values.data
        if gaps.any():
            values = values.astype(object if values.dtype.kind in "UOT" else float)
            values[gaps] = None  # NaN among floats
    require(values.ndim == 1, argument, f"shape {values.shape} in column {name}", "columns of one dimension")
    if values.dtype.kind in "OT":  # objects, and the strings of NumPy 2
        entries = values.tolist()
        texts = levels is not None or any(isinstance(v, str) for v in entries)
        if texts and levels is None:
            strange = next((v for v in entries if not isinstance(v, str) and not missing(v)), None)
            require(strange is None, argument, f"{strange!r} among the texts of column {name}", "texts or numbers only")
        try:
            values = values.astype(object) if texts else _numbers(entries)
        except (TypeError, ValueError):
            require(False, argument, f"column {name} of {type(entries[0]).__name__}", "numbers, truth values or texts")
    known = values.dtype.kind in "biufUO"
    require(known, argument, f"dtype {values.dtype} in column {name}", "numbers, truth values or texts")
    return Column(values, levels)


def _numbers(entries: list) -> np.ndarray:
    """Return numbers or truth values of their own type; as floats where some are missing, or of no type of NumPy's."""
    gaps = [missing(v) for v in entries]
    values = np.array([np.nan if gap else v for gap, v in zip(gaps, entries, strict=True)])
    return values if values.dtype.kind in "biuf" else values.astype(float)


def missing(value: Any) -> bool:
    """Return whether a value is none: None, NaN, NaT, pandas' NA, NumPy's masked."""
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)  # NaN
    except TypeError:  # pandas.NA
        return True


def find(columns: Columns, name: str, argument: str) -> Column:
    """Return the column of this name; raises `InvalidArgument` that names the one that may be meant."""
    near = difflib.get_close_matches(name, columns, 1, 0.5)
    meant = f"; did you mean {near[0]}?" if near else ""
    expected = f"any of {', '.join(columns)}"
    require(name in columns, argument, f"the column {name}, which the data lacks{meant}", expected)
    return cast(Column, columns[name])


def gaps_in(values: np.ndarray) -> Bool[np.ndarray, " n"]:
    """Return where values are missing or not finite."""
    if values.dtype.kind == "f":
        return ~np.isfinite(values)
    return (
        np.array([missing(v) for v in values.tolist()], bool)
        if values.dtype.kind == "O"
        else np.zeros(len(values), bool)
    )


def refuse_rows(name: str, wrong: np.ndarray, values: np.ndarray, expected: str) -> None:
    """Raise `InvalidArgument` that names the first rows that are wrong, if any are."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        shown = ", ".join(map(str, rows[:5])) + (f" and {rows.size - 5} more" if rows.size > 5 else "")
        require(False, name, f"{values[rows[0]]} in row{'s' if rows.size > 1 else ''} {shown} (from 0)", expected)
