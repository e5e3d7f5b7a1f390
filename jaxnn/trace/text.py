"""An explanation as plain text, and for a terminal by `rich`."""

from typing import Any

from jaxnn.trace.derivation import Derivation
from jaxnn.trace.tables import Table, notes, tables

WIDEST = 64  # of a column; what is longer is cut


def text(e: Derivation) -> str:
    """Return the tables in plain letters."""
    parts = [_plain(table) for table in tables(e)]
    return "\n\n".join([*parts, *(["\n".join(notes(e))] if notes(e) else [])])


def _plain(table: Table) -> str:
    rows = [[[table.head[i]] for i in range(len(table.head))]]
    rows += [[[_cut(line.text) for line in cell] for cell in row] for row in table.rows]
    widths = [max(len(line) for row in rows for line in row[i]) for i in range(len(table.head))]
    lines = [table.title]
    for row, mark in zip(rows, ("", *table.marks), strict=True):
        for k in range(max(len(cell) for cell in row)):
            written = (cell[k] if k < len(cell) else "" for cell in row)
            line = "  ".join(part.ljust(width) for part, width in zip(written, widths, strict=True))
            lines.append(f"{'! ' if mark == 'bad' else '  '}{line}".rstrip())
    lines.insert(2, "  " + "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cut(text):
    return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."


def rich_tables(e: Derivation) -> Any:
    """Return the tables and notes as one thing that `rich` prints."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as Drawn
    from rich.text import Text

    parts: list[Any] = []
    for table in tables(e):
        drawn = Drawn(title=table.title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for name in table.head:
            drawn.add_column(name, overflow="fold")
        for row, mark in zip(table.rows, table.marks, strict=True):
            cells = [Text("\n".join(line.pretty for line in cell), style=_style(cell)) for cell in row]
            drawn.add_row(*cells, style="bold red" if mark == "bad" else "")
        parts.append(drawn)
    return Group(*parts, *(Text(note, style="yellow") for note in notes(e)))


def _style(cell):
    return {"ok": "green", "kink": "yellow", "diff": "bold red"}.get(cell[0].text[:4].strip(), "")
