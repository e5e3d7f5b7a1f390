"""The lecture's hidden-layer loop by hand in R (`hidden.R`), timed by R itself; ImportError where there is no R."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import Block, Side

SCRIPT = Path(__file__).with_name("hidden.R")

if shutil.which("Rscript") is None:
    raise ImportError("there is no Rscript on the PATH")


def descend(params, x, y, rate: float, steps: int, times: int = 1) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each of some runs, in R's only precision, and the cost before each step."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in {"x": x, "y": y, **params}.items():
            np.savetxt(Path(folder) / name, array, "%.17g")
        command = ["Rscript", "--vanilla", str(SCRIPT), folder, repr(rate), str(steps), str(times)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [float(seconds) for seconds in printed.split()], np.loadtxt(Path(folder) / "costs")


def side(params, x, y, rate: float, steps: int) -> Side:
    """Return what runs a block of so many steps again and again; R's start is no part of the time."""

    def run(units: int) -> Block:
        start = time.perf_counter()
        _, *seconds = descend(params, x, y, rate, steps, 1 + units)[0]
        return Block(time.perf_counter() - start - sum(seconds), sum(seconds), units * steps)

    return run
