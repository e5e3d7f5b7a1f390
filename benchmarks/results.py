"""A run's results: the rows, the JSON file that holds them, and the table that shows them."""

import argparse
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.peers import PACKAGES
from benchmarks.statistics import iqr, is_noisy, median, ratio
from benchmarks.timing import Timing
from jaxnn import files
from jaxnn.environment import cores, environment, version
from jaxnn.formatting import duration

SCHEMA = 1
SHORTEST_USEFUL = 0.1  # seconds of a block, which the warm-up can misjudge where the machine was busy
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY")


class Unusable(ValueError):
    """A file that is no result of `python -m benchmarks`: the message says what is wrong with it."""


def surroundings(peers: Iterable[str]) -> dict:
    """Return where the run took place: jaxnn's `environment()`, the peers' versions, threads, the load average."""
    settings = {name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ}
    packages = {name: version(name) for peer in peers for name in PACKAGES.get(peer, (peer,))}
    return {**environment(), **packages, "threads": cores(), **settings, "load": load()}


def load() -> float | None:
    """Return the load average of the last minute, None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def rows(case: str, variant: str, timings: dict[str, Timing], work: dict[str, float] | None = None) -> list[dict]:
    """Return one row for each side; `ratio` is its median over jaxnn's and the bootstrap interval of that.

    `work` is what a step is, the same for all sides: `flops` and `bytes`.
    """
    ours = timings["jaxnn"].samples
    return [
        {
            "case": case,
            "who": who,
            "variant": variant,
            "unit": "s/step",
            "median": (middle := median(timing.samples)).value,
            "interval": [middle.low, middle.high],
            "min": min(timing.samples),
            "iqr": iqr(timing.samples),
            "ratio": None if who == "jaxnn" else ratio(timing.samples, ours)._asdict(),
            "first_call": timing.first_call,
            "phases": timing.phases,
            **(work or {}),
            **({"memory": {"peak": timing.peak}} if timing.peak else {}),
            "steps": timing.steps,
            "block": timing.block,
            "samples": timing.samples,
        }
        for who, timing in timings.items()
    ]


def table(all_rows: Sequence[dict]) -> Table:
    """Return the results as a table that is Markdown too."""
    shown = Table(box=box.MARKDOWN)
    for header in ("case", "variant", "who"):
        shown.add_column(header, no_wrap=True)
    for header in ("median", "95 % interval", "IQR", "min", "first call", "median / jaxnn's"):
        shown.add_column(header, justify="right", no_wrap=True)
    for row in all_rows:
        times = (duration(row[name]) for name in ("iqr", "min", "first_call"))
        middle = (duration(row["median"]), " to ".join(map(duration, row["interval"])))
        shown.add_row(row["case"], row["variant"], row["who"], *middle, *times, interval(row["ratio"]))
    return shown


def print_whole(shown: Table) -> None:
    """Print a table that is to be pasted elsewhere: whole, however narrow the screen."""
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, console.measure(shown, options=console.options.update(max_width=1000)).maximum)
    console.print(shown, soft_wrap=True)


def interval(value: dict | None) -> str:
    """Return a ratio and its interval as they are shown."""
    return "" if value is None else f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"


def inverse(value: dict) -> dict:
    """Return a ratio the other way round, and its interval."""
    return {"value": 1 / value["value"], "low": 1 / value["high"], "high": 1 / value["low"]}


def phases(row: dict) -> str:
    """Return the parts of a row's first call in words."""
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in row["phases"].items() if seconds > 0)


def reached(row: dict, limits: dict[str, float]) -> str:
    """Return the FLOP/s of a row that has flops, beside the measured limit of its precision, and XLA's own count."""
    rate, limit = row["flops"] / row["median"], precision(row["variant"])
    return (
        f"{rate / 1e9:.3g} GFLOP/s, {100 * rate / limits[limit]:.0f} % of a {limit} product's "
        f"{limits[limit] / 1e9:.3g}; {row['flops'] / row['bytes']:.3g} flops a byte"
        + (f"; XLA counts {row['xla_flops'] / row['flops']:.2f} of these flops" if "xla_flops" in row else "")
    )


def precision(variant: str) -> str:
    """Return which of the machine's products a variant is measured by."""
    return "float64" if variant == "float64" else "float32"


def memory(row: dict) -> str:
    """Return what a row says of memory, in words."""
    names = {
        "peak": "the process",
        "device": "the device",
        "arguments": "data and state of an epoch's program",
        "temporaries": "what else it needs",
    }
    return ", ".join(f"{names[name]} {size / 2**20:,.0f} MiB" for name, size in row["memory"].items() if size)


def warnings(all_rows: Sequence[dict], load_before: float | None) -> list[str]:
    """Return what casts doubt on the results, one line each."""
    found = []
    if load_before is not None and load_before > cores():
        found.append(f"the load average before was {load_before:.1f} on {cores()} cores: something else was running")
    for row in all_rows:
        name = f"{row['case']} {row['variant']} {row['who']}"
        if is_noisy(row["samples"]):
            found.append(f"{name}: too noisy to tell, the interquartile range is above 10 % of the median")
        if row["block"] < SHORTEST_USEFUL:
            found.append(
                f"{name}: a block took {duration(row['block'])}, expected at least {duration(SHORTEST_USEFUL)}"
            )
    return found


def refuse_unwritable(parser: argparse.ArgumentParser, asked: dict[str, Path | None]) -> None:
    """End the program with a message where an option names a file that cannot be written."""
    for option, path in asked.items():
        try:
            if path is not None:
                files.check_writable(path)
        except OSError as error:
            parser.error(f"{option}: got {path}, expected a file that can be written ({error.strerror})")


def write(path: Path, where: dict, all_rows: Sequence[dict]) -> None:
    """Write a run's file, whole or not at all."""
    text = json.dumps({"schema": SCHEMA, "environment": where, "rows": list(all_rows)}, indent=1, allow_nan=False)
    files.write(path, text + "\n")


def read(path: Path) -> dict:
    """Return what `write` wrote; raise `Unusable` for anything else."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unusable(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise Unusable(f"{path}: not JSON ({error})") from error
    schema = run.get("schema") if isinstance(run, dict) else None
    if schema != SCHEMA:
        raise Unusable(f"{path}: schema {schema!r}, expected {SCHEMA}: a file that `python -m benchmarks --json` wrote")
    if not isinstance(run.get("environment"), dict) or not isinstance(run.get("rows"), list):
        raise Unusable(f"{path}: environment or rows missing, expected an object and a list")
    for number, row in enumerate(run["rows"]):
        if not is_row(row):
            expected = "case, who and variant, and positive numbers as samples"
            raise Unusable(f"{path}: row {number} cannot be used, expected {expected}")
    return run


def is_row(row: Any) -> bool:
    """Return whether the row has what `compare` needs."""
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("case", "who", "variant")):
        return False
    samples = row.get("samples")
    return isinstance(samples, list) and len(samples) > 0 and all(map(is_time, samples))


def is_time(value: Any) -> bool:
    """Return whether the value can be a sample: a positive number, and no flag, which Python counts as one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
