"""Causes that need the true array only: laid out otherwise, clipped, rounded, shifted by a constant."""

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np

from jaxnn.verify.causes.gap import SLACK, Gap

PRECISIONS = (("float32", 24), ("float16", 11), ("bfloat16", 8))


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
    for pair in zip(range(x.ndim), range(1, x.ndim), strict=False):
        for shift in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
            say = f"rolled by {shift[0]} and {shift[1]} along {axes(pair)} (shifted, cyclically)"
            if min(x.shape[axis] for axis in pair) > 1:
                yield say, np.roll(x, shift, pair), np.roll(error, shift, pair)
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
        if shift and gap.fits(np.roll(gap.expected, shift, axis), error):
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
    e = gap.expected
    for say, candidate in [
        ("the absolute value was taken", np.abs(e)),
        ("the negative absolute value was taken", -np.abs(e)),
        ("its negative entries are set to zero (a mask on the gradient's own sign)", np.maximum(e, 0)),
        ("only its signs are left", np.sign(e)),
        ("its squares", e * e),
    ]:
        if gap.fits(candidate, gap.tolerance * (1 + 2 * np.abs(e))) and gap.wrong.sum() > 1:
            return say
    return clipped(gap) or repeated(gap) or offset(gap) or rounded(gap)


def repeated(gap: Gap) -> str:
    """Return the axis along which one slice of the true array stands in every place."""
    for axis, n in enumerate(gap.actual.shape):
        if n < 2 or gap.actual.size == n or np.ptp(gap.actual, axis=axis).max() > 2 * np.max(gap.tolerance):
            continue
        for index in (0, n - 1):
            one = np.broadcast_to(np.take(gap.expected, [index], axis), gap.actual.shape)
            if gap.fits(one, np.max(gap.tolerance)):
                return f"index {index} of axis {axis} stands in every index of it (only that one was used: broadcast)"
    return ""


def of_one_sign(gap: Gap) -> str:
    if gap.wrong.sum() > 1 and gap.fits(np.minimum(gap.expected, 0)):
        return "its positive entries are set to zero (a mask on the gradient's own sign)"
    if gap.wrong.sum() > 1 and gap.fits(np.where(gap.actual < 0, -1, 1) * np.abs(gap.expected)):
        return "the sign is wrong in some of the entries"
    return ""


def clipped(gap: Gap) -> str:
    low, high = float(gap.actual.min()), float(gap.actual.max())
    over, under = int((gap.wrong & (gap.expected > high)).sum()), int((gap.wrong & (gap.expected < low)).sum())
    if low == high or low == 0 or high == 0 or not gap.fits(np.clip(gap.expected, low, high)):
        return ""
    even = bool(over and under) and abs(high + low) <= 1e-9 * abs(high)
    round_numbers = all(is_round(bound) for bound, hit in ((high, over), (low, under)) if hit)
    few = over + under < 2 or over == under == 1 or over + under > 0.9 * gap.actual.size
    if few and not even and not round_numbers:
        return ""
    if over and under:
        return f"clipped to [{low:.6g}, {high:.6g}]"
    return f"clipped from above at {high:.6g}" if over else f"clipped from below at {low:.6g}"


def is_round(number: float, digits: int = 3) -> bool:
    """Whether a number has so few digits that somebody may have written it."""
    return abs(float(f"{number:.{digits - 1}e}") / number - 1) < 1e-9 if number else False


def offset(gap: Gap) -> str:
    shift = float(gap.difference.flat[np.argmin(gap.tolerance)])
    enough = gap.wrong.sum() >= 3 or (is_round(shift, 1) and gap.digits > 5)
    if not enough or not gap.fits(gap.expected + shift, 2 * gap.tolerance):
        return ""
    return f"a constant offset of {shift:.4g} in every entry (an absolute error)"


def rounded(gap: Gap) -> str:
    """Return the precision to which the whole array was cast."""
    for name, bits in PRECISIONS:
        with np.errstate(over="ignore"):
            half = gap.expected.astype(np.float16).astype(np.float64)
        cast = half if name == "float16" else to_bits(gap.expected, bits)
        if gap.fits(cast, 0 * gap.tolerance):
            return f"cast to {name}: its precision is lost (a relative difference of 2^-{bits})"
    return ""


def computed_in(gap: Gap) -> str:
    """Return the precision that every entry has, though the array is not the true one rounded to it."""
    e, d = np.abs(gap.expected), np.abs(gap.difference)
    for name, bits in PRECISIONS:
        unit = 2.0**-bits
        if gap.wrong.sum() < 8 or np.max(gap.tolerance) > 0.01 * unit * e.max():
            continue
        held = np.array_equal(to_bits(gap.actual, bits), gap.actual)
        if held and (to_bits(gap.expected, bits) != gap.expected).sum() >= 8 and d.max() <= 200 * unit * e.max():
            return f"cast to {name} on the way: every entry has the precision of {name} only"
    return ""


def to_bits(x: np.ndarray, bits: int) -> np.ndarray:
    """Return x rounded to a mantissa of that many bits, half to even."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)
