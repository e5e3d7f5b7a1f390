"""What an experiment returns, and the verdict on each number: does it equal what the lecture prints?

The lecture's values are kept as printed strings in `lecture_numbers.json`, so that the digits say how far to compare.
An *exact* value follows from a known random state or from arithmetic alone: ours, rounded to the printed digits, has to
be equal. A *stochastic* one came from a random state that nobody kept: it has to lie within our mean ± 3 standard
deviations (sd).
"""

import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jaxnn.errors import require
from jaxnn.files import write
from jaxnn.formatting import plain

LECTURE = Path(__file__).with_name("lecture_numbers.json")
NOT_RUN = "not run"


class Options(NamedTuple):
    """What the command line asked for."""

    quick: bool = False  # MNIST shortened, and labelled so
    seeds: int | None = None  # runs of what is random; None: as many as each section has time for
    say: Callable[[str], None] = print  # one line of progress


class Number(NamedTuple):
    """One row of the lecture's numbers, as we compute it."""

    ours: Any = None  # a number, array or nested lists, nested as in `lecture_numbers.json`; from the hand-written code
    autodiff: Any = None  # the same from `jax.grad`, where a derivative is involved
    samples: list | None = None  # stochastic rows: one entry a seed, each nested like `ours`
    note: str = ""
    rounded: bool = False  # the lecture computed it from rounded values: one unit in the last digit is allowed


class Table(NamedTuple):
    """A table of the report, every cell as it is to be read."""

    title: str
    header: list[str]
    rows: list[list[str]]


class Result(NamedTuple):
    """What the `run(options)` of an experiment returns."""

    numbers: dict[str, Number]  # by the ids of `lecture_numbers.json`
    figures: dict[int, tuple[Figure, str]]  # the lecture's figure number: the figure and its caption
    tables: list[Table] | tuple[Table, ...] = ()
    remarks: list[str] | tuple[str, ...] = ()
    pictures: dict[str, tuple[Figure, str]] = {}  # what the lecture has not, by the name of its file


def lecture() -> list[dict]:
    """Return the lecture's rows: id, section, what, printed, kind and count of each."""
    return json.loads(LECTURE.read_text(encoding="utf-8"))["rows"]


def leaves(nested: Any) -> list:
    """Return the entries of nested lists, in order."""
    return [leaf for item in nested for leaf in leaves(item)] if isinstance(nested, list) else [nested]


def same_nesting(a: Any, b: Any) -> bool:
    """Whether two nested lists have the same lengths all the way down."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same_nesting, a, b))
    return not isinstance(a, list) and not isinstance(b, list)


def last_digit(printed: str) -> Decimal:
    """Return the place of the last printed digit: 0.001 for "0.583", 1e-10 for "2.706173e-04".

    A number printed without decimals is a whole number to R's seven digits, not one rounded to units: 0.000001.
    """
    exponent = int(Decimal(printed).as_tuple().exponent)
    return Decimal(1).scaleb(exponent if exponent < 0 else -6)


def round_to(unit: Decimal, value: float) -> Decimal:
    """Return the finite `value`, taken exactly, rounded to a multiple of `unit`, ties to even: as C's printf does."""
    # A double has up to 767 digits, and `quantize` raises where the context has fewer than the result.
    return Decimal(value).quantize(unit, context=Context(prec=800, rounding=ROUND_HALF_EVEN))


def agrees(printed: str, value: float, units: int = 0) -> bool:
    """Whether `value`, rounded to the printed digits, is what is printed, give or take `units` of the last digit."""
    unit = last_digit(printed)
    return math.isfinite(value) and abs(round_to(unit, value) - Decimal(printed)) <= units * unit


def mean_and_sd(samples: Any) -> tuple[Any, Any]:
    """Return elementwise mean and standard deviation (ddof=1) of the runs in `samples`, one entry a run."""
    runs = np.asarray(samples, dtype=float)
    with np.errstate(invalid="ignore"):  # infinite - infinite: the sd is NaN, and NaN agrees with nothing
        return runs.mean(axis=0).tolist(), runs.std(axis=0, ddof=1).tolist()


def within(value: float, mean: float, sd: float) -> bool:
    """Whether the value lies in mean ± 3 sd; what is not finite agrees with nothing."""
    # Runs that are all equal have an sd of 0, and a mean that rounding may put beside their value.
    return math.isfinite(mean) and math.isfinite(sd) and abs(value - mean) <= 3 * sd + 1e-12 * abs(mean)


def judge_exact(printed: Any, number: Number) -> tuple[bool, list[str]]:
    """Return whether hand-written code and autodiff both give the printed digits, and what to remark."""
    sides = {"by hand": plain(number.ours), "autodiff": plain(number.autodiff)}
    sides = {who: value for who, value in sides.items() if value is not None}
    notes, missed = [], 0
    for who, value in sides.items():
        if not same_nesting(printed, value):
            return False, [f"{who}: {shape(value)}, where the lecture has {shape(printed)}"]
        pairs = list(zip(leaves(printed), leaves(value), strict=True))
        equal = sum(agrees(p, v) for p, v in pairs)
        close = sum(agrees(p, v, units=int(number.rounded)) for p, v in pairs)
        missed += len(pairs) - close
        if close < len(pairs):
            notes.append(f"{who}: {close} of {len(pairs)} equal the lecture's digits")
        elif equal < close:
            notes.append(f"{who}: {close - equal} of {len(pairs)} off by one in the last digit")
    return missed == 0, notes


