"""`python -m benchmarks mutants --by-tests`: which of the mistakes in jaxnn's own code the project's tests see.

Each mistake of `project.toml` in turn is put into a copy of the repository, and the tests of the module concerned run
there: the fast ones, and the slow ones where those see nothing. The working tree is only read.
"""

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from queue import SimpleQueue

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import results
from benchmarks.mutants.mutant import Mutant, read, replaced
from benchmarks.mutants.targets import TARGETS
from jaxnn.environment import cores

ROOT = Path(__file__).parents[2]
LEFT_TO_SLOW = 7  # of the 67 mistakes at most: the fast tests are to see the others
FAST, SLOW = "not slow", "slow"
ALL_GRADIENTS = "test_gradients.py"  # tests each row of `jaxnn.gradients`, and so every module with one
FAILED, INTERRUPTED = 1, 130


class NotTested(Exception):
    """The tests could not be run, or do not pass without any mistake: then they cannot tell."""


def main(arguments: Sequence[str]) -> int:
    """Put the mistakes in, print who sees them; return 1 where too many are missed or the tests fail without any."""
    mutants = read("project")
    asked = parse(arguments, [mutant.id for mutant in mutants])
    chosen = [mutant for mutant in mutants if not asked.only or mutant.id in asked.only]
    console, rows, status = Console(highlight=False, markup=False), {}, 0
    try:
        with tempfile.TemporaryDirectory(prefix="jaxnn-mistakes-") as folder:
            copy_repository(ROOT, Path(folder) / "0")
            for row in track(
                seen(chosen, Path(folder), asked.workers),
                "testing",
                len(chosen),
                console=Console(stderr=True),
                transient=True,
            ):
                rows[row["id"]] = row
    except NotTested as error:
        console.print(str(error), style="red", soft_wrap=True)
        status = FAILED
    except KeyboardInterrupt:
        console.print("interrupted; what was finished is kept", style="yellow")
        status = INTERRUPTED
    ordered = [rows[mutant.id] for mutant in chosen if mutant.id in rows]
    if asked.json is not None:
        results.write(asked.json, results.surroundings([]), ordered)
    results.print_whole(table(ordered))
    for line in conclusions(ordered):
        console.print(line, soft_wrap=True)
    return status or (FAILED if failed(ordered) else 0)


