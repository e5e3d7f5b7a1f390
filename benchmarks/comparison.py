"""`python -m benchmarks compare A.json B.json`: what became slower or faster from run A to run B.

A slower machine is told from a slower loop by the limits that each run measured first: where a product, or a copy, took
as much longer in B as the loop did, the loop is not to blame.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.results import Unusable, interval, is_time, precision, print_whole, read
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
    slowing = slowing_of(runs[0]["environment"].get("limits"), runs[1]["environment"].get("limits"))
    console = Console(highlight=False, markup=False)
    print_whole(table(before, after, slowing))
    for line in (machine(slowing), *remarks(runs[0]["environment"], runs[1]["environment"], before, after)):
        console.print(line, soft_wrap=True)
    return SLOWER if any(became_slower(key, before, after, slowing) for key in before if key in after) else 0


def slowing_of(limits_a: dict | None, limits_b: dict | None) -> dict[str, float]:
    """Return how many times as long each of the machine's limits takes in B, for those that both runs measured."""
    a, b = limits_a or {}, limits_b or {}
    return {name: a[name] / b[name] for name in a if is_time(a[name]) and is_time(b.get(name))}


def machine(slowing: dict[str, float]) -> str:
    """Return in words what the machine did from A to B."""
    if not slowing:
        return "the machine's limits are not in both runs: a slower machine is not told from a slower loop"
    times = ", ".join(f"{factor:.2f} ({name})" for name, factor in slowing.items())
    return f"the machine of B takes, of the time of A's: {times}; loop is B / A beyond what these explain"


def expected(key: Key, slowing: dict[str, float]) -> tuple[float, float]:
    """Return between which factors the machine alone explains a change: by products of that precision, by copies."""
    factors = [slowing[name] for name in (precision(key[1]), "copy") if name in slowing]
    return min(factors, default=1.0), max(factors, default=1.0)


def beyond(change: Estimate, low: float, high: float) -> Estimate:
    """Return the change over the nearest one that the machine explains: 1 where that is the change itself."""
    explained = min(max(change.value, low), high)
    return Estimate(*(value / explained for value in change))


def became_slower(key: Key, before: dict[Key, list[float]], after: dict[Key, list[float]], slowing: dict) -> bool:
    """Return whether jaxnn's side is slower beyond doubt and the machine; a peer's change is none of ours."""
    change = beyond(ratio(after[key], before[key]), *expected(key, slowing))
    return key[2] == "jaxnn" and verdict(change) == "slower"


def by_key(rows: Sequence[dict]) -> dict[Key, list[float]]:
    """Return the samples of each case, side and variant."""
    return {(row["case"], row["variant"], row["who"]): row["samples"] for row in rows}


def table(before: dict[Key, list[float]], after: dict[Key, list[float]], slowing: dict[str, float]) -> Table:
    """Return, for all that both have, the medians, B's over A's, the machine's part of that, the rest and a verdict."""
    shown = Table(box=box.MARKDOWN)
    for header in ("case", "variant", "who", "A", "B", "B / A", "machine", "loop", "verdict"):
        shown.add_column(header, no_wrap=True)
    for key in (key for key in before if key in after):
        change, (low, high) = ratio(after[key], before[key]), expected(key, slowing)
        loop = beyond(change, low, high)
        medians = (duration(float(np.median(samples[key]))) for samples in (before, after))
        parts = (f"{low:.2f} to {high:.2f}" if slowing else "unknown", interval(loop._asdict()))
        words = conclusion(change, loop, before[key], after[key])
        shown.add_row(*key, *medians, interval(change._asdict()), *parts, words)
    return shown


def conclusion(change: Estimate, loop: Estimate, before: Sequence[float], after: Sequence[float]) -> str:
    """Return the verdict on one row in words."""
    doubt = " (noisy)" if is_noisy(before) or is_noisy(after) else ""
    return (verdict(loop) or ("as the machine" if verdict(change) else "no verdict")) + doubt


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
