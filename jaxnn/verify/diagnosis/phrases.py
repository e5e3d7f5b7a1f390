"""What the numbers of a wrong array show, in one sentence: said only if it gives every entry of the wrong array."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from jaxnn.verify.diagnosis.edits.terms import missing
from jaxnn.verify.diagnosis.where import where

NONE: Mapping = {}
EPS = float(np.finfo(np.float64).eps)
SLACK = 3.0  # how many tolerances apart equal numbers may be
PRECISIONS = (("float32", 24), ("float16", 11), ("bfloat16", 8))  # bits of the mantissa
LARGEST = 20_000  # entries of an array in which products of two others are looked for


class Gap(NamedTuple):
    """`actual` in place of `expected`, known within `tolerance`; they differ where `wrong`, by so many `digits`.

    `digits` are decimal ones by which the difference stands out of the tolerance, summed over the entries: the more
    there are, the more hypotheses can be told apart without one fitting by chance.
    """

    actual: np.ndarray
    expected: np.ndarray
    tolerance: np.ndarray
    wrong: np.ndarray
    digits: float

    def fits(self, candidate: np.ndarray, scale: float = 1.0) -> bool:
        """Return whether a candidate, right entries times a scale, is the actual array, and not the true one."""
        if candidate.shape != self.actual.shape:
            return False
        error = self.tolerance * (1 + abs(scale))
        return near(self.actual, candidate, error) and not near(self.actual, self.expected, self.tolerance)

    def tells(self, hypotheses: int) -> bool:
        """Return whether that many hypotheses can be told apart."""
        return self.digits >= 4 + np.log10(max(hypotheses, 1))


def near(a: np.ndarray, b: np.ndarray, error: np.ndarray | float) -> bool:
    """Return whether two arrays are equal within an error in every entry, rounding apart."""
    return bool(np.all(np.abs(a - b) <= SLACK * error + 8 * EPS * (np.abs(a) + np.abs(b))))


def gap_of(actual: np.ndarray, expected: np.ndarray, tolerance: np.ndarray | float) -> Gap | None:
    """Return the gap of two finite arrays, None where too little differs to tell anything."""
    floor = 8 * EPS * np.abs(expected) + np.finfo(np.float64).tiny
    tolerance = np.maximum(np.broadcast_to(np.asarray(tolerance, np.float64), expected.shape), floor)
    out = np.abs(actual - expected) / (SLACK * tolerance)
    digits = float(np.log10(out[out > 1]).sum())
    return Gap(actual, expected, tolerance, out > 1, digits) if digits >= 3 else None


def phrase(
    name: str,
    actual: np.ndarray,
    expected: np.ndarray,
    tolerance: np.ndarray | float,
    *,
    sizes: Mapping[str, float] = NONE,
    arrays: Mapping[str, np.ndarray] = NONE,
) -> str:
    """Return what is wrong with `actual`, which should be `expected`, or "" where the numbers do not show it.

    `tolerance` is the absolute error of both. `sizes` are numbers by which an array is likely to be too large, such as
    {"m": 1000}, `arrays` those of the correct computation.
    """
    actual, expected, tolerance = (np.atleast_1d(np.asarray(x, np.float64)) for x in (actual, expected, tolerance))
    if actual.shape != expected.shape or not actual.size or not np.isfinite(expected).all():
        return ""
    if not np.isfinite(actual).all():
        return f"{name}: {_nonfinite(actual)}"
    gap = gap_of(actual, expected, tolerance)
    if gap is None:
        return ""
    known = {of: np.atleast_1d(np.asarray(x, np.float64)) for of, x in arrays.items()}
    known = {of: x for of, x in known.items() if x.size and np.isfinite(x).all()}
    hypotheses: tuple[Callable[[], str], ...] = (
        lambda: _plain(gap, known),
        lambda: _constant(gap, sizes),
        lambda: _mapped(gap),
        lambda: _another(name, gap, known),
        lambda: where(gap.wrong, known, sizes, _content(gap, sizes)) if _content(gap, sizes) else "",
        lambda: _terms(gap, known, sizes),
        lambda: _along(gap),
        lambda: _rounded(gap),
        lambda: where(gap.wrong, known, sizes, ""),
        lambda: _shuffled(gap),
    )
    sentence = next((found for look in hypotheses if (found := look())), "")
    return f"{name}: {sentence}" if sentence else ""


def _nonfinite(actual):
    bad = ~np.isfinite(actual)
    kinds = [kind for kind, mask in (("NaN", np.isnan(actual)), ("infinity", np.isinf(actual))) if mask.any()]
    first = np.argwhere(bad)[0].tolist()
    places = "every entry" if bad.all() else f"{bad.sum()} of {bad.size} entries, first at {first}"
    return f"{' and '.join(kinds)} in {places}"


def _plain(gap, known):
    """Return what is said of zeros: all that there is, or all that there should be."""
    if np.all(np.abs(gap.actual) <= gap.tolerance):  # what is left of a sum that cancels is zero too
        return "zero in every entry: forgotten, or multiplied by 0"
    if np.all(np.abs(gap.expected) <= gap.tolerance):
        passed = next((name for name, x in known.items() if gap.fits(x)), "")
        what = f": {passed} is passed straight through" if passed else ""
        return f"zero in every entry is right here, as for a step or a constant{what}"
    masks = [np.all((x == 0) | (x == 1)) for x in (gap.actual, gap.expected)]
    if all(masks) and gap.wrong.size >= 4:
        return f"a wrong mask: {int(gap.wrong.sum())} of {gap.wrong.size} entries are the other way round"
    return ""


def _constant(gap, sizes, place="in every entry"):
    """Return what is said of the true array times one number, which has a name where it can."""
    most = np.unravel_index(np.argmax(np.abs(gap.expected) / gap.tolerance), gap.expected.shape)
    true = gap.expected[most]
    ratio = float(gap.actual[most] / true) if abs(true) > 10 * SLACK * gap.tolerance[most] else 0.0
    if ratio == 0 or not gap.fits(ratio * gap.expected, ratio):
        return ""
    error = SLACK * float(gap.tolerance[most]) * (1 + abs(ratio)) / abs(gap.actual[most]) + 32 * EPS
    sign = "the wrong sign" if ratio < 0 else ""
    if abs(abs(ratio) - 1) <= error:
        return f"{sign} {place}: multiply by -1"
    larger, size = abs(ratio) > 1, max(abs(ratio), 1 / abs(ratio))
    fits = [pair for *pair, value in _numbers(sizes) if abs(value / size - 1) <= error] if error < 1e-3 else []
    if fits:
        by = " or ".join(name for name, _ in fits[:2])
        lacks = " or ".join(f"a missing {inverse if larger else name}" for name, inverse in fits[:2])
        number = "" if by == f"{size:.12g}" else f" = {size:.12g}"
        side = "large" if larger else "small"
        return f"{sign}{', and ' * bool(sign)}too {side} by exactly {by}{number} {place}: {lacks}"
    if gap.wrong.sum() >= 3 and error < 1e-3:
        return f"a constant factor {ratio:.9g} {place}"
    return ""


def _numbers(sizes):
    """Yield numbers above 1 by which an array is likely to be wrong, each with its inverse: the plainest first."""
    known = [("2", 2.0), *((name, float(size)) for name, size in sizes.items() if size > 0 and size != 1)]
    found = [(name, f"1/{_bracketed(name)}", size) for name, size in known]
    for (one, n), (other, m) in itertools.combinations_with_replacement(known, 2):
        one, other = _bracketed(one), _bracketed(other)
        both, inverse = ("4", "1/4") if one == other == "2" else (f"{one} {other}", f"1/({one} {other})")
        found.append((both, inverse, n * m))
        found += [(f"{one}/{other}", f"{other}/{one}", n / m)] if n != m else []
    for name, size in known:
        name = _bracketed(name)
        found += [(f"{name}/({name} - 1)", f"({name} - 1)/{name}", size / (size - 1))] if size > 2 else []
    for name, inverse, value in found:
        yield (name, inverse, value) if value > 1 else (inverse, name, 1 / value)


def _bracketed(name):
    return f"({name})" if " " in name else name


def _mapped(gap):
    """Return what was done to every entry, or how the entries were laid out otherwise."""
    e = gap.expected
    low, high = float(gap.actual.min()), float(gap.actual.max())
    for says, value in [
        ("the absolute value was taken", np.abs(e)),
        ("its negative entries are set to zero", np.maximum(e, 0)),
        ("its positive entries are set to zero", np.minimum(e, 0)),
        ("only its signs are left", np.sign(e)),
        ("its squares", e * e),
        (f"clipped to [{low:.6g}, {high:.6g}]", e.clip(low, high)),
    ]:
        if gap.wrong.sum() > 1 and low < high and gap.fits(value):
            return says
    for says, value in _layouts(e):
        if gap.fits(value):
            return says
        if gap.fits(-value):
            return f"the wrong sign, and {says}"
    return ""


def _layouts(x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield an array transposed, flipped, reshaped in place of transposed, and rolled."""
    orders = list(itertools.permutations(range(x.ndim)))[1:] if 1 < x.ndim <= 4 else []
    for order in orders:
        if (moved := x.transpose(order)).shape == x.shape:
            yield f"transposed (axes in the order {order})", moved
        else:
            yield "reshaped in place of transposed", moved.reshape(x.shape)
            yield "reshaped in place of transposed", x.reshape(moved.shape).transpose(np.argsort(order))
    for chosen in (c for n in range(1, x.ndim + 1) for c in itertools.combinations(range(x.ndim), n)):
        yield f"flipped along {axes(chosen)} (in reverse order)", np.flip(x, chosen)
    for axis, n in enumerate(x.shape):
        for shift in sorted({1, -1, *range(1, min(n, 64))}, key=abs) if n > 1 else ():
            yield f"rolled by {shift} along axis {axis} (shifted, cyclically)", np.roll(x, shift, axis)


