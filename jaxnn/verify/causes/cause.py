"""Why a wrong array is wrong, in one sentence: a hypothesis counts only if it gives every entry of the wrong array."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxnn.verify.causes.constants import factor_sentence, nearly, unnamed_factor
from jaxnn.verify.causes.convolutions import convolution
from jaxnn.verify.causes.factors import local_factor
from jaxnn.verify.causes.gap import Gap, close, measure
from jaxnn.verify.causes.masks import mask
from jaxnn.verify.causes.patterns import computed_in, layout, mapped, of_one_sign
from jaxnn.verify.causes.places import anywhere, one_of, place, where, windows
from jaxnn.verify.causes.products import product
from jaxnn.verify.causes.relations import difference, is_another, reduced
from jaxnn.verify.causes.softmax import softmax

NONE: Mapping = {}


def cause(
    name: str,
    actual: np.ndarray,
    expected: np.ndarray,
    tolerance: np.ndarray | float,
    *,
    sizes: Mapping[str, float] = NONE,
    factors: Mapping[str, np.ndarray] = NONE,
    others: Mapping[str, np.ndarray] = NONE,
    operands: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> str:
    """Return why `actual` is not `expected`, or "" where no cause fits in every entry.

    `tolerance` is the absolute error (broadcast over the entries) of both. `sizes` are numbers by which an array is
    likely to be too large ({"m": 1000}), `factors` arrays that may be missing or doubled in it ({"sigmoid'(Z1)": ...}),
    `others` the arrays of the correct computation, `operands` pairs of which it may be the product.
    """
    actual, expected, tolerance = (np.atleast_1d(np.asarray(x, np.float64)) for x in (actual, expected, tolerance))
    if actual.shape != expected.shape or not actual.size or not np.isfinite(expected).all():
        return ""
    factors, others = finite(factors), finite(others)
    sentence = nonfinite(actual)
    if not sentence:
        gap = measure(name, actual, expected, tolerance)
        if gap is None:
            return ""
        arrays = {**others, **factors}
        sentence = (
            zeros(gap)
            or straight(gap, others)
            or mask(gap, others)
            or factor_sentence(gap, sizes)
            or nearly(gap)
            or mapped(gap)
            or layout(gap)
            or place(gap, sizes, explained=True)
            or local_factor(gap, factors, others)
            or softmax(gap, others)
            or is_another(gap, others)
            or of_one_sign(gap)
            or windows(gap)
            or one_of(gap)
            or reduced(gap, others)
            or unnamed_factor(gap)
            or difference(gap, others, sizes)
            or product(gap, others, operands)
            or convolution(gap, others)
            or where(gap, arrays, sizes)
            or place(gap, sizes, explained=False)
            or is_another(gap, others, multiple=True)
            or computed_in(gap)
            or anywhere(gap, sizes)
            or shuffled(gap)
        )
    return f"{name}: {sentence}" if sentence else ""


def finite(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return those arrays that are finite everywhere, in float64."""
    known = {name: np.atleast_1d(np.asarray(x, np.float64)) for name, x in arrays.items()}
    return {name: x for name, x in known.items() if x.size and np.isfinite(x).all()}


def nonfinite(actual: np.ndarray) -> str:
    bad = ~np.isfinite(actual)
    if not bad.any():
        return ""
    kinds = [kind for kind, mask in (("NaN", np.isnan(actual)), ("infinity", np.isinf(actual))) if mask.any()]
    where = (
        "every entry" if bad.all() else f"{bad.sum()} of {bad.size} entries, first at {np.argwhere(bad)[0].tolist()}"
    )
    return f"{' and '.join(kinds)} in {where}"


def zeros(gap: Gap) -> str:
    if gap.actual.any():
        return ""
    return "zero in every entry: forgotten, or multiplied by 0"


def straight(gap: Gap, others: Mapping[str, np.ndarray]) -> str:
    """Return which array is passed on where nothing should be: all of the true one is zero."""
    if np.any(np.abs(gap.expected) > gap.tolerance):
        return ""
    passed = [name for name, x in others.items() if x.shape == gap.actual.shape and close(x, gap.actual, gap.tolerance)]
    what = f": {passed[0]} is passed straight through" if passed else ""
    return f"zero in every entry is right here, as for a step or a constant{what}"


def shuffled(gap: Gap) -> str:
    """Whether the entries are the true ones in another order, which no axis explains."""
    if gap.wrong.sum() < 3:
        return ""
    a, e = np.sort(gap.actual, axis=None), np.sort(gap.expected, axis=None)
    error = float(np.max(gap.tolerance))
    if close(gap.actual, gap.expected, 2 * error):
        return ""
    if not np.all(np.abs(a - e) <= 2 * error) or np.median(np.diff(np.unique(e))) < 20 * error:
        return ""
    return "the right numbers in the wrong places: permuted, as by a reshape or a transpose of the wrong axes"
