"""`check`: a hand-written gradient of a scalar loss before several independent witnesses."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import InvalidArgument
from jaxnn.verify import witnesses
from jaxnn.verify.compare import compare, largest, resolution, shared_out, worst_entry
from jaxnn.verify.diagnosis.diagnose import explained
from jaxnn.verify.diagnosis.lines import first_of_dtype, first_random
from jaxnn.verify.diagnosis.overwritten import written_at
from jaxnn.verify.differences import among_symmetric, is_symmetric, lines
from jaxnn.verify.doubled import doubled, lowest_inside, must_double
from jaxnn.verify.evaluation import Programs, can_trace, evaluator, programs, split
from jaxnn.verify.given_data import BELOW, WITHIN, as_far_as_known, far_below
from jaxnn.verify.numeric import by_differences
from jaxnn.verify.problem import OtherDtype, Problem, in_float64, pose, sortable, widen
from jaxnn.verify.rounding import EPSILON, lowest_epsilon
from jaxnn.verify.state import carried_over, fresh
from jaxnn.verify.trial import Finding, Given, Point, Trial, at_entry, float64, second_point, working_epsilon
from jaxnn.verify.verdict import Report, Verdict, joined

BLURRED = 0.01  # a resolution worse than this share of a leaf's largest entry is NOISE
CANCELLED = 0.3  # an error of this share of a leaf's largest entry leaves nothing of a result
SHARED = "the loss reads one triangle of a symmetric matrix, of which the gradient is shared out over both"
KINKED = "the loss bends here: the gradient is one of its subgradients, so this is not an error"


def check(
    loss: Callable,
    grad: Callable,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    tolerance: float | None = None,
    factory: Callable[[], Any] | None = None,
) -> Verdict:
    """Return the verdict on `grad(*args)`, a hand-written gradient of the scalar `loss(*args)`.

    The gradient has the structure, shapes and dtypes of `args[argnums]`, any pytree (for several `argnums`, a tuple of
    such); `grad` may also return `(loss, gradient)`, or the named intermediates beside it, `(gradient, {"dZ1": ...})`.
    Both functions are also run in float64, so the reference is float64 whatever precision the arguments have. Matrix
    products are those of the dtype (`jax.default_matmul_precision("highest")`), on accelerators too. A difference is an
    error where it exceeds what rounding was measured to do to either side (`jaxnn.verify.rounding`); nothing is
    multiplied by the size of an array.

    Where the functions round to less than float64 inside, run in their own precision only, or draw other random numbers
    in float64, their program is judged as it is written, each operation done in float64 (`jaxnn.verify.doubled`).

    `tolerance` is what may be wrong on purpose, as a share of a leaf's largest entry: an iterative solver that stops,
    an epsilon in a formula. The verdict's note says how much of it was used.

    `factory` is called before every call, for functions that carry state from one to the next: it resets the state and
    returns None, or makes an object that `loss` and `grad` take as their first argument.

    Raises `InvalidArgument` where the loss is no scalar, the gradient has another structure, shape or dtype (whole
    numbers are judged as any others), or a parameter cannot be differentiated by.
    """
    if factory is not None:
        loss, grad = fresh(loss, factory), fresh(grad, factory)
    return run(loss, grad, args, argnums, programs(loss, grad, argnums), tolerance=tolerance)


def run(
    loss: Callable,
    grad: Callable,
    args: Sequence[Any],
    argnums: int | Sequence[int],
    ready: Programs,
    *,
    quick: bool = False,
    tolerance: float | None = None,
    defines: bool = False,
    explain: bool = True,
) -> Verdict:
    """Return `check`'s verdict, by programs that other calls may have compiled already.

    The loss `defines` the gradient where autodiff of it is what is meant, whatever its values do.

    A `quick` one hears only the witnesses that look at every entry, and runs what JAX can trace under `jit` alone.
    Without `explain` a failed one has neither line nor cause.
    """
    # What is NaN or infinite is told in the verdict; matrix products that accelerators round more are not judged. Where
    # JAX is told to refuse arrays of other ranks, NumPy's arrays, which it does not see until it traces, still add up.
    with (
        np.errstate(all="ignore"),
        warnings.catch_warnings(),
        jax.default_matmul_precision("highest"),
        jax.numpy_rank_promotion("allow"),
    ):
        # With x64 off JAX may take an array of the caller's as it saw it with x64 on, and warns of that.
        warnings.filterwarnings("ignore", "Explicitly requested dtype")
        return _run(loss, grad, args, argnums, ready, quick, tolerance or 0.0, defines, explain)


def _run(loss, grad, args, argnums, ready, quick, tolerated, defines, explain=True):
    args, untouched = (jax.tree.map(_copied, sortable(tuple(args))) for _ in range(2))
    own = pose(loss, grad, args, argnums)
    by_jit = quick and can_trace(own.whole_grad, own, data_too=True)
    given = None
    if not by_jit:
        runs = _twice(own)
        written = _changed(args, untouched)
        if written is not None:

            def is_right():
                anew = programs(loss, grad, argnums)
                return bool(_run(loss, grad, untouched, argnums, anew, quick, tolerated, defines, explain=False))

            return written_at(written, (own.whole_grad, own.whole_loss), untouched, is_right) if explain else written
        random = _unsteady(own, runs)
        if random is not None:
            return _by_state(own, random)
        given = runs[0]
    if not any(np.size(leaf) for leaf in own.leaves):
        return Verdict("PASS", note="nothing to check: the parameters hold no numbers")
    own_x64 = bool(jax.config.jax_enable_x64)
    own_dtypes = [jax.dtypes.canonicalize_dtype(jnp.result_type(leaf)) for leaf in own.leaves]
    own_epsilon = max(float(jnp.finfo(dtype).eps) for dtype in own_dtypes)
    # In float64 the evaluation is the gradient as `jit` gives it: a program less to compile.
    if by_jit and not (own_x64 and all(map(_is_wide, jax.tree.leaves(args)))):
        given = _of_gradient(ready.hand(*split(own, own.leaves, True)))
    own_ready, rounds = ready, must_double(loss, grad, args, own_x64)
    if rounds:
        own_epsilon = max(own_epsilon, lowest_inside(loss, args, own_x64))
        loss, grad = (doubled(f, args, own_x64) for f in (loss, grad))
        ready = programs(loss, grad, argnums)
    with float64():
        exact = in_float64(loss, grad, args, argnums)
        if all(can_trace(f, exact, data_too=True) for f in (loss, grad)):
            exact = in_float64(loss, grad, jax.tree.map(_on_device, args), argnums)
        evaluate = evaluator(exact, lines(exact.leaves), ready)
        epsilon = EPSILON if rounds else working_epsilon(exact, evaluate, own_epsilon)
        traced = evaluate.loss_traceable
        loss_epsilon = lowest_epsilon(exact.loss, exact.leaves, moved_only=True) if traced else EPSILON
        here = evaluate.at(exact.leaves)
        if not np.isfinite(here.value):
            cause = f"the loss is {here.value} at these arguments, so there is no gradient to compare with"
            return Verdict("NONFINITE", "loss", actual=here.value, cause=cause)
        if here.reference:
            comparison = compare(here, epsilon, tolerated)
        else:
            comparison = by_differences(evaluate, exact.leaves, here, tolerated)
        shared = shared_out(exact.leaves, comparison)
        if shared is not comparison or (here.reference is None and any(map(is_symmetric, exact.leaves))):
            evaluate = evaluator(exact, among_symmetric(exact.leaves, evaluate.directions), ready)
        if shared is not comparison:
            comparison, own.said[SHARED] = shared, None
        moved, rounded_data = second_point(exact, evaluate, epsilon, tolerated), False
        if own_epsilon > EPSILON and worst_entry(comparison) is not None:
            below, below_moved = far_below(comparison), moved and far_below(moved.comparison)
            if below is not None:
                comparison, own.said[BELOW] = below, None
                moved = moved and moved._replace(comparison=below_moved or moved.comparison)
        point = Point(exact.leaves, here, comparison, tuple(exact.args))
        if worst_entry(comparison) is not None and evaluate.reference is not None and evaluate.grad_traceable:
            known = partial(as_far_as_known, own, exact, ready, argnums, own_x64 if rounds else None)
            bars, bars_moved = known(point.leaves, comparison), moved and known(moved.leaves, moved.comparison)
            rounded_data, point = bars is not None, point._replace(comparison=bars or comparison)
            moved = moved and moved._replace(comparison=bars_moved or moved.comparison)
        trial = Trial(
            argnums=argnums,
            own=own,
            exact=exact,
            given=given or _of_gradient(here.hand),
            own_x64=own_x64,
            own_epsilon=own_epsilon,
            epsilon=epsilon,
            loss_epsilon=loss_epsilon,
            evaluator=evaluate,
            programs=ready,
            own_programs=own_ready,
            here=point,
            moved=moved,
            rounds=rounds,
            tolerated=tolerated,
            defines=defines,
            rounded_data=rounded_data,
        )
        return _heard(trial, witnesses.QUICK if quick else witnesses.WITNESSES, explained if explain else _as_it_is)


def _of_gradient(gradient: Sequence[Any]) -> Given:
    """Return what is known of functions of which the gradient alone was run."""
    return Given(float("nan"), None, [np.asarray(v, np.float64) for v in gradient], {})


def _is_wide(leaf: Any) -> bool:
    """Return whether an argument keeps its digits in float64: it is that, or no floating-point array."""
    return widen(leaf) is leaf or leaf.dtype == jnp.float64


def _as_it_is(trial: Trial, verdict: Verdict, point: Point) -> Verdict:
    """Return a failed verdict without its line and cause."""
    return verdict


def _heard(
    trial: Trial, heard: Sequence[Callable[[Trial], Finding]], finish: Callable[[Trial, Verdict, Point], Verdict]
) -> Verdict:
    """Return the verdict after every witness was heard: of the first that objects, as `finish` returns it."""
    reports: list[Report] = []
    for gradient in (trial.given.gradient, trial.here.comparison.actual):
        first = witnesses.nonfinite(trial, gradient, trial.here)
        if first is not None:
            return finish(trial, first, trial.here)
    failed = kink = None
    for witness in heard:
        finding = witness(trial)
        reports += finding.reports
        if finding.verdict is not None and finding.verdict.kind == "KINK":
            kink = kink or finding.verdict
        elif finding.verdict is not None:
            failed, trial = failed or finding, trial._replace(cleared=False)
    if failed is not None and failed.verdict is not None:
        found = replace(failed.verdict, witnesses=tuple(reports))
        return finish(trial, found, failed.point) if failed.point else found
    if heard is witnesses.WITNESSES:
        reports.append(Report("run twice", True))
    share, drowned = resolution(trial.here.comparison), _drowned(trial)
    bent = any(report.note == witnesses.AT_A_KINK for report in reports)
    blurred = share > max(BLURRED, 2 * trial.tolerated)
    seen = Verdict("PASS") if drowned is None else drowned
    verdict = kink or (Verdict("KINK") if bent else _blurred(trial) if blurred else seen)
    note = KINKED if verdict.kind == "KINK" else verdict.note
    if drowned is not None or trial.rounds:  # what is seen of the functions as they run
        share = max(share, resolution(trial.here.comparison._replace(allowed=witnesses.allowed_as_given(trial))))
    within = WITHIN if trial.rounded_data else ""
    note = joined(note, *trial.own.said, within, _precision(trial), _tolerance_used(trial))
    return replace(verdict, note=note, resolution=share, witnesses=tuple(reports))


def _drowned(trial: Trial) -> Verdict | None:
    """Return NOISE at a leaf that rounding to the functions' own precision moves by more than its largest entry.

    Where what was given is off by a good part of that entry it is FAIL: its digits have cancelled.
    """
    if trial.own_epsilon <= EPSILON:
        return None
    rows = zip(trial.exact.names, trial.here.comparison.expected, witnesses.allowed_as_given(trial), strict=True)
    for (name, expected, allowed), given in zip(rows, trial.given.gradient, strict=True):
        if np.max(allowed, initial=0.0) > largest(expected) > 0:
            gap = np.abs(given - expected)
            index = np.unravel_index(int(np.argmax(np.where(np.isfinite(gap), gap, 0.0))), gap.shape)
            error, dtype = float(np.max(allowed)), witnesses.dtype_name(trial)
            note = f"in {dtype} rounding moves entries by up to {error:.1e}, more than the largest of this leaf"
            cancelled = bool(gap[index] > CANCELLED * largest(expected))
            cause = f"right in float64, but in {dtype} its digits cancel: a difference of two large numbers" * cancelled
            where = {"witness": "float64", "error": error, "cause": cause, "note": note}
            return at_entry("FAIL" if cancelled else "NOISE", name, index, expected[index], given[index], **where)
    return None


def _precision(trial: Trial) -> str:
    """Return in which precision the functions were judged, where they round inside."""
    if not trial.rounds:
        return ""
    return f"the functions compute in a precision of {trial.own_epsilon:.1e} and were judged as they are written"


def _tolerance_used(trial: Trial) -> str:
    if not trial.tolerated:
        return ""
    rows = zip(trial.here.comparison.actual, trial.here.comparison.expected, strict=True)
    used = max(largest(a - e) / (largest(e) or np.inf) for a, e in rows)
    return f"of the tolerance of {trial.tolerated:g} of a leaf's largest entry, {used:.1e} was used"


def _blurred(trial: Trial) -> Verdict:
    """Return NOISE at the leaf that rounding blurs most."""
    comparison = trial.here.comparison
    shares = [
        float(np.max(t, initial=0.0) / (np.max(np.abs(e), initial=0.0) or np.inf))
        for e, t in zip(comparison.expected, comparison.allowed, strict=True)
    ]
    leaf = int(np.argmax(shares))
    index = np.unravel_index(int(np.argmax(comparison.allowed[leaf])), comparison.allowed[leaf].shape)
    values = comparison.expected[leaf][index], comparison.actual[leaf][index]
    error = float(comparison.allowed[leaf][index])
    note = f"rounding moves entries of this leaf by up to {error:.1e}: smaller errors cannot be seen at this point"
    witness = "autodiff, reverse"
    return at_entry("NOISE", trial.exact.names[leaf], index, *values, witness=witness, error=error, note=note)


def _given(own: Problem) -> Given:
    """Return the loss, and all that the gradient's function returns, in the arguments' own precision."""
    value, gradient, named = own.outputs(own.leaves)
    return Given(float(own.loss(own.leaves)), value, [np.asarray(v, np.float64) for v in gradient], named)


def _twice(own: Problem) -> list[Given]:
    """Return what two runs give; an error about the gradient's dtype says where it comes from."""
    try:
        return [_given(own) for _ in range(2)]
    except OtherDtype as error:
        line = first_of_dtype(own.whole_grad, own.args, error.dtype)
        raise InvalidArgument(f"{error}; {error.dtype} first appears in {line}" if line else str(error)) from None


