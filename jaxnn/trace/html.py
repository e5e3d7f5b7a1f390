"""An explanation as one page that needs no other file."""

import re
from html import escape

from jaxnn.trace.derivation import Derivation
from jaxnn.trace.drawing import svg
from jaxnn.trace.tables import Table, notes, tables

STYLE = """
body{font:15px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#222;background:#fff}
body{margin:2rem auto;padding:0 1.5rem;max-width:80rem}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600;border-bottom:1.5px solid #222;padding:.25rem .9rem .25rem 0;white-space:nowrap}
td{vertical-align:top;border-bottom:1px solid #e4e4e4;padding:.25rem .9rem .25rem 0;white-space:nowrap}
td.long{white-space:normal;min-width:18rem}
tr.bad td{background:#fdecec}
.ok{color:#22702c}.kink,.unsure{color:#8a5a00}.differs{color:#c00000;font-weight:600}
svg{max-width:100%;height:auto}
"""


def html(e: Derivation) -> str:
    """Return the page; every text in it is escaped."""
    said = "".join(f"<li>{escape(note)}</li>" for note in notes(e))
    lines = {row.name: row.line for row in e.rows}
    body = "\n".join(_table(table, lines) for table in tables(e))
    title = f"{escape(e.function)}: values forward, adjoints backward"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        + (f"<ul>{said}</ul>\n" if said else "")
        + f'{body}\n<h2>The graph</h2>\n<div class="wide">{svg(e)}</div>\n</body></html>\n'
    )


def _table(table: Table, lines: dict[str, str]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = []
    for row, mark in zip(table.rows, table.marks, strict=True):
        line = lines.get(row[0][0].text.split(" = ")[0], "")
        cells = "".join(_cell(cell, name) for cell, name in zip(row, table.head, strict=True))
        rows.append(f'<tr class="{mark}" title="{escape(line)}">{cells}</tr>')
    body = "\n".join(rows)
    return f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table><tr>{head}</tr>\n{body}\n</table></div>'


def _cell(cell, head):
    text = "<br>".join(_raised(escape(line.pretty)) for line in cell)
    kind = cell[0].text.split(":")[0] if head == "check" else "long" if max(len(c.text) for c in cell) > 60 else ""
    return f'<td class="{kind}">{text}</td>' if kind else f"<td>{text}</td>"


def _raised(text):
    """Return escaped text with its powers raised."""
    return re.sub(r"\^(\((?:[^()]*)\)|[\w.]+)", lambda m: f"<sup>{m[1].strip('()')}</sup>", text)
