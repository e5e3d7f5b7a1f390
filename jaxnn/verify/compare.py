"""A hand-written gradient beside the true one at one point: which entries differ, and whether they are kinks."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxnn.verify.differences import Slopes, along, is_symmetric, slopes, step_scale, transposed
from jaxnn.verify.evaluation import Evaluation, Evaluator
from jaxnn.verify.problem import Leaves
from jaxnn.verify.rounding import EPSILON, RUNS, tolerance

EXAMINED = 24  # entries that are differenced one by one where hand and autodiff differ
FEW = 4  # values that an entry of a single tie takes near by
PAIRED = 24  # entries at kinks that are looked at two at a time
MANY_NEARBY = 120
NEARBY = 24  # points whose gradients show what a kink allows
CLOSE, CLOSER = 1e-5, 1e-8
ROUNDED = 4.0  # times what a dtype rounds a leaf's largest entry by


class Comparison(NamedTuple):
    """Per leaf: the true gradient `expected`, the one `actual`ly given, and how far they may differ, `allowed`."""

    expected: list[np.ndarray]
    actual: list[np.ndarray]
    allowed: list[np.ndarray]

    @property
    def wrong(self) -> list[np.ndarray]:
        """Which entries differ by more than is allowed (NaN differs from everything)."""
        with np.errstate(invalid="ignore"):
            triples = zip(self.expected, self.actual, self.allowed, strict=True)
            return [~((np.abs(a - e) <= t) | (a == e)) for e, a, t in triples]


class Entry(NamedTuple):
    """One entry of one leaf."""

    leaf: int
    index: tuple[int, ...]


def compare(evaluation: Evaluation, epsilon: float = EPSILON, tolerated: float = 0.0) -> Comparison:
    """Return the hand-written gradient beside autodiff's, with what rounding allows at a machine epsilon.

    `tolerated` is a share of a leaf's largest entry that may be wrong on purpose.
    """
    assert evaluation.reference is not None
    by_hand, by_autodiff = (list(map(finite, noise)) for noise in (evaluation.hand_noise, evaluation.reference_noise))
    sides = zip(evaluation.hand, by_hand, evaluation.reference, by_autodiff, strict=True)
    allowed = [
        np.where(np.isfinite(value), tolerance([hand_noise, noise], value, epsilon), tolerance([], hand, epsilon))
        + tolerated * largest(value)
        + ROUNDED * rounded
        for (hand, hand_noise, value, noise), rounded in zip(
            sides, evaluation.rounded or itertools.repeat(0.0), strict=False
        )
    ]
    return Comparison(evaluation.reference, evaluation.hand, allowed)


def shared_out(leaves: Leaves, comparison: Comparison) -> Comparison:
    """Return the comparison in which the gradient by a symmetric matrix may be shared out over both its triangles.

    A loss that reads one triangle has all of its derivative there; by hand one takes both as one. Along everything that
    leaves the matrix symmetric the two are the same: what counts is the sum of an entry and its mirror image.
    """
    expected = list(comparison.expected)
    for i, (e, a, t) in enumerate(zip(*comparison, strict=True)):
        if is_symmetric(leaves[i]) and comparison.wrong[i].any() and np.all(np.abs(a - transposed(a)) <= t):
            right = np.abs(a + transposed(a) - e - transposed(e)) <= t + transposed(t)
            expected[i] = np.where(right, a, e)
    changed = any(one is not other for one, other in zip(expected, comparison.expected, strict=True))
    return comparison._replace(expected=expected) if changed else comparison


def finite(noise: np.ndarray) -> np.ndarray:
    """Return a measured rounding error, 0 where shaking makes NaN or infinity, as it does at the edge of a domain.

    There it measures nothing: differences have the last word.
    """
    return np.where(np.isfinite(noise), noise, 0.0)


def largest(leaf: np.ndarray) -> float:
    """Return the largest finite entry of a leaf."""
    return float(np.max(np.abs(leaf), initial=0.0, where=np.isfinite(leaf)))


def worst_entry(comparison: Comparison, among: Sequence[np.ndarray] | None = None) -> Entry | None:
    """Return the entry that is furthest off beside its leaf's largest, of those that are wrong; None if none is."""
    best, place = -1.0, None
    for i, wrong in enumerate(comparison.wrong if among is None else among):
        if wrong.any():
            expected, actual = comparison.expected[i], comparison.actual[i]
            gap = np.where(wrong, np.nan_to_num(np.abs(actual - expected), nan=np.inf, posinf=np.inf), -1.0)
            index = np.unravel_index(int(np.argmax(gap)), gap.shape)
            size = np.max(np.abs(np.nan_to_num(expected)), initial=0.0) or 1e-300
            if gap[index] / size > best:
                best, place = float(gap[index] / size), Entry(i, tuple(int(k) for k in index))
    return place