def axes(chosen: tuple[int, ...]) -> str:
    """Return "axis 0", "axes 0 and 1"."""
    numbers = [str(axis) for axis in chosen]
    return f"axis {numbers[0]}" if len(numbers) == 1 else f"axes {', '.join(numbers[:-1])} and {numbers[-1]}"


def _another(name, gap, known):
    """Return which other array, or its negative or its transpose, stands in the place of the true one."""
    if not gap.tells(4 * len(known)):
        return ""
    for other, x in sorted(known.items(), key=lambda item: item[0] != name):
        for says, value in ((other, x), (f"-{other}", -x), (f"{other}.T", x.T)):
            if gap.fits(value):
                return f"this is {says}, not {name}: swapped, or one in place of the other"
    return ""


def _content(gap, sizes):
    """Return what stands in the wrong entries: zeros, a constant factor, something that should be zero."""
    if gap.wrong.all():
        return ""
    inside = gap_of(gap.actual[gap.wrong], gap.expected[gap.wrong], gap.tolerance[gap.wrong])
    if inside is None:
        return ""
    if not inside.actual.any():
        return "zero there: missing"
    if np.all(np.abs(inside.expected) <= SLACK * inside.tolerance):
        return "not zero, as it should be: a mask is missing"
    return _constant(inside, sizes, "there")


