"""Any JAX function explained as the textbook does it: a table of values forward, a table of adjoints backward."""

from typing import Any, NamedTuple

import numpy as np

from jaxnn.trace.expressions import Formula


class Slope(NamedTuple):
    """The local derivative of a row's value with respect to an operand: its formula, and its value at the entries."""

    parent: str
    formula: Formula | None
    value: float | None


class Term(NamedTuple):
    """What one use of a value contributes to its adjoint, at the chosen entry.

    `slope` is the local derivative of the child's chosen entry, there where the contribution is the product of that
    and of the child's adjoint; None where it is a sum over entries.
    """

    child: str
    value: float
    child_adjoint: float
    slope: float | None
    formula: Formula | None


class Check(NamedTuple):
    """An adjoint against the difference that a shift of the value makes in the output, both along one direction.

    `kind` is "ok", "kink" (the adjoint lies between the one-sided slopes), "differs" or "unknown".
    """

    kind: str
    adjoint: float
    difference: float
    error: float


class Row(NamedTuple):
    """One value: what it is, its local derivatives, its adjoint as a sum of terms, and the check of that adjoint.

    An argument has no `formula`; a value that no derivative passes through has no `adjoint`. `entry` is the entry of an
    array whose numbers are shown. `line` is where the source makes it, `note` what there is to say besides.
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
    note: str


class Loop(NamedTuple):
    """An opened loop: the rows of its body, one column a round."""

    name: str
    rounds: tuple[str, ...]
    rows: tuple[tuple[str, Formula | None, tuple[Row | None, ...]], ...]


class Inside(NamedTuple):
    """A rule written by hand, opened: its forward rows and the rows of its backward (of its tangents, for a jvp)."""

    name: str
    forward: tuple[Row, ...]
    backward: tuple[Row, ...]


class Explanation(NamedTuple):
    """The rows of a function in the order of the forward pass, arguments first.

    `first_bad_value` and `first_bad_adjoint` are the names of the first values that hold a NaN or an infinity, in the
    order of the forward and of the backward pass.
    """

    function: str
    output: str
    rows: tuple[Row, ...]
    loops: tuple[Loop, ...] = ()
    insides: tuple[Inside, ...] = ()
    first_bad_value: str = ""
    first_bad_adjoint: str = ""
    hidden: int = 0

    def __str__(self) -> str:
        from jaxnn.trace.text import text

        return text(self)

    def __repr__(self) -> str:
        return f"<the explanation of {self.function}: {len(self.rows)} rows>"

    def __rich__(self) -> Any:
        from jaxnn.trace.text import rich_tables

        return rich_tables(self)

    def html(self) -> str:
        from jaxnn.trace.html import html

        return html(self)

    def svg(self) -> str:
        from jaxnn.trace.drawing import svg

        return svg(self)

    def latex(self) -> str:
        from jaxnn.trace.latex import latex

        return latex(self)
