"""The lecture's hidden-layer loop in C (`hidden.c`), compiled on the spot; ImportError where there is no gcc."""

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd")

if shutil.which("gcc") is None:
    raise ImportError("there is no gcc on the PATH")


@cache
def compiled(single: bool) -> ctypes.CDLL:
    """Return the loop as a library of float or of double."""
    folder = Path(tempfile.mkdtemp())
    compiled_source, library = folder / "hidden.o", folder / "hidden.so"
    source = Path(__file__).with_name("hidden.c")
    precision = ["-DSINGLE"] if single else []
    subprocess.run(["gcc", *FLAGS, *precision, "-fPIC", "-c", source, "-o", compiled_source], check=True)
    # Linked without -ffast-math: with it, loading the library makes the whole process round subnormal numbers to 0.
    subprocess.run(["gcc", "-shared", compiled_source, "-o", library, "-lmvec", "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    shutil.rmtree(folder)  # the loaded library needs its file no longer
    return loaded


def descend(
    params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rate: float, steps: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what `numpy_peer.plain` does: the parameters after `steps` steps, and the cost before each."""
    single = x.dtype == np.float32
    if (len(params["W1"]), len(x), len(y)) != (4, 2, 1):
        raise ValueError("hidden.c is for two inputs, four hidden nodes and one output")
    real = ctypes.c_float if single else ctypes.c_double
    after = {name: np.ascontiguousarray(value).copy() for name, value in params.items()}
    n, costs = x.shape[1], np.empty(steps, x.dtype)
    a1, dz2 = np.empty((4, n), x.dtype), np.empty(n, x.dtype)
    given = [*(after[name] for name in ("W1", "b1", "W2", "b2")), np.ascontiguousarray(x), np.ascontiguousarray(y)]
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*given, costs, a1, dz2)]
    compiled(single).descend(*pointers[:6], n, real(rate), steps, *pointers[6:])
    return after, costs
