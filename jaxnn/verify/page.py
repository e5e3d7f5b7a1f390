"""Verdicts as one HTML page that needs nothing else: a summary, the table, and what each witness saw."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jaxnn.formatting import duration
from jaxnn.verify.reports import COLOURS, Row, at, colour, difference, number, place
from jaxnn.verify.verdict import SEVERITY, Kind, Report

TEMPLATE = Path(__file__).with_name("page.html.jinja")
WORDS: dict[Kind, str] = {
    "PASS": "right",
    "NOISE": "right as far as can be seen",
    "KINK": "a valid slope at a kink",
    "FAIL": "wrong",
    "RANDOM": "not deterministic",
    "NONFINITE": "NaN or infinite",
}
SAYS = {True: "agrees", False: "disagrees", None: "cannot tell"}
LEFT, RIGHT = 133, 350  # where the picture's axis begins and ends
MOST_TICKS, MOST_DECADES = 5, 20


def as_html(rows: Sequence[Row], environment: dict) -> str:
    """Return the page."""
    import jinja2

    settings = {"autoescape": True, "undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    template = jinja2.Environment(**settings).from_string(TEMPLATE.read_text(encoding="utf-8"))
    counts = Counter(row.verdict.kind for row in rows)
    return template.render(
        checks=[shown(row) for row in rows],
        kinds=[(kind, WORDS[kind], COLOURS.get(kind, "bad"), counts[kind]) for kind in SEVERITY if counts[kind]],
        time=duration(sum(row.seconds for row in rows)),
        environment=environment,
        number=number,
        says=SAYS,
    )


def shown(row: Row) -> dict:
    """Return what the page shows of a row."""
    verdict = row.verdict
    return {
        "what": row.what,
        "at": at(row),
        "verdict": verdict,
        "words": WORDS[verdict.kind],
        "colour": colour(verdict),
        "place": place(verdict),
        "difference": number(difference(verdict)),
        "resolution": number(verdict.resolution or None),
        "time": duration(row.seconds),
        "by_hand": "" if math.isnan(verdict.actual) and not verdict.witness else f"{verdict.actual:.12g}",
        "expected": "" if math.isnan(verdict.expected) else f"{verdict.expected:.12g}",
        "picture": picture([report for report in verdict.witnesses if report.error]),
    }


def picture(reports: Sequence[Report]) -> dict | None:
    """Return where the picture has its ticks, dots and bars: differences and error bars on a logarithmic axis.

    What is too small for the axis lies at its left end.
    """
    found = [v for report in reports for v in (report.difference, report.error) if v > 0 and math.isfinite(v)]
    if not found:
        return None
    high = math.ceil(math.log10(max(found)))
    low = max(min(math.floor(math.log10(min(found))), high - 1), high - MOST_DECADES)

    def x(value):
        share = 0.0 if value <= 0 else (math.log10(value) - low) / (high - low) if math.isfinite(value) else 1.0
        return round(LEFT + (RIGHT - LEFT) * max(share, 0.0), 1)

    step = -(-(high - low) // (MOST_TICKS - 1))
    return {
        "left": LEFT,
        "ticks": [(x(float(f"1e{power}")), f"1e{power}") for power in range(low, high + 1, step)],
        "bars": [(report, x(report.difference), x(report.error)) for report in reports],
        "range": f"1e{low} to 1e{high}",
    }
