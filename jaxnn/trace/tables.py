"""The tables of an explanation, cell by cell: what the text, the page and the LaTeX all show."""

import re
from typing import Any, NamedTuple

import numpy as np

from jaxnn.trace.derivation import Derivation, Row, Term
from jaxnn.trace.expressions import Formula, derivative, formula, number, symbol, words

Cell = tuple[Formula, ...]  # the lines of a cell
MOST_TERMS = 4  # of a sum that is written out
MOST_ROUNDS = 7  # of a loop that have a column


class Table(NamedTuple):
    """A title, the names of the columns, and rows of cells; `marks` says of each row "", "bad" or "note"."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marks: tuple[str, ...]


def tables(e: Derivation) -> list[Table]:
    """Return the forward and the backward table, then those of opened loops and rules."""
    found = [forward(e), backward(e)]
    for loop in dict.fromkeys(row.loop[0] for row in e.rows if row.loop):
        found += loop_tables(e, loop)
    for inside in e.insides:
        found.append(_of_rows(f"Inside {inside.name}: forward", inside.forward))
        found.append(_of_rows(f"Inside {inside.name}: its own derivative", inside.backward))
    return found


def notes(e: Derivation) -> list[str]:
    """Return what there is to say below the tables: first NaN or infinity, adjoints that disagree, rows left out."""
    said = []
    for name, what in ((e.first_bad_value, "value"), (e.first_bad_adjoint, "adjoint")):
        if name:
            bad = next((row for row in e.rows if row.name == name), None)
            where = f": {bad.line}" if bad and bad.line else ""
            said.append(f"The first {what} with a NaN or an infinity is that of {name}{where}")
    for row in e.rows:
        if row.check and row.check.kind in ("differs", "kink"):
            c = row.check
            said.append(
                f"{row.name}: adjoint {c.adjoint:.7g}, by differences {c.difference:.7g} (error {c.error:.1g})"
                + (": a kink, both slopes are valid" if c.kind == "kink" else f": {row.line}" if row.line else "")
            )
    said += [f"No derivative passes through {why}" for why in e.missing]
    if e.hidden:
        said.append(f"{e.hidden} rows in the middle are left out")
    return said


def forward(e: Derivation) -> Table:
    """Return the table of values and local derivatives."""
    rows = [row for row in e.rows if not row.loop]
    arrays = any(np.ndim(row.value) for row in rows)
    head = ("operation", *(("shape", "range", "norm") if arrays else ()), "value", "local derivatives")
    cells = [
        ((operation(row),), *(_sizes(row.value) if arrays else ()), (entry_text(row, row.value),), _slopes(row))
        for row in rows
    ]
    return Table("Forward: values", head, tuple(cells), _marks(rows, e.first_bad_value))


def backward(e: Derivation) -> Table:
    """Return the table of adjoints, the output's first."""
    rows = [row for row in e.rows if row.adjoint is not None and not row.loop]
    rows = [row for row in reversed(rows) if row.formula] + [row for row in rows if not row.formula]
    arrays = any(np.ndim(row.value) for row in rows)
    checks = any(row.check for row in rows)
    head = ("adjoint", "sum over its uses", "in numbers", *(("range", "norm") if arrays else ()), "value")
    cells = [
        (
            (derivative(e.output, row.name),),
            *_sum(e.output, row),
            *(_sizes(row.adjoint)[1:] if arrays else ()),
            (entry_text(row, row.adjoint),),
            *((_check(row),) if checks else ()),
        )
        for row in rows
    ]
    return Table(
        "Backward: adjoints", (*head, "check") if checks else head, tuple(cells), _marks(rows, e.first_bad_adjoint)
    )