def resolution(comparison: Comparison) -> float:
    """Return the smallest error that would have been seen in every leaf, as a share of the leaf's largest entry."""
    shares = [
        np.max(t, initial=0.0) / size
        for e, a, t in zip(*comparison, strict=True)
        if (size := np.max(np.abs(np.nan_to_num([e, a])), initial=0.0)) > 0
    ]
    return float(max(shares, default=0.0))


def slopes_at(evaluator: Evaluator, leaves: Leaves, entry: Entry, noise: float, scale: float = 1.0) -> Slopes:
    """Return the derivatives of the loss along one entry of one leaf."""
    leaf = np.asarray(leaves[entry.leaf])
    direction = [np.zeros(np.shape(v)) for v in leaves]
    direction[entry.leaf][entry.index] = 1.0
    return slopes(along(evaluator.loss, leaves, direction), noise, 0.02 * step_scale(leaf, entry.index) * scale)


class Ruling(NamedTuple):
    """What differences say of the entries where hand and autodiff differ: which are `guilty`, which a `kink`.

    `corrected` is the true gradient, autodiff's with the entries put right where differences contradict it.
    """

    guilty: list[np.ndarray]
    kink: bool
    autodiff_wrong: bool
    corrected: list[np.ndarray]


def rule(evaluator: Evaluator, leaves: Leaves, comparison: Comparison, noise: float) -> Ruling:
    """Return how differences decide between the hand-written gradient and autodiff's where the two differ."""
    guilty = [np.array(wrong) for wrong in comparison.wrong]  # a copy of a scalar's is no array
    corrected = [np.array(e) for e in comparison.expected]
    allowed = _allowed_by_kinks(evaluator, leaves, comparison)
    apart = _not_together(evaluator, leaves, comparison, allowed)
    kink = autodiff_wrong = False
    for wrong, at_kink in zip(guilty, allowed, strict=True):
        kink |= bool((wrong & at_kink).any())
        wrong &= ~at_kink
    sample = _sample(guilty, comparison)
    for entry in sample:
        found = slopes_at(evaluator, leaves, entry, noise)
        hand, auto = (float(side[entry.leaf][entry.index]) for side in (comparison.actual, comparison.expected))
        bar = 10 * found.central.error + float(comparison.allowed[entry.leaf][entry.index])
        low, high = sorted((found.left.value, found.right.value))
        margin = 4 * (found.left.error + found.right.error)
        if found.kink:
            if low - margin <= hand <= high + margin:
                guilty[entry.leaf][entry.index], kink = False, True
        elif abs(auto - found.central.value) > bar or not np.isfinite(auto):
            corrected[entry.leaf][entry.index] = found.central.value
            autodiff_wrong = True
            if abs(hand - found.central.value) <= bar:
                guilty[entry.leaf][entry.index] = False
    if not any(guilty[entry.leaf][entry.index] for entry in sample):
        guilty = [np.zeros_like(wrong) for wrong in guilty]
    guilty = [wrong | pair for wrong, pair in zip(guilty, apart, strict=True)]
    return Ruling(guilty, kink, autodiff_wrong, corrected)


def _allowed_by_kinks(evaluator, leaves, comparison):
    """Return where the given value lies among the gradients of points so near that only a kink tells them apart."""
    if evaluator.reference is None or not any(wrong.any() for wrong in comparison.wrong):
        return [np.zeros_like(wrong) for wrong in comparison.wrong]
    boxes = [_box(evaluator, leaves, comparison.expected, size) for size in (CLOSE, CLOSER)]
    allowed = []
    for (low1, high1), (low2, high2), given, bar in zip(*boxes, comparison.actual, comparison.allowed, strict=True):
        width, wider = high2 - low2, high1 - low1
        jump = (width > 0.3 * wider) & (width > 8 * bar)
        slack = 2 * CLOSER / CLOSE * wider + bar
        allowed.append(jump & (given >= low2 - slack) & (given <= high2 + slack))
    return allowed


