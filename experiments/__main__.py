"""`python -m experiments [NAME ...]`: draws the lecture's figures and computes its numbers again."""

import argparse
import importlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import jax
from rich.console import Console
from rich.table import Table
from rich.text import Text

from experiments.record import Number, Options, Result, judge_all, leaves, tally, write_figure, write_numbers
from experiments.report import Part, Run, digits, render, verdict
from jaxnn.compilation_cache import keep_compiled
from jaxnn.environment import environment
from jaxnn.files import check_writable, write
from jaxnn.formatting import duration

NAMES = ("linear", "chain_rule", "activations", "hidden_layer", "resilient", "mlp", "convolution", "cnn")
EXTRA = ("spiral", "coverage")  # run only where named
MISSED, WRONG_USE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status.

    0: done; 1: an exact number was missed, or an experiment failed; 130: interrupted. Wrong arguments exit with 2,
    before any work starts.
    """
    names, options, out = parse(arguments)
    keep_compiled()
    console = Console(highlight=False, markup=False)
    run = Run(environment(), options._replace(say=lambda line: console.print(f"    {line}")), names)
    try:
        save(run, out)  # so that a run stopped in its first section leaves its own files, not those of an earlier run
        for name in names:
            console.print(f"[{len(run.parts) + 1}/{len(names)}] {name}", style="bold")
            part = attempt(name, run.options, out)
            run = run._replace(parts=[*run.parts, part])
            save(run, out)
            console.print(f"    {outcome(part)}", style="red" if part.error else "green", soft_wrap=True)
    except KeyboardInterrupt:
        save(run, out)
        finished = ", ".join(part.name for part in run.parts) or "nothing"
        console.print(f"\ninterrupted; finished and kept: {finished} (in {out})", style="yellow", soft_wrap=True)
        return INTERRUPTED
    return summary(console, run, out)


def parse(arguments: Sequence[str] | None) -> tuple[list[str], Options, Path]:
    """Return the experiments' names in the lecture's order, the options, and an output folder that can be written."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__, allow_abbrev=False)
    help_names = f"which to run (default: all): {', '.join(NAMES)}; and only where named {', '.join(EXTRA)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=help_names)
    parser.add_argument("--quick", action="store_true", help="shorten MNIST; the report says so")
    help_seeds = "runs of what is random (default: 5; 1 of the convolutional network, which takes minutes; spiral: 10; "
    help_seeds += "coverage: 1,000 data sets)"
    parser.add_argument("--seeds", type=int, metavar="N", help=help_seeds)
    parser.add_argument("--out", type=Path, default=Path("results"), help="output folder (default: results)")
    asked = parser.parse_args(arguments)
    known = (*NAMES, *EXTRA)
    unknown = [name for name in asked.names if name not in known]
    if unknown:
        parser.error(f"NAME: got {', '.join(unknown)}, expected any of {', '.join(known)}")
    if asked.seeds is not None and asked.seeds < 1:
        parser.error(f"--seeds: got {asked.seeds}, expected a whole number of at least 1")
    try:
        prepare(asked.out)
    except OSError as error:
        parser.error(f"--out: got {asked.out}, expected a folder that can be written ({error.strerror})")
    names = [name for name in known if name in (asked.names or NAMES)]
    return names, Options(quick=asked.quick, seeds=asked.seeds), asked.out


def prepare(out: Path) -> None:
    """Make the output folders; OSError where they cannot be written."""
    for file in ("report.html", "numbers.json", "figures/figure_01.png"):
        check_writable(out / file)


def attempt(name: str, options: Options, out: Path) -> Part:
    """Run one experiment and save its figures; whatever it raises is kept as the part's error, and the others go on."""
    start = time.perf_counter()
    precision = jax.config.jax_enable_x64
    section, title, result, error = "", name, None, ""
    try:
        module = importlib.import_module(f"experiments.{name}")
        section, title = module.SECTION, module.TITLE
        result = checked(module.run(options))
        for number, (figure, _) in (*result.figures.items(), *result.pictures.items()):
            write_figure(out / "figures", number, figure)
    except Exception as caught:
        result, error = None, described(caught)
    finally:
        jax.config.update("jax_enable_x64", precision)  # each experiment chooses its own
    return Part(name, section, title, result, time.perf_counter() - start, error)


