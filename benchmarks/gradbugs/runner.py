"""`python -m benchmarks gradbugs`: how gradient checkers judge the gradients of other people, wrong and mended."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks import results
from benchmarks.gradbugs import summary
from benchmarks.gradbugs.trial import FORMS, JAXNN, LIMIT, NOT_DRAWN, Trial
from benchmarks.gradbugs.variants import GIVEN, HELD_OUT, NUMPY, paths, variants
from benchmarks.mutants.peers import NEEDS
from benchmarks.mutants.runner import FAILED, INTERRUPTED, available, parse, report
from jaxnn.environment import cores

ROOT = Path(__file__).parents[2]
LISTS = """Lists that the checker was not developed on: --held-out, kept in the repository; --drawn SEED, a mistake
drawn at random into each right program, of which every seed is another list."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark; return 0, 1 where jaxnn misses a mistake or raises a false alarm, 130 where interrupted."""
    console, lists = Console(highlight=False, markup=False), argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    lists.add_argument("--held-out", action="store_true")
    lists.add_argument("--drawn", type=int, metavar="SEED")
    chosen, others = lists.parse_known_args(arguments)
    known = paths(HELD_OUT if chosen.held_out else GIVEN if chosen.drawn is None else ("cases", *HELD_OUT))
    asked = parse("gradbugs", others, list(known), __doc__, LISTS)
    if shutil.which("patch") is None:
        console.print("patch: there is no such program here, so that no patch is tried", style="yellow")
    peers, rows, status = available(console) if chosen.drawn is None else [], [], 0
    where = results.surroundings(dict.fromkeys(NEEDS[peer] for peer in peers))
    todo = [trial for name in asked.only for trial in trials(name, (JAXNN, *peers), chosen.drawn)]
    pool = ThreadPoolExecutor(cores())
    try:
        tried = pool.map(run, todo)
        for row in track(tried, "checking", len(todo), console=Console(stderr=True), transient=True):
            rows += [row] if row["kind"] != NOT_DRAWN else []
    except KeyboardInterrupt:
        console.print("interrupted; what was finished is kept", style="yellow")
        status = INTERRUPTED
    pool.shutdown(cancel_futures=True)
    report(console, asked, where, rows, summary.totals(rows), summary.remarks(rows))
    return status or (FAILED if summary.failed(rows) else 0)


def trials(name: str, checkers: Sequence[str], seed: int | None = None) -> list[Trial]:
    """Return who tries what of a file, or a mistake that is drawn into it."""
    if seed is not None:
        return [Trial(name, NUMPY, f"drawn {seed}", JAXNN, seed=seed)]
    found = variants(paths()[name])
    return [Trial(name, v.form, v.tag, who, v.small) for v in found for who in checkers if v.form in FORMS[who]]


def run(trial: Trial) -> dict:
    """Return the row of a try; LIMIT where it was ended for its processor time, CRASH where it ended itself."""
    command = [sys.executable, "-m", "benchmarks.gradbugs.trial", json.dumps(trial)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            options = {"cwd": folder, "env": environment, "timeout": 8 * LIMIT}
            done = subprocess.run(command, capture_output=True, text=True, **options)
        except subprocess.TimeoutExpired:  # it sleeps
            return ended(trial, "LIMIT", "")
    if done.returncode:
        by_limit = done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
        return ended(trial, "LIMIT" if by_limit else "CRASH", done.stderr[-500:])
    return json.loads(done.stdout.splitlines()[-1])


def ended(trial: Trial, kind: str, message: str) -> dict:
    """Return the row of a try that gave no answer; the whole limit counts as its time."""
    missing = dict.fromkeys(("line_ok", "patch_ok", *(("cause_ok",) * (trial.seed is None))), False)
    return {**trial._asdict(), "kind": kind, "message": message, **missing, "seconds": float(LIMIT)}
