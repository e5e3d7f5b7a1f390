"""Causes that need the true array only: laid out otherwise, clipped, rounded, shifted, or wrong in one place."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations

import numpy as np

from jaxnn.verify.constants import factor_sentence
from jaxnn.verify.gap import EPS, SLACK, Gap

WORDS = {"m": "sample", "batch": "sample", "n_y": "class", "classes": "class", "n_h": "unit", "channels": "channel"}


def axes(chosen: Sequence[int]) -> str:
    numbers = [str(axis) for axis in chosen]
    return "axis " + numbers[0] if len(numbers) == 1 else "axes " + ", ".join(numbers[:-1]) + " and " + numbers[-1]


def layout(gap: Gap) -> str:
    """Return how the true array was laid out otherwise: transposed, reshaped, flipped, rolled, permuted."""
    for say, moved, error in layouts(gap.expected, gap.tolerance):
        if gap.fits(moved, error):
            return say
        if gap.fits(-moved, error):
            return f"the wrong sign, and {say}"
    for axis in range(gap.expected.ndim):
        if say := reordered(gap, axis):
            return say
    return ""


def layouts(x: np.ndarray, error: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    orders = list(permutations(range(x.ndim)))[1:] if 1 < x.ndim <= 4 else []
    for order in orders:
        if tuple(x.shape[axis] for axis in order) == x.shape:
            moved = [axis for axis, other in enumerate(order) if axis != other]
            yield f"transposed ({axes(moved)} swapped)", x.transpose(order), error.transpose(order)
    for chosen in (c for n in range(1, x.ndim + 1) for c in combinations(range(x.ndim), n)):
        if all(x.shape[axis] > 1 for axis in chosen):
            yield f"flipped along {axes(chosen)} (in reverse order)", np.flip(x, chosen), np.flip(error, chosen)
    for order in orders:
        moved, moved_error = x.transpose(order), error.transpose(order)
        if moved.shape != x.shape:
            say = "reshaped in place of transposed: the entries of the transpose, read in its order"
            yield say, moved.reshape(x.shape), moved_error.reshape(x.shape)
            moved = x.reshape(moved.shape).transpose(np.argsort(order))
            yield say, moved, error.reshape(moved_error.shape).transpose(np.argsort(order))
    if x.ndim > 1 and x.size <= 10**6:
        fortran = np.reshape(x, x.shape, order="C").ravel(order="F").reshape(x.shape)
        yield "read column by column where it should be row by row (order)", fortran, np.max(error) + 0 * error


def reordered(gap: Gap, axis: int) -> str:
    """Return how the slices along one axis were put into another order."""
    n = gap.expected.shape[axis]
    if n < 2:
        return ""
    a, e = (np.moveaxis(x, axis, 0).reshape(n, -1) for x in (gap.actual, gap.expected))
    weights = np.random.default_rng(1).normal(size=a.shape[1])
    mark_a, mark_e = a @ weights, e @ weights
    order_a, order_e = np.argsort(mark_a), np.argsort(mark_e)
    bound = 10 * SLACK * float(np.max(gap.tolerance)) * np.abs(weights).sum() + 1e-9 * np.abs(mark_e).max()
    if np.any(np.abs(mark_a[order_a] - mark_e[order_e]) > bound):
        return ""
    most = int(np.argmax(np.abs(mark_a)))
    error = np.max(gap.tolerance)
    for source in np.flatnonzero(np.abs(mark_e - mark_a[most]) <= bound)[:8]:
        shift = int(most - source) % n
        if gap.fits(np.roll(gap.expected, shift, axis), error):
            shift = shift if shift <= n // 2 else shift - n
            return f"rolled by {shift} along axis {axis} (shifted, cyclically)"
    order = np.empty(n, int)
    order[order_a] = order_e
    if not gap.fits(np.take(gap.expected, order, axis), error):
        return ""
    moved = np.flatnonzero(order != np.arange(n))
    say = f"the slices along axis {axis} permuted" if gap.expected.ndim != 2 else f"{line_word(axis)}s permuted"
    if moved.size == 2:
        return f"{say}: {moved[0]} and {moved[1]} swapped (axis {axis})"
    return f"{say} (axis {axis})"


def line_word(axis: int) -> str:
    return "row" if axis == 0 else "column"


def mapped(gap: Gap) -> str:
    """Return what was done to every entry: absolute value, clipping, zeroing, an offset, rounding."""
    a, e = gap.actual, gap.expected
    for say, candidate in [
        ("the absolute value was taken", np.abs(e)),
        ("the negative absolute value was taken", -np.abs(e)),
        ("its negative entries are set to zero (a mask on the gradient's own sign)", np.maximum(e, 0)),
        ("its positive entries are set to zero (a mask on the gradient's own sign)", np.minimum(e, 0)),
        ("only its signs are left", np.sign(e)),
        ("its squares", e * e),
    ]:
        if gap.fits(candidate, gap.tolerance * (1 + 2 * np.abs(e))) and gap.wrong.sum() > 1:
            return say
    return clipped(gap) or offset(gap) or rounded(gap)


def clipped(gap: Gap) -> str:
    low, high = float(gap.actual.min()), float(gap.actual.max())
    over, under = gap.wrong & (gap.expected > high), gap.wrong & (gap.expected < low)
    if not gap.fits(np.clip(gap.expected, low, high)):
        return ""
    if over.sum() + under.sum() < 2 or (over.sum() == under.sum() == 1 and abs(high + low) > 1e-9 * abs(high)):
        return ""
    if over.any() and under.any():
        return f"clipped to [{low:.6g}, {high:.6g}]"
    return f"clipped from above at {high:.6g}" if over.any() else f"clipped from below at {low:.6g}"


def offset(gap: Gap) -> str:
    shift = float(gap.difference.flat[np.argmin(gap.tolerance)])
    if gap.wrong.sum() < 3 or not gap.fits(gap.expected + shift, 2 * gap.tolerance):
        return ""
    return f"a constant offset of {shift:.4g} in every entry (an absolute error)"


def rounded(gap: Gap) -> str:
    """Return the precision to which the array was cast, or in which it was computed."""
    for name, bits in (("float32", 24), ("float16", 11), ("bfloat16", 8)):
        unit = 2.0**-bits
        cast = to_bits(gap.expected, bits)
        if name == "float16":
            with np.errstate(over="ignore"):
                cast = gap.expected.astype(np.float16).astype(np.float64)
        if not np.array_equal(cast, gap.expected) and gap.fits(cast, 0 * gap.tolerance):
            return f"cast to {name}: its precision is lost (a relative difference of 2^-{bits})"
        e, d = np.abs(gap.expected), np.abs(gap.difference)
        held = to_bits(gap.actual, bits) == gap.actual
        long = (to_bits(gap.expected, bits) != gap.expected).sum() >= 4
        if held.all() and long and d.max() <= 200 * unit * e.max():
            return f"cast to {name} on the way: every entry has the precision of {name} only"
        bound = np.where(e > 0, d / np.where(e > 0, e, 1), np.where(d > 0, np.inf, 0))
        if (
            gap.wrong.sum() >= 8
            and 0.5 * unit < bound.max() <= 2 * unit
            and spread(gap.difference / (unit * (e + EPS)))
        ):
            return f"cast to {name} on the way: every entry is right to {name}'s precision (2^-{bits} relative) only"
    return ""


def spread(noise: np.ndarray) -> bool:
    """Whether relative differences look like rounding: of both signs, and of many sizes."""
    some = noise[noise != 0]
    return min((some > 0).sum(), (some < 0).sum()) > 0.2 * some.size and np.unique(some).size > 0.5 * some.size


def to_bits(x: np.ndarray, bits: int) -> np.ndarray:
    """Return x rounded to a mantissa of that many bits, half to even."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)


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
    if not np.any(np.abs(inside.expected) > SLACK * inside.tolerance):
        return "not zero, as it should be (a missing mask)" if n > 1 else "not zero, as it should be"
    if n > 2:
        return offset(inside).replace("in every entry", "there")
    return ""


