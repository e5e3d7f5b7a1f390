"""What an array is, said by other arrays: another one, its transpose, its sum over an axis, a product or difference."""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np

from jaxnn.verify.causes.constants import named, text
from jaxnn.verify.causes.factors import aligned
from jaxnn.verify.causes.gap import EPS, SLACK, Gap, close
from jaxnn.verify.causes.patterns import axes, layouts

Pool = Mapping[str, np.ndarray]
FUNCTIONS: tuple[tuple[str, Callable[[np.ndarray], np.ndarray]], ...] = (
    ("abs({})", np.abs),
    ("{}**2", np.square),
    ("maximum({}, 0)", lambda x: np.maximum(x, 0)),
    ("1 - {}", lambda x: 1 - x),
)


def relation(name: str, actual: np.ndarray, pool: Pool, tolerance: np.ndarray | float) -> str | None:
    """Return how `actual` is made of one array of the pool: "Z1", "-dZ2", "dZ1.T", "2 * dA1", "abs(x)"; else None.

    The simplest relation of all arrays is returned, the array of that very `name` before the others.
    """
    actual = np.asarray(actual, np.float64)
    tolerance = np.broadcast_to(np.asarray(tolerance, np.float64), actual.shape)
    if not actual.size or not np.isfinite(actual).all() or np.all(np.abs(actual) <= 10 * tolerance):
        return None
    known = [(other, np.asarray(x, np.float64)) for other, x in pool.items() if np.size(x) == actual.size]
    known = sorted(((other, x) for other, x in known if np.isfinite(x).all() and x.any()), key=lambda p: p[0] != name)
    for found in (equal_to, layout_of, function_of, multiple_of):
        for other, x in known:
            if say := found(other, x, actual, tolerance):
                return say
    return None


def equal_to(other: str, x: np.ndarray, actual: np.ndarray, error: np.ndarray) -> str | None:
    if x.shape != actual.shape:
        return None
    return other if close(actual, x, error) else f"-{other}" if close(actual, -x, error) else None


def layout_of(other: str, x: np.ndarray, actual: np.ndarray, error: np.ndarray) -> str | None:
    if not close(np.abs(x).sum(), np.abs(actual).sum(), error.sum() + 1e-12 * np.abs(x).sum()):
        return None
    shape = actual.shape
    if x.ndim == 2 and x.shape[::-1] == shape and x.shape != (1, 1) and close(actual, x.T, error):
        return f"{other}.T"
    if x.shape != shape:
        return f"{other}.reshape{shape}" if close(actual, x.reshape(shape), error) else None
    for say, moved, _ in layouts(x, np.zeros_like(x)):
        if close(actual, moved, error):
            return f"{other}, {say}"
    return None


def function_of(other: str, x: np.ndarray, actual: np.ndarray, error: np.ndarray) -> str | None:
    if x.shape != actual.shape or x.size < 2:
        return None
    for form, of in FUNCTIONS:
        value = of(x)
        if np.ptp(value) > 0 and close(actual, value, error):
            return form.format(other)
    return None


def multiple_of(other: str, x: np.ndarray, actual: np.ndarray, error: np.ndarray) -> str | None:
    if x.shape != actual.shape:
        return None
    value = proportion(actual, x, error)
    plain = value is not None and any(abs(abs(value) / c - 1) < 1e-9 for c in (2, 0.5, 4, 0.25))
    if value is None or (not plain and np.count_nonzero(x) < 3):
        return None
    return f"{value:.6g} * {other}"


def proportion(a: np.ndarray, x: np.ndarray, error: np.ndarray | float) -> float | None:
    """Return the number c with a = c x within `error`, or None."""
    most = np.argmax(np.abs(x))
    if x.flat[most] == 0:
        return None
    value = float(a.flat[most] / x.flat[most])
    return value if value and close(a, value * x, error + np.max(error) * (np.abs(x) / abs(x.flat[most]))) else None


