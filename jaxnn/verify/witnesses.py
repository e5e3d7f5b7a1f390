"""The witnesses: each looks at the hand-written gradient in its own way and says what it saw.

Derivatives are taken along `directions`: the single entries of a small problem, random signs per leaf of a large one.
A report's `difference` and `error` are those of the place where they are furthest apart.
"""

import itertools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify import batches
from jaxnn.verify.compare import Comparison, compare, finite, largest, rule, worst_entry
from jaxnn.verify.differences import SMALL, Slope, along, slopes
from jaxnn.verify.evaluation import FAST, STRICT, can_trace, compiled, evaluator, split
from jaxnn.verify.numeric import NO_SECOND, second_point_by_lines
from jaxnn.verify.problem import Leaves, in_float64, scalar
from jaxnn.verify.rounding import EPSILON, SAFETY, tolerance
from jaxnn.verify.trial import Finding, Point, Trial, at_entry, dtype_name, loss_at
from jaxnn.verify.verdict import Report, Verdict

MOST_SLOPES = 200  # of a large problem; counted, so that a busy machine sees the same
FEW_DIGITS = 1e-4  # a machine epsilon above it is that of float16 or bfloat16
UNTRACED = "JAX cannot trace the gradient: NumPy code, or a branch on a value"
AT_A_KINK = "between the one-sided slopes at a kink"
NOT_ANALYTIC = {
    *("abs", "max", "min", "reduce_max", "reduce_min", "sign", "floor", "ceil", "round", "real", "imag", "conj"),
    *("eq", "ne", "lt", "le", "gt", "ge", "argmax", "argmin", "sort", "clamp", "reduce_window_max", "is_finite"),
    *("select_and_scatter_add", "select_and_gather_add", "stop_gradient", "rem", "cummax", "cummin", "nextafter"),
}


def every_entry(trial: Trial, point: Point | None = None, name: str = "autodiff, reverse") -> Finding:
    """Reverse-mode autodiff in float64, every entry; where it differs from the hand, differences decide."""
    point = point or trial.here
    comparison = point.comparison
    worst = worst_entry(comparison)
    if point.evaluation.reference is None:
        report = Report(name, None, note="JAX cannot differentiate the loss")
        return Finding([report], worst and _failed(trial, "central differences", worst, comparison), point)
    if worst is None:
        return Finding([_summary(name, comparison)])
    gap = abs(comparison.actual[worst.leaf][worst.index] - comparison.expected[worst.leaf][worst.index])
    bar = float(comparison.allowed[worst.leaf][worst.index])
    noise = 4 * trial.loss_epsilon * max(point.evaluation.value_noise, abs(point.evaluation.value))
    if trial.defines:
        failed = _failed(trial, name, worst, comparison, note=point.note)
        return Finding([Report(name, False, gap, bar)], failed, point)
    ruling = rule(trial.evaluator, point.leaves, comparison, noise)
    true = comparison._replace(expected=ruling.corrected)
    guilty = worst_entry(true, ruling.guilty)
    if guilty is not None and point is not trial.here and _is_right_eagerly(trial, point, true):
        return Finding([Report(name, None, gap, bar, "differs under jit alone: XLA may compute a value twice")])
    if guilty is not None:
        witness = "central differences" if ruling.autodiff_wrong else name
        failed = _failed(trial, witness, guilty, true, note=point.note)
        return Finding([Report(name, False, gap, bar)], failed, point._replace(comparison=true))
    if ruling.kink:
        found = _failed(trial, name, worst, comparison, kind="KINK") if point is trial.here else None
        return Finding([Report(name, True, gap, bar, AT_A_KINK)], found)
    return Finding([Report(name, None, gap, bar, "is wrong here: differences agree with the gradient by hand")])


def _is_right_eagerly(trial: Trial, point: Point, true: Comparison) -> bool:
    """Return whether a gradient that is wrong as a compiled program is right when it is run operation by operation."""
    if not trial.evaluator.grad_traceable:
        return False
    try:
        hand = [np.asarray(v, np.float64) for v in trial.exact.grad([jnp.asarray(leaf) for leaf in point.leaves])]
    except Exception:  # it can be traced only
        return False
    return not any(wrong.any() for wrong in true._replace(actual=hand).wrong)


