"""A wrong mask beside the right one, said by the arrays whose signs they are."""

from collections.abc import Mapping

import numpy as np

from jaxnn.verify.causes.gap import Gap

FEWEST = 4  # entries that tell a mask from a number


def mask(gap: Gap, others: Mapping[str, np.ndarray]) -> str:
    """Return which mask stands in the place of which, where both arrays hold zeros and ones only."""
    pair = gap.actual, gap.expected
    if gap.actual.size < FEWEST or not all(np.all((v == 0) | (v == 1)) for v in pair):
        return ""
    wrong, right = (_sign(v.astype(bool), others) for v in pair)
    if wrong and right:
        return f"the mask {wrong} in place of {right}"
    of = f", in place of {right}" if right else ""
    return f"a wrong mask{of}: {int(gap.wrong.sum())} of {gap.wrong.size} entries are the other way round"


def _sign(mask: np.ndarray, others: Mapping[str, np.ndarray]) -> str:
    for name, x in others.items():
        if x.shape == mask.shape:
            for sign, value in (("> 0", x > 0), ("< 0", x < 0), (">= 0", x >= 0), ("== 0", x == 0)):
                if np.array_equal(mask, value):
                    return f"{name} {sign}"
    return ""
