"""From columns of data to the matrices of a network: which columns, in which order, and the levels of factors."""

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.errors import require
from jaxnn.r_neuralnet.formula import Comparison, Formula, Variable


class Column(NamedTuple):
    """A column of data as numbers, or as texts; and the levels, in their order, where the data itself has them."""

    values: np.ndarray
    levels: tuple | None = None


Columns = dict[str, Column | None]  # None: a column that is there and not wanted
_OPERATORS = {"==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal}
_OPERATORS |= {">": np.greater, ">=": np.greater_equal}
_LARGE = 20  # inputs above this saturate nodes that start from standard normal weights


class Term(NamedTuple):
    """One column of the data in a network: as a number, or as its levels; a response may be a comparison."""

    name: str
    levels: tuple | None = None
    comparison: Comparison | None = None

    def names(self, response: bool) -> list[str]:
        """Return the names of the matrix's columns: of a covariate with levels all but the first, as in R."""
        if self.comparison is not None:
            return [str(self.comparison)]
        if self.levels is None:
            return [self.name]
        return [str(v) for v in self.levels] if response else [f"{self.name}{v}" for v in self.levels[1:]]


class Design(NamedTuple):
    """What turns data into the network's covariates and responses, the same for new data as for the first."""

    covariates: tuple[Term, ...]
    responses: tuple[Term, ...]

    @property
    def variables(self) -> list[str]:
        """The names of the covariates' columns."""
        return [name for term in self.covariates for name in term.names(response=False)]

    @property
    def outputs(self) -> list[str]:
        """The names of the responses' columns."""
        return [name for term in self.responses for name in term.names(response=True)]

    def x(self, data: Any) -> Float[np.ndarray, "n p"]:
        """Return the covariates of some data: columns found by name, a matrix's by place.

        Raises `InvalidArgument` for missing columns, values and levels.
        """
        names = [term.name for term in self.covariates]
        return matrix(columns_of("data", data, names, names), self.covariates, False)


def design_of(formula: Formula, columns: Columns) -> Design:
    """Return the design that a formula asks for, the levels those of the data."""
    names = [response.name for response in formula.responses]
    for name in (*names, *(variable.name for variable in formula.covariates), *formula.dropped):
        _find(columns, name, "formula")
    wanted = {variable.name: variable for variable in formula.covariates}
    if formula.dot:
        others = (name for name in columns if name not in names and name not in formula.dropped)
        wanted = {name: Variable(name) for name in others} | wanted
    twice = [name for name in wanted if name in names]
    require(not twice, "formula", f"{', '.join(twice)} on both sides", "a response that is not among the covariates")
    require(bool(wanted), "formula", "no covariates", "at least one: the data has no other columns")
    return Design(
        tuple(Term(v.name, _levels(_find(columns, v.name, "formula"), v)) for v in wanted.values()),
        tuple(
            Term(r.name, comparison=r)
            if isinstance(r, Comparison)
            else Term(r.name, _levels(_find(columns, r.name, "formula"), r))
            for r in formula.responses
        ),
    )


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
        str(name): _column(argument, name, values) if wanted is None or str(name) in wanted else None
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


def _column(argument: str, name: Any, given: Any) -> Column:
    categories = getattr(getattr(given, "cat", None), "categories", None)  # pandas; callable in others
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
            values = np.where(gaps, None, values) if values.dtype.kind in "UOT" else np.where(gaps, np.nan, values)
    require(values.ndim == 1, argument, f"shape {values.shape} in column {name}", "columns of one dimension")
    if values.dtype.kind in "OT":  # objects, and the strings of NumPy 2
        entries = values.tolist()
        texts = levels is not None or any(isinstance(v, str) for v in entries)
        if texts and levels is None:
            strange = next((v for v in entries if not isinstance(v, str) and not _missing(v)), None)
            require(strange is None, argument, f"{strange!r} among the texts of column {name}", "texts or numbers only")
        try:
            values = (
                values.astype(object) if texts else np.array([np.nan if _missing(v) else v for v in entries], float)
            )
        except (TypeError, ValueError):
            require(False, argument, f"column {name} of {type(entries[0]).__name__}", "numbers, truth values or texts")
    known = values.dtype.kind in "biufUO"
    require(known, argument, f"dtype {values.dtype} in column {name}", "numbers, truth values or texts")
    return Column(values, levels)


def _missing(value: Any) -> bool:
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)  # NaN
    except TypeError:  # pandas.NA
        return True


