"""A wrong array beside the true one, and the question whether a third array is the wrong one."""

from dataclasses import dataclass

import numpy as np

EPS = float(np.finfo(np.float64).eps)
SLACK = 3.0  # how many tolerances apart equal numbers may be
SAMPLE = 64


@dataclass(frozen=True)
class Gap:
    """`actual` in place of `expected`, float64 and finite, of one shape; where they differ (`wrong`), and by how much.

    `digits` is what the difference can tell: the decimal digits by which it stands out of the tolerance, summed over
    the entries. `at` are the places where a hypothesis is tried first.
    """

    name: str
    actual: np.ndarray
    expected: np.ndarray
    tolerance: np.ndarray
    wrong: np.ndarray
    digits: float
    at: tuple[np.ndarray, ...]

    @property
    def difference(self) -> np.ndarray:
        return self.actual - self.expected

    def fits(self, candidate: np.ndarray, error: np.ndarray | float | None = None) -> bool:
        """Whether `candidate`, known to within `error` (that of the true array, if not given), is the actual array.

        It is not where the true array would be the actual one as well.
        """
        error = self.tolerance if error is None else np.broadcast_to(error, self.tolerance.shape)
        if candidate.shape != self.actual.shape:
            return False
        some = self.tolerance[self.at] + error[self.at]
        if not close(self.actual[self.at], candidate[self.at], some):
            return False
        error = self.tolerance + error
        return close(self.actual, candidate, error) and not close(self.actual, self.expected, error)

    def tells(self, hypotheses: int) -> bool:
        """Whether the difference is plain enough to tell that many hypotheses apart without one fitting by chance."""
        return self.digits >= 4 + np.log10(max(hypotheses, 1))

    def within(self, where: np.ndarray) -> "Gap | None":
        """The same gap, in the entries chosen by `where` only, as a vector."""
        return measure(self.name, self.actual[where], self.expected[where], self.tolerance[where])


def close(a: np.ndarray, b: np.ndarray, error: np.ndarray | float) -> bool:
    """Whether two arrays are equal within `error` in every entry, rounding apart; some entries are tried first."""
    if a.size > 4096:
        few = tuple(slice(None, None, max(1, n // 7)) for n in a.shape)
        if not close(a[few], b[few], error[few] if isinstance(error, np.ndarray) and error.ndim else error):
            return False
    return bool(np.all(np.abs(a - b) <= SLACK * error + 8 * EPS * (np.abs(a) + np.abs(b))))


def measure(name: str, actual: np.ndarray, expected: np.ndarray, tolerance: np.ndarray | float) -> Gap | None:
    """Return the gap of two finite arrays, or None where too little differs to tell a cause."""
    floor = 8 * EPS * np.abs(expected) + np.finfo(np.float64).tiny
    tolerance = np.maximum(np.broadcast_to(np.asarray(tolerance, np.float64), expected.shape), floor)
    out = np.abs(actual - expected) / (SLACK * tolerance)
    wrong = out > 1
    digits = float(np.log10(out[wrong]).sum()) if wrong.any() else 0.0
    if digits < 3:
        return None
    return Gap(name, actual, expected, tolerance, wrong, digits, sample(wrong, np.abs(expected)))


def sample(wrong: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the indices of some entries: wrong ones, any ones and the largest one."""
    rng = np.random.default_rng(0)
    places = np.flatnonzero(wrong)
    some = [rng.choice(places, min(SAMPLE, places.size), replace=False)]
    some += [rng.integers(0, wrong.size, SAMPLE), np.array([np.argmax(size)])]
    return np.unravel_index(np.concatenate(some), wrong.shape)