def parse(arguments: Sequence[str], known: Sequence[str]) -> argparse.Namespace:
    """Return which mistakes to put in, the file and the number of copies, all known to be usable."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("--by-tests", action="store_true", required=True, help="ask the project's own tests")
    parser.add_argument("--only", default="", metavar="ID[,ID]", help="which mistakes (default: all of project.toml)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write who saw what")
    parser.add_argument(
        "--workers",
        type=int,
        default=cores(),
        metavar="N",
        help="copies that are tested at a time (default: %(default)s)",
    )
    asked = parser.parse_args(arguments)
    asked.only = [name.strip() for name in asked.only.split(",") if name.strip()]
    unknown = [name for name in asked.only if name not in known]
    if unknown:
        parser.error(f"--only: got {', '.join(unknown)}, expected any of {known[0]} to {known[-1]}")
    if asked.workers < 1:
        parser.error(f"--workers: got {asked.workers}, expected a whole number of at least 1")
    results.refuse_unwritable(parser, {"--json": asked.json})
    return asked


def seen(mutants: Sequence[Mutant], folder: Path, workers: int) -> Iterator[dict]:
    """Yield a row for each mistake, as soon as it is known who sees it; `folder/0` is the copy without any.

    `NotTested` where the tests fail without a mistake.
    """
    copies = [folder / str(number) for number in range(min(workers, len(mutants)))]
    check(copies[0], mutants, FAST)
    for other in copies[1:]:  # with what the tests in the first have compiled and kept
        shutil.copytree(copies[0], other)
    left = []
    for mutant, test, seconds in tested(mutants, copies, FAST):
        if test:
            yield row(mutant, "fast", test, seconds)
        else:
            left.append((mutant, seconds))
    if left:
        missed = [mutant for mutant, _ in left]
        check(copies[0], missed, SLOW)
        for (mutant, test, seconds), (_, before) in zip(tested(missed, copies, SLOW), left, strict=True):
            yield row(mutant, "slow" if test else None, test, before + seconds)


def row(mutant: Mutant, seen_by: str | None, test: str, seconds: float) -> dict:
    """Return what the file has of a mistake: `seen_by` is "fast", "slow" or None, `test` the first that failed."""
    module = TARGETS[mutant.target].module
    found = {"row": "by tests", "id": mutant.id, "module": module, "what": mutant.what}
    return found | {"seen_by": seen_by, "test": test, "seconds": round(seconds, 1)}


def tested(mutants: Sequence[Mutant], copies: Sequence[Path], marker: str) -> Iterator[tuple[Mutant, str, float]]:
    """Yield each mistake, in this order, with the first test that fails ("" for none) and the seconds that it took."""
    free: SimpleQueue[Path] = SimpleQueue()
    for copy in copies:
        free.put(copy)

    def one(mutant: Mutant) -> tuple[Mutant, str, float]:
        copy, start = free.get(), time.perf_counter()
        try:
            return mutant, with_mistake(copy, mutant, marker), time.perf_counter() - start
        finally:
            free.put(copy)

    with ThreadPoolExecutor(len(copies)) as pool:
        yield from pool.map(one, mutants)


def with_mistake(copy: Path, mutant: Mutant, marker: str) -> str:
    """Return the first test that fails with the mistake in the copy, which is as before afterwards."""
    module = TARGETS[mutant.target].module
    path = copy.joinpath(*module.split(".")).with_suffix(".py")
    right = wrong = path.read_text(encoding="utf-8")
    for edit in mutant.edits:
        wrong = replaced(wrong, edit)
    try:
        # Python takes a file for unchanged where its length and the second of its writing are: starting pytest takes
        # longer than that, so no mistake is run in the place of the next one.
        path.write_text(wrong, encoding="utf-8")
        return first_failure(copy, tests_of(module, copy), marker)
    finally:
        path.write_text(right, encoding="utf-8")


def check(copy: Path, mutants: Sequence[Mutant], marker: str) -> None:
    """Raise `NotTested` unless the tests of all modules concerned pass without a mistake, and test the copy."""
    command = [sys.executable, "-c", "import jaxnn; print(jaxnn.__file__)"]
    imported = subprocess.run(command, cwd=copy, env=environment(copy), check=True, stdout=subprocess.PIPE, text=True)
    if not Path(imported.stdout.strip()).is_relative_to(copy):
        raise NotTested(f"`import jaxnn` gives {imported.stdout.strip()}, expected the copy in {copy}")
    modules = dict.fromkeys(TARGETS[mutant.target].module for mutant in mutants)
    files = dict.fromkeys(file for module in modules for file in tests_of(module, copy))
    failure = first_failure(copy, list(files), marker)
    if failure:
        raise NotTested(f"without any mistake a test fails already: {failure}")


def first_failure(copy: Path, files: Sequence[str], marker: str) -> str:
    """Return the first test of the files and the marker that fails in the copy, "" where all pass or none is there."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-rfE", "-m", marker, *files]
    done = subprocess.run(
        command, cwd=copy, env=environment(copy), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    passed, failing, none_there = 0, 1, 5  # pytest's exit statuses
    if done.returncode not in (passed, failing, none_there):
        raise NotTested(f"pytest ended with exit status {done.returncode}:\n{done.stdout[-3000:]}")
    return failed_test(done.stdout) if done.returncode == failing else ""


def failed_test(output: str) -> str:
    """Return the first test that pytest's summary names."""
    named = re.search(r"^(?:FAILED|ERROR) (\S+?(?:\[.*?\])?)(?: - .*)?$", output, re.MULTILINE)
    return named[1] if named else "(not named)"


def environment(copy: Path) -> dict[str, str]:
    """Return the environment in which the copy is what `import jaxnn` finds, before what is installed."""
    return os.environ | {"PYTHONPATH": str(copy)}


def copy_repository(root: Path, copy: Path) -> None:
    """Copy the repository's files as they are now, those that git does not know yet included, not what it ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if listed.returncode:
        raise NotTested(f"the files to copy are not known, git says: {listed.stderr.strip()}")
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():  # git lists a deleted one until that is committed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)


def tests_of(module: str, root: Path) -> list[str]:
    """Return the test files of a module, the likeliest to see a mistake in it first.

    The one that mirrors it and the one of all gradients; then of a module in a package the others of the package's
    folder, of one in `jaxnn` itself those that import it.
    """
    _, *package, name = module.split(".")
    tests = root / "tests"
    folder = tests.joinpath(*package)
    others = folder.glob("test_*.py") if package else (p for p in tests.rglob("test_*.py") if module in imported(p))
    found = dict.fromkeys([folder / f"test_{name}.py", tests / ALL_GRADIENTS, *sorted(others)])
    return [str(path.relative_to(root)) for path in found if path.exists()]


@cache
def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports, and of what it takes from them."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def table(rows: Sequence[dict]) -> Table:
    """Return who sees each mistake, and by which test."""
    shown = Table(box=box.MARKDOWN)
    for header in ("id", "module", "what", "seen by", "first failing test", "seconds"):
        shown.add_column(header, no_wrap=True)
    for found in rows:
        cells = (found[name] for name in ("id", "module", "what"))
        shown.add_row(*cells, found["seen_by"] or "nothing", found["test"], f"{found['seconds']:.1f}")
    return shown


def conclusions(rows: Sequence[dict]) -> list[str]:
    """Return how many mistakes the tests see, and which the fast ones and all of them miss, one line each."""
    fast, slow, nothing = ([found["id"] for found in rows if found["seen_by"] == who] for who in ("fast", "slow", None))
    lines = [f"the fast tests see {len(fast)} of {len(rows)} mistakes, all tests {len(fast) + len(slow)}"]
    lines += [f"seen by slow tests alone: {', '.join(slow)}"] if slow else []
    return lines + ([f"seen by nothing: {', '.join(nothing)}"] if nothing else [])


def failed(rows: Sequence[dict]) -> bool:
    """Return whether a mistake is seen by nothing, or more than `LEFT_TO_SLOW` by no fast test."""
    by_fast = [found["seen_by"] == "fast" for found in rows]
    return not all(found["seen_by"] for found in rows) or by_fast.count(False) > LEFT_TO_SLOW
