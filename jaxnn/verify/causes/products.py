"""Causes of a wrong matrix product: another operand, a changed one, a term too few or too many."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jaxnn.verify.causes.gap import EPS, SLACK, Gap, close, sample
from jaxnn.verify.causes.patterns import to_bits
from jaxnn.verify.causes.relations import Pool, proportion

Operand = tuple[str, np.ndarray]


def product(gap: Gap, others: Pool, operands: Sequence[tuple[np.ndarray, np.ndarray]]) -> str:
    """Return how a matrix product of two other arrays was formed wrongly."""
    if gap.expected.ndim != 2:
        shape = gap.expected.shape
        flat = {(shape[0], -1), (-1, shape[-1])} if len(shape) > 2 else {(-1, 1), (1, -1)} if shape else set()
        return next((say for new in sorted(flat) if (say := product(reshaped(gap, new), others, operands))), "")
    if not gap.tells(len(others) ** 2) or not gap.tells(1000):
        return ""
    rows, columns = (np.union1d(np.unique(i)[:: max(1, np.unique(i).size // 6)], i[:2]) for i in gap.at)
    part = np.ix_(rows, columns)
    e, t = gap.expected[part], gap.tolerance[part]
    for p, q in pairs(gap.expected.shape, others, operands):
        noise = 4 * EPS * (np.abs(p[1][rows]) @ np.abs(q[1][:, columns]))
        scale = proportion(e, p[1][rows] @ q[1][:, columns], t + noise)
        if scale is None or (e.size < 3 and abs(scale - 1) > 1e-6):
            continue
        error = 2 * gap.tolerance + np.max(noise) * (1 + abs(scale))
        if not close(gap.expected, scale * (p[1] @ q[1]), error):
            continue
        # A changed right operand is a changed left one of the transposed product.
        left = changed_left(gap.actual, gap.expected, error, p, scale * q[1], rows, columns, others)
        say = left or changed_left(
            gap.actual.T, gap.expected.T, error.T, (turned(q[0]), q[1].T), scale * p[1].T, columns, rows, others
        )
        if say := say or one_term(gap, scale * p[1], q[1], rows, columns):
            return f"{say} in the product {p[0]} @ {q[0]}"
    return ""


def reshaped(gap: Gap, shape: tuple[int, int]) -> Gap:
    a, e, t = (x.reshape(shape) for x in (gap.actual, gap.expected, gap.tolerance))
    wrong = gap.wrong.reshape(shape)
    return Gap(gap.name, a, e, t, wrong, gap.digits, sample(wrong, np.abs(e)))


def changed_left(
    actual: np.ndarray,
    expected: np.ndarray,
    error: np.ndarray,
    p: Operand,
    q: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    others: Pool,
) -> str:
    """Return what was done to p, where expected = p q; tried in some `rows` and `columns` first."""
    part = np.ix_(rows, columns)
    a, d, t, right = actual[part], actual[part] - expected[part], error[part], q[:, columns]
    name, x = p
    for say, of in changes(name, x):
        if close(a, of(x[rows]) @ right, t) and close(actual, of(x) @ q, error):
            return say
    for called, z in replacements(name, x, others):
        small = z[rows] @ right
        if close(a, small, t) and close(actual, z @ q, error):
            both = called.endswith(".T") and name.endswith(".T")
            return f"{turned(called)} in place of {turned(name)}" if both else f"{called} in place of {name}"
        rate = proportion(d, small, t)
        if not rate or abs(rate) > 1 or np.count_nonzero(np.abs(d) > SLACK * t) < 3:
            continue
        if close(actual - expected, rate * (z @ q), error):
            step = f"{'minus' if rate < 0 else 'plus'} {abs(rate):.6g} {called}"
            return f"{name} {step} in place of {name} (stale, or updated too early)"
    return ""


def pairs(shape: tuple[int, ...], others: Pool, operands: Sequence[tuple[np.ndarray, np.ndarray]]) -> Iterator:
    """Yield the pairs of named matrices of which an array of that shape can be the product."""
    for p, q in operands:
        p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
        if p.ndim == q.ndim == 2 and p.shape[1:] == q.shape[:1] and (p.shape[0], q.shape[1]) == shape:
            yield ("the first operand", p), ("the second operand", q)
    known = [(name, np.asarray(x, np.float64)) for name, x in others.items() if np.ndim(x) >= 1 and np.size(x) > 1]
    known = [(name, x[:, None] if x.ndim == 1 else x.reshape(-1, x.shape[-1])) for name, x in known]
    left = [(n, x) for n, x in known if x.shape[0] == shape[0]]
    left += [(f"{n}.T", x.T) for n, x in known if x.shape[1] == shape[0]]
    right = [(n, x) for n, x in known if x.shape[1] == shape[1]]
    right += [(f"{n}.T", x.T) for n, x in known if x.shape[0] == shape[1]]
    for p in left:
        yield from ((p, q) for q in right if p[1].shape[1] == q[1].shape[0])


def turned(name: str) -> str:
    return name[:-2] if name.endswith(".T") else f"{name}.T"


def changes(name: str, x: np.ndarray) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """Yield what may have been done to every row of the left operand x; its columns are the terms of the sum."""
    plain, axis = (name[:-2], 0) if name.endswith(".T") else (name, 1)

    def kept(start: int | None, stop: int | None) -> Callable[[np.ndarray], np.ndarray]:
        keep = np.zeros(x.shape[1])
        keep[start:stop] = 1
        return lambda x: x * keep

    yield f"the absolute value of {plain} in place of {plain}", np.abs
    if (x == 0).any():
        yield f"wrong only where {plain} is exactly zero: 1 in place of the 0", lambda x: np.where(x == 0, 1.0, x)
    yield f"the negative entries of {plain} set to zero", lambda x: np.maximum(x, 0)
    if x.shape[1] > 1:
        yield f"{plain} flipped along axis {axis}, that of the sum", lambda x: x[:, ::-1]
        for shift in (1, -1):
            say = f"{plain} rolled by {shift} along axis {axis}, that of the sum (off by one)"
            yield say, lambda x, shift=shift: np.roll(x, shift, 1)
        yield "the last sample (term of the sum) is missing", kept(None, -1)
        yield "the first sample (term of the sum) is missing", kept(1, None)
        yield "only the first sample (term of the sum) is used", kept(None, 1)
        yield "only the last sample (term of the sum) is used", kept(-1, None)
        yield "only every second sample (term of the sum) is used", lambda x: x * (np.arange(x.shape[1]) % 2 == 0)
    yield f"{plain} cast to float32 (its precision is lost)", lambda x: x.astype(np.float32).astype(np.float64)
    if np.abs(x).max() < 6e4:
        yield f"{plain} cast to float16 (its precision is lost)", lambda x: x.astype(np.float16).astype(np.float64)
    yield f"{plain} cast to bfloat16 (its precision is lost)", lambda x: to_bits(x, 8)
    yield f"{plain} squared in place of {plain}", np.square
    yield f"1 - {plain} in place of {plain}", lambda x: 1 - x


def replacements(name: str, x: np.ndarray, others: Pool) -> Iterator[Operand]:
    """Yield the named matrices that may stand in the place of x: itself transposed, and others of its shape."""
    if x.shape[0] == x.shape[1]:
        yield turned(name), x.T
    for other, y in others.items():
        y = y.reshape(-1, y.shape[-1]) if y.ndim >= 2 else y
        for called, z in ((other, y), (f"{other}.T", y.T)):
            if z.shape == x.shape and called not in (name, turned(name)) and proportion(z, x, 1e-12) is None:
                yield called, z


def one_term(gap: Gap, p: np.ndarray, q: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> str:
    """Return which one term of the product's sum (which sample) is missing or doubled."""
    d, t = gap.difference[np.ix_(rows, columns)], gap.tolerance[np.ix_(rows, columns)]
    for say, sign in (("missing", -1), ("doubled", 1)):
        terms = sign * p[rows].T[:, :, None] * q[:, columns][:, None, :]
        fit = np.all(np.abs(d - terms) <= 4 * SLACK * t + 1e-14 * np.abs(terms), axis=(1, 2))
        for k in np.flatnonzero(fit):
            if close(gap.difference, sign * np.outer(p[:, k], q[k]), 4 * gap.tolerance):
                return f"sample {k} (one term of the sum) is {say}"
    return ""
