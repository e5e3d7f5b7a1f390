"""The lecture's hidden-layer loop by hand in R (`hidden.R`); ImportError where there is no R."""

import numpy as np

from benchmarks.peers import r_script
from benchmarks.timing import Side


def descend(
    params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int, times: int = 1
) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each of some runs, in R's only precision, and the cost before each step."""
    return r_script.run("hidden.R", {"x": x, "y": y, **params}, rate, steps, times)


def side(params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int) -> Side:
    """Return what runs a block of so many steps again and again."""
    return r_script.side(lambda times: descend(params, x, y, rate, steps, times)[0], steps)
