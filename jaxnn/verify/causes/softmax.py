r"""Causes of a wrong adjoint of a softmax's argument, $P \odot (g - \sum g \odot P)$, P the softmax, g its adjoint."""

import warnings

import numpy as np

from jaxnn.verify.causes.gap import SLACK, Gap
from jaxnn.verify.causes.relations import Pool


def softmax(gap: Gap, others: Pool) -> str:
    """Return which part of the softmax's Jacobian is missing; g is known from the true array, but for its sum."""
    if gap.actual.ndim == 0 or not gap.tells(4 * len(others)):
        return ""
    for name, p in others.items():
        if p.shape != gap.actual.shape or np.min(p) < 0 or np.max(p) > 1 + 1e-9:
            continue
        for axis in range(p.ndim):
            inside = (p > 0) & (p < 1)
            free = np.count_nonzero(inside) - np.count_nonzero(inside.any(axis))
            if free < 3 or not np.allclose(p.sum(axis), 1, atol=1e-9) or (gap.wrong & ~inside).any():
                continue
            p = np.where(inside, p, np.nan)
            true, error = gap.expected / p, gap.tolerance / p
            if _constant(gap.actual / (p * (1 - p)) - true, error / (1 - p), axis):
                return f"only the diagonal of the softmax's Jacobian, g {name} (1 - {name}): it is {_whole(name)}"
            if _constant(gap.actual / p - true, error, axis):
                return f"the sum in the softmax's Jacobian, {_whole(name)}, is missing or wrong"
    return ""


def _whole(name):
    return f"{name} (g - the sum of g {name})"


def _constant(values, error, axis):
    """Return whether an array is the same all along one axis."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of lines that are NaN all along
        middle = np.nanmedian(values, axis, keepdims=True)
        bound = SLACK * 2 * (error + np.nanmax(error, axis, keepdims=True))
    return bool(np.all((np.abs(values - middle) <= bound) | np.isnan(values)))
