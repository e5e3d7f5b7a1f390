"""What can be said of a handful of times: their middle, their spread, and how sure a ratio of two medians is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

NOISY = 0.10  # interquartile range over median, above which the machine is too noisy to tell
CHANGE = 0.05  # a smaller change than this is not worth a verdict
PERCENTILES = (2.5, 97.5)  # of the draws: the interval that holds 95 %
RESAMPLES = 5000


class Estimate(NamedTuple):
    """A number and the interval that holds it with 95 % confidence."""

    value: float
    low: float
    high: float


def iqr(samples: Sequence[float]) -> float:
    """Return the interquartile range, by NumPy's linear interpolation between the samples."""
    low, high = np.percentile(samples, [25, 75])
    return float(high - low)


def is_noisy(samples: Sequence[float]) -> bool:
    """Return whether the interquartile range is above a tenth of the median."""
    return iqr(samples) > NOISY * float(np.median(samples))


def median(samples: Sequence[float]) -> Estimate:
    """Return the median with its percentile bootstrap interval; one sample gives an interval of no width."""
    low, high = np.percentile(_medians(np.random.default_rng(0), samples), PERCENTILES)
    return Estimate(float(np.median(samples)), float(low), float(high))


def ratio(over: Sequence[float], under: Sequence[float]) -> Estimate:
    """Return `median(over) / median(under)` with its percentile bootstrap interval: both sets are drawn anew, apart.

    The draws are the same ones each time. One sample a side gives an interval of no width: it says nothing then.
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    rng = np.random.default_rng(0)
    draws = _medians(rng, over) / _medians(rng, under)
    low, high = np.percentile(draws, PERCENTILES)
    return Estimate(float(np.median(over) / np.median(under)), float(low), float(high))


def exponent(sizes: ArrayLike, times: Sequence[Sequence[float]]) -> Estimate:
    """Return a in `time ~ size^a`, by least squares through the logarithms, with its percentile bootstrap interval.

    `times` has for each size its samples, which are drawn anew. The interval tells the noise of the times, not how far
    from a straight line they are.
    """
    rng = np.random.default_rng(0)
    logs = np.log(sizes) - np.log(sizes).mean()

    def slope(medians):
        return logs @ np.log(medians) / (logs @ logs)

    low, high = np.percentile(slope([_medians(rng, samples) for samples in times]), PERCENTILES)
    return Estimate(float(slope([np.median(samples) for samples in times])), float(low), float(high))


def _medians(rng, samples):
    return np.median(rng.choice(np.asarray(samples), (RESAMPLES, len(samples))), axis=1)


def verdict(change: Estimate) -> str:
    """Return "slower" or "faster" for new over old if the interval excludes 1 and the change is above 5 %, else ""."""
    if abs(change.value - 1) <= CHANGE or change.low <= 1 <= change.high:
        return ""
    return "slower" if change.value > 1 else "faster"