def _not_together(evaluator, leaves, comparison, allowed):
    """Return which entries are each allowed by a kink, but not two at a time: all of a tie cannot get everything.

    A subgradient lies in the hull of the gradients near by, and so does the sum of two of its entries. Only entries of
    single ties are looked at, whose few values are all seen.
    """
    apart = [np.zeros_like(mask) for mask in allowed]
    for i, mask in enumerate(allowed):
        places = np.flatnonzero(mask & comparison.wrong[i])
        places = (
            places[np.linspace(0, places.size - 1, min(places.size, PAIRED)).astype(int)] if places.size else places
        )
        given, bar = comparison.actual[i].ravel()[places], comparison.allowed[i].ravel()[places]
        sums, seen = given[:, None] + given, [comparison.expected[i].ravel()[places]]
        outside = np.zeros_like(sums, bool)
        for count in (NEARBY, MANY_NEARBY):  # what was not seen among few is looked for among many
            if places.size < 2 or (seen[1:] and not outside.any()):
                break
            seen += [g[i].ravel()[places] for g in _gradients_near(evaluator, leaves, CLOSER, count, seed=count)]
            pairs = np.stack([s[:, None] + s for s in seen])
            slack = 0.01 * np.ptp(pairs, axis=0) + bar[:, None] + bar
            outside = (sums > pairs.max(axis=0) + slack) | (sums < pairs.min(axis=0) - slack)
            np.fill_diagonal(outside, False)
            # What adds up many ties takes more values than can be seen near by: it tells nothing.
            steps = np.diff(np.sort(np.stack(seen), axis=0), axis=0) > 0.01 * np.ptp(seen, axis=0) + bar
            few = steps.sum(axis=0) < FEW
            outside &= few[:, None] & few
        if places.size > 1 and outside.any():
            apart[i].ravel()[places[outside.any(axis=0)]] = True
    return apart


def _box(evaluator, leaves, at_point, size):
    """Return the smallest and largest of each entry of autodiff's gradient over points within `size`."""
    low, high = [np.array(v) for v in at_point], [np.array(v) for v in at_point]
    for gradients in _gradients_near(evaluator, leaves, size, NEARBY, seed=1):
        for i, gradient in enumerate(gradients):
            np.fmin(low[i], gradient, out=low[i])
            np.fmax(high[i], gradient, out=high[i])
    return [*zip(low, high, strict=True)]


def _gradients_near(evaluator, leaves, size, count, seed):
    """Yield autodiff's gradient at points within `size`, and with every operation shaken: ties that one parameter
    decides all in the same way are then decided each by itself, as the chain rule does.
    """
    for k in range(0, count, RUNS):
        yield from evaluator.shaken(leaves, 1000 * seed + k + 1)
    rng = np.random.default_rng(seed)
    for k in range(count):
        whole = 1 - 2 * (k % 2) if k < 2 else None  # all entries up, all down, then every one by chance
        yield evaluator.reference(
            [
                leaf + size * step_scale(np.asarray(leaf)) * (whole or rng.uniform(-1, 1, np.shape(leaf)))
                for leaf in leaves
            ]
        )


def _sample(masks, comparison):
    """Return up to EXAMINED of the entries marked: the worst of each leaf first, the rest spread evenly."""
    found = []
    for i, mask in enumerate(masks):
        places = np.argwhere(mask)
        gaps = np.nan_to_num(np.abs(comparison.actual[i] - comparison.expected[i])[mask], nan=np.inf)
        order = np.argsort(-gaps, kind="stable")
        spread = np.linspace(0, len(order) - 1, min(len(order), EXAMINED)).astype(int) if len(order) else []
        found += [(rank, Entry(i, tuple(int(k) for k in places[order[s]]))) for rank, s in enumerate(spread)]
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])[:EXAMINED]]