def _find(columns: Columns, name: str, argument: str) -> Any:
    near = difflib.get_close_matches(name, columns, 1, 0.5)
    meant = f"; did you mean {near[0]}?" if near else ""
    require(
        name in columns, argument, f"the column {name}, which the data lacks{meant}", f"any of {', '.join(columns)}"
    )
    return columns[name]


def _levels(column: Column, variable: Variable) -> tuple | None:
    """Return the levels of a factor: in the data's own order, else sorted; `None` for numbers."""
    if column.levels is None and column.values.dtype.kind not in "UO" and not variable.factor:
        return None
    given = [v for v in column.values.tolist() if not _missing(v)]
    levels = column.levels or tuple(sorted(set(given)))
    require(len(levels) > 1, variable.name, f"the level {levels} only", "a factor of two levels at least")
    return levels


def matrix(columns: Columns, terms: Sequence[Term], response: bool) -> Float[np.ndarray, "n p"]:
    """Return the columns of these terms side by side; every row must have a finite value or a known level."""
    parts = [_term_matrix(term, _find(columns, term.name, "data").values, response) for term in terms]
    return np.concatenate(parts, axis=1)


def _term_matrix(term: Term, values: np.ndarray, response: bool) -> Float[np.ndarray, "n p"]:
    gaps = np.array([_missing(v) for v in values.tolist()])
    if values.dtype.kind == "f":
        gaps |= ~np.isfinite(values)
    _refuse_rows(term.name, gaps, values, "a value, and a finite one, in every row; leave these rows out or fill them")
    if term.comparison is not None:
        _, operator, other = term.comparison
        texts = values.dtype.kind in "UO"
        alike = isinstance(other, str) == texts
        require(alike, "formula", f"{term.comparison}", f"a {'text' if texts else 'number'}, as {term.name} has them")
        return _OPERATORS[operator](values.astype(str) if texts else values, other).astype(float)[:, None]
    if term.levels is None:
        numbers = values.dtype.kind in "biuf"
        require(numbers, term.name, f"texts such as {str(values[0])!r}", "numbers, as in the data of the fit")
        return values.astype(float)[:, None]
    places = {level: i for i, level in enumerate(term.levels)}
    unseen = np.array([v not in places for v in values.tolist()])
    levels = ", ".join(map(str, term.levels))
    _refuse_rows(term.name, unseen, values, f"the levels of the fit: {levels}")
    hot = np.eye(len(places))[[places[v] for v in values.tolist()]]
    return hot if response else hot[:, 1:]


def _refuse_rows(name: str, wrong: np.ndarray, values: np.ndarray, expected: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        shown = ", ".join(map(str, rows[:5])) + (f" and {rows.size - 5} more" if rows.size > 5 else "")
        require(False, name, f"{values[rows[0]]} in row{'s' if rows.size > 1 else ''} {shown} (from 0)", expected)


def data_warnings(x: Float[np.ndarray, "n p"], names: Sequence[str]) -> list[str]:
    """Return what to warn of: columns that are constant, and columns far from the size of 1, which hinder training."""
    constant = [name for name, values in zip(names, x.T, strict=True) if np.ptp(values) == 0]
    found = [f"column {name} is constant: it says nothing" for name in constant]
    wide = unscaled(x, names)
    if wide:
        found.append(
            f"unscaled: {', '.join(wide)}; start weights are standard normal, so nodes saturate: subtract each column's"
            " mean and divide by its standard deviation"
        )
    return found


def unscaled(x: Float[np.ndarray, "n p"], names: Sequence[str]) -> list[str]:
    """Return the columns whose values are so large that nodes with weights of about 1 saturate, with their range."""
    return [
        f"{name} ({v.min():g} to {v.max():g})"
        for name, v in zip(names, x.T, strict=True)
        if np.ptp(v) > 0 and np.abs(v).max() > _LARGE
    ]
