"""Where alone an array is wrong: an entry, a slice, the border, or where another array is zero, tied or of one sign."""

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np

LUCK = 1e-3  # a chance above which a place may hold the wrong entries by accident
TESTS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("is exactly zero", lambda x: x == 0),
    ("has ties (equal values)", lambda x: _counts(x) > 1),
    ("is positive (> 0)", lambda x: x > 0),
    ("is negative (< 0)", lambda x: x < 0),
)


def where(wrong: np.ndarray, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, float], content: str) -> str:
    """Return where alone an array is `wrong`, and what its `content` is there; "" where it is wrong all over.

    `sizes` name an axis by its length, of `arrays` the signs and zeros are looked at.
    """
    if wrong.all() or wrong.size < 2:
        return ""
    place = _box(wrong, sizes) or _border(wrong) or _of_another(wrong, arrays)
    if not place and content:
        place = f"in {int(wrong.sum())} of {wrong.size} entries"
    return f"wrong only {place}" + (f": {content}" if content else "") if place else ""


def chance(wrong: np.ndarray) -> float:
    """Return the probability that as many entries, drawn at random, are a given set: 1 / (n over k)."""
    n, k = wrong.size, int(wrong.sum())
    steps = np.arange(min(k, n - k))
    return float(np.exp(-np.sum(np.log((n - steps) / (steps + 1)))))


def _box(wrong, sizes):
    """Return the indices outside of which nothing is wrong, if nearly everything is wrong inside of them."""
    parts, volume = [], 1
    for axis, n in enumerate(wrong.shape):
        hit = np.flatnonzero(wrong.any(tuple(a for a in range(wrong.ndim) if a != axis)))
        volume *= hit.size
        if hit.size < n:
            parts.append((axis, hit))
    if wrong.sum() == 1:
        entry = [int(i) for i in np.argwhere(wrong)[0]]
        return f"in the {'last' if entry == [wrong.size - 1] else 'one'} entry {entry}"
    if not parts or wrong.sum() < 0.7 * volume or volume > 0.8 * wrong.size:
        return ""
    said = [_indices(wrong.shape, axis, hit, sizes) for axis, hit in parts]
    return ", ".join(said) if all(said) else ""


def _indices(shape, axis, hit, sizes):
    """Return one index, or a regular set of them, of an axis in words."""
    n, first, last = shape[axis], int(hit[0]), int(hit[-1])
    named = [name for name, size in sizes.items() if size == n and shape.count(n) == 1]
    of = f" of axis {axis}" + (f" (that of {named[0]})" if named else "")
    if hit.size == 1:
        return f"in index {first}{of}"
    if list(hit) == [0, n - 1]:
        return f"in the first and the last index{of} (border)"
    if hit.size == last - first + 1:
        return f"from index {first} on{of}" if last == n - 1 else f"in the indices {first} to {last}{of}"
    steps = np.unique(np.diff(hit))
    if hit.size > 2 and steps.size == 1:
        return f"in every index {first}, {first + int(steps[0])}, ...{of}"
    return f"in the indices {', '.join(map(str, hit))}{of}" if hit.size <= 4 else ""


def _border(wrong):
    """Return the axes at whose ends alone something is wrong."""
    for chosen in (c for n in (2, 1) for c in combinations(range(wrong.ndim), n)):
        for width in (1, 2):
            if min(wrong.shape[axis] for axis in chosen) <= 2 * width:
                continue
            inner = tuple(slice(width, -width) if a in chosen else slice(None) for a in range(wrong.ndim))
            edge = np.ones(wrong.shape, bool)
            edge[inner] = False
            share = wrong.sum() / edge.sum()
            if not (wrong & ~edge).any() and share >= 0.4 and (1 - 0.8 * share) ** (~edge).sum() < 0.01:
                return f"at the border of the axes {', '.join(map(str, chosen))} ({width} wide)"
    return ""


def _of_another(wrong, arrays):
    """Return the array that is zero, tied or of one sign in the wrong entries, and in no others."""
    if chance(wrong) * len(arrays) * len(TESTS) > LUCK:
        return ""
    for says, test in TESTS:
        for name, x in arrays.items():
            try:
                whole = np.broadcast_to(test(x), wrong.shape)
            except ValueError:  # of another shape
                continue
            if np.array_equal(whole, wrong):
                return f"where {name} {says}"
    return ""


def _counts(x):
    """Return how often each entry of an array stands in it."""
    _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
    return counts[which].reshape(x.shape)