def loop_tables(e: Derivation, loop: str) -> list[Table]:
    """Return the values and the adjoints of a loop's body, one column a round."""
    body: dict[Any, dict[str, Row]] = {}
    for row in e.rows:
        if row.loop and row.loop[0] == loop:
            body.setdefault((row.name.split("[")[0], row.loop[2]), {})[row.loop[1]] = row
    rounds = list(dict.fromkeys(r for made in body.values() for r in made))
    if len(rounds) > MOST_ROUNDS:
        rounds = [*rounds[: MOST_ROUNDS // 2], *rounds[-(MOST_ROUNDS // 2) :]]
    values, adjoints = [], []
    for made in body.values():
        # Labelled by the last round: the first has the initial value where the others have that of the round before.
        last, shown = list(made)[-1], [made.get(r) for r in rounds]
        label, symbol = _of_round(operation(made[last]), last), _of_round(derivative(e.output, made[last].name), last)
        values.append(((label,), *((entry_text(row, row.value),) if row else (words(""),) for row in shown)))
        adjoints.append(((symbol,), *((entry_text(row, row.adjoint),) if row else (words(""),) for row in shown)))
    head, marks = ("in round i", *rounds), ("",) * len(body)
    return [
        Table(f"Loop {loop}: values", head, tuple(values), marks),
        Table(f"Loop {loop}: adjoints", head, tuple(adjoints), marks),
    ]


def _of_round(label: Formula, last: str) -> Formula:
    """Return what a label says of the last round as of any: "h[4] = f(h[3])" as "h[i] = f(h[i-1])"."""

    def relative(match):
        offset = int(match[1]) - int(last)
        return f"[i{offset:+d}]" if offset in (1, -1) else "[i]" if not offset else match[0]

    return Formula(*(re.sub(r"\[(\d+)\]", relative, form) for form in label))


def _of_rows(title: str, rows: tuple[Row, ...]) -> Table:
    arrays = any(np.ndim(row.value) for row in rows)
    head = ("operation", *(("shape", "range", "norm") if arrays else ()), "value")
    cells = tuple(
        ((operation(row),), *(_sizes(row.value) if arrays else ()), (entry_text(row, row.value),)) for row in rows
    )
    return Table(title, head, cells, ("",) * len(cells))


def _marks(rows, bad):
    return tuple("bad" if row.name == bad else "" for row in rows)


def operation(row: Row) -> Formula:
    """Return what a row is: "c = a + b"; of an argument, its name."""
    if row.formula is None:
        return Formula(row.name, symbol(row.name), row.name)
    f = row.formula
    return Formula(f"{row.name} = {f.text}", f"{symbol(row.name)} = {f.latex}", f"{row.name} = {f.pretty}")


def _sizes(value: np.ndarray | None) -> tuple[Cell, ...]:
    """Return the shape, range and norm of an array; of a number, nothing."""
    if value is None or not np.ndim(value):
        return ((words(""),),) * 3
    shape = (words(shape_text(value)),)
    if not np.size(value):
        return shape, (words(""),), (words(""),)
    v = np.asarray(value, float) + 0.0  # no minus zero
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(v.ravel())
    return shape, (words(f"{np.min(v):.4g} .. {np.max(v):.4g}"),), (words(f"{norm:.4g}"),)


def shape_text(value: np.ndarray) -> str:
    """Return the shape of an array: "3 x 4"."""
    return " x ".join(map(str, np.shape(value)))


def entry_text(row: Row, value: np.ndarray | None) -> Formula:
    """Return a number, or the entry shown of an array with its index; `value` is the row's value or adjoint."""
    if value is None:
        return words("")
    if not np.ndim(value):
        return _scalar(value[()])
    if not np.size(value):
        return words("empty")
    shown, index = _scalar(value[row.entry]), f"[{','.join(map(str, row.entry))}]"
    return Formula(f"{index} {shown.text}", f"\\text{{{index}}}\\; {shown.latex}", f"{index} {shown.pretty}")


def _scalar(value) -> Formula:
    return words(str(value)) if value.dtype == bool else number(float(value))


def _slopes(row: Row) -> Cell:
    return tuple(_slope(row, slope) for slope in row.slopes) or (words(""),)


def _slope(row, slope):
    symbol, known = derivative(row.name, slope.parent), slope.formula
    value = number(slope.value) if slope.linked else words("0 for the entries shown")
    if known is None or known.text == value.text:  # not "= 1 = 1"
        return _join(" = ", [symbol, value])
    if known.latex.startswith("\\text"):
        return _join(" = ", [symbol, _join("", [known, words(": here "), value])])
    return _join(" = ", [symbol, known, value])


def _sum(output: str, row: Row) -> tuple[Cell, Cell]:
    """Return the adjoint as a sum over the uses of the value, in symbols and in numbers."""
    if row.name == output and not row.terms:
        return (words("the output itself"),), (words(""),)
    if not row.terms:
        return (words("not used"),), (words(""),)
    symbols = [_symbols(output, row, term) for term in row.terms[:MOST_TERMS]]
    numbers = [_numbers(output, row, term) for term in row.terms[:MOST_TERMS]]
    if len(row.terms) > MOST_TERMS:
        more = words(f"... ({len(row.terms)} uses)")
        symbols, numbers = [*symbols, more], [*numbers, more]
    return (_join(" + ", symbols),), (_join(" + ", numbers),)


def _symbols(output, row, term: Term) -> Formula:
    if term.product:
        return term.product
    local = derivative(term.child, row.name)
    if term.child == output:
        return local
    operands = {"g": derivative(output, term.child), "d": local}
    product = formula("g * d", operands)
    return Formula(product.text.replace(" * ", " "), product.latex, product.pretty.replace(" · ", " "))


def _numbers(output, row, term: Term) -> Formula:
    if term.factors is None:
        value = number(term.value)
        return Formula(f"{value.text} (a sum)", rf"{value.latex} \text{{ (a sum)}}", f"{value.pretty} (a sum)")
    above, local = (number(f) for f in term.factors)
    if term.child == output:
        return local
    return Formula(
        f"{above.text} * {local.text}", rf"{above.latex} \times {local.latex}", f"{above.pretty} × {local.pretty}"
    )


def _join(sign: str, parts: list[Formula]) -> Formula:
    return Formula(*(sign.join(forms) for forms in zip(*parts, strict=True)))


def _check(row: Row) -> Cell:
    if row.check is None:
        return (words(""),)
    c = row.check
    if c.kind == "differs":
        return (words(f"differs: {c.difference:.7g}"),)
    return (words(c.kind),)
