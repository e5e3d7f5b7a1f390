"""The true gradient by differences alone, for a loss that JAX cannot trace."""

import numpy as np

from jaxnn.verify.compare import ROUNDED, Comparison, Entry, largest, slopes_at
from jaxnn.verify.differences import along, rounding_of, step_scale
from jaxnn.verify.evaluation import Evaluation, Evaluator
from jaxnn.verify.problem import Leaves
from jaxnn.verify.rounding import EPSILON

MOST_ENTRIES = 1000  # that are differenced, of a large gradient


def by_differences(evaluator: Evaluator, leaves: Leaves, here: Evaluation, tolerated: float = 0.0) -> Comparison:
    """Return the gradient by hand beside central differences, entry by entry, of many some in random order.

    Entries that were not looked at, and values between the one-sided slopes at a kink, count as right.
    """
    # What the loss rounds inside can be far more than its last digits: log(1 + x) keeps few of a small x.
    rng = np.random.default_rng(6)
    lines = [[rng.choice([-1.0, 1.0], np.shape(v)) * step_scale(np.asarray(v)) for v in leaves] for _ in range(3)]
    seen = max(rounding_of(along(evaluator.loss, leaves, line)) for line in lines)
    noise = max(4 * EPSILON * max(here.value_noise, abs(here.value)), 4 * seen)
    expected = [np.array(v) for v in here.hand]
    allowed = [np.full(np.shape(v), np.finfo(float).tiny) for v in here.hand]
    entries = [Entry(i, index) for i, v in enumerate(here.hand) for index in np.ndindex(np.shape(v))]
    for k in np.random.default_rng(4).permutation(len(entries))[:MOST_ENTRIES]:
        leaf, index = entries[k]
        found = slopes_at(evaluator, leaves, entries[k], noise)
        low, high = sorted((found.left.value, found.right.value))
        margin = 4 * (found.left.error + found.right.error)
        if not (found.kink and low - margin <= here.hand[leaf][index] <= high + margin):
            expected[leaf][index] = found.central.value
            allowed[leaf][index] = 10 * found.central.error + ROUNDED * here.rounded[leaf]
    allowed = [bar + tolerated * largest(value) for bar, value in zip(allowed, expected, strict=True)]
    return Comparison(expected, here.hand, allowed)
