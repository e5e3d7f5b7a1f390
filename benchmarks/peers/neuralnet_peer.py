"""R's neuralnet (`neuralnet.R`); ImportError where there is no R or no such package."""

import subprocess

import numpy as np

from benchmarks.peers import r_script
from benchmarks.timing import Side

if subprocess.run(["Rscript", "-e", "library(neuralnet)"], capture_output=True).returncode:
    raise ImportError("R has no package neuralnet")


def fit(
    start: np.ndarray, x: np.ndarray, y: np.ndarray, threshold: float, stepmax: int, hidden: int = 4, times: int = 1
) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each of some fits by rprop+ from the same start, R's vector of weights, and
    `(error, largest gradient, steps)`.
    """
    return r_script.run("neuralnet.R", {"x": x, "y": y, "start": start}, threshold, stepmax, hidden, times)


def side(start: np.ndarray, x: np.ndarray, y: np.ndarray, threshold: float, stepmax: int, steps: int) -> Side:
    """Return what fits again and again, so many steps each time."""
    return r_script.side(lambda times: fit(start, x, y, threshold, stepmax, times=times)[0], steps)
