"""The true gradient by differences alone, for a loss that JAX cannot trace."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from jaxnn.verify.compare import ROUNDED, Comparison, Entry, largest, slopes_at
from jaxnn.verify.differences import along, is_symmetric, rounding_of, slopes, step_scale
from jaxnn.verify.evaluation import Evaluation, Evaluator
from jaxnn.verify.problem import Leaves
from jaxnn.verify.rounding import EPSILON
from jaxnn.verify.trial import MOVED, Finding, Point, Trial, moved_by
from jaxnn.verify.verdict import Report

NO_SECOND = "no point near by at which the loss and its derivative are finite"
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
        mirrored = (*index[:-2], *index[:-3:-1])
        if not np.isfinite(found.central.value) and mirrored != index and is_symmetric(leaves[leaf]):
            # The loss wants the matrix symmetric: the entry moves with its mirror image, each has half of the slope.
            both = [np.zeros(np.shape(v)) for v in leaves]
            both[leaf][index] = both[leaf][mirrored] = 0.5
            found = slopes(
                along(evaluator.loss, leaves, both), noise, 0.02 * step_scale(np.asarray(leaves[leaf]), index)
            )
        low, high = sorted((found.left.value, found.right.value))
        margin = 4 * (found.left.error + found.right.error)
        if not (found.kink and low - margin <= here.hand[leaf][index] <= high + margin):
            expected[leaf][index] = found.central.value
            allowed[leaf][index] = 10 * found.central.error + ROUNDED * here.rounded[leaf]
    allowed = [bar + tolerated * largest(value) for bar, value in zip(allowed, expected, strict=True)]
    return Comparison(expected, here.hand, allowed)


def second_point_by_lines(trial: Trial, name: str, along_lines: Callable[[Trial], Finding]) -> Finding:
    """Return what differences along two lines say at a second point, which shows a gradient that remembers the first.

    `along_lines` is the witness that looks along the directions of a trial.
    """
    rng, evaluate = np.random.default_rng(3), trial.evaluator
    for size in (0.1, 0.01):
        leaves = [moved_by(np.asarray(leaf), size, rng) for leaf in trial.exact.leaves]
        try:
            found = evaluate.at(leaves)
        except Exception:  # NumPy code may ask for what does not hold there
            continue
        if np.isfinite(found.value) and all(np.all(np.isfinite(v)) for v in found.hand):
            rounded = [np.full(np.shape(v), ROUNDED * r) for v, r in zip(found.hand, found.rounded, strict=True)]
            slack = [np.finfo(float).tiny + trial.tolerated * largest(v) for v in found.hand]
            comparison = Comparison(found.hand, found.hand, [r + s for r, s in zip(rounded, slack, strict=True)])
            there = Point(leaves, found, comparison, tuple(trial.exact.rebuild(leaves)), MOVED)
            lines = evaluate._replace(directions=evaluate.directions[-2:])
            said = along_lines(trial._replace(here=there, evaluator=lines))
            reports = [replace(report, witness=name) for report in said.reports]
            if said.verdict is None or said.verdict.kind != "FAIL":
                return Finding(reports)
            return Finding(reports, replace(said.verdict, witness=name, note=MOVED))
    return Finding([Report(name, None, note=NO_SECOND)])
