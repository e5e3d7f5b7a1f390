"""What an explanation says of a function, as plain data: the rows of both tables and what stands below them."""

from typing import NamedTuple

import numpy as np

from jaxnn.trace.expressions import Formula


class Slope(NamedTuple):
    """The local derivative of a row's entry with respect to the `parent`'s entry: its formula, None if unknown.

    Not `linked` where the entry shown of the row depends on other entries of the parent than the one shown.
    """

    parent: str
    formula: Formula | None
    value: float
    linked: bool


class Term(NamedTuple):
    """What one use of a value contributes to its adjoint, at the entry shown.

    `factors` are the child's adjoint and the local derivative where their product is all of it; None where `value` is
    a sum over entries of the child. `product` is the contribution as a whole, in matrices, where that is known.
    """

    child: str
    value: float
    factors: tuple[float, float] | None
    product: Formula | None


class Check(NamedTuple):
    """An adjoint against the difference that moving the value makes in the output, both along one direction.

    `kind` is "ok", "kink" (the adjoint lies between the one-sided slopes), "differs", or "unsure" where the difference
    cannot tell. `error` is the estimated error of the difference.
    """

    kind: str
    adjoint: float
    difference: float
    error: float


class Row(NamedTuple):
    """One value: what it is, its local derivatives, its adjoint as a sum of terms, and the check of that adjoint.

    An argument has no `formula`; a value that no derivative passes through has no `adjoint`. `entry` is the entry of an
    array whose numbers are shown. `line` is the statement of the source that makes it, with its place; `loop` the loop
    it is a round of, as (loop, round, number of its operation in the body).
    """

    name: str
    formula: Formula | None
    value: np.ndarray
    entry: tuple[int, ...]
    slopes: tuple[Slope, ...]
    adjoint: np.ndarray | None
    terms: tuple[Term, ...]
    check: Check | None
    line: str
    loop: tuple[str, str, int] | None


class Inside(NamedTuple):
    """A rule written by hand, opened: its forward rows and the rows of its backward (of its tangents, for a jvp)."""

    name: str
    forward: tuple[Row, ...]
    backward: tuple[Row, ...]


class Derivation(NamedTuple):
    """The rows of a function in the order of its forward pass, the arguments first.

    `first_bad_value` and `first_bad_adjoint` name the first rows with a NaN or an infinity, in the order of the forward
    and of the backward pass. `missing` says which operations have no reverse rule: adjoints lack what passes through
    them. `hidden` counts the rows left out in the middle.
    """

    function: str
    output: str
    rows: tuple[Row, ...]
    insides: tuple[Inside, ...]
    first_bad_value: str
    first_bad_adjoint: str
    missing: tuple[str, ...]
    hidden: int

    def row(self, name: str) -> Row:
        """Return the row of that name."""
        return next(row for row in self.rows if row.name == name)
