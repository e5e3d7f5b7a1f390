"""`python -m benchmarks history FOLDER`: how jaxnn's times went over commits, from the JSON files of many runs.

Seconds of two days are no match for each other. Two ratios are: jaxnn's time over a peer's, which ran beside it, and
jaxnn's time in units of the machine, how often it could have multiplied two matrices meanwhile, over that of the first
run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from benchmarks.results import Unusable, is_time, precision, print_whole, read, refuse_unwritable

WRONG_USE = 2
Points = dict[int, float]  # a ratio by the number of its run


def main(arguments: Sequence[str]) -> int:
    """Print the table and draw the picture; return 0, or 2 where no file of the folder can be used."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks history", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the JSON files are")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to draw; default: FOLDER/history.png")
    asked = parser.parse_args(arguments)
    picture = asked.plot or asked.folder / "history.png"
    if picture.suffix not in (".png", ".svg"):
        parser.error(f"--plot: got {picture}, expected a name that ends in .png or .svg")
    runs = runs_of(asked.folder)
    if not runs:
        print(f"{asked.folder}: no file that `python -m benchmarks --json` wrote", file=sys.stderr)
        return WRONG_USE
    refuse_unwritable(parser, {"--plot": picture})
    names, (beside, machine) = [name_of(run) for run in runs], (over_peers(runs), over_the_first(runs))
    print_whole(table(names, beside | machine))
    draw(names, {"time over the peer's": beside, "time in products, over the first run's": machine}, picture)
    print(f"drawn: {picture}")
    return 0


def runs_of(folder: Path) -> list[dict]:
    """Return the runs in a folder by their dates; say which of its JSON files are none."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read(path))
        except Unusable as error:
            print(f"left out: {error}", file=sys.stderr)
    return sorted(found, key=lambda run: str(run["environment"].get("date")))


def name_of(run: dict) -> str:
    """Return how a run is called: its commit, cut short, a star where something was changed, or its date."""
    commit = run["environment"].get("commit")
    if not commit:
        return str(run["environment"].get("date", "?"))[:10]
    return commit[:7] + "*" * commit.endswith("-dirty")


def over_peers(runs: Sequence[dict]) -> dict[str, Points]:
    """Return jaxnn's median over that of each other side of its case, by run."""
    found: dict[str, Points] = {}
    for number, run in enumerate(runs):
        medians = medians_of(run)
        for (case, variant, who), theirs in medians.items():
            ours = medians.get((case, variant, "jaxnn"))
            if who != "jaxnn" and ours is not None:
                found.setdefault(f"{case} {variant} / {who}", {})[number] = ours / theirs
    return found


def over_the_first(runs: Sequence[dict]) -> dict[str, Points]:
    """Return jaxnn's median times the product's rate of the same run, over the first such value, by run."""
    found: dict[str, Points] = {}
    for number, run in enumerate(runs):
        for (case, variant, who), median in medians_of(run).items():
            rate = (run["environment"].get("limits") or {}).get(precision(variant), 0.0)
            if who == "jaxnn" and is_time(rate):
                found.setdefault(f"{case} {variant}", {})[number] = median * rate
    return {
        name: {n: value / next(iter(points.values())) for n, value in points.items()} for name, points in found.items()
    }


def medians_of(run: dict) -> dict[tuple[str, str, str], float]:
    """Return the medians of a run by case, variant and side."""
    return {
        (row["case"], row["variant"], row["who"]): row["median"] for row in run["rows"] if is_time(row.get("median"))
    }


def table(names: Sequence[str], lines: dict[str, Points]) -> Table:
    """Return all ratios, a column for each run."""
    shown = Table(box=box.MARKDOWN)
    shown.add_column("ratio", no_wrap=True)
    for name in names:
        shown.add_column(name, justify="right", no_wrap=True)
    for what, points in lines.items():
        shown.add_row(what, *(f"{points[n]:.2f}" if n in points else "" for n in range(len(names))))
    return shown


def draw(names: Sequence[str], panels: dict[str, dict[str, Points]], path: Path) -> None:
    """Write the picture: a panel for each kind of ratio, a line for each of its rows, the runs from left to right."""
    panels = {title: lines for title, lines in panels.items() if lines} or panels
    with matplotlib.rc_context({"font.size": 9, "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 4 * len(panels)), layout="constrained")
        for axes, (title, lines) in zip(
            figure.subplots(len(panels), squeeze=False).ravel(), panels.items(), strict=True
        ):
            for number, (what, points) in enumerate(lines.items()):
                style = ("-", "--", ":")[number // 10 % 3]  # beyond ten lines the colours come again
                axes.plot(list(points), list(points.values()), style, marker="o", markersize=3, label=what)
            axes.axhline(1, color="0.7", linewidth=0.8, zorder=0)
            axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
            axes.set(yscale="log", title=title)
            if lines:
                axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        figure.savefig(path, dpi=150)