def judge_stochastic(printed: Any, number: Number) -> tuple[bool | None, list[str], dict]:
    """Return whether all printed values lie within mean ± 3 sd (None: fewer than two runs), remarks, mean and sd."""
    samples = plain(number.samples) or []
    for value in [*samples, *([] if number.ours is None else [plain(number.ours)])]:
        if not same_nesting(printed, value):
            return False, [f"{shape(value)}, where the lecture has {shape(printed)}"], {}
    if len(samples) < 2:
        return None, ["one run only"], {}
    mean, sd = mean_and_sd(samples)
    inside = [within(float(p), m, s) for p, m, s in zip(leaves(printed), leaves(mean), leaves(sd), strict=True)]
    how_many = f"{sum(inside)} of {len(inside)}" if len(inside) > 1 else ("" if all(inside) else "not")
    note = f"{how_many} within our mean ± 3 sd of {len(samples)} runs".strip()
    return all(inside), [note], {"mean": plain(mean, str), "sd": plain(sd, str), "n": len(samples)}


def shape(nested: Any) -> str:
    """Return the lengths of nested lists, as words: "4 x 2 values", "one value"."""
    sizes = []
    while isinstance(nested, list):
        sizes.append(str(len(nested)))
        nested = nested[0] if nested else None
    return f"{' x '.join(sizes)} values" if sizes else "one value"


def judge(entry: dict, number: Number | None) -> dict:
    """Return the row of `numbers.json` for a lecture entry and our number, or for a number that was not run."""
    number = number or Number()
    samples = plain(number.samples)
    ours, autodiff = plain(number.ours), plain(number.autodiff)
    ours = samples[0] if ours is None and samples else ours
    ok, notes, extra = None, [NOT_RUN], {}
    if ours is not None and entry["kind"] == "exact":
        ok, notes = judge_exact(entry["printed"], number._replace(ours=ours))
    elif ours is not None:
        ok, notes, extra = judge_stochastic(entry["printed"], number)
    if not all(math.isfinite(v) for v in leaves([ours, autodiff]) if v is not None):
        notes = [*notes, "not finite"]
    row = {key: entry[key] for key in ("id", "section", "what", "kind")}
    row |= {"lecture": entry["printed"], "ours": plain(ours, str), "autodiff": plain(autodiff, str), "ok": ok}
    return row | {"note": "; ".join(filter(None, [*notes, number.note]))} | extra


def judge_all(numbers: dict[str, Number]) -> list[dict]:
    """Return one row for every number of the lecture, in its order; unknown ids raise `InvalidArgument`."""
    entries = lecture()
    unknown = sorted(set(numbers) - {entry["id"] for entry in entries})
    require(not unknown, "numbers", ", ".join(unknown), f"ids of {LECTURE.name}")
    return [judge(entry, numbers.get(entry["id"])) for entry in entries]


def marks(row: dict) -> Sequence[bool | None]:
    """Return for each value of a row whether it agrees, None where there is no verdict."""
    printed = leaves(row["lecture"])
    if row["ok"] is None or row["ok"] or len(printed) == 1:
        return [row["ok"]] * len(printed)
    if row["kind"] == "stochastic":
        pairs = zip(leaves(row.get("mean", [])), leaves(row.get("sd", [])), strict=True)
        inside = [within(float(p), float(mean), float(sd)) for p, (mean, sd) in zip(printed, pairs, strict=False)]
        return inside or [False] * len(printed)
    sides = [leaves(row[who]) for who in ("ours", "autodiff") if row[who] is not None]
    if any(len(side) != len(printed) for side in sides):
        return [False] * len(printed)
    return [all(agrees(p, float(v)) for v in values) for p, *values in zip(printed, *sides, strict=True)]


def tally(rows: Iterable[dict], kind: str) -> tuple[int, int, int]:
    """Return how many single values of that kind agree, how many have a verdict, and how many were not run."""
    rows = [row for row in rows if row["kind"] == kind]
    verdicts = [mark for row in rows for mark in marks(row) if mark is not None]
    return sum(verdicts), len(verdicts), sum(len(leaves(row["lecture"])) for row in rows if row["ours"] is None)


def write_numbers(path: Path, environment: dict, rows: list[dict]) -> None:
    """Write `numbers.json`: strictly valid JSON, every number of the lecture once."""
    text = json.dumps({"environment": environment, "rows": rows}, indent=1, ensure_ascii=False, allow_nan=False)
    write(path, text + "\n")


def stem(number: int | str) -> str:
    """Return the name of a figure's files without the ending: figure_NN of a number."""
    return number if isinstance(number, str) else f"figure_{number:02d}"


def write_figure(folder: Path, number: int | str, figure: Figure) -> None:
    """Write a figure as .png (150 dpi) and .svg; the same figure gives the same bytes."""
    for kind, options in {"png": {"dpi": 150}, "svg": {"metadata": {"Date": None}}}.items():
        buffer = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "jaxnn"}):  # or the ids in the SVG are new ones each time
            figure.savefig(buffer, format=kind, **options)
        write(folder / f"{stem(number)}.{kind}", buffer.getvalue())
