"""Every adjoint against the output itself: the value is perturbed where it stands, and the output differenced.

The differences are taken in float64, whatever the function runs in. Ridders' method: central differences at
shrinking steps, extrapolated, the entry with the smallest error estimate taken (Numerical Recipes, section 5.7).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnn.trace.derivation import Check

STEPS = 1e-2 * 0.25 ** np.arange(6)


def check_adjoint(
    value: Any, output: Callable[[Any], float], adjoint: Any, entry: tuple[int, ...], eps: float
) -> Check:
    """Return the comparison along one random direction, every entry moved; at a kink, along the `entry` alone.

    `output` is the function's result after its argument is added to `value`, `eps` the precision of the adjoint.
    """
    with np.errstate(all="ignore"):
        return _checked(np.asarray(value), output, np.asarray(adjoint, float), entry, eps)


def _checked(value, output, adjoint, entry, eps) -> Check:
    # Every entry moves, each by another amount: no entry's error goes unseen, and two do not cancel.
    random = np.random.default_rng(0)
    direction = random.choice([-1.0, 1.0], value.shape) * random.uniform(0.5, 1.5, value.shape)
    found, kink = _along(value, output, adjoint, direction if value.ndim else np.float64(1), eps)
    if found.kind == "differs" and kink and value.ndim:
        # Where several entries stand at kinks, a valid subgradient may leave the one-sided slopes of their sum.
        alone = np.zeros_like(value)
        alone[entry] = 1
        there, _ = _along(value, output, adjoint, alone, eps)
        return found._replace(kind="kink" if there.kind in ("ok", "kink") else "differs")
    return found


def _along(value, output, adjoint, direction, eps) -> tuple[Check, bool]:
    """Return the comparison along a direction, and whether there is a kink."""
    scale = float(np.sqrt(np.mean(np.square(value)))) if value.size else 0.0
    scale = scale if np.isfinite(scale) and scale > 1e-3 else 1.0
    expected, size = float(np.sum(adjoint * direction)), float(np.sum(np.abs(adjoint * direction)))
    if not np.isfinite(expected):
        return Check("unsure", expected, np.nan, np.nan), False
    at = {h: output(direction * h * scale) for h in (*STEPS, *-STEPS, 0.0)}
    measured, error = ridders([(at[h] - at[-h]) / (2 * h * scale) for h in STEPS])
    rounding = 8 * np.finfo(float).eps * abs(at[0.0]) / (STEPS[-1] * scale)
    allowed = 4 * error + rounding
    rounded = min(1e4 * eps, 0.1) * size  # what the function's own precision did to the terms of the sum
    slopes = [((at[h] - at[0.0]) / (h * scale), (at[0.0] - at[-h]) / (h * scale)) for h in STEPS[-2:]]
    # The one-sided slopes of a smooth function come four times closer when the step is a quarter; at a kink they stay.
    gaps = [abs(right - left) for right, left in slopes]
    kink = gaps[1] > 0.5 * gaps[0] and gaps[1] > 100 * rounding
    if not np.isfinite(measured) or allowed > 0.1 * max(size, abs(measured)) + 100 * rounding and not kink:
        kind = "unsure"
    elif abs(measured - expected) <= allowed + rounded:
        kind = "ok"
    else:
        low, high = sorted(slopes[-1])
        slack = allowed + rounded + 0.01 * (high - low)
        kind = "kink" if kink and low - slack <= expected <= high + slack else "differs"
    return Check(kind, expected, measured, error), kink


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
