"""Every adjoint against the output itself: a zero is added to the value, moved, and the output differenced.

The differences are taken in float64, whatever the function runs in. Ridders' method: central differences at shrinking steps, extrapolated, the
entry with the smallest error estimate taken (Numerical Recipes, section 5.7).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnn.trace.explanation import Check

STEPS = 1e-2 * 0.25 ** np.arange(6)


def check(value: Any, output: Callable[[Any], float], adjoint: np.ndarray, eps: float, seed: int = 0) -> Check:
    """Return the comparison along one random direction, every entry moved.

    `output` is the function's result after its argument is added to `value`, `eps` the precision of the adjoint.
    """
    value = np.asarray(value)
    scale = float(np.sqrt(np.mean(np.square(value)))) if value.size else 0.0
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], value.shape) if value.ndim else np.float64(1)
    scale = scale if np.isfinite(scale) and scale > 1e-3 else 1.0
    expected = float(np.sum(adjoint.astype(float) * signs))
    spread = float(np.sum(np.abs(adjoint.astype(float))))
    if not np.isfinite(expected):
        return Check("unknown", expected, np.nan, np.nan)
    at = {h: output(signs * h * scale) for h in (*STEPS, *-STEPS, 0.0)}
    central = [(at[h] - at[-h]) / (2 * h * scale) for h in STEPS]
    measured, error = ridders(central)
    rounding = 8 * np.finfo(float).eps * abs(at[0.0]) / (STEPS[-1] * scale)
    allowed = 4 * error + rounding + min(1e4 * eps, 0.1) * spread
    if not np.isfinite(measured) or abs(measured - expected) <= allowed:
        return Check("ok" if np.isfinite(measured) else "unknown", expected, measured, error)
    kink = _between(at, scale, expected, allowed)
    return Check("kink" if kink else "differs", expected, measured, error)


def ridders(central: list[float]) -> tuple[float, float]:
    """Return the limit of central differences whose step falls by 4 each time, and an estimate of its error."""
    best, error, above = central[0], np.inf, [central[0]]
    for first in central[1:]:
        row = [first]
        for k, old in enumerate(above):
            row.append(row[k] + (row[k] - old) / (16.0 ** (k + 1) - 1))
            estimate = max(abs(row[k + 1] - row[k]), abs(row[k + 1] - old))
            if estimate < error:
                best, error = row[k + 1], estimate
        above = row
    return float(best), float(error)


def _between(at, scale, expected, allowed):
    """Whether the slopes on the two sides stay apart as the step shrinks, with the adjoint between them."""
    h, gap = STEPS[-1], []
    for h in (STEPS[2], STEPS[-2]):
        right, left = (at[h] - at[0.0]) / (h * scale), (at[0.0] - at[-h]) / (h * scale)
        gap.append(abs(right - left))
    low, high = min(left, right), max(left, right)
    slack = allowed + 0.01 * (high - low)
    return gap[1] > 0.5 * gap[0] and low - slack <= expected <= high + slack
