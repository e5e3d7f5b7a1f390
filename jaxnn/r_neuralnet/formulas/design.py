"""From columns of data to the matrices of a network: which columns, in which order, and the levels of factors."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.errors import require
from jaxnn.r_neuralnet.formulas.columns import Columns, columns_of, find, gaps_in, refuse_rows
from jaxnn.r_neuralnet.formulas.expressions import Column, State, value_of
from jaxnn.r_neuralnet.formulas.formula import Formula, Variable, term_name

_LARGE = 20  # inputs above this saturate nodes that start from standard normal weights
_SMALL = 0.01  # of columns that range less, gradients are within the threshold while nothing is learned


class Part(NamedTuple):
    """A variable of the formula in a network: as a number, as several, or as the levels of a factor.

    `names` are those of its columns in the matrix, `of` the data's columns that the expression `name` reads, `labels`
    the values of a response that stand for 0 and 1, `state` what `scale` and `poly` took from the data of the fit, and
    `dtype` the type of the numbers that a response's levels or labels are.
    """

    name: str
    names: tuple[str, ...]
    of: tuple[str, ...] | None = None
    levels: tuple | None = None
    labels: tuple | None = None
    state: State | None = None
    dtype: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the data that it reads."""
        return (self.name,) if self.of is None else self.of


class Design(NamedTuple):
    """What turns data into the network's covariates and responses, the same for new data as for the first.

    A covariate is a variable or the product of several.
    """

    covariates: tuple[tuple[Part, ...], ...]
    responses: tuple[Part, ...]

    @property
    def variables(self) -> list[str]:
        """The names of the covariates' columns."""
        return [name for term in self.covariates for name in _names_of_product(term)]

    @property
    def outputs(self) -> list[str]:
        """The names of the responses' columns."""
        return [name for part in self.responses for name in part.names]

    @property
    def numeric(self) -> tuple[list[bool], list[bool]]:
        """Whether each covariate's and each response's column holds numbers, and no levels or truth values."""
        x = [all(part.levels is None for part in term) for term in self.covariates for _ in _names_of_product(term)]
        return x, [p.levels is None and p.labels != (False, True) for p in self.responses for _ in p.names]

    def x(self, data: Any) -> Float[np.ndarray, "n p"]:
        """Return the covariates of some data: columns found by name, a matrix's by place.

        Raises `InvalidArgument` for missing columns, values and levels.
        """
        names = list(dict.fromkeys(name for term in self.covariates for part in term for name in part.columns))
        return self.covariate_matrix(columns_of("data", data, names, names))

    def covariate_matrix(self, columns: Columns) -> Float[np.ndarray, "n p"]:
        """Return the covariates; every row must have a finite value or a known level."""
        products = [reduce(_product, (_matrix(part, columns) for part in term)) for term in self.covariates]
        return np.concatenate(products, axis=1)

    def response_matrix(self, columns: Columns) -> Float[np.ndarray, "n k"]:
        """Return the responses; every row must have a finite value or a known level."""
        return np.concatenate([_matrix(part, columns) for part in self.responses], axis=1)


def design_of(formula: Formula, columns: Columns) -> Design:
    """Return the design that a formula asks for, the levels, centres and scales those of the data."""
    for name in (*(name for r in formula.responses for name in r.columns), *formula.dropped):
        find(columns, name, "formula")
    in_responses = {name for response in formula.responses for name in response.columns}
    wanted = {term_name(term): term for term in formula.covariates}
    if formula.dot:
        others = (name for name in columns if name not in in_responses and name not in formula.dropped)
        wanted = {name: (Variable(name),) for name in others} | wanted
    names = [response.name for response in formula.responses]
    twice = [name for name in wanted if name in names]
    require(not twice, "formula", f"{', '.join(twice)} on both sides", "a response that is not among the covariates")
    require(bool(wanted), "formula", "no covariates", "at least one: the data has no other columns")
    terms = {frozenset(term) for term in wanted.values()} | {frozenset()}
    covariates = [
        # A factor has all its levels where the rest of its product is no term by itself, as in R's model.matrix.
        tuple(_part(v, columns, response=False, whole=frozenset(term) - {v} not in terms) for v in term)
        for term in sorted(wanted.values(), key=len)
    ]
    responses = tuple(_part(response, columns, response=True, whole=True) for response in formula.responses)
    return Design(tuple(covariates), responses)


def _part(variable: Variable, columns: Columns, response: bool, whole: bool) -> Part:
    column, state = _value(variable.name, variable.of, columns, None)
    levels = _levels(column, variable)
    width = 1 if column.values.ndim == 1 else column.values.shape[1]
    name, labels = variable.name, None
    if levels is not None:
        names = [str(v) for v in levels] if response else [f"{name}{v}" for v in levels[0 if whole else 1 :]]
    elif width > 1:
        require(not response, "formula", f"{name} as a response", "a response of one column")
        names = [f"{name}{k}" for k in range(1, width + 1)]
    else:
        names, labels = [name], _labels(column.values) if response else None
    numbers = response and column.values.dtype.kind in "biuf"
    return Part(
        name, tuple(names), variable.of, levels, labels, state or None, column.values.dtype.str if numbers else None
    )


