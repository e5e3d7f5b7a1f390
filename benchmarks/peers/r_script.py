"""Work that R does and times itself; ImportError where there is no R."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Block, Side

if shutil.which("Rscript") is None:
    raise ImportError("there is no Rscript on the PATH")


def run(script: str, arrays: Mapping[str, Any], *arguments: object) -> tuple[list[float], np.ndarray]:
    """Return the seconds of each run that `script FOLDER ARGUMENTS` prints, and what it leaves in FOLDER/result."""
    with tempfile.TemporaryDirectory() as folder:
        for name, array in arrays.items():
            np.savetxt(Path(folder) / name, array, "%.17g")
        command = ["Rscript", str(Path(__file__).with_name(script)), folder, *map(str, arguments)]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [float(seconds) for seconds in printed.split()], np.loadtxt(Path(folder) / "result")


def side(times: Callable[[int], list[float]], steps: int) -> Side:
    """Return what runs a block of so many steps again and again; R's start is no part of the time."""

    def timed(units: int) -> Block:
        start = time.perf_counter()
        _, *seconds = times(1 + units)
        return Block(time.perf_counter() - start - sum(seconds), sum(seconds), units * steps)

    return timed