def as_given(trial: Trial) -> Finding:
    """The gradient in the precision it was given in, against the float64 reference."""
    here, name = trial.here, f"as given, in {dtype_name(trial)}"
    known = [np.maximum(t, u) for t, u in zip(allowed_as_given(trial), here.comparison.allowed, strict=True)]
    rows = zip(here.comparison.wrong, here.comparison.actual, here.comparison.expected, strict=True)
    expected = [np.where(w, h, e) for w, h, e in rows]  # what differs in float64 too has been judged already
    comparison = Comparison(expected, trial.given.gradient, known)
    worst = worst_entry(comparison)
    if worst is None:
        return Finding([_summary(name, comparison)])
    failed = _failed(trial, "float64", worst, comparison, note=f"right in float64, wrong {name}")
    return Finding([Report(name, False)], failed, here._replace(comparison=comparison))


def allowed_as_given(trial: Trial) -> Leaves:
    """Return how far rounding to the functions' own precision may move the gradient, by leaf."""
    here = trial.here
    noise = zip(here.evaluation.hand_noise, here.evaluation.reference_noise, here.comparison.expected, strict=True)
    # A shake is as large as a rounding error can be, so that in few digits a wide margin would hide mistakes.
    epsilon = trial.own_epsilon if trial.own_epsilon < FEW_DIGITS else trial.own_epsilon / 8
    allowed = [tolerance([finite(h), finite(r)], v, epsilon) for h, r, v in noise]
    if trial.own_epsilon > EPSILON:
        scales = map(largest, here.comparison.expected)
        allowed = [t + 4 * trial.own_epsilon * scale for t, scale in zip(allowed, scales, strict=True)]
    return allowed


def elsewhere(trial: Trial) -> Finding:
    """Every entry at a second point, where a gradient that remembers the first one is wrong."""
    name = "at a second point"
    if trial.moved is None:
        if trial.evaluator.reference is None:
            return second_point_by_lines(trial, name, central)
        return Finding([Report(name, None, note=NO_SECOND)])
    first = nonfinite(trial, trial.moved.comparison.actual, trial.moved)
    return Finding([Report(name, False)], first, trial.moved) if first else every_entry(trial, trial.moved, name)


def nonfinite(trial: Trial, gradient: Leaves, point: Point) -> Verdict | None:
    """Return the verdict on the first NaN or infinity in a gradient, if there is one where the true one is finite."""
    for i, (name, values) in enumerate(zip(trial.exact.names, gradient, strict=True)):
        true = point.comparison.expected[i]
        bad = ~np.isfinite(values)
        if bad.any():
            index = tuple(np.argwhere(bad)[0])
            count = f"{np.sum(bad)} of {bad.size} entries are NaN or infinite"
            note = f"{count}, this is the first{'; ' + point.note if point.note else ''}"
            return at_entry(
                "NONFINITE", name, index, true[index], values[index], witness="autodiff, reverse", note=note
            )
    return None


def central(trial: Trial) -> Finding:
    """Central differences with Richardson extrapolation: the opinion that needs no autodiff."""
    here, evaluate, name = trial.here, trial.evaluator, "central differences"
    if trial.defines:
        return Finding([Report(name, None, note="the derivative is meant, not what the values do")])
    noise = 4 * trial.loss_epsilon * max(here.evaluation.value_noise, abs(here.evaluation.value))
    claims, error = products(here.comparison.actual, evaluate.directions), bars(here.comparison, evaluate.directions)
    known = products(here.comparison.expected, evaluate.directions)
    differs = trial.cleared and any(wrong.any() for wrong in here.comparison.wrong)
    taken, seen, bent = 0, [], None
    for k, direction in enumerate(evaluate.directions):
        phi = along(evaluate.loss, here.leaves, direction)
        estimates: list[Slope] = []
        found, gap, bar = slopes(phi, noise), np.inf, 0.0
        for step in (0.02, 0.02 / 2**9, 0.02 / 2**5, 0.02 / 2**24):  # closer, where a kink may be within reach
            if step < 1e-6 and _consistent(estimates, claims[k]):
                break  # rounding is all that the smallest steps add
            found = slopes(phi, noise, step) if estimates else found
            gap, bar = abs(claims[k] - found.central.value), 10 * found.central.error + error[k]
            estimates.append(found.central)
            taken += 1
            if gap <= bar:
                break
        low, high = sorted((found.left.value, found.right.value))
        margin = 10 * (found.left.error + found.right.error) + error[k]
        # Where several kinks meet, even a right gradient may lie outside; the single entries then have the say.
        allowed = low - margin <= claims[k] <= high + margin or abs(claims[k] - known[k]) <= error[k] or differs
        if gap > bar and found.kink and allowed:
            bent = bent or (k, (low + high) / 2, (high - low) / 2)
        elif gap > bar and _consistent(estimates, claims[k]):
            failed = _along_line(trial, name, k, found.central.value, found.central.error)
            return Finding([Report(name, False, gap, bar)], failed, here)
        elif gap <= bar:
            seen.append((gap, bar))
        if taken > MOST_SLOPES and k >= len(here.leaves):
            break
    gaps, errors = np.array(seen).reshape(-1, 2).T
    report = furthest(name, gaps, errors, AT_A_KINK if bent else "")
    if bent is None or evaluate.reference is not None:  # which has told more
        return Finding([report])
    return Finding([report], replace(_along_line(trial, name, *bent), kind="KINK"))