def is_another(gap: Gap, others: Pool, multiple: bool = False) -> str:
    """Return which of the other arrays, or of their multiples, stands in the place of the true one."""
    if not gap.tells(20 * len(others)):
        return ""
    different = {name: x for name, x in others.items() if not same(gap, x)}
    found = relation(gap.name, gap.actual, different, SLACK * gap.tolerance)
    if found in (None, gap.name) or (" * " in found) != multiple:
        return ""
    off = np.abs(gap.expected) <= gap.tolerance
    if not off.all() and np.all(off[gap.wrong]):
        return f"this is {found}, not {gap.name}: a mask is missing that makes {off.sum()} of {off.size} entries zero"
    return f"this is {found}, not {gap.name}: swapped, or one in place of the other"


def same(gap: Gap, x: np.ndarray) -> bool:
    return np.shape(x) == gap.expected.shape and close(gap.expected, np.asarray(x, np.float64), gap.tolerance)


def reduced(gap: Gap, others: Pool) -> str:
    """Return how an array that is the sum of another one over some axes was summed wrongly."""
    shape = gap.expected.shape
    if not gap.tells(30 * len(others)):
        return ""
    for name, x in others.items():
        for chosen in (c for n in range(1, x.ndim + 1) for c in combinations(range(x.ndim), n)):
            if x.size <= gap.expected.size or x.size // int(np.prod([x.shape[i] for i in chosen])) != gap.expected.size:
                continue
            total = x.sum(chosen).reshape(shape)
            error = gap.tolerance + EPS * np.abs(x).sum(chosen).reshape(shape)
            scale = proportion(gap.expected, total, error)
            if scale is None or (gap.expected.size < 3 and abs(scale - 1) > 1e-6):
                continue
            unit = f"the sum over {axes(chosen)} of {name}"
            for say, candidate in reductions(name, x, chosen, others):
                if candidate.size in (1, gap.expected.size) and candidate.size <= gap.expected.size:
                    value = np.broadcast_to(
                        candidate.reshape(shape if candidate.size > 1 else (1,) * len(shape)), shape
                    )
                    if gap.fits(scale * value, error):
                        return f"{say} in place of {unit}"
    return ""


