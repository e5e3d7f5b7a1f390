"""A case's gradient beside central differences, and whether the patch of a verdict mends it."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from benchmarks.gradbugs.variants import Swaps
from benchmarks.mutants.mutant import loaded
from benchmarks.mutants.peers import Argnums, Flat
from jaxnn.gradients import Problem

STEP, CLOSE = 1e-5, 1e-5
MOVES = (0.0, 0.05)  # standard deviations: the case's own parameters, and others


def is_mended(patch: str, file: Path, back: Swaps, argnums: Argnums) -> bool:
    """Return whether a unified diff makes the file's gradient right; the JAX form is mended, then tried as NumPy."""
    if not patch or shutil.which("patch") is None:
        return False
    file.with_name("fix.diff").write_text(patch, encoding="utf-8")
    command = ["patch", "-p0", "-f", "-i", "fix.diff", file.name]
    if subprocess.run(command, cwd=file.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        return False
    text = file.read_text(encoding="utf-8")
    for as_jax, as_numpy in back:
        text = text.replace(as_jax, as_numpy)
    file.with_name("mended.py").write_text(text, encoding="utf-8")
    try:
        mended = loaded(file.with_name("mended.py"), "mended")
        return all(is_gradient(mended, argnums, moved) for moved in MOVES)
    except Exception:  # code that does not run is not mended
        return False


def is_gradient(module: ModuleType, argnums: Argnums, moved: float = 0.0) -> bool:
    """Return whether `grad` of a NumPy module is the gradient of its `loss`, entry by entry, at `make_args` or near."""
    rng, args = np.random.default_rng(1), list(module.make_args())
    for place in argnums if isinstance(argnums, tuple) else (argnums,):
        args[place] = jax.tree.map(
            lambda leaf: np.asarray(leaf, np.float64) + moved * rng.standard_normal(np.shape(leaf)), args[place]
        )
    flat = Flat(Problem(module.loss, gradient_alone(module.grad, argnums)), tuple(args), argnums)
    found = flat.cotangents(flat.leaves, np.ones(()))
    for k, leaf in enumerate(found):
        expected = differences(flat, k)
        tolerance = CLOSE * (1 + np.max(np.abs(expected), initial=0))  # what rounding and the step explain
        if leaf.shape != expected.shape or not np.all(np.abs(leaf - expected) <= tolerance):
            return False
    return True


def gradient_alone(grad: Callable, argnums: Argnums) -> Callable[..., Any]:
    """Return a gradient without the value or what else comes with it, in the structure of the parameters."""

    def alone(*args):
        structure = jax.tree.structure([args[k] for k in argnums] if isinstance(argnums, tuple) else args[argnums])
        found = grad(*args)
        if isinstance(found, tuple) and isinstance(argnums, int) and jax.tree.structure(found) != structure:
            first_is_value = not isinstance(found[0], dict) and np.ndim(found[0]) == 0
            found = found[1] if first_is_value else found[0]
        gradient = jax.tree.unflatten(structure, jax.tree.leaves(found))
        return tuple(gradient) if isinstance(argnums, tuple) else gradient

    return alone


def differences(flat: Flat, k: int) -> np.ndarray:
    """Return the central differences of the loss by each entry of a leaf."""
    slopes = np.zeros(flat.leaves[k].shape)
    for place in np.ndindex(slopes.shape):
        values = []
        for step in (STEP, -STEP):
            leaves = list(flat.leaves)
            leaves[k] = leaves[k].copy()
            leaves[k][place] += step
            values.append(flat.value(leaves))
        slopes[place] = (values[0] - values[1]) / (2 * STEP)
    return slopes
