"""`python -m benchmarks compare A.json B.json`: what became slower or faster from run A to run B."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.results import Unusable, interval, print_whole, read
from benchmarks.statistics import Estimate, is_noisy, ratio, verdict
from jaxnn.formatting import duration

Key = tuple[str, str, str]
SLOWER, WRONG_USE = 1, 2
PASSING = ("date", "commit", "load", "limits")  # what differs between any two runs


def main(arguments: Sequence[str]) -> int:
    """Print the comparison; return 0, 1 where something of jaxnn became slower, or 2 where a file cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks compare", description=__doc__, allow_abbrev=False)
    parser.add_argument("before", type=Path, metavar="A.json", help="the earlier run")
    parser.add_argument("after", type=Path, metavar="B.json", help="the later run")
    asked = parser.parse_args(arguments)
    try:
        runs = read(asked.before), read(asked.after)
        before, after = (by_key(run["rows"]) for run in runs)
        if not before.keys() & after.keys():
            raise Unusable(f"{asked.before} and {asked.after}: no case, side and variant that both have")
    except Unusable as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    console = Console(highlight=False, markup=False)
    print_whole(table(before, after))
    for line in remarks(runs[0]["environment"], runs[1]["environment"], before, after):
        console.print(line, soft_wrap=True)
    return SLOWER if any(became_slower(key, before, after) for key in before if key in after) else 0


def became_slower(key: Key, before: dict[Key, list[float]], after: dict[Key, list[float]]) -> bool:
    """Return whether jaxnn's side is slower beyond doubt; a peer's change is none of ours."""
    return key[2] == "jaxnn" and verdict(ratio(after[key], before[key])) == "slower"


def by_key(rows: Sequence[dict]) -> dict[Key, list[float]]:
    """Return the samples of each case, side and variant."""
    return {(row["case"], row["variant"], row["who"]): row["samples"] for row in rows}


def table(before: dict[Key, list[float]], after: dict[Key, list[float]]) -> Table:
    """Return both medians, B's over A's with the bootstrap interval, and the verdict, for all that both have."""
    shown = Table(box=box.MARKDOWN)
    for header in ("case", "variant", "who", "A", "B", "B / A", "verdict"):
        shown.add_column(header, no_wrap=True)
    for key in (key for key in before if key in after):
        change = ratio(after[key], before[key])
        medians = (duration(float(np.median(samples[key]))) for samples in (before, after))
        shown.add_row(*key, *medians, interval(change._asdict()), conclusion(change, before[key], after[key]))
    return shown


def conclusion(change: Estimate, before: Sequence[float], after: Sequence[float]) -> str:
    """Return the verdict on one row in words."""
    doubt = " (noisy)" if is_noisy(before) or is_noisy(after) else ""
    return (verdict(change) or "no verdict") + doubt


def remarks(environment_a: dict, environment_b: dict, before: dict, after: dict) -> list[str]:
    """Return what the reader must know beside the table: rows of one run only, and other versions or machines."""
    lines = [
        f"only in {name}: {', '.join(' '.join(key) for key in only)}"
        for name, only in (("A", [k for k in before if k not in after]), ("B", [k for k in after if k not in before]))
        if only
    ]
    names = [name for name in environment_a | environment_b if name not in PASSING]
    return lines + [
        f"not the same: {name}, A {environment_a.get(name)}, B {environment_b.get(name)}"
        for name in names
        if environment_a.get(name) != environment_b.get(name)
    ]