def place(gap: Gap, sizes: Mapping[str, float], explained: bool) -> str:
    """Return where alone the array is wrong: an entry, a slice, from an index on, the border; and what is there."""
    if gap.wrong.all() or gap.wrong.size < 2:
        return ""
    what = content(gap, sizes)
    if explained and not what:
        return ""
    where = box(gap.wrong, sizes) or border(gap.wrong)
    if not where:
        return ""
    return f"wrong only {where}" + (f": {what}" if what else "")


def box(wrong: np.ndarray, sizes: Mapping[str, float]) -> str:
    """Return the indices outside of which nothing is wrong, if nearly everything is wrong inside of them."""
    if wrong.sum() == 1:
        return f"in the one entry {[int(i) for i in np.argwhere(wrong)[0]]}"
    parts, volume = [], 1
    for axis, n in enumerate(wrong.shape):
        hit = np.flatnonzero(wrong.any(tuple(a for a in range(wrong.ndim) if a != axis)))
        volume *= hit.size
        if hit.size < n:
            parts.append((axis, n, hit))
    if not parts or wrong.sum() < 0.7 * volume or volume > 0.8 * wrong.size:
        return ""
    said = [indices(wrong.ndim, axis, n, hit, sizes) for axis, n, hit in parts]
    return ", ".join(said) if all(said) else ""


def indices(ndim: int, axis: int, n: int, hit: np.ndarray, sizes: Mapping[str, float]) -> str:
    word = {1: "entry", 2: line_word(axis)}.get(ndim, "index")
    names = {WORDS[name] for name, size in sizes.items() if size == n and name in WORDS}
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
            if not (wrong & ~edge).any() and wrong.sum() >= 0.4 * edge.sum() and (~edge).sum() >= 4:
                return f"at the border of {axes(chosen)} ({width} wide)"
    return ""
