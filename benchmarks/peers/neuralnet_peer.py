"""R's neuralnet (`neuralnet.R`), timed by R itself; ImportError where there is no R or no such package."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import Block, Side

SCRIPT = Path(__file__).with_name("neuralnet.R")

if shutil.which("Rscript") is None:
    raise ImportError("there is no Rscript on the PATH")
if subprocess.run(["Rscript", "-e", "library(neuralnet)"], capture_output=True).returncode:
    raise ImportError("R has no package neuralnet")


def fit(params, x, y, threshold: float, stepmax: int, times: int = 1) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each of some fits from the same start, and `(error, largest gradient, steps)`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in {"x": x, "y": y, **params}.items():
            np.savetxt(Path(folder) / name, array, "%.17g")
        command = ["Rscript", str(SCRIPT), folder, repr(threshold), str(stepmax), str(times)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [float(seconds) for seconds in printed.split()], np.loadtxt(Path(folder) / "result")


def side(params, x, y, threshold: float, stepmax: int, steps: int) -> Side:
    """Return what fits again and again, so many steps each time; R's start is no part of the time."""

    def run(units: int) -> Block:
        start = time.perf_counter()
        _, *seconds = fit(params, x, y, threshold, stepmax, 1 + units)[0]
        return Block(time.perf_counter() - start - sum(seconds), sum(seconds), units * steps)

    return run