def _value(name: str, of: tuple[str, ...] | None, columns: Columns, state: State | None) -> tuple[Column, State]:
    """Return the column that a variable is, or what its expression makes of columns, and the expression's state."""
    read = {source: find(columns, source, "formula" if state is None else "data") for source in of or (name,)}
    whole = 'a value, and a finite one, in every row; leave these rows out (of a fit: na_action="omit") or fill them'
    for source, column in read.items():
        refuse_rows(source, gaps_in(column.values), column.values, whole)
    if of is None:
        return read[name], {}
    found, state = value_of(name, read, state)
    shown = found.values.reshape(len(found.values), -1)[:, -1]
    refuse_rows(name, gaps_in(shown), shown, "a finite number in every row")
    return found, state


def _labels(values: np.ndarray) -> tuple | None:
    """Return the two values of a response that names two classes, in the user's own type; `None` of other numbers."""
    kind = values.dtype.kind
    if kind == "b":
        return False, True
    found = np.unique(values)
    if np.isin(found, (0, 1)).all():
        return (0.0, 1.0) if kind == "f" else (0, 1)
    return tuple(found.tolist()) if len(found) == 2 else None


def _levels(column: Column, variable: Variable) -> tuple | None:
    """Return the levels of a factor: in the data's own order, else sorted; `None` for numbers."""
    if column.levels is None and column.values.dtype.kind not in "UO" and not variable.factor:
        return None
    levels = column.levels or tuple(sorted(set(column.values.tolist())))
    require(len(levels) > 1, variable.name, f"the level {levels} only", "a factor of two levels at least")
    return levels


def _names_of_product(term: Sequence[Part]) -> list[str]:
    """Return R's names of the columns: those of the first variable change fastest."""
    return reduce(lambda left, right: [f"{a}:{b}" for b in right for a in left], (list(part.names) for part in term))


def _product(left: Float[np.ndarray, "n p"], right: Float[np.ndarray, "n q"]) -> Float[np.ndarray, "n p*q"]:
    return np.einsum("ni,nj->nji", left, right).reshape(len(left), -1)


def _matrix(part: Part, columns: Columns) -> Float[np.ndarray, "n p"]:
    values = _value(part.name, part.of, columns, part.state or {})[0].values
    if part.levels is None:
        texts = values.dtype.kind not in "biuf"
        require(not texts, part.name, f"texts such as {str(values[0])!r}", "numbers, as in the data of the fit")
        return values.astype(float).reshape(len(values), -1)
    places = {level: i for i, level in enumerate(part.levels)}
    unseen = np.array([v not in places for v in values.tolist()])
    refuse_rows(part.name, unseen, values, f"the levels of the fit: {', '.join(map(str, part.levels))}")
    hot = np.eye(len(places))[[places[v] for v in values.tolist()]]
    return hot[:, len(places) - len(part.names) :]


def many_levels(formula: Formula, design: Design, n: int) -> list[str]:
    """Return what to warn of: texts that the dot made a covariate and that are nearly all different, as names are."""
    named = formula.columns
    return [
        f"column {part.name} has {len(part.levels)} different texts in {n} rows, of which . makes {len(part.names)} "
        f"columns of 0 and 1: leave it out, y ~ . - {part.name}"
        for term in design.covariates
        for part in term
        if formula.dot and part.name not in named and part.levels is not None and 2 * len(part.levels) > n
    ]


def data_warnings(
    x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n k"], inputs: Sequence[str], responses: Sequence[str]
) -> list[str]:
    """Return what to warn of: constant columns, and columns far from the size of 1, which hinder training.

    `responses` are the names of those that outputs of any size answer to, none of others.
    """
    constant = [name for name, values in zip(inputs, x.T, strict=True) if np.ptp(values) == 0]
    found = [f"column {name} is constant: it says nothing" for name in constant]
    wide, far = unscaled(x, inputs), unscaled(y, responses) if responses else []
    if wide:
        found.append(
            f"unscaled: {', '.join(wide)}; start weights are standard normal, so nodes saturate, or see nothing of "
            "tiny numbers: scale=True, or subtract each column's mean and divide by its standard deviation"
        )
    if far:
        found.append(
            f"unscaled response: {', '.join(far)}; outputs begin near 0 and weights move by small steps, so the way to "
            "large numbers is long, and tiny errors pass for none: scale=True, or standardise the response"
        )
    return found


def unscaled(values: Float[np.ndarray, "n p"], names: Sequence[str]) -> list[str]:
    """Return the columns with values far above 1, or that hardly vary, with their range.

    Nodes with weights of about 1 saturate of the first, and take no notice of the second.
    """
    return [
        f"{name} ({v.min():g} to {v.max():g})"
        for name, v in zip(names, values.T, strict=True)
        if np.ptp(v) > 0 and (np.abs(v).max() > _LARGE or np.ptp(v) < _SMALL)
    ]
