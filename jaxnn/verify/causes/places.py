"""Causes that are a place: one entry, a row, the border, or where another array is zero, tied or largest."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from jaxnn.verify.causes.constants import factor_sentence
from jaxnn.verify.causes.factors import aligned, chance
from jaxnn.verify.causes.gap import SLACK, Gap
from jaxnn.verify.causes.patterns import axes, line_word, offset

WORDS = {"m": "sample", "batch": "sample", "n_y": "class", "classes": "class", "n_h": "unit", "channels": "channel"}


def content(gap: Gap, sizes: Mapping[str, float]) -> str:
    """Return what stands in the wrong entries: zeros, a constant factor, a constant."""
    inside = gap.within(gap.wrong)
    if inside is None:
        return ""
    n = inside.actual.size
    if not inside.actual.any():
        return "zero" + (" there (missing)" if n == 1 else " in all of them (missing)")
    if say := factor_sentence(inside, sizes, "there"):
        return say
    if n > 1 and inside.fits(np.abs(inside.expected)):
        return "the absolute value there"
    if n > 2 and not inside.expected.any() and np.ptp(inside.actual) <= SLACK * inside.tolerance.max():
        return f"the constant {inside.actual[0]:.6g} in place of zero"
    if n > 2:
        return offset(inside).replace("in every entry", "there")
    return ""


def unmasked(gap: Gap) -> str:
    """Return what is said where all the wrong entries should be zero."""
    if np.any(np.abs(gap.expected[gap.wrong]) > SLACK * gap.tolerance[gap.wrong]):
        return ""
    return "not zero, as it should be (a missing mask)" if gap.wrong.sum() > 1 else "not zero, as it should be"


def anywhere(gap: Gap, sizes: Mapping[str, float]) -> str:
    """Return what stands in the wrong entries, wherever they are."""
    what = content(gap, sizes) or unmasked(gap)
    if not what or gap.wrong.all() or gap.wrong.sum() < 2:
        return ""
    return f"wrong in {int(gap.wrong.sum())} of {gap.wrong.size} entries: {what}"


def place(gap: Gap, sizes: Mapping[str, float], explained: bool) -> str:
    """Return where alone the array is wrong: an entry, a slice, from an index on, the border; and what is there."""
    if gap.wrong.all() or gap.wrong.size < 2:
        return ""
    what = content(gap, sizes)
    if explained and not what:
        return ""
    what = what or unmasked(gap)
    where = box(gap.wrong, sizes) or border(gap.wrong)
    luck = chance(gap.wrong.size, int(gap.wrong.sum())) * sum(n * n for n in gap.wrong.shape)
    outside = np.abs(gap.expected[~gap.wrong]) > SLACK * gap.tolerance[~gap.wrong]
    if not where or (not what and gap.wrong.sum() > 1 and (luck > 0.05 or outside.mean() < 0.5)):
        return ""
    return f"wrong only {where}" + (f": {what}" if what else "")


def box(wrong: np.ndarray, sizes: Mapping[str, float]) -> str:
    """Return the indices outside of which nothing is wrong, if nearly everything is wrong inside of them."""
    if wrong.sum() == 1 and sorted(wrong.shape)[:-1] != [1] * (wrong.ndim - 1):
        return f"in the one entry {[int(i) for i in np.argwhere(wrong)[0]]}"
    parts, volume = [], 1
    for axis, n in enumerate(wrong.shape):
        hit = np.flatnonzero(wrong.any(tuple(a for a in range(wrong.ndim) if a != axis)))
        volume *= hit.size
        if hit.size < n:
            parts.append((axis, hit))
    if not parts or wrong.sum() < 0.7 * volume or volume > 0.8 * wrong.size:
        return ""
    said = [indices(wrong.shape, axis, hit, sizes) for axis, hit in parts]
    return ", ".join(said) if all(said) else ""


def indices(shape: tuple[int, ...], axis: int, hit: np.ndarray, sizes: Mapping[str, float]) -> str:
    n = shape[axis]
    word = {1: "entry", 2: line_word(axis)}.get(len(shape), "index")
    names = {WORDS[name] for name, size in sizes.items() if size == n and name in WORDS and shape.count(n) == 1}
    of = f" of axis {axis}" + (f" (one {names.pop()} each)" if len(names) == 1 else "")
    plural = {"entry": "entries", "index": "indices"}.get(word, word + "s")
    first, last = int(hit[0]), int(hit[-1])
    if hit.size == 1:
        return f"in {word} {first}{of.replace(' each', '')}"
    if list(hit) == [0, n - 1]:
        return f"in the first and the last {word}{of} (border)"
    if hit.size == last - first + 1:
        if last == n - 1:
            return f"from {word} {first} on{of}"
        return f"up to {word} {last}{of}" if first == 0 else f"in {plural} {first} to {last}{of}"
    steps = np.unique(np.diff(hit))
    if hit.size > 2 and steps.size == 1 and first < steps[0] and last + steps[0] >= n:
        return f"in {word} {first} of every {int(steps[0])}{of}"
    return f"in {plural} {', '.join(map(str, hit))}{of}" if hit.size <= 4 else ""


def border(wrong: np.ndarray) -> str:
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
                return f"at the border of {axes(chosen)} ({width} wide)"
    return ""


def slices(gap: Gap, arrays: Mapping[str, np.ndarray]) -> str:
    """Return the array along whose zeros whole slices of the actual array are wrong."""
    for axis, n in enumerate(gap.actual.shape):
        rest = tuple(a for a in range(gap.actual.ndim) if a != axis)
        hit = gap.wrong.any(rest)
        if not rest or hit.all() or not rest or gap.wrong.sum() < 0.7 * hit.sum() * gap.wrong.size / n:
            continue
        for name, x in arrays.items():
            for own in (a for a in range(x.ndim) if x.shape[a] == n and x.shape != gap.actual.shape):
                zero = (x == 0).any(tuple(a for a in range(x.ndim) if a != own))
                if np.array_equal(zero, hit) and chance(n, int(hit.sum())) < 0.1:
                    said = ", ".join(map(str, np.flatnonzero(hit)[:6]))
                    return f"wrong only in the slices of axis {axis} where {name} is exactly zero somewhere ({said})"
    return ""


def where(gap: Gap, arrays: Mapping[str, np.ndarray], sizes: Mapping[str, float]) -> str:
    """Return the array that is zero, tied, positive, negative or largest in the wrong entries, and in no others."""
    seen = np.maximum(np.abs(gap.actual), np.abs(gap.expected)) > SLACK * gap.tolerance
    right = seen & ~gap.wrong
    k, n = int(gap.wrong.sum()), int(gap.wrong.sum() + right.sum())
    if k == n:
        return ""
    fits = [(f"{name}{fit[0]}", fit[1]) for name, x in arrays.items() if (fit := aligned(x, gap.actual.shape))]
    luck = chance(n, k)
    what = content(gap, sizes) or unmasked(gap)
    said = f": {what}" if what else ""
    for test in (exactly, signs, extremes):
        for name, x in fits:
            if say := test(name, x, gap.wrong, right, luck * len(fits)):
                return f"wrong only where {say}{said}"
    return slices(gap, arrays)


def exactly(name: str, x: np.ndarray, wrong: np.ndarray, right: np.ndarray, luck: float) -> str:
    zero = x == 0
    if zero[wrong].all() and not zero[right].any() and luck < 0.05:
        return f"{name} is exactly zero"
    if luck < 0.01 and x.size <= 10**6:
        _, which, counts = np.unique(x, return_inverse=True, return_counts=True)
        tied = (counts > 1)[which].reshape(x.shape)
        if tied[wrong].all() and not tied[right].any():
            return f"{name} has ties (equal values)"
    return ""


def signs(name: str, x: np.ndarray, wrong: np.ndarray, right: np.ndarray, luck: float) -> str:
    if luck >= 1e-3:
        return ""
    for say, chosen in (("positive (> 0)", x > 0), ("negative (< 0)", x < 0), (">= 0", x >= 0), ("<= 0", x <= 0)):
        if chosen[wrong].all() and not chosen[right].any():
            return f"{name} is {say}"
    return ""


def extremes(name: str, x: np.ndarray, wrong: np.ndarray, right: np.ndarray, luck: float) -> str:
    if luck >= 1e-4:
        return ""
    inside, outside = x[wrong], x[right]
    if inside.min() > outside.max():
        return f"{name} is largest, above {inside.min():.6g} (saturated, clipped?)"
    if inside.max() < outside.min():
        return f"{name} is smallest, below {inside.max():.6g} (saturated, clipped?)"
    middle = 0.5 if 0 <= x.min() < x.max() <= 1 else 0.0
    far, near = np.abs(inside - middle), np.abs(outside - middle)
    if far.min() > near.max():
        return f"{name} is far from {middle:g}, by {far.min():.6g} or more (saturated, clipped?)"
    if far.max() < near.min():
        return f"{name} is within {far.max():.6g} of {middle:g} (near the kink)"
    return ""


def windows(gap: Gap) -> str:
    """Return how what pooling hands back is spread over each window, where only each window's sum is right."""
    for pair, k in ((p, k) for p in combinations(range(gap.actual.ndim), 2) for k in (2, 3)):
        if gap.actual.ndim < 3 or pair[1] != pair[0] + 1 or any(gap.actual.shape[axis] % k for axis in pair):
            continue
        a, e, t = (tiled(x, pair, k) for x in (gap.actual, gap.expected, gap.tolerance))
        bound = 2 * SLACK * t.sum(0)
        window = f"{k} x {k} window (axes {pair[0]} and {pair[1]})"
        some, true = np.abs(a) > bound, np.abs(e) > bound
        sums = np.abs(e.sum(0)) > bound
        if (
            sums.sum() < 2
            or np.abs(a - e).max() < 10 * np.max(bound)
            or true.sum(0).max() == k * k
            or sums.sum() < 0.9 * true.any(0).sum()
        ):
            continue
        if np.any(np.abs(a.sum(0) - e.sum(0)) > bound):
            most = np.where(some, e.sum(0), 0)
            if true.sum(0).max() == 1 and some[true].all() and np.all(np.abs(a - most) <= bound):
                return f"several entries of a {window} get all of it: a wrong mask of the largest, or all of the ties"
            continue
        say = f"each {window} has the right sum, but"
        if np.all(np.ptp(a, axis=0) <= bound):
            return f"{say} it is spread evenly over the window: average pooling's backward in place of max pooling's"
        used = some.any(1)
        if used.sum() == 1 and true.any(1).sum() > 1:
            return f"{say} always entry {divmod(int(np.argmax(used)), k)} of the window gets it: not the largest"
        if (some.sum(0) != true.sum(0)).any():
            return f"{say} ties are split otherwise: between all equal entries, or given to one"
        return f"{say} another entry of the window gets it: not the largest"
    return ""


def one_of(gap: Gap) -> str:
    """Return how the shares along an axis, of which all but one should be zero, are wrong."""
    for axis in range(gap.actual.ndim):
        a, e = np.moveaxis(gap.actual, axis, 0), np.moveaxis(gap.expected, axis, 0)
        bound = 2 * SLACK * float(np.max(gap.tolerance)) * len(a)
        if len(a) < 2 or a[0].size < 2 or np.any(((np.abs(e) > bound).sum(0)) != 1):
            continue
        if np.any(np.abs(a.sum(0) - e.sum(0)) > bound):
            continue
        if np.all(np.ptp(a, axis=0) <= bound):
            return f"spread evenly along axis {axis}, where one entry should get all (average for maximum)"
        used = np.flatnonzero((np.abs(a) > bound).reshape(len(a), -1).any(1))
        if used.size == 1:
            return f"always index {used[0]} of axis {axis} gets all of it (the first, not the largest)"
    return ""


def tiled(x: np.ndarray, pair: tuple[int, int], k: int) -> np.ndarray:
    """Return x as the k k entries of a window by the windows."""
    x = np.moveaxis(x, pair, (0, 1))
    x = x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -1)
    return x.transpose(1, 3, 0, 2, 4).reshape(k * k, -1)