def described(error: Exception) -> str:
    """Return what happened and the last line of our own code where it did."""
    root = Path(__file__).parents[1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    return f"{type(error).__name__}: {error}" + (
        f" (at {Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    )


def checked(result: Result) -> Result:
    """Return the result, once its numbers are known to be the lecture's and to be numbers."""
    judge_all(result.numbers)  # here, where what it raises is one section's: in `save` it would end the whole run
    return result


def rows_of(run: Run) -> list[dict]:
    """Return the rows of `numbers.json` for what has ended so far."""
    numbers: dict[str, Number] = {}
    for part in run.parts:
        numbers |= part.result.numbers if part.result else {}
    return judge_all(numbers)


def save(run: Run, out: Path) -> None:
    """Write `numbers.json` and `report.html` for what has ended so far."""
    rows = rows_of(run)
    write_numbers(out / "numbers.json", run.environment, rows)
    write(out / "report.html", render(run, rows, out / "figures"))


def outcome(part: Part) -> str:
    """Return one line on how an experiment went."""
    if part.result is None:
        return f"failed after {duration(part.seconds)}: {part.error}"
    rows = judge_all(part.result.numbers)
    words = {"exact": "exact values equal", "stochastic": "random values within 3 sd"}
    counts = [
        f"{agree} of {judged} {words[kind]}" for kind in words for agree, judged, _ in [tally(rows, kind)] if judged
    ]
    return ", ".join(
        [duration(part.seconds), *counts, plural(len(part.result.figures) + len(part.result.pictures), "figure")]
    )


def plural(count: int, noun: str) -> str:
    """Return "1 figure", "2 figures"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def summary(console: Console, run: Run, out: Path) -> int:
    """Print every number beside the lecture's, the counts and the paths; return the exit status."""
    rows = rows_of(run)
    table = Table("section", "what", "lecture", "ours", "verdict", box=None, header_style="bold", pad_edge=False)
    for column in table.columns:
        column.no_wrap = column.header != "what"
    colours = {"good": "green", "bad": "red", "warn": "yellow", "none": "dim"}
    for row in (row for row in rows if row["ours"] is not None):
        kind, sign, words = verdict(row)
        table.add_row(row["section"], row["what"], *first(row), Text(f"{sign} {words}", style=colours[kind]))
    if table.rows:
        console.print(table)
    for kind, words in {"exact": "exact values equal", "stochastic": "random values within mean ± 3 sd"}.items():
        agree, judged, not_run = tally(rows, kind)
        counts = [f"{agree} of {judged} {words}"] * (judged > 0) + [f"{not_run} {kind} values not run"] * (not_run > 0)
        console.print(", ".join(counts) or f"no verdict on {kind} values", style="bold")
    failed = [part.name for part in run.parts if part.error]
    missed = [row["id"] for row in rows if row["kind"] == "exact" and row["ok"] is False]
    for words, names in {"failed": failed, "exact numbers missed": missed}.items():
        if names:
            console.print(f"{words}: {', '.join(names)}", style="red", soft_wrap=True)
    console.print(f"{out / 'report.html'}\n{out / 'numbers.json'}\n{out / 'figures'}", soft_wrap=True)
    return MISSED if failed or missed else 0


def first(row: dict) -> tuple[str, str]:
    """Return the lecture's value and ours for one line of text: of several the first, and how many."""
    printed, ours = leaves(row["lecture"]), leaves(row["ours"])
    more = f" … ({len(printed)})" if len(printed) > 1 else ""
    return f"{printed[0]}{more}", f"{digits(printed[0], ours[0])}{more}"


if __name__ == "__main__":
    sys.exit(main())
