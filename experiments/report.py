"""The report: one HTML file that needs nothing else, made from the rows of `numbers.json` and the saved figures."""

import base64
import json
import math
import re
import struct
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape
from scipy.special import stdtr

from experiments.record import Options, Result, agrees, leaves, marks, stem, tally
from jaxnn.formatting import duration

TEMPLATE = Path(__file__).with_name("report.html.jinja")
CHECKERS = Path(__file__).with_name("mutants.json")  # from `python -m benchmarks mutants --totals`
DPI = 150
HEAVY = 300_000  # bytes of SVG above which the PNG is shown
CELL_WIDTH, CELL_LINES = 23, 8  # characters and lines that fit beside the lecture's value


class Part(NamedTuple):
    """One experiment that has ended: with a result, or with the error that stopped it."""

    name: str
    section: str
    title: str
    result: Result | None
    seconds: float
    error: str = ""


class Run(NamedTuple):
    """What was asked for, and what has ended so far."""

    environment: dict
    options: Options
    names: Sequence[str]
    parts: Sequence[Part] = ()


def digits(printed: str, value: Any) -> str:
    """Return `value` with the lecture's digits; where those are a whole number, with up to six decimals if needed."""
    if value is None or isinstance(value, str):  # a string: NaN or infinite
        return value or "–"
    mantissa, _, exponent = printed.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    if exponent:
        return f"{value:.{decimals}e}"
    return f"{value:.{decimals}f}" if decimals else f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")


def means_and_sds(row: dict) -> list[tuple[str, str]]:
    """Return mean and sd of each value of a row that has them.

    All with the same decimals: enough for the second digit of the smallest sd, at most one more than the lecture has.
    """
    means, sds = leaves(row.get("mean", [])), leaves(row.get("sd", []))
    small = min((sd for sd in sds if not isinstance(sd, str) and sd > 0), default=1.0)
    printed = max(len(text.lower().partition("e")[0].partition(".")[2]) for text in leaves(row["lecture"]))
    decimals = min(max(0, 1 - math.floor(math.log10(small))), printed + 1)
    texts = [[v if isinstance(v, str) else f"{v:.{decimals}f}" for v in pair] for pair in zip(means, sds, strict=True)]
    return [(mean, sd) for mean, sd in texts]


def lines(nested: Any, cells: Sequence[Any]) -> list[list[Any]]:
    """Return the flat `cells` as the lines of the scalar, vector (one a line) or matrix `nested`."""
    rest = iter(cells)
    rows = nested if isinstance(nested, list) else [nested]
    return [[next(rest) for _ in leaves(row)] for row in rows]


def aligned(grid: list[list[tuple[str, Any]]]) -> list[list[tuple[str, Any]]]:
    """Return lines of (text, verdict) with the texts padded, so that the decimal points of each column are in line."""
    padded = [list(line) for line in grid]
    for column in range(max(map(len, grid))):
        cells = [line for line in padded if column < len(line)]
        halves = [line[column][0].partition(".") for line in cells]
        left, right = max(len(h[0]) for h in halves), max(len(h[1] + h[2]) for h in halves)
        for line, (whole, point, rest) in zip(cells, halves, strict=True):
            line[column] = (whole.rjust(left) + (point + rest).ljust(right), line[column][1])
    return padded


def block(label: str, row: dict, texts: Sequence[str], agree: Sequence[bool | None] = ()) -> dict:
    """Return one reading of a row (lecture, by hand, ...): its cells (text, verdict), flat and in lines."""
    flat = list(zip_longest(texts, agree))
    nested = len(flat) == len(leaves(row["lecture"]))
    return {"label": label, "flat": flat, "lines": aligned(lines(row["lecture"], flat) if nested else [flat])}


def blocks(row: dict) -> list[dict]:
    """Return the readings of a row that there are: lecture, by hand, autodiff, mean, standard deviation."""
    printed, random = leaves(row["lecture"]), row["kind"] == "stochastic"
    found = [block("Lecture", row, printed, marks(row) if random else ())]
    for label, key in {"By hand": "ours", "Autodiff": "autodiff"}.items():
        values = leaves(row[key]) if row[key] is not None else []
        texts = [digits(p or printed[0], v) for p, v in zip_longest(printed[: len(values)], values)]
        agree = [not isinstance(v, str) and agrees(p, v) for p, v in zip(printed, values, strict=False)]
        found += [block(label, row, texts, () if random or row["ok"] else agree)] if values else []
    if pairs := means_and_sds(row):
        found += [block(f"Mean of {row['n']}", row, [m for m, _ in pairs]), block("± sd", row, [s for _, s in pairs])]
    return found


def confusion(found: dict) -> list[list[tuple[str, int, bool | None]]]:
    """Return the counts of a confusion matrix, each with how dark it is, 0 to 100 for the largest, and its verdict.

    By logarithms: the mistakes, hundreds of times fewer than what is right, are what one looks for.
    """
    most = math.log1p(max(float(text) for line in found["lines"] for text, _ in line)) or 1.0
    return [
        [(text.strip(), round(100 * math.log1p(float(text)) / most), mark) for text, mark in line]
        for line in found["lines"]
    ]