def _consistent(estimates: list[Slope], claim: float) -> bool:
    """Return whether two sharp estimates from different steps agree: close to a singularity none is to be believed."""
    sharp = [e for e in estimates if e.error <= 1e-6 * max(abs(e.value), abs(claim))]
    return any(abs(a.value - b.value) <= 2 * (a.error + b.error) for a, b in itertools.combinations(sharp, 2))


def forward(trial: Trial) -> Finding:
    """Forward-mode autodiff against the gradient by hand, and against autodiff's own reverse mode."""
    here, directions = trial.here, trial.evaluator.directions
    if trial.evaluator.forward is None:
        return Finding([Report("autodiff, forward", None, note="JAX cannot differentiate the loss")])
    try:
        tangents = trial.evaluator.forward(here.leaves)
    except (TypeError, ValueError, NotImplementedError) as error:
        return Finding(
            [Report("autodiff, forward", None, note=f"the loss has no forward rule ({type(error).__name__})")]
        )
    error = bars(here.comparison, directions) + SAFETY * trial.loss_epsilon * np.abs(tangents)
    sides = judged(trial), here.comparison.expected
    hand, reverse = (np.abs(products(gradient, directions) - tangents) for gradient in sides)
    reports = [furthest("autodiff, forward", hand, error), furthest("JVP against VJP", reverse, error)]
    return Finding([_undecided(trial, report) for report in reports])


def complex_step(trial: Trial) -> Finding:
    r"""The derivative $\mathrm{Im} J(p + i h v) / h$ with $h = 10^{-40}$, exact to rounding where $J$ is analytic."""
    name, tiny = "complex step", 1e-40
    directions, leaves = trial.evaluator.directions[:SMALL], trial.here.leaves

    def imaginary(direction):
        moved = [jnp.asarray(p) + 1j * tiny * v for p, v in zip(leaves, direction, strict=True)]
        return jnp.imag(scalar(trial.exact.whole_loss(*trial.exact.rebuild(moved)), complex_too=True)) / tiny

    if not trial.evaluator.loss_traceable:
        return Finding([Report(name, None, note="JAX cannot differentiate the loss")])
    if trial.rounds or trial.defines:
        return Finding([Report(name, None, note="the loss is a program of real numbers of its own precision")])
    try:
        program, _ = jaxprs.program(imaginary, directions[0])
    except Exception as error:  # whatever a function makes of complex numbers: this witness then has nothing to say
        return Finding([Report(name, None, note=f"the loss takes no complex numbers ({type(error).__name__})")])
    bad = {e.name for e in program.equations[:-2] if e.name in NOT_ANALYTIC and _takes_complex(e)}
    if bad:
        return Finding([Report(name, None, note=f"not analytic: {', '.join(sorted(bad))}")])
    stacked = [np.stack([d[i] for d in directions]) for i in range(len(leaves))]
    found = np.asarray(jax.jit(lambda s: jax.lax.map(imaginary, s), compiler_options=FAST)(stacked))
    error = bars(trial.here.comparison, directions) + SAFETY * EPSILON * np.abs(found)
    gaps = np.abs(products(judged(trial), directions) - found)
    return Finding([_undecided(trial, furthest(name, gaps, error))])


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _undecided(trial: Trial, report: Report) -> Report:
    """Return a report that does not contradict where every entry was cleared: the witness is at its limit then."""
    if report.agrees is False and trial.cleared:
        return replace(report, agrees=None, note="differs where reverse mode and differences agree")
    return report


