"""`python -m benchmarks mutants`: how many wrong gradients each checker finds, and how many right ones it rejects."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import track

from benchmarks import results
from benchmarks.mutants import ours, summary
from benchmarks.mutants.correct import Case, cases
from benchmarks.mutants.mutant import TABLES, Mutant, loaded, read
from benchmarks.mutants.peers import NEEDS, PEERS, objects
from benchmarks.mutants.targets import TARGETS, problem
from benchmarks.peers import HOW_TO_GET, cannot_import
from jaxnn import files

FAILED, INTERRUPTED = 1, 130
QUIET: Any = {"text": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
BY_TESTS = "--by-tests, with options of its own: which mistakes in jaxnn's own code the project's tests see"


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 0, 1 where jaxnn misses a mutant or raises a false alarm, 130 where interrupted."""
    console = Console(highlight=False, markup=False)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with jax.enable_x64(True):
            mutants, right = [mutant for table in TABLES for mutant in read(table)], cases(Path(folder))
            known = [mutant.id for mutant in mutants] + [case.id for case in right]
            asked = parse("mutants", arguments, known, __doc__, BY_TESTS)
            peers = available(console)
            rows, status = [], 0
            where = results.surroundings(dict.fromkeys(NEEDS[peer] for peer in peers))
            todo = [item for item in (*mutants, *right) if item.id in asked.only]
            try:
                for item in track(todo, "checking", console=Console(stderr=True), transient=True):
                    rows.append(row_of(item, peers, Path(folder)))
            except KeyboardInterrupt:
                console.print("interrupted; what was finished is kept", style="yellow")
                status = INTERRUPTED
    report(console, asked, where, rows, summary.totals(rows, peers), summary.remarks(rows))
    return status or (FAILED if summary.failed(rows) else 0)


def parse(
    name: str, arguments: Sequence[str], known: Sequence[str], what: str | None, more: str = ""
) -> argparse.Namespace:
    """Return which to run, of those that are known, and the files, which can be written."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}", description=what, epilog=more, allow_abbrev=False
    )
    parser.add_argument("--only", default="", metavar="ID[,ID]", help="which (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write what each checker said")
    parser.add_argument("--totals", type=Path, metavar="FILE", help="where to write the table as JSON, for the report")
    asked = parser.parse_args(arguments)
    asked.only = [name.strip() for name in asked.only.split(",") if name.strip()] or list(known)
    unknown = [name for name in asked.only if name not in known]
    if unknown:
        parser.error(
            f"--only: got {', '.join(unknown)}, expected any of {known[0]} to {known[-1]}, as the file has them"
        )
    results.refuse_unwritable(parser, {"--json": asked.json, "--totals": asked.totals})
    return asked


def available(console: Console) -> list[str]:
    """Return the peers that can be imported; say of the others how to get them."""
    problems = {package: cannot_import(package) for package in dict.fromkeys(NEEDS.values())}
    for package, why in problems.items():
        if why:
            line = f"{package}: skipped, it cannot be imported ({why}); get it with {HOW_TO_GET.get(package, package)}"
            console.print(line, style="yellow", soft_wrap=True)
    return [peer for peer in PEERS if not problems[NEEDS[peer]]]


def report(
    console: Console, asked: argparse.Namespace, where: dict, rows: list[dict], found: list[dict], remarks: list[str]
) -> None:
    """Write the files that are asked for, and print what is found and what is to be said of it."""
    if asked.json is not None:
        results.write(asked.json, where, rows)
    if asked.totals is not None:
        files.write(asked.totals, json.dumps({"environment": where, "totals": found}, indent=1) + "\n")
    if found:
        results.print_whole(summary.table(found))
    for line in remarks:
        console.print(line, soft_wrap=True)


def row_of(item: Mutant | Case, peers: Sequence[str], folder: Path) -> dict:
    """Return what all checkers say of a mutant or of a correct case."""
    started = time.perf_counter()
    if isinstance(item, Mutant):
        with jax.enable_x64(TARGETS[item.target].x64):
            row = mutant_row(item, peers, folder)
    else:
        with jax.enable_x64(item.x64):
            row = correct_row(item, peers)
    return {**row, "seconds": round(time.perf_counter() - started, 2)}


def mutant_row(mutant: Mutant, peers: Sequence[str], folder: Path) -> dict:
    """Return who kills the mutant, and at which point, and what jaxnn says of it."""
    target = TARGETS[mutant.target]
    wrong = problem(target, mutant, folder)
    source = str(folder / f"{mutant.id}.py")
    points = {name: ours.on_device(args) for name, args in target.cases().items() if name in ("std", mutant.scenario)}
    killed_by = {}
    found = ours.check(wrong, points["std"], source=source)
    if kills(mutant, found):
        killed_by["jaxnn"] = "std"
    else:
        surveyed = ours.survey(wrong, points["std"], target.dims, source=source)
        found = surveyed if kills(mutant, surveyed) or found.kind != ours.CRASH else found
        killed_by["jaxnn"] = "survey" if kills(mutant, surveyed) else None
    there = ours.check(wrong, points[mutant.scenario], source=source) if mutant.where else found
    for peer in peers:
        at = [name for name in points if objects(PEERS[peer], wrong, points[name], 0)]
        killed_by[peer] = "std" if "std" in at else at[0] if at else None
    return {
        "row": "mutant",
        "id": mutant.id,
        "target": mutant.target,
        "what": mutant.what,
        "old": mutant.edits[0].old,
        "new": mutant.edits[0].new,
        "where": mutant.where,
        "killed_by": killed_by,
        **{name: getattr(found, name) for name in ("kind", "leaf", "line", "cause", "case", "message")},
        "subgradient": mutant.subgradient,
        "line_ok": mutant.names_line(found.line),
        "cause_ok": mutant.explains(found.cause),
        "patch": found.patch,
        "patch_ok": is_mended(mutant, found.patch, points.values(), folder),
        "told_where": {"killed": kills(mutant, there), **there._asdict()} if mutant.where else None,
    }


def is_mended(mutant: Mutant, patch: str, points: Iterable[tuple], folder: Path) -> bool:
    """Return whether the mutant's file, patched, has the right gradient at the points, by jaxnn's own checker."""
    target, file = TARGETS[mutant.target], folder / f"{mutant.id}_patched.py"
    command = ["patch", "-f", "-o", str(file), str(folder / f"{mutant.id}.py")]
    if not patch or shutil.which("patch") is None or subprocess.run(command, input=patch, **QUIET).returncode:
        return False
    mended = target.build(loaded(file, file.stem))
    return not any(ours.check(mended, args, source=str(file)).objects for args in points)


def kills(mutant: Mutant, found: ours.Found) -> bool:
    """Return whether the checker saw it: an objection, of another subgradient KINK."""
    return found.kind == "KINK" if mutant.subgradient else found.objects


def correct_row(case: Case, peers: Sequence[str]) -> dict:
    """Return who objects to a correct gradient, and what jaxnn says of it."""
    args = ours.on_device(case.args)
    found = ours.check(case.problem, args, case.argnums)
    alarms = ["jaxnn"] if found.objects or found.kind == ours.CRASH else []
    alarms += [peer for peer in peers if objects(PEERS[peer], case.problem, args, case.argnums)]
    kept = {name: getattr(found, name) for name in ("kind", "leaf", "line", "cause", "message")}
    return {"row": "correct", "id": case.id, "alarms": alarms, **kept}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