def reductions(name: str, x: np.ndarray, chosen: tuple[int, ...], others: Pool) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what is easily written for the sum of x over the axes `chosen`."""
    for some in (c for n in range(len(chosen), 0, -1) for c in combinations(chosen, n)):
        count = np.prod([x.shape[axis] for axis in some])
        yield f"the mean over {axes(some)} (1/{int(count)} too much)", x.sum(chosen) / count
    for n in range(1, x.ndim + 1):
        for other in combinations(range(x.ndim), n):
            if other != chosen:
                whole = "everything (the same number in every entry)" if n == x.ndim else axes(other)
                yield f"the sum over {whole}", x.sum(other)
                yield f"the mean over {whole}", x.mean(other)
    for axis in chosen:
        rest = tuple(a - (a > axis) for a in chosen if a != axis)
        n = x.shape[axis]
        for index, say in ((0, "first"), (n - 1, "last")):
            one = np.take(x, index, axis).sum(rest)
            yield f"the {say} index of axis {axis} only (one sample)", one
            yield f"the sum without the {say} index of axis {axis} (one sample is missing)", x.sum(chosen) - one
        for index in range(1, min(n - 1, 64)):
            one = np.take(x, index, axis).sum(rest)
            yield f"index {index} of axis {axis} only (one sample)", one
            yield f"the sum without index {index} of axis {axis} (one sample is missing)", x.sum(chosen) - one
        yield (
            f"the sum of every second index of axis {axis}",
            x[(slice(None),) * axis + (slice(None, None, 2),)].sum(chosen),
        )
    yield f"the maximum over {axes(chosen)}", x.max(chosen)
    yield f"the minimum over {axes(chosen)}", x.min(chosen)
    yield f"the sum of the absolute value of {name}", np.abs(x).sum(chosen)
    yield f"the sum of the squares of {name}", np.square(x).sum(chosen)
    for other, y in others.items():
        if other != name and np.shape(y) == x.shape:
            yield f"the sum over {axes(chosen)} of {other}", y.sum(chosen)


def difference(gap: Gap, others: Pool, sizes: Mapping[str, float]) -> str:
    """Return the array by which the actual array differs: a term missing or too much, or one in place of another."""
    shape, at = gap.actual.shape, gap.at
    known = {}
    for name, x in others.items():
        if (fit := aligned(x, shape)) and not same(gap, x):
            known[f"{name}{fit[0]}"] = fit[1]
            if np.max(x) <= 0 and x.any():
                known[f"exp({name}{fit[0]})"] = np.exp(fit[1])
    if not known or not gap.tells(len(known) * (len(known) + 12)) or (gap.wrong.sum() < 3 and gap.actual.size > 1):
        return ""
    d, error = gap.difference[at], 2 * gap.tolerance[at]
    for name, x in known.items():
        value = scale_of(d, x[at], error, sizes)
        if value and close(gap.difference, value[0] * x, 2 * gap.tolerance * (1 + abs(value[0]))):
            if abs(value[0] + 1) < 1e-6:
                return f"the part {name} is missing: a contribution to the sum was left out"
            more = "plus" if value[0] > 0 else "minus"
            term = f"{value[1]} {name}".strip()
            return f"the true one {more} {term}: a term with {name} is too much, missing, or of the wrong sign"
    if gap.wrong.sum() < 3:
        return ""
    for name, x in known.items():
        if say := per_slice(gap, name, x):
            return say
    for name, x in known.items():
        for say, y, whole in changed(name, x, at, known):
            value = scale_of(d, y - x[at], error, sizes)
            if value and close(gap.difference, value[0] * (whole() - x), 2 * gap.tolerance * (1 + abs(value[0]))):
                return say
    return ""


def per_slice(gap: Gap, name: str, x: np.ndarray) -> str:
    """Return the array whose multiples are added, by another number for each slice of an axis."""
    if (
        gap.actual.ndim != 2
        or min(gap.actual.shape) < 3
        or np.ptp(x, axis=0).min() == 0
        or np.ptp(x, axis=1).min() == 0
    ):
        return ""
    for axis in (0, 1):
        square = (x * x).sum(1 - axis, keepdims=True)
        weights = (gap.difference * x).sum(1 - axis, keepdims=True) / square
        if close(gap.difference, weights * x, 2 * gap.tolerance * (1 + np.abs(weights))):
            return f"a term with {name} has a wrong factor, another number for each index of axis {axis}"
    return ""


def changed(name: str, x: np.ndarray, at: tuple[np.ndarray, ...], known: Pool) -> Iterator:
    """Yield what may stand for x: rolled, flipped, its absolute value, another array; computed `at` some places."""
    for axis in range(x.ndim):
        n = x.shape[axis]
        for shift in (1, -1) if n > 1 else ():
            places = tuple((i - shift) % n if a == axis else i for a, i in enumerate(at))
            say = f"{name} is rolled by {shift} along axis {axis} (off by one)"
            yield say, x[places], lambda shift=shift, axis=axis: np.roll(x, shift, axis)
        if n > 1:
            places = tuple(n - 1 - i if a == axis else i for a, i in enumerate(at))
            yield f"{name} is flipped along axis {axis}", x[places], lambda axis=axis: np.flip(x, axis)
    if x.ndim == 2 and x.shape[0] == x.shape[1]:
        yield f"{name} is transposed", x.T[at], lambda: x.T
    yield f"the absolute value of {name} in place of {name}", np.abs(x[at]), lambda: np.abs(x)
    yield f"1 - {name} in place of {name}", 1 - x[at], lambda: 1 - x
    for other, y in known.items():
        if other != name:
            yield f"{other} in place of {name}, or of a term with it", y[at], lambda y=y: y


def scale_of(d: np.ndarray, x: np.ndarray, error: np.ndarray, sizes: Mapping[str, float]) -> tuple[float, str] | None:
    """Return the number c with d = c x, and its name: a named constant, or any where there are three entries."""
    value = proportion(d, x, error)
    if value is None:
        return None
    relative = float(np.max(error) / np.max(np.abs(d))) * SLACK + 1e-12
    if abs(abs(value) - 1) <= relative:
        return value, ""
    found = named(abs(value), relative, sizes)
    if found and len(found[0].over) + len(found[0].under) == 1:
        return value, text(found[0])
    if np.unique(np.abs(x[x != 0])).size < 3 or relative > 1e-4:
        return None
    return value, f"{abs(value):.6g}"