def form(row: dict, found: list[dict]) -> str:
    """Return how a row is laid out: in the table's own "cell"s, as a "strip", as "grid"s or "confusion" matrices."""
    counts = [float(text) for b in found for line in b["lines"] for text, _ in line if not b["label"].startswith("±")]
    if (
        row["id"].endswith(".confusion")
        and len({len(b["lines"]) for b in found}) == 1
        and all(0 <= count < math.inf for count in counts)
    ):
        return "confusion"
    widest = max(sum(len(text) + 2 for text, _ in line) - 2 for b in found for line in b["lines"])
    if widest <= CELL_WIDTH and len(found[0]["lines"]) <= CELL_LINES:
        return "cell"
    one_line = len(found[0]["lines"]) == 1 or all(len(line) == 1 for line in found[0]["lines"])
    return "strip" if one_line and len({len(b["flat"]) for b in found}) == 1 else "grid"


def verdict(row: dict) -> tuple[str, str, str]:
    """Return a row's verdict as a CSS class, a sign and words."""
    if row["ours"] is None:
        return "none", "○", "not run"
    if row["ok"] is None:
        return "none", "○", "no verdict"
    if row["kind"] == "exact":
        return ("good", "✓", "equal") if row["ok"] else ("bad", "✗", "differs")
    return ("good", "✓", "within 3 sd") if row["ok"] else ("warn", "△", "outside 3 sd")


def shown(row: dict) -> dict:
    """Return what the template needs of a row."""
    found = blocks(row)
    by = {b["label"]: b for b in found}
    return {
        "row": row,
        "blocks": found,
        "by": by,
        "means_and_sds": means_and_sds(row),
        "form": form(row, found),
        "verdict": verdict(row),
    }


def embedded(folder: Path, number: int | str, caption: str) -> dict:
    """Return a saved figure as a data URI, SVG unless that is heavy, with its size in CSS pixels."""
    png, svg = ((folder / f"{stem(number)}.{kind}").read_bytes() for kind in ("png", "svg"))
    kind, data = ("svg+xml", svg) if len(svg) <= HEAVY else ("png", png)
    width, height = (round(n * 96 / DPI) for n in struct.unpack(">II", png[16:24]))  # the PNG header's width and height
    uri = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    name = number if isinstance(number, str) else f"figure {number}"
    return {"name": name, "caption": caption, "uri": uri, "width": width, "height": height}


def section(part: Part, rows: list[dict], folder: Path) -> dict:
    """Return what the template needs of one experiment."""
    result = part.result or Result({}, {})
    mine = [row for row in rows if row["id"] in result.numbers]
    exact, judged, _ = tally(mine, "exact")
    return {
        "part": part,
        "time": duration(part.seconds),
        "remarks": result.remarks,
        "tables": [(table, numeric_columns(table.rows)) for table in result.tables],
        "numbers": [shown(row) for row in mine],
        "figures": [
            embedded(folder, number, caption)
            for number, (_, caption) in (*sorted(result.figures.items()), *result.pictures.items())
        ],
        "exact": (exact, judged),
        "stochastic": tally(mine, "stochastic")[:2],
    }


def leaf_count(row: dict) -> int:
    """Return how many single values of a row the lecture prints."""
    return len(leaves(row["lecture"]))


def numeric_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Return for each column whether every cell starts like a number, so that it is set flush right."""
    return [all(cell.strip()[:1] in set("0123456789+-−.–") for cell in column) for column in zip(*rows, strict=True)]


def inline(text: str) -> Markup:
    """Return text as HTML, what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def outside_by_chance(runs: int) -> float:
    """Return the probability that one more normal draw lies outside mean ± 3 sd of `runs` draws.

    The new draw minus the mean has variance sigma^2 (1 + 1/n), so that (x - mean) / (sd sqrt(1 + 1/n)) follows
    Student's t with n - 1 degrees of freedom.
    """
    return float(2 * stdtr(runs - 1, -3 / math.sqrt(1 + 1 / runs)))


def render(run: Run, rows: list[dict], folder: Path) -> str:
    """Return the report as HTML: `rows` are those of `numbers.json`, `folder` holds the saved figures."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"inline": inline, "confusion": confusion}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    ended = {part.name for part in run.parts}
    return template.render(
        run=run,
        sections=[section(part, rows, folder) for part in run.parts],
        exact=tally(rows, "exact"),
        stochastic=tally(rows, "stochastic"),
        unjudged=sum(leaf_count(row) for row in rows if row["ours"] is not None and row["ok"] is None),
        missed=[row for row in rows if row["kind"] == "exact" and row["ok"] is False],
        not_run=[row for row in rows if row["ours"] is None],
        unfinished=[name for name in run.names if name not in ended],
        time=duration(sum(part.seconds for part in run.parts)),
        chance=outside_by_chance(run.options.seeds or 5),
        checkers=json.loads(CHECKERS.read_text(encoding="utf-8")),
    )
