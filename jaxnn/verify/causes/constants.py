"""The name of a number by which an array is too large: m, 1/2, the keep probability, a sign, a product of two."""

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np

from jaxnn.verify.causes.gap import EPS, SLACK, Gap


class Constant(NamedTuple):
    """The positive number `value` = product of the names in `over` / product of the names in `under`."""

    value: float
    over: tuple[str, ...]
    under: tuple[str, ...]


def constants(sizes: Mapping[str, float]) -> list[Constant]:
    """Return the named numbers other than 1 that a factor is matched with, the likeliest first."""
    known = [("2", 2.0)] + [(name, float(size)) for name, size in sizes.items() if size > 0 and size not in (1, 2)]
    twos = [(name, float(size)) for name, size in sizes.items() if size == 2]
    found = [Constant(v, (n,), ()) for n, v in known + twos] + [Constant(1 / v, (), (n,)) for n, v in known + twos]
    for (n, v), (o, w) in combinations_with_replacement(known, 2):
        found += [Constant(v * w, (n, o), ()), Constant(1 / (v * w), (), (n, o))]
        found += [Constant(v / w, (n,), (o,)), Constant(w / v, (o,), (n,))]
    found += [c for e in (8, 16, 32) for c in (Constant(e, (str(e),), ()), Constant(1 / e, (), (str(e),)))]
    for name, size in sizes.items():
        if size > 2 and size == int(size):
            found += [Constant(size / (size - 1), (name,), (f"({name} - 1)",))]
            found += [Constant((size - 1) / size, (f"({name} - 1)",), (name,))]
    return [c for c in found if c.value != 1]


def named(value: float, error: float, sizes: Mapping[str, float]) -> list[Constant]:
    """Return the constants, two at most, that equal the positive `value` within the relative `error`, if that is small.

    Two simple ones, if there are two: nobody could tell m from n_y where both are 3.
    """
    if error > 1e-3:
        return []
    fit = [c for c in constants(sizes) if abs(c.value / value - 1) <= error]
    plain = [c for c in fit if len(c.over) + len(c.under) == 1]
    return plain[:2] if plain else fit[:1] if error <= 1e-5 else []


def text(constant: Constant) -> str:
    """Return the constant as a formula: "m", "1/m", "m n_y", "m/n_y"."""
    return quotient(constant.over, constant.under)


def inverse(constant: Constant) -> str:
    return quotient(constant.under, constant.over)


def quotient(over: tuple[str, ...], under: tuple[str, ...]) -> str:
    above = " ".join(factor(name, len(over) > 1) for name in over) or "1"
    below = " ".join(factor(name, True) for name in under)
    return f"{above}/({below})" if len(under) > 1 else f"{above}/{below}" if under else above


def factor(name: str, inside: bool) -> str:
    return f"({name})" if inside and " " in name and not name.startswith("(") else name


def ratio(gap: Gap) -> tuple[float, float] | None:
    """Return the one number by which the actual array is the true one's multiple, and its relative error."""
    most = np.unravel_index(np.argmax(np.abs(gap.expected) / gap.tolerance), gap.expected.shape)
    if abs(gap.expected[most]) <= 10 * SLACK * gap.tolerance[most]:
        return None
    value = float(gap.actual[most] / gap.expected[most])
    if value == 0 or not gap.fits(value * gap.expected, 2 * abs(value) * gap.tolerance):
        return None
    error = SLACK * gap.tolerance[most] * (1 + abs(value)) / abs(gap.actual[most]) + 32 * EPS
    return value, float(error)


def factor_sentence(gap: Gap, sizes: Mapping[str, float], place: str = "in every entry") -> str:
    """Return what is said of an array that is the true one times a named constant."""
    found = ratio(gap)
    if found is None:
        return ""
    value, error = found
    sign = "the wrong sign" if value < 0 else ""
    if abs(abs(value) - 1) <= error:
        return f"{sign} {place}: multiply by -1" if sign else ""
    names = named(abs(value), error, sizes)
    if not names:
        return ""
    sign = f"{sign}, and " if sign else ""
    first = names[0]
    larger = first.value > 1
    number = first.value if larger else 1 / first.value
    which = " or ".join(text(c) if larger else inverse(c) for c in names)
    equals = "" if which == f"{number:.12g}" else f" = {number:.12g}"
    size = f"{sign}too {'large' if larger else 'small'} by exactly {which}{equals} {place}"
    return f"{size}: {' or '.join(dict.fromkeys(remedy(c) for c in names))}"


def remedy(constant: Constant) -> str:
    """Return what to do about a factor: what is missing or too much."""
    over, under = constant.over, constant.under
    if under == ("2",) and not over:
        return "a missing factor 2 (the 2 of the square, or a sum over two equal parts)"
    if over == ("2",) and not under:
        return "a factor 2 too much (counted twice, or a missing 1/2)"
    if not over and len(under) == 1 and constant.value < 1:
        return f"a missing factor {under[0]} (1/{factor(under[0], True)} twice, or the mean in place of the sum)"
    return f"a missing {inverse(constant)}"


def nearly(gap: Gap) -> str:
    """Return what is said of an array that is the true one times a number near 1."""
    found = ratio(gap)
    if found is None or abs(found[0] - 1) >= 0.05:
        return ""
    if (gap.wrong.sum() - 1) * np.log10(abs(found[0] - 1) / found[1]) < 3:
        return ""
    side = "large" if found[0] > 1 else "small"
    return f"too {side} by {abs(found[0] - 1) * 100:.3g} % in every entry: a constant factor {found[0]:.9g}"


def unnamed_factor(gap: Gap) -> str:
    """Return what is said of an array that is the true one times a number without a name."""
    found = ratio(gap)
    if found is None or gap.wrong.sum() < 3:
        return ""
    value, error = found
    if error > 1e-3:
        return ""
    norm = float(np.linalg.norm(gap.actual))
    if abs(value) < 1 and any(abs(norm / n - 1) < 1e-6 for n in (0.1, 0.5, 1, 5, 10)):
        return f"a constant factor {value:.9g} in every entry: clipped to the norm {norm:.6g}"
    return f"a constant factor {value:.9g} in every entry"
