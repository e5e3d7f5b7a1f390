"""Values as JSON has them, and durations as they are read."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxnn.errors import require


def plain(value: Any, not_finite: Callable[[float], Any] = float) -> Any:
    """Return numbers, arrays and nested tables of them as Python's own numbers, lists and dicts.

    Texts, booleans and None stay. JSON has neither NaN nor the infinities: `not_finite` says what each becomes. Raises
    `InvalidArgument` for a value of any other kind.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Mapping):
        return {name: plain(entry, not_finite) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, not_finite) for entry in value]
    if not isinstance(value, int | float):
        array = np.asarray(value)
        require(array.dtype.kind in "biuf", "value", repr(value), "a real number or an array of them")
        return plain(array.tolist(), not_finite)
    return value if math.isfinite(value) else not_finite(value)


def named_infinity(value: float) -> str:
    """Return "NaN", "Infinity" or "-Infinity", as JavaScript and Python's `float` know them."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def null(value: float) -> None:
    """Return None, which JSON writes as null."""


def duration(seconds: float) -> str:
    """Return a time with three digits and a unit that suits, from a minute on in minutes: "640 us", "3 min 05 s"."""
    if seconds >= 59.95:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    scale, unit = next(((s, u) for s, u in ((1, "s"), (1e-3, "ms")) if seconds >= s), (1e-6, "us"))
    value = seconds / scale
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f} {unit}" if value >= 0.01 else f"0 {unit}"