def batch_split(trial: Trial) -> Finding:
    """The gradient of m examples against the mean, or the sum, of those of one and of the others."""
    name = "batch split"
    found = batches.split(trial.exact, partial(loss_at, trial))
    if found is None:
        return Finding([Report(name, None, note="the loss is no sum or mean over examples")])
    gap, bar, parts = np.inf, 0.0, []
    for options in (FAST, STRICT):  # the fast program may compute a value twice and differently: x == max(x) nowhere
        try:
            parts = list(batches.examples(found, trial.exact, trial.argnums, options))
        except Exception as error:
            cause = f"the loss can be computed for a part of the batch, the gradient cannot: {_said(error)}"
            return Finding([Report(name, False)], Verdict("FAIL", witness=name, cause=cause))
        weighted = [(weight, gradient) for _, weight, gradient in parts]
        gap, bar = batches.disagreement(weighted, trial.here.comparison.actual, trial.here.evaluation.hand_noise)
        bar = bar + trial.tolerated * max(map(largest, trial.here.comparison.expected))
        if gap <= bar or not trial.cleared:
            break
    kind = "sum" if found.weights[0] == 1 else "mean"
    if gap <= bar:
        return Finding([Report(name, True, note=f"the {kind} over {found.size} examples")])
    if not trial.cleared:  # the gradient is wrong anyway
        return Finding([Report(name, False, gap, bar, f"no {kind} over {found.size} examples")])
    for (args, _, gradient), which in zip(parts, ("the first example alone", "all but the first example"), strict=True):
        alone = in_float64(trial.exact.whole_loss, trial.exact.whole_grad, args, trial.argnums)
        there = evaluator(alone, trial.evaluator.directions, trial.programs)
        found_there = there.at(alone.leaves)
        if found_there.reference is None:
            continue
        comparison = compare(found_there._replace(hand=gradient), trial.epsilon, trial.tolerated)
        point = Point(alone.leaves, found_there, comparison, args, f"for {which}")
        judged_there = every_entry(trial._replace(evaluator=there, exact=alone), point, name)
        if judged_there.verdict is not None:
            report = Report(name, False, gap, bar, f"no {kind} over {found.size} examples")
            return Finding([report], judged_there.verdict, judged_there.point)
    return Finding([Report(name, None, gap, bar, "the parts differ from the whole, yet each agrees with autodiff")])


def jitted(trial: Trial) -> Finding:
    """The gradient under `jit` against the same without."""
    name = "jit against eager"
    if not trial.evaluator.grad_traceable:
        return Finding([Report(name, None, note=UNTRACED)])
    with jax.enable_x64(trial.own_x64):
        data_too = can_trace(trial.own.whole_grad, trial.own, data_too=True)
        arrays, frame = split(trial.own, trial.own.leaves, data_too)
        inside = trial.own_programs.hand([jnp.asarray(v) for v in arrays], frame)
        inside = [np.asarray(v, np.float64) for v in inside]
    return _same(trial, name, inside, trial.given.gradient, trial.own_epsilon)


def mapped(trial: Trial) -> Finding:
    """The gradient under `vmap` over two points against a loop over them."""
    name = "vmap against a loop"
    if not trial.evaluator.grad_traceable or trial.moved is None:
        why = "autodiff has no second point to map over" if trial.evaluator.grad_traceable else UNTRACED
        return Finding([Report(name, None, note=why)])
    points = [trial.here, trial.moved]
    stacked = [np.stack([np.asarray(p.leaves[i]) for p in points]) for i in range(len(trial.exact.leaves))]
    try:
        together = compiled(jax.vmap(trial.exact.grad))(stacked)
    except Exception as error:
        return Finding([Report(name, None, note=f"JAX cannot map the gradient ({type(error).__name__})")])
    for k, point in enumerate(points):
        mapped = [np.asarray(v, np.float64)[k] for v in together]  # of NumPy: an index of JAX's is a program
        finding = _same(trial, name, mapped, point.comparison.actual, EPSILON)
        if finding.verdict:
            break
    return finding


def value(trial: Trial) -> Finding:
    """The loss that came with the gradient, if one did, against the loss itself."""
    if trial.given.value is None:
        return Finding([])
    got, true = float(trial.given.value), trial.here.evaluation.value
    bar = SAFETY * trial.own_epsilon * max(trial.here.evaluation.value_noise, abs(true))
    report = Report("value beside the gradient", bool(abs(got - true) <= bar), abs(got - true), bar)
    cause = "the value returned beside the gradient is not the loss"
    wrong = at_entry("FAIL", "loss", (), true, got, witness="the loss", error=bar, cause=cause)
    return Finding([report], None if report.agrees else wrong)