def _copied(leaf: Any) -> Any:
    return np.array(leaf) if isinstance(leaf, np.ndarray) else leaf


def _on_device(leaf: Any) -> Any:
    return jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf


def _changed(args: Sequence[Any], untouched: Sequence[Any]) -> Verdict | None:
    """Return FAIL if a function wrote into an array, or changed a list or dict, that it was given."""
    if jax.tree.structure(untouched) != jax.tree.structure(args):
        return Verdict("FAIL", witness="run twice", cause="the functions change the lists or dicts they were given")
    for (path, was), now in zip(jax.tree.leaves_with_path(untouched), jax.tree.leaves(args), strict=True):
        if isinstance(was, np.ndarray) and not np.array_equal(was, now, equal_nan=True):
            name = jax.tree_util.keystr(path[1:], simple=True, separator=".") or f"argument {path[0].idx}"
            cause = f"{name}: the functions write into an array they were given; change a copy instead"
            return Verdict("FAIL", name, witness="run twice", cause=cause)
    return None


def _unsteady(own: Problem, runs: Sequence[Given]) -> Verdict | None:
    """Return RANDOM if two runs differ; on a GPU sums may be added up in another order, on a CPU nothing may differ."""
    one, two = runs
    if not np.array_equal(one.loss, two.loss, equal_nan=True):
        cause = f"the loss is random: {one.loss!r}, then {two.loss!r} at the same arguments; {ADVICE}"
        return at_entry("RANDOM", "loss", (), one.loss, two.loss, witness="run twice", cause=cause)
    for name, leaf, a, b in zip(own.names, own.leaves, one.gradient, two.gradient, strict=True):
        order = 0.0 if jax.default_backend() == "cpu" else 8 * float(jnp.finfo(jnp.result_type(leaf)).eps)
        gap = np.where(np.isnan(a) & np.isnan(b), 0.0, np.nan_to_num(np.abs(a - b), nan=np.inf))
        if np.any(gap > order * np.abs(a)):
            index = np.unravel_index(int(np.argmax(gap)), gap.shape)
            cause = f"{name}: the gradient is random, two runs at the same arguments differ; {ADVICE}"
            line = first_random(own.whole_grad, own.args)
            return at_entry("RANDOM", name, index, a[index], b[index], witness="run twice", cause=cause, line=line)
    return None


def _by_state(own: Problem, random: Verdict) -> Verdict:
    """Return FAIL where two runs differ since the first leaves something for the second, else the verdict as it is."""
    try:
        found = carried_over((own.whole_loss, own.whole_grad), own.args)
    except Exception:  # whatever looking into strange objects brings up
        found = None
    if found is None:
        return random
    name, line = found
    cause = (
        f"state is carried from one call to the next, in {name}: nothing is random; let each call start anew, or give "
        "factory=, which is called before each"
    )
    return replace(random, kind="FAIL", cause=cause, line=line)


ADVICE = "draw random numbers from a key that is an argument, the same in the loss and in the gradient"