def _terms(gap, known, sizes):
    """Return which term or factor, made of other arrays, is missing or too much."""
    numbers = {name: size for name, size in sizes.items() if name.isidentifier()}
    small = {name: x for name, x in known.items() if x.size <= LARGEST}
    if gap.actual.size > LARGEST or gap.wrong.sum() < 3 or not gap.tells(len(small) ** 2):
        return ""
    for sign, text in missing(gap.actual, gap.expected, small, numbers, "+*"):
        if sign == "-":
            return f"the term {text} is too much, or its negative is missing"
        return f"the {'factor' if sign == '*' else 'term'} {text} is missing"
    too_much = missing(gap.expected, gap.actual, small, numbers, "*")
    return next((f"the factor {text} is too much" for _, text in too_much), "")


def _along(gap):
    """Return the axes along which all entries are the same, or differ from the true ones by the same."""
    for says, x in (("the same number", gap.actual), ("off by the same number", gap.actual - gap.expected)):
        for count in range(x.ndim, 0, -1):
            for chosen in itertools.combinations(range(x.ndim), count):
                slices = x.size // int(np.prod([x.shape[axis] for axis in chosen]))
                flat = np.ptp(x, axis=chosen).max() <= 2 * SLACK * float(np.max(gap.tolerance))
                if flat and x.size >= 3 and slices < x.size:
                    whole = "everywhere" if count == x.ndim else f"all along {axes(chosen)}"
                    return f"{says} {whole}: summed, or shared out, over the wrong axes"
    return ""


def _rounded(gap):
    """Return the precision that every entry has, as after a cast."""
    size, distance = np.abs(gap.expected).max(), np.abs(gap.actual - gap.expected).max()
    for name, bits in PRECISIONS:
        held = np.array_equal(_to_bits(gap.actual, bits), gap.actual) and gap.actual.size >= 8
        if held and distance <= 200 * 2.0**-bits * size or gap.fits(_to_bits(gap.expected, bits)):
            return f"cast to {name}: every entry has its precision only"
    return ""


def _to_bits(x, bits):
    """Return an array rounded to a mantissa of that many bits."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(np.ldexp(mantissa, bits)), exponent - bits)


def _shuffled(gap):
    """Return whether the entries are the true ones in another order."""
    a, e = np.sort(gap.actual, axis=None), np.sort(gap.expected, axis=None)
    if gap.wrong.sum() >= 3 and near(a, e, float(np.max(gap.tolerance))):
        return "the right numbers in the wrong places: permuted, as by a reshape or a transpose of the wrong axes"
    return ""
