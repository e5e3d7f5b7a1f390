"""Causes that are a local factor: missing, doubled, or another one in its place (tanh' for sigmoid')."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import NamedTuple

import numpy as np

from jaxnn.verify.causes.gap import SLACK, Gap, close
from jaxnn.verify.causes.patterns import layouts


class Factor(NamedTuple):
    """A named array of the shape in question: `of` applied to `base`, computed at a few places or at all."""

    name: str
    base: np.ndarray
    of: Callable[[np.ndarray], np.ndarray]

    def at(self, places: tuple[np.ndarray, ...]) -> np.ndarray:
        return self.of(self.base[places])

    def full(self) -> np.ndarray:
        return self.of(self.base)


def itself(x: np.ndarray) -> np.ndarray:
    return x


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def aligned(x: np.ndarray, shape: tuple[int, ...]) -> tuple[str, np.ndarray] | None:
    """Return x in the given shape and what was done to its name: stretched, or transposed."""
    if x.size == 1 and x.shape != shape:
        return None
    if x.ndim <= len(shape) and all(n in (1, s) for n, s in zip(x.shape[::-1], shape[::-1], strict=False)):
        return "", np.broadcast_to(x, shape)
    if x.ndim == 2 and x.shape[::-1] == shape:
        return ".T", x.T
    if x.ndim == 1 and len(shape) == 2 and x.size == shape[0]:
        return "", np.broadcast_to(x[:, None], shape)
    return None


def local(given: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray], leave: list[np.ndarray]) -> list[Factor]:
    """Return the factors that may be missing or doubled: those given first, then those derived from the arrays.

    They are of the shape of the arrays `leave`, which are left out themselves.
    """
    shape = leave[0].shape
    found: list[Factor] = []
    derived: list[Factor] = []
    for name, x, is_given in [(*p, True) for p in given.items()] + [(*p, False) for p in others.items()]:
        fit = aligned(x, shape)
        if fit is None or any(known.shape == fit[1].shape and np.array_equal(known, fit[1]) for known in leave):
            continue
        name, base = f"{name}{fit[0]}", fit[1]
        low, high = float(np.min(x)), float(np.max(x))
        if not np.isfinite(low + high):
            continue
        if is_given:
            found.append(Factor(name, base, itself))
        if low == 0 and mask(np.asarray(x)):
            called = name if is_given else f"the mask {name}"
            derived += [] if is_given else [Factor(called, base, itself)]
            derived.append(Factor(f"the inverse of {called}", base, lambda x: np.where(x == 0, 1.0, 0.0)))
            if high != 1:
                derived.append(Factor(f"{called} without its scale", base, lambda x: np.where(x == 0, 0.0, 1.0)))
        else:
            derived += derivatives(name, base, low, high)
    return found + derived


def mask(x: np.ndarray) -> bool:
    """Whether x is zero or one other number."""
    return bool(np.all((x == 0) | (x == np.max(x))))


def derivatives(name: str, x: np.ndarray, low: float, high: float) -> list[Factor]:
    """Return local derivatives of the activations whose value, or whose argument, x may be."""
    found = []
    if 0 <= low < high <= 1:
        found.append(Factor(f"{name} (1 - {name}) (sigmoid')", x, lambda x: x * (1 - x)))
        found.append(Factor(f"1 - {name}", x, lambda x: 1 - x))
    else:
        found.append(Factor(f"1 - {name}", x, lambda x: 1 - x))
        found.append(Factor(f"{name} (1 - {name}) (sigmoid' from a value, of what is none)", x, lambda x: x * (1 - x)))
    say = "tanh'" if -1 <= low < high <= 1 else "tanh' from a value, of what is none"
    found.append(Factor(f"1 - {name}**2 ({say})", x, lambda x: 1 - x * x))
    found.append(Factor(f"1 + {name}**2 (a wrong sign in tanh')", x, lambda x: 1 + x * x))
    found.append(Factor(f"{name} > 0 (relu')", x, lambda x: np.where(x > 0, 1.0, 0.0)))
    if low < 0:
        found += [
            Factor(f"{name} < 0 (relu' inverted)", x, lambda x: np.where(x < 0, 1.0, 0.0)),
            Factor(f"sigmoid'({name})", x, lambda x: sigmoid(x) * sigmoid(-x)),
            Factor(f"tanh'({name})", x, lambda x: 1 - np.tanh(x) ** 2),
            Factor(f"leaky relu'({name}) of slope 0.01", x, lambda x: np.where(x > 0, 1.0, 0.01)),
            Factor(f"leaky relu'({name}) of slope 0.1", x, lambda x: np.where(x > 0, 1.0, 0.1)),
            Factor(f"leaky relu'({name}) of slope 0.2", x, lambda x: np.where(x > 0, 1.0, 0.2)),
            Factor(f"sigmoid(-{name})", x, lambda x: sigmoid(-x)),
            Factor(f"elu'({name}) (exp({name}) where negative)", x, lambda x: np.exp(np.minimum(x, 0))),
        ]
    elif low >= 0:
        found.append(Factor(f"sigmoid({name}) (1 - sigmoid({name})) (sigmoid')", x, lambda x: sigmoid(x) * sigmoid(-x)))
        found.append(Factor(f"1 - tanh({name})**2 (tanh')", x, lambda x: 1 - np.tanh(x) ** 2))
        found.append(Factor(f"1 - exp(-{name}) (softplus' from its value)", x, lambda x: -np.expm1(-x)))
    found.append(Factor(f"sigmoid({name}) (softplus')", x, sigmoid))
    found.append(Factor(name, x, itself))
    return found


def local_factor(gap: Gap, given: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> str:
    """Return which local factor is missing, doubled or replaced in the actual array."""
    with np.errstate(all="ignore"):
        factors = local(given, others, [gap.actual, gap.expected])
        if not factors or not gap.tells(len(factors)):
            return ""
        values = np.stack([f.at(gap.at) for f in factors])
        return (
            of_another(gap, factors, values, others)
            or multiplied(gap, factors, values)
            or replaced(gap, factors, values)
        )


def multiplied(gap: Gap, factors: list[Factor], values: np.ndarray) -> str:
    a, e, t = gap.actual[gap.at], gap.expected[gap.at], gap.tolerance[gap.at]
    bound = SLACK * t * (1 + np.abs(values))
    for i in np.flatnonzero(np.all(np.abs(a * values - e) <= bound + 1e-15 * np.abs(e), axis=1)):
        f = factors[i].full()
        if not close(gap.actual * f, gap.expected, gap.tolerance * (1 + np.abs(f))):
            continue
        if np.all(f[gap.wrong] == 0):
            if covers(gap, f == 0):
                return f"not zero where {factors[i].name} is: that mask is missing, or has a slope where it should be 0"
        elif (f[gap.wrong] != 0).sum() >= 0.1 * gap.wrong.sum() and (np.ptp(f[gap.wrong]) > 0 or f.size == 1):
            return f"the factor {factors[i].name} is missing: multiply by it"
    for i in np.flatnonzero(np.all(np.abs(a - e * values) <= bound + 1e-15 * np.abs(a), axis=1)):
        f = factors[i].full()
        if gap.fits(gap.expected * f, gap.tolerance * (1 + np.abs(f))):
            say = f"multiplied by {factors[i].name} once too often"
            return f"{say}: that factor is doubled (applied twice), or does not belong there"
    return ""


def covers(gap: Gap, zero: np.ndarray) -> bool:
    """Whether the wrong entries are those where a mask is zero, too many of them to be so by chance."""
    return bool(gap.wrong.sum() >= 0.5 * zero.sum() and chance(gap.wrong.size, int(gap.wrong.sum())) < 1e-4)


def chance(n: int, k: int) -> float:
    """Return the probability that k of n entries, drawn at random, are a given set: 1 / (n over k)."""
    steps = np.arange(min(k, n - k))
    return float(np.exp(-np.sum(np.log((n - steps) / (steps + 1)))))


def replaced(gap: Gap, factors: list[Factor], values: np.ndarray) -> str:
    """Return which factor stands in the place of which: actual * right = expected * put there."""
    if not gap.tells(len(factors) ** 2):
        return ""
    a, e, t = gap.actual[gap.at], gap.expected[gap.at], gap.tolerance[gap.at]
    left, right = a * values, e * values
    size = np.abs(values) * SLACK * 2 * t + 1e-15 * np.abs(left)
    for i, f in enumerate(factors):
        nonzero = values[i] != 0
        if not nonzero.all():
            continue
        fit = np.all(np.abs(left[i] - right) <= size[i] + np.abs(values) * SLACK * t + 1e-15 * np.abs(right), axis=1)
        for j in np.flatnonzero(fit):
            if i == j or np.array_equal(values[i], values[j]):
                continue
            g, h = f.full(), factors[j].full()
            error = gap.tolerance * (np.abs(g) + np.abs(h))
            if np.all(g[gap.wrong] != 0) and close(gap.actual * g, gap.expected * h, error):
                return f"the factor {factors[j].name} in place of {f.name}"
    return ""


def of_another(gap: Gap, factors: list[Factor], values: np.ndarray, others: Mapping[str, np.ndarray]) -> str:
    """The same where expected = other * factor for one of the other arrays: nothing is divided by zeros then."""
    a, e, t = gap.actual[gap.at], gap.expected[gap.at], gap.tolerance[gap.at]
    known = [(name, x) for name, x in others.items() if x.shape == gap.actual.shape]
    known = [(name, x) for name, x in known if not np.array_equal(x, gap.expected)]
    if not gap.tells(len(known) * len(factors)):
        return ""
    for (name, x), scaled in product(known, (False, True)):
        products = x[gap.at] * values
        most = np.argmax(np.abs(products), axis=1)
        scale = (e[most] / products[np.arange(len(factors)), most])[:, None]
        bound = SLACK * 2 * t * (1 + np.abs(values)) + 1e-14 * np.abs(products)
        for i in np.flatnonzero(np.all(np.abs(scale * products - e) <= bound, axis=1)):
            f, c = factors[i], float(scale[i, 0])
            right = c * f.full()
            if not close(x * right, gap.expected, gap.tolerance * (2 + np.abs(right))) or np.ptp(right) == 0:
                continue
            if (abs(c - 1) > 1e-6) != scaled or (scaled and (not mask(f.full()) or gap.wrong.sum() < 3)):
                continue
            times = "" if abs(c - 1) < 1e-6 else f" times {c:.6g}"
            if gap.fits(x):
                return f"this is {name}: the factor {f.name}{times} is missing, multiply by it"
            for j in np.flatnonzero(np.all(np.abs(c * products - a) <= bound, axis=1)):
                if gap.fits(c * x * factors[j].full()):
                    return f"the factor {factors[j].name} in place of {f.name} (times {name})"
            for layout, moved, _ in layouts(x, gap.tolerance):
                if gap.fits(moved * right, 2 * gap.tolerance):
                    return f"{name} is {layout}, before it is multiplied by {f.name}"
            for layout, moved, _ in layouts(right, gap.tolerance):
                if gap.fits(x * moved, 2 * gap.tolerance):
                    return f"{f.name} is {layout}, before {name} is multiplied by it"
            if say := other_mask(gap, x, right, f.name):
                return say
    return ""


def other_mask(gap: Gap, x: np.ndarray, right: np.ndarray, name: str) -> str:
    """Return what the wrong mask is, where the true factor is one: a slope in place of zero, or other zeros."""
    if not (right == 0).any() or not mask(right):
        return ""
    hidden = (right == 0) & (x != 0)
    if np.all(hidden[gap.wrong]) and gap.wrong.sum() >= 3:
        slopes = gap.actual[gap.wrong] / x[gap.wrong]
        slope = float(np.median(slopes))
        if np.ptp(slopes) <= 1e-6 * abs(slope) and gap.wrong.sum() >= 0.9 * hidden.sum():
            return f"the factor {name} has a slope of {slope:.6g} where it should be 0 (the mask of a leaky relu)"
    kept = gap.actual != 0
    if gap.fits(np.where(kept, np.max(right) * x, 0)) and (kept & (right == 0)).any() and (~kept & (right != 0)).any():
        return f"another mask than {name}: zero in other entries than the forward pass (drawn again?)"
    return ""
