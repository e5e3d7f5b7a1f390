"""Verdicts as a table, as JSON, and as text for either."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from jaxnn.formatting import duration, named_infinity, plain
from jaxnn.verify.verdict import SEVERITY, Kind, Verdict

SCHEMA = 1
COLOURS: dict[Kind, str] = {"PASS": "good", "NOISE": "warn", "KINK": "warn"}  # any other is bad
STYLES = {"good": "green", "warn": "yellow", "bad": "bold red"}


class Row(NamedTuple):
    """One gradient that was checked: its name, at which arguments, the verdict, and the seconds that took."""

    what: str
    case: str
    verdict: Verdict
    seconds: float


def table(rows: Sequence[Row]) -> Any:
    """Return a table of `rich` with a line for each gradient: the gravest of its verdicts, and the time of all."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for header in ("gradient", "verdict", "worst at", "worst leaf"):
        shown.add_column(header, overflow="fold")
    for header in ("difference", "resolution", "checks", "time"):
        shown.add_column(header, justify="right", no_wrap=True)
    for what in dict.fromkeys(row.what for row in rows):
        same = [row for row in rows if row.what == what]
        row = gravest(same)
        kind = Text(row.verdict.kind, STYLES[colour(row.verdict)])
        numbers = number(difference(row.verdict)), number(row.verdict.resolution or None), str(len(same))
        texts = at(row), place(row.verdict), *numbers, duration(sum(row.seconds for row in same))
        shown.add_row(Text(what), kind, *map(Text, texts))
    return shown


def gravest(rows: Sequence[Row]) -> Row:
    """Return the row with the gravest verdict; among equals the one that could see least."""
    return max(rows, key=lambda row: (SEVERITY.index(row.verdict.kind), row.verdict.resolution))


def tally(rows: Sequence[Row]) -> str:
    """Return the numbers of each verdict in a line: "7 gradients: 5 PASS, 1 KINK, 1 FAIL"."""
    counts = Counter(row.verdict.kind for row in rows)
    found = ", ".join(f"{counts[kind]} {kind}" for kind in SEVERITY if counts[kind])
    return f"{len(rows)} check{'s' * (len(rows) != 1)}: {found}"


def as_json(rows: Sequence[Row], environment: dict) -> str:
    """Return the rows with all that the verdicts hold; NaN and the infinities are strings, since JSON has none."""
    found = {
        "schema": SCHEMA,
        "environment": environment,
        "rows": plain([as_dict(row) for row in rows], named_infinity),
    }
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_dict(row: Row) -> dict[str, Any]:
    """Return a row as JSON has it: every field of the verdict, `ok` for its truth, `message` for its text."""
    fields = {**asdict(row.verdict), "case": at(row)}
    return {"what": row.what, "ok": bool(row.verdict), **fields, "message": str(row.verdict), "seconds": row.seconds}


def at(row: Row) -> str:
    """Return where a gradient was checked; of several cases, also which the verdict is about."""
    case = row.verdict.case
    return row.case if case in ("", row.case) else f"{row.case}: {case}" if row.case else case


def place(verdict: Verdict) -> str:
    """Return the worst entry as "W1[0, 2]"."""
    return verdict.leaf + (str(list(verdict.index)) if verdict.index else "")


def colour(verdict: Verdict) -> str:
    return COLOURS.get(verdict.kind, "bad")


def difference(verdict: Verdict) -> float | None:
    """Return how far the gradient is off at its worst entry, None where that was not measured."""
    if not (math.isnan(verdict.expected) or math.isnan(verdict.actual)):
        return abs(verdict.actual - verdict.expected)
    return next((report.difference for report in verdict.witnesses if report.agrees is not None), None)


def number(value: float | None) -> str:
    return "-" if value is None else "0" if value == 0 else f"{value:.1e}"