QUICK: tuple[Callable[[Trial], Finding], ...] = (every_entry, as_given, elsewhere)
WITNESSES: tuple[Callable[[Trial], Finding], ...] = (
    every_entry, as_given, elsewhere, central, forward, complex_step, batch_split, jitted, mapped, value,
)  # fmt: skip


def judged(trial: Trial) -> Leaves:
    """Return the gradient by hand; where it was cleared though autodiff differs, as at a kink, autodiff's."""
    comparison = trial.here.comparison
    if not trial.cleared:
        return comparison.actual
    rows = zip(comparison.wrong, comparison.expected, comparison.actual, strict=True)
    return [np.where(wrong, e, a) for wrong, e, a in rows]


def products(gradient: Leaves, directions: list[list[np.ndarray]]) -> np.ndarray:
    """Return the derivative along each direction that a gradient claims."""
    return np.array([sum(float(np.sum(g * v)) for g, v in zip(gradient, d, strict=True)) for d in directions])


def bars(comparison: Comparison, directions: list[list[np.ndarray]]) -> np.ndarray:
    """Return the error bars of the derivatives along the directions that come with a comparison."""
    return np.sqrt(products([t**2 for t in comparison.allowed], [[v**2 for v in d] for d in directions])) + 1e-300


def furthest(witness: str, gaps: np.ndarray, error: np.ndarray, note: str = "") -> Report:
    """Return the report of gaps beside error bars; a bar of infinity or NaN cannot tell."""
    known = np.isfinite(gaps) & np.isfinite(error)
    if not known.any():
        return Report(witness, True if note == AT_A_KINK else None, note=note or "not finite")
    worst = int(np.argmax(np.where(known, gaps / np.maximum(error, 1e-300), -1)))
    return Report(witness, bool(gaps[worst] <= error[worst]), float(gaps[worst]), float(error[worst]), note)


def _summary(name, comparison):
    """Return the report of a comparison in which nothing is wrong: the entry that is furthest off beside its bar."""
    rows = zip(comparison.actual, comparison.expected, comparison.allowed, strict=True)
    gaps, error = zip(*((np.abs(a - e).ravel(), np.broadcast_to(t, e.shape).ravel()) for a, e, t in rows), strict=True)
    report = furthest(name, np.concatenate(gaps), np.concatenate(error))
    return report if report.agrees is not None else Report(name, True)


def _failed(trial, witness, entry, comparison, *, kind="FAIL", note=""):
    name = trial.exact.names[entry.leaf]
    values = comparison.expected[entry.leaf][entry.index], comparison.actual[entry.leaf][entry.index]
    bar = float(comparison.allowed[entry.leaf][entry.index])
    return at_entry(kind, name, entry.index, *values, witness=witness, error=bar, note=note)


def _along_line(trial, witness, line, slope, error):
    """Return the verdict on a derivative along a line that differences contradict, at the leaf it moves the most."""
    direction = trial.evaluator.directions[line]
    sizes = [float(np.sum(np.abs(v))) for v in direction]
    leaf = int(np.argmax(sizes))
    claim = float(products(trial.here.comparison.actual, [direction])[0])
    single = np.count_nonzero(direction[leaf]) == 1 and sum(s > 0 for s in sizes) == 1
    index = np.unravel_index(int(np.argmax(np.abs(direction[leaf]))), direction[leaf].shape) if single else ()
    scale = float(direction[leaf][index]) if single else 1.0
    note = "" if single else "the values are derivatives along a line of random signs through this leaf"
    name = trial.exact.names[leaf]
    return at_entry("FAIL", name, index, slope / scale, claim / scale, witness=witness, error=error / scale, note=note)


def _same(trial, name, ones, others, epsilon):
    """Return whether two evaluations of the gradient by hand are the same up to rounding."""
    allowed = [
        2 * epsilon / trial.epsilon * t + tolerance([], o, epsilon) + 8 * epsilon * np.max(np.abs(o), initial=0.0)
        for t, o in zip(trial.here.comparison.allowed, others, strict=True)
    ]
    comparison = Comparison(others, ones, allowed)
    worst = worst_entry(comparison)
    if worst is None:
        return Finding([_summary(name, comparison)])
    failed = _failed(trial, name, worst, comparison, note="the expected value is the one without the transformation")
    return Finding([Report(name, False)], failed)


def _takes_complex(equation):
    return any(jnp.issubdtype(getattr(v.aval, "dtype", float), jnp.complexfloating) for v in equation.eqn.invars)
