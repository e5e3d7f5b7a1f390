"""A term or a factor that is missing from a line: a product of what has a name where the line stands."""

import itertools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from jaxnn.verify.diagnosis.targets import close

NEAR = 1e-5  # what differences know of a right value is no more; whoever asks runs what is found
MOST_FACTORS = 30  # whose products are looked through, the likeliest first
LOCAL = {"{x} * (1 - {x})": lambda x: x * (1 - x), "(1 - {x} ** 2)": lambda x: 1 - x**2, "({x} > 0)": lambda x: x > 0}
FEW_FACTORS = 8  # of which also quotients of products are looked through
COMPARISONS = {"!=": np.not_equal, "==": np.equal, ">": np.greater, "<": np.less}
ALIKE = 0.999  # the squared cosine of the angle between two arrays that may be multiples of one another
PLAIN = {"": 1.0, "2 * ": 2.0, "0.5 * ": 0.5}


def missing(
    value: np.ndarray,
    expected: np.ndarray,
    arrays: Mapping[str, np.ndarray],
    numbers: Mapping[str, float],
    asked: str = "+=*",
) -> Iterator[tuple[str, str]]:
    """Yield what makes `value` `expected`: `("+", term)`, `("-", term)`, `("*", factor)`, or `("=", another)`.

    Each is an expression: a number times an array, or times the product of two, summed up to the shape where need be.
    Only those that are asked for are looked for.
    """
    if value.shape != expected.shape or not np.all(np.isfinite(value)):
        return
    lacks = {"+": expected - value, "=": expected}
    if np.all((value != 0) | (expected == 0)):
        lacks["*"] = np.divide(expected, value, out=np.zeros_like(value), where=value != 0)
    lacks = {sign: lack for sign, lack in lacks.items() if sign in asked}
    if not lacks:
        return
    known = list(_products(arrays, numbers, value.shape))
    if "*" in lacks and np.all(np.isclose(lacks["*"], 0, atol=NEAR) | np.isclose(lacks["*"], 1, atol=NEAR)):
        known += _masks(arrays, numbers, value.shape)
    known = [(text, np.broadcast_to(array, value.shape)) for text, array in known]
    sizes = {f"{name}.shape[{k}]": float(n) for name, x in arrays.items() for k, n in enumerate(x.shape)}
    whole_numbers = {1.0, *sizes.values()}
    scales = dict(_scales(numbers)) | {f"1 / {name} * ": 1 / n for name, n in sizes.items()}
    spellings, factors = list(scales), np.array(list(scales.values()))
    counts = value != 0
    for sign, lack in lacks.items():
        length = float(np.vdot(lack, lack))
        for text, array in known:
            whole = array * counts if sign == "*" else array
            along, across = float(np.vdot(whole, lack)), float(np.vdot(whole, whole))
            if along**2 < ALIKE * length * across:
                continue  # no multiple of it: two numbers say so faster than all entries
            scale = along / (across or np.inf)
            if sign == "*" and close(whole, counts * 1.0, NEAR):
                continue  # a factor of 1, such as a sum over its own parts
            if scale and close(scale * whole, lack, NEAR):
                like = np.flatnonzero(np.abs(np.abs(factors) - abs(scale)) <= NEAR * np.abs(factors))
                spelt = next((spellings[k] for k in like), next(iter(_literal(abs(scale), whole_numbers)), None))
                if spelt is not None:
                    negative = scale * scales.get(spelt, 1.0) < 0
                    if sign == "+":
                        yield ("-" if negative else "+"), f"{spelt}{text}"
                    else:
                        yield sign, f"{'-' * negative}{spelt}{text}"


