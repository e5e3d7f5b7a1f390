"""Whether two sides compute the same thing: only then may their times be compared."""

import numpy as np
from numpy.typing import ArrayLike


class Different(Exception):
    """The sides do not compute the same thing: the message says what differs and by how much."""


def agree(what: str, ours: ArrayLike, theirs: ArrayLike, tolerance: float) -> None:
    """Raise `Different` unless the largest difference is at most `tolerance` times the largest value."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        raise Different(f"{what}: the shapes are {ours.shape} and {theirs.shape}, expected the same")
    error = np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
    if not error <= tolerance:  # and not `error > tolerance`: NaN agrees with nothing
        raise Different(f"{what}: the relative difference is {error:.1e}, expected at most {tolerance:.0e}")
