"""An explanation in LaTeX: one table after the other, for a document with the packages amsmath and booktabs."""

from jaxnn.trace.derivation import Derivation
from jaxnn.trace.expressions import escape
from jaxnn.trace.tables import Table, notes, tables


def latex(e: Derivation) -> str:
    """Return the tables; every name in them is escaped."""
    parts = ["% \\usepackage{amsmath,booktabs}", *(_table(table) for table in tables(e))]
    return "\n\n".join([*parts, *(escape(note) + r"\par" for note in notes(e))]) + "\n"


def _table(table: Table) -> str:
    lines = [rf"\noindent\textbf{{{escape(table.title)}}}\par\smallskip"]
    lines += [rf"\noindent\begin{{tabular}}{{{'l' * len(table.head)}}}", r"\toprule"]
    lines += [" & ".join(escape(name) for name in table.head) + r" \\", r"\midrule"]
    for row in table.rows:
        for k in range(max(len(cell) for cell in row)):
            written = (cell[k].latex if k < len(cell) else "" for cell in row)
            lines.append(" & ".join(f"${part}$" if part else "" for part in written) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}\par\bigskip"])