def two_terms(
    value: np.ndarray, expected: np.ndarray, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Yield what makes `value` `expected`, as `missing` does, where it is the sum or difference of two: of two paths.

    They are found by one number each, since there are a hundred thousand pairs.
    """
    if value.shape != expected.shape or not np.all(np.isfinite(value)):
        return
    known, lack = _products(arrays, numbers, value.shape), expected - value
    along = np.random.default_rng(0).normal(size=lack.shape)
    arrays = {text: whole for text, x in known if np.any(whole := np.broadcast_to(x, lack.shape))}
    signed = [(s * float(np.vdot(along, x)), s, text) for text, x in arrays.items() for s in (1, -1)]
    signed = sorted((n, s, text) for n, s, text in signed if np.isfinite(n))
    along_it = np.array([n for n, _, _ in signed])
    total, near = float(np.vdot(along, lack)), NEAR * float(np.sum(np.abs(along * lack)))
    for n, s, one in signed:
        first, last = np.searchsorted(along_it, [total - n - near, total - n + near])
        for _, t, other in signed[first:last]:
            if (s, one) < (t, other) and s + t >= 0 and close(s * arrays[one] + t * arrays[other], lack, NEAR):
                yield "+", f"({other} {'+' if s > 0 else '-'} {one})"
            elif (s, one) <= (t, other) and s + t < 0 and close(arrays[one] + arrays[other], -lack, NEAR):
                yield "-", f"({one} + {other})"


def rest(
    value: np.ndarray, expected: np.ndarray, known: tuple[list[str], np.ndarray], numbers: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Yield what one array, or number, makes `value` `expected`, as `missing` does but much faster.

    `known` are arrays as `singles` spells and stacks them.
    """
    texts, stacked = known
    with np.errstate(all="ignore"):
        lacks = (("+", expected - value), ("-", value - expected), ("*", expected / value), ("/", value / expected))
    for sign, lack in lacks:
        lack = lack.ravel()
        seen = np.isfinite(lack) if sign in "*/" else np.ones(lack.shape, bool)  # 0 / 0 may be anything
        if not seen.any() or not np.all(np.isfinite(lack[seen])):
            continue
        part, parts = lack[seen], stacked[:, seen]
        if sign in "*/" and part[0] not in (0, 1) and np.all(np.abs(part - part[0]) <= NEAR * abs(part[0])):
            yield from ((sign, name) for name, n in numbers.items() if math.isclose(n, part[0], rel_tol=NEAR))
        bars = NEAR * np.maximum(np.max(np.abs(parts), axis=1, initial=0.0), np.max(np.abs(part)))
        yield from ((sign, texts[k]) for k in np.flatnonzero(np.all(np.abs(parts - part) <= bars[:, None], axis=1)))


def singles(arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Return arrays stretched, or summed up, to a shape, and local functions of them: as they are spelt, stacked."""
    found = dict(arrays)
    for name, f in LOCAL.items():
        found |= {f"({name.format(x=of)})": f(x) for of, x in arrays.items()}
    every = [(text, np.broadcast_to(x, shape)) for name, x in found.items() for text, x in _summed(name, x, shape)]
    finite = {text: x.ravel() for text, x in every if np.all(np.isfinite(x))}
    return list(finite), np.array(list(finite.values())).reshape(len(finite), math.prod(shape))


def _masks(arrays, numbers, shape):
    """Yield comparisons of arrays with numbers and with each other that have a shape, or can be stretched to it."""
    pairs = [(name, x, text, n) for name, x in arrays.items() for text, n in {"0": 0, **numbers}.items()]
    pairs += [(one, x, other, y) for (one, x), (other, y) in itertools.combinations(arrays.items(), 2)]
    for one, x, other, y in pairs:
        if np.ndim(y) in (0, x.ndim) and np.shape(y) in ((), x.shape):
            for sign, compare in COMPARISONS.items():
                mask = compare(x, y).astype(np.float64)
                if mask.any() and not mask.all():
                    yield from _summed(f"({one} {sign} {other})", mask, shape)


def _literal(scale, sizes):
    """Return a number of few digits as it is written in front of an expression; what a size explains is none."""
    rounded = float(f"{scale:.3g}")
    is_size = any(np.isclose(scale, size) or np.isclose(scale, 1 / size) for size in sizes if size)
    return {f"{rounded:g} * ": rounded} if np.isclose(rounded, scale, rtol=NEAR, atol=0) and not is_size else {}


def _products(arrays, numbers, shape):
    """Yield expressions that have a shape, or can be stretched to it, with their values."""
    singles = [(name, x) for name, x in arrays.items() if x.ndim <= 4 and x.size and np.all(np.isfinite(x))]
    singles += [(f"{name}.T", x.T) for name, x in singles if x.ndim == 2]
    for name, x in singles:
        yield from _summed(name, x, shape)
        for other, n in numbers.items():
            yield from _summed(f"({name} - {other})", x - n, shape)
    yield from _looked_up(singles, shape)
    yield from _quotients(singles[:MOST_FACTORS], shape)
    for (one, x), (other, y) in itertools.combinations_with_replacement(singles[:MOST_FACTORS], 2):
        try:
            yield from _summed(f"({one} * {other})", x * y, shape)
            yield from _summed(f"({one} - {other})", x - y, shape) if one != other else ()
        except ValueError:
            pass
        for name, f in LOCAL.items():
            for (a, of), (b, times) in (((one, x), (other, y)), ((other, y), (one, x))):
                if of.shape == times.shape:
                    yield from _summed(f"({name.format(x=a)} * {b})", f(of) * times, shape)
        for (a, left), (b, right) in (((one, x), (other, y)), ((other, y), (one, x))):
            if left.ndim == right.ndim == 1 and (*left.shape, *right.shape) == shape:
                yield f"np.outer({a}, {b})", np.outer(left, right)
            if left.ndim and right.ndim and left.shape[-1] == right.shape[-2 if right.ndim > 1 else 0]:
                try:
                    yield from _summed(f"({a} @ {b})", left @ right, shape)
                except ValueError:
                    pass


def _quotients(singles, shape):
    """Yield one array, or a product of two, over another or its square: the second term of the quotient rule."""
    plain = [(name, x) for name, x in singles if not name.endswith(".T")]
    pairs = itertools.combinations_with_replacement(plain[:FEW_FACTORS], 2)
    above = [((name,), x) for name, x in plain] + [((a, b), x * y) for (a, x), (b, y) in pairs if _are_broadcast(x, y)]
    for (names, x), (other, y) in itertools.product(above, plain):
        if other not in names and np.all(y) and _are_broadcast(x, y):
            yield from _summed(f"({' * '.join(names)} / {other})", x / y, shape)
            yield from _summed(f"({' * '.join(names)} / {other} ** 2)", x / y**2, shape)


def _looked_up(singles, shape):
    """Yield arrays added up into the rows that labels name: what a lookup `table[labels]` hands back to its table."""
    tables = [name for name, x in singles if x.shape == shape]
    for labels, ids in singles if tables and len(shape) > 1 else ():
        if not ids.ndim or not np.all((ids == np.round(ids)) & (ids >= 0) & (ids < shape[0])) or ids.max() < 2:
            continue
        for name, x in singles:
            if x.shape[: ids.ndim] == ids.shape and x.shape[ids.ndim :] == shape[1:]:
                total = np.zeros(shape)
                np.add.at(total, ids.astype(int), x)
                rows = f"np.eye(len({tables[0]}))[{labels}.ravel()].T @ {name}.reshape({labels}.size, -1)"
                yield f"({rows}).reshape({tables[0]}.shape)" if len(shape) > 2 else f"({rows})", total


def _are_broadcast(x, y):
    return all(n == m or 1 in (n, m) for n, m in zip(x.shape[::-1], y.shape[::-1], strict=False))


def _summed(text, array, shape):
    trailing = shape[len(shape) - array.ndim :] if array.ndim <= len(shape) else ()
    rest = len(shape) - array.ndim
    if rest > 0 and array.ndim and array.shape == shape[: array.ndim]:
        yield f"{text}[...{', None' * rest}]", array.reshape(*array.shape, *[1] * rest)
    if array.ndim <= len(shape) and all(n in (1, m) for n, m in zip(array.shape, trailing, strict=True)):
        yield text, array
    if array.ndim == len(shape) + 1:
        for axis in range(array.ndim):
            total = array.sum(axis=axis)
            if total.shape == shape:
                yield f"{text}.sum(axis={axis})", total
    elif array.ndim == len(shape) and array.shape != shape:
        for axis in range(array.ndim):
            total = array.sum(axis=axis, keepdims=True)
            if total.shape == shape:
                yield f"{text}.sum(axis={axis}, keepdims=True)", total
    if array.ndim and not shape:
        yield f"{text}.sum()", array.sum()


def _scales(numbers):
    """Yield factors as they are written in front of an expression, the plainest first."""
    yield from PLAIN.items()
    for name, n in numbers.items():
        if np.isfinite(n) and n not in (0, 1):
            yield f"{name} * ", n
            yield f"1 / {name} * ", 1 / n
            yield f"2 * {name} * ", 2 * n
            yield f"2 / {name} * ", 2 / n
            yield f"{name} ** 2 * ", n**2
            yield f"1 / {name} ** 2 * ", 1 / n**2
    for (one, n), (other, m) in itertools.combinations(numbers.items(), 2):
        if np.isfinite(n * m) and n * m:
            yield f"{one} * {other} * ", n * m
            yield f"{one} / {other} * ", n / m
            yield f"{other} / {one} * ", m / n
