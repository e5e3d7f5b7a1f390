"""Where and why a gradient is wrong: the first wrong line, and the cause in one sentence."""

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.adjoints import Node, nodes
from jaxnn.verify.compare import Comparison
from jaxnn.verify.diagnosis.convolutions import convolutions, no_others
from jaxnn.verify.diagnosis.hand import Hand, hand_of, provable, tape_of
from jaxnn.verify.diagnosis.lines import first_random, spoken
from jaxnn.verify.diagnosis.locate import ALIAS, Suspect, another, blamed, renamed, suspects, where_made
from jaxnn.verify.diagnosis.operands import made_of
from jaxnn.verify.diagnosis.patches import unified
from jaxnn.verify.diagnosis.phrases import phrase
from jaxnn.verify.diagnosis.programs import at_once
from jaxnn.verify.diagnosis.repair import Repair, by_value
from jaxnn.verify.diagnosis.rewrite import only_assembles, only_unpacks
from jaxnn.verify.diagnosis.search import by_running, in_copies, in_function, in_lines_alike, in_two_places
from jaxnn.verify.diagnosis.sizes import constants, likely_sizes
from jaxnn.verify.diagnosis.steps import Step, is_array, record
from jaxnn.verify.diagnosis.targets import FACTOR, Targets, close
from jaxnn.verify.problem import Problem, in_float64
from jaxnn.verify.rounding import SAFETY
from jaxnn.verify.trial import MOVED, Point, Trial, dtype_name
from jaxnn.verify.verdict import Verdict, joined

NAMES = 4  # by which a wrong value goes, one after the other, that are looked at
INSIDE = 100  # steps inside of a call that are looked at
EXPLANATIONS = 8  # of the wrong gradient that are looked at
NO_REPAIR = "no repair was found"
UNPROVEN = "no repair is shown: in so low a precision none can be proven"
LOST = "a sum, a difference or a cast loses digits in {}: the same formula is right in float64"
CUSTOM = ("stop_gradient", "custom_jvp_call", "custom_vjp_call")
SLIGHT = (
    "off by less than a billionth of the largest entry, so that no repair can be tried: where a formula leaves out "
    "something on purpose, such as an epsilon, tolerance= says so"
)


def explained(trial: Trial, verdict: Verdict, point: Point) -> Verdict:
    """Return a failed verdict with its `line` and `cause` where they can be found; the verdict itself stands anyway."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is changed on trial
            return _explained(trial, verdict, point)
    except Exception as error:  # whatever watching and taking apart a strange function brings up
        unknown = f"the cause was not found ({type(error).__name__}: {error})"
        return replace(verdict, note="; ".join(part for part in (verdict.note, unknown) if part))


def _explained(trial: Trial, verdict: Verdict, point: Point) -> Verdict:
    problem = in_float64(trial.own.whole_loss, trial.own.whole_grad, point.args, trial.argnums)
    if verdict.kind == "NONFINITE":
        return _first_nonfinite(problem, verdict)
    if _draws_anew(trial):
        why = f"{verdict.leaf}: the gradient is random, it is another one each time that JAX traces it"
        return replace(verdict, kind="RANDOM", cause=why, line=first_random(problem.whole_grad, problem.args))
    if verdict.witness == "central differences" and not any(wrong.any() for wrong in trial.here.comparison.wrong):
        hidden = _hidden_from_autodiff(trial)
        if hidden:
            tape, numbers = nodes(problem.loss, problem.leaves, problem.names, unstopped=True), constants(problem)
            seen = {node.name: node.adjoint for node in reversed(tape)}  # the parameters come first
            true = point.comparison._replace(expected=[seen[name] for name in problem.names])
            found = _located(trial, problem, verdict, point._replace(comparison=true), tape, numbers)
            return replace(found, cause=hidden)
    tape, numbers = tape_of(trial, problem, point)
    if verdict.witness == "float64":  # run in float64 each step is right: only the numbers show something
        sizes = likely_sizes(trial, problem, numbers)
        cause = _by_numbers(trial, problem, verdict, point.comparison, sizes)
        return replace(verdict, cause=cause or f"{verdict.leaf}: {LOST.format(dtype_name(trial))}")
    return _located(trial, problem, verdict, point, tape, numbers)


def _located(
    trial: Trial, problem: Problem, verdict: Verdict, point: Point, tape: list[Node], numbers: list[float]
) -> Verdict:
    with no_others(convolutions(lambda: problem.whole_grad(*problem.args))):
        found = _placed(trial, problem, verdict, point, tape, numbers)
    return found if provable(trial) else replace(found, note=joined(found.note, UNPROVEN))


def _placed(trial, problem, verdict, point, tape, numbers):
    comparison, leaf = point.comparison, problem.names.index(verdict.leaf)
    hand = hand_of(trial, problem, point, tape)
    stale = _stale(trial, problem, point, hand.targets)
    if stale is not None:
        why = f"{stale.name}: a stale value, captured at another point: it does not follow the arguments"
        return replace(verdict, line=spoken(stale.line), cause=why)
    sizes = likely_sizes(trial, problem, numbers)
    if max(hand.errors(hand.backward.outputs({}))) <= 1:  # as far as runs can tell nothing is to be repaired
        return replace(verdict, cause=_by_numbers(trial, problem, verdict, comparison, sizes))
    suspect = _likeliest(hand, suspects(hand.backward, hand.targets, hand.errors, sorted(set(sizes.values()))))
    if suspect and not suspect.whole and any(close(comparison.actual[leaf], true) for true in comparison.expected):
        suspect = None  # it is another leaf's gradient
    true = [*comparison.expected, *(node.adjoint for node in tape)]
    made = where_made(hand.backward.steps, comparison.actual[leaf], true, problem.names[leaf])
    change = in_copies(hand.program, hand.backward.steps) if hand.program.own is None else None
    step = change and next(other for other in hand.backward.steps if other.line == change.line)
    if change is None:
        step, change = _line_and_change(hand, suspect, made, comparison.expected[leaf])
    each = {} if change and change.proven else _each_leaf(hand, comparison, problem.names, true)
    if len(each) > 1:  # unless one line is enough, that made all that is wrong
        whole = hand.by_running(blamed(hand.backward, hand.errors, hand.backward.steps, for_all=True))
        each, change = ({}, whole) if whole else (each, each.get(verdict.leaf, change))
    elif each:
        (change,) = each.values()
    elif change is None or not change.proven:
        change = _searched(hand, step) or change
    step = step or (change and next(other for other in hand.backward.steps if other.line == change.line))
    # Beside a repair only what the numbers show by themselves is worth saying.
    arrays = {} if change else _known_arrays(hand, problem, tape, comparison, suspect)
    sentence = _shown(trial, problem.names[leaf], comparison, leaf, suspect, sizes, arrays)
    if change is None:
        step = step and _made_inside(hand, step, comparison.actual[leaf], comparison.wrong[leaf], leaf)
        if step and not sentence:
            parts = made_of(hand.program, step, hand.targets)
            sentence = f"{step.name}: {parts}" if parts else ""
        line = spoken(step.line) if step else ""
        return replace(verdict, line=line, cause=joined(sentence or verdict.cause, NO_REPAIR))
    assert step is not None  # that of the change
    if sentence and change.line == step.line:
        sentence = f"{sentence}; {change.why}"
    else:
        sentence = f"{next(iter(change.line.names), step.name)}: {change.why}{f'; so {sentence}' if sentence else ''}"
    repairs = each.values() or [change] * change.proven
    changes = at_once(one for repair in repairs for one in repair.changes)
    proven = len(hand.program.points) > 1  # at one point alone a change may fit by chance
    patch = unified([(c.line.file, c.old, c.new) for c in changes]) if proven else ""
    return replace(verdict, line=spoken(change.line), cause=sentence, patch=patch)


def _by_numbers(
    trial: Trial, problem: Problem, verdict: Verdict, comparison: Comparison, sizes: Mapping[str, float]
) -> str:
    """Return the cause of what no line shows: what the wrong numbers are to the right ones, or how little it is."""
    sentence = _shown(trial, verdict.leaf, comparison, problem.names.index(verdict.leaf), None, sizes, {})
    pairs = zip(comparison.actual, comparison.expected, strict=True)
    slight = all(np.max(np.abs(a - e), initial=0.0) <= 1e-9 * np.max(np.abs(e), initial=0.0) for a, e in pairs)
    return sentence or verdict.cause or SLIGHT * slight


def _known_arrays(
    hand: Hand, problem: Problem, tape: Sequence[Node], comparison: Comparison, suspect: Suspect | None
) -> dict[str, np.ndarray]:
    """Return the right values that have a name, and those that the function by hand has made before a suspect."""
    data = jax.tree.leaves_with_path(dict(zip(problem.titles, problem.args, strict=True)))
    arrays = {jax.tree_util.keystr(path[-1:], simple=True): x for path, x in data if is_array(x) and np.ndim(x)}
    arrays |= {node.operation: node.local for node in tape if node.local is not None}
    arrays |= {f"d{node.name}": node.adjoint for node in tape if node.name}
    arrays |= {node.name: node.value for node in tape if node.name}
    if suspect is None:
        return arrays | {f"d{name}": true for name, true in zip(problem.names, comparison.expected, strict=True)}
    made = [step for step in hand.backward.steps[: suspect.step.number] if step.name.isidentifier()]
    return {step.name: step.value for step in made if step.name != "return"} | arrays


def _shown(
    trial: Trial,
    name: str,
    comparison: Comparison,
    leaf: int,
    suspect: Suspect | None,
    sizes: Mapping[str, float],
    arrays: Mapping[str, np.ndarray],
) -> str:
    """Return what the numbers show: those of a suspect line, or else of the wrong leaf of that name."""
    found = ""
    if suspect is not None:
        bar = max(1e-12, SAFETY * trial.epsilon) * float(np.max(np.abs(np.nan_to_num(suspect.expected)), initial=0.0))
        found = phrase(suspect.name, suspect.step.value, suspect.expected, bar, sizes=sizes, arrays=arrays)
    values = comparison.actual[leaf], comparison.expected[leaf], comparison.allowed[leaf]
    return found or phrase(f"d{name}", *values, sizes=sizes, arrays=arrays)


def _each_leaf(hand: Hand, comparison: Comparison, names: Sequence[str], true: list[np.ndarray]) -> dict[str, Repair]:
    """Return a repair for each wrong leaf, by name, where all together put the gradient right; or none."""
    found: dict[str, Repair] = {}
    rows = zip(names, comparison.actual, comparison.expected, comparison.wrong, strict=True)
    wrong_ones = [(leaf, *row[:3]) for leaf, row in enumerate(rows) if np.any(row[3])]
    for leaf, name, actual, expected in wrong_ones:
        first = where_made(hand.backward.steps, actual, true, name)
        passed_on = [step for step in hand.backward.steps if close(step.value, actual)]
        places = {step.line: step for step in [*([first] if first else []), *passed_on]}.values()
        places = sorted(places, key=lambda step: only_unpacks(step.line))
        program = hand.of_leaf(leaf)
        repairs = (by_value(program, step, expected) for step in places[:NAMES])
        repair = next((repair for repair in repairs if repair and repair.proven), None)
        if repair is None and first is not None and program.in_numpy and len(wrong_ones) > 1:
            repair = by_running(program, hand.upstream(first.number))
        if repair is None:
            return {}
        found[name] = repair
    changes = at_once(change for repair in found.values() for change in repair.changes)
    return found if changes and hand.program.is_right_with(changes) else {}


def _made_inside(hand: Hand, step: Step, actual: np.ndarray, wrong: np.ndarray, leaf: int) -> Step:
    """Return the step inside of the user's function that a wrong line calls with right values, or the step itself.

    Another value there has to change something of what is `wrong` in the `actual` leaf.
    """
    here = (step.line.file, step.line.function)
    before = reversed(hand.backward.steps[: step.number])
    inside = list(itertools.takewhile(lambda other: (other.line.file, other.line.function) != here, before))
    made = (other for other in reversed(inside) if other.line != step.line and not other.name.startswith("return"))
    unlike = (other for other in made if other.value.any() and not hand.targets.hold(other.value))

    def reaches(other):
        try:
            after = hand.backward.outputs({other.key: another(other)})[leaf]
        except Exception:  # it cannot be another one
            return False
        return after.shape == actual.shape and np.any((after != actual) & wrong)

    first = next((other for other in itertools.islice(unlike, INSIDE) if reaches(other)), None)
    return step if first is None else _made_inside(hand, first, actual, wrong, leaf)


def _searched(hand: Hand, step: Step | None) -> Repair | None:
    """Return the proven change in any line of the backward pass, those before a step, the nearest first, first."""
    if not hand.program.in_numpy:
        return None
    before = hand.upstream(step.number) if step is not None else []
    every = hand.backward.steps
    once = {other.line: other for other in every if step is None or other.number <= step.number}
    lines = [*before, *reversed(blamed(hand.backward, hand.errors, once.values()))]
    near = [other for line in dict.fromkeys(other.line for other in lines) for other in every if other.line == line]
    others = [other for other in every if other.line not in {step.line for step in near}]
    found = hand.by_running(near, inside=False) or hand.by_running(others, inside=False)
    return found or in_lines_alike(hand.program, near) or in_two_places(hand.program, near)


def _likeliest(hand: Hand, found: Iterator[Suspect]) -> Suspect | None:
    """Return the first suspect if one change is enough in its line, else another in whose line it is, else the first.

    In a line that only renames, "dx = dh", something may be missing; in others what is there has to be changed.
    """
    first = None
    for suspect in itertools.islice(found, EXPLANATIONS):
        first, step = first or suspect, suspect.step
        inside = step.number != first.step.number and not ALIAS.fullmatch(step.line.text)
        if suspect.meaning != FACTOR and hand.by_value(step, suspect.expected, inside=inside):
            return suspect
    return first


def _line_and_change(
    hand: Hand, suspect: Suspect | None, made: Step | None, true: np.ndarray
) -> tuple[Step | None, Repair | None]:
    """Return the step to blame and what to change, in its line or in another.

    `made` is where the wrong leaf first appears, which is `true` when right.
    """

    def by(step, expected):
        found = hand.by_value(step, expected)
        return found, bool(found and found.inside)

    step, expected = (suspect.step, suspect.expected) if suspect else (made, true)
    if step is None:
        return None, None
    returned = (other for other in hand.backward.steps[: step.number] if other.name.startswith("return"))
    returned = [other for other in returned if not hand.program.defines(other.line)]
    inner = next((other for other in returned if close(other.value, step.value)), None)
    if inner is not None:  # what a function returns is made there
        change, inside = by(inner, expected)
        if change and change.proven:
            return inner, change
    change, inside = by(step, expected)
    if made and suspect and suspect.passed and hand.targets.hold(step.value) and not inside:
        step, expected = made, true  # what was passed is right, and no other would be better
        change, inside = by(step, expected)
    alias = renamed(hand.backward.steps, step)
    if inside:
        return step, change
    if alias is not None:
        return alias, by(alias, expected)[0]
    is_factor = suspect is not None and suspect.meaning == FACTOR
    before = hand.upstream(step.number)
    again = [other for other in hand.backward.steps if other.name == step.name and other.line != step.line]
    elsewhere = None
    if not is_factor:
        elsewhere = in_function(hand.program, step, expected)
    # What changes something that is there comes before what adds to it.
    elsewhere = elsewhere or hand.by_running([*before, *again])
    if not elsewhere and is_factor and made:  # it may be missing anywhere
        elsewhere = by(made, true)[0]
    change = elsewhere or change
    if change is None and only_assembles(step.line, step.name):
        makers = [other for other in before[1:] if not only_assembles(other.line, other.name)]
        step = min(makers, key=lambda other: other.dtype == bool, default=before[-1])  # masks come last
    return step, change


def _stale(trial: Trial, problem: Problem, point: Point, targets: Targets) -> Step | None:
    """Return the step of a gradient that is wrong at the second point alone whose value is still that of the first."""
    if point.note != MOVED or any(wrong.any() for wrong in trial.here.comparison.wrong):
        return None
    first = in_float64(trial.own.whole_loss, trial.own.whole_grad, trial.here.args, trial.argnums)
    tape = nodes(first.loss, first.leaves, first.names) if trial.evaluator.loss_traceable else []
    right = Targets(tape, {}, first.args)
    there = {step.key: step.value for step in record(first.whole_grad, *first.args)}
    for step in record(problem.whole_grad, *problem.args):
        same = step.key in there and close(there[step.key], step.value)
        inside = step.name.startswith("return")  # of what another line calls
        if same and not inside and right.hold(step.value) and not targets.hold(step.value):
            return step
    return None


def _first_nonfinite(problem: Problem, verdict: Verdict) -> Verdict:
    """Return the verdict with the first line of the hand-written function that makes NaN or infinity."""
    for step in record(problem.whole_grad, *problem.args):
        bad = ~np.isfinite(step.value)
        if bad.any():
            index = [int(k) for k in np.argwhere(bad)[0]]
            what = "NaN" if np.isnan(step.value[bad]).any() else "infinity"
            why = f"{step.name}: {what} first appears here, at {index}: an overflow, a division by 0 or a log of 0"
            return replace(verdict, line=spoken(step.line), cause=why)
    return verdict


def _draws_anew(trial: Trial) -> bool:
    """Return whether two traces of the gradient hold different constants: numbers drawn while tracing."""
    if not trial.evaluator.grad_traceable:
        return False
    # A new function each time: JAX remembers what it has traced.
    one, two = (jaxprs.program(lambda leaves: trial.exact.grad(leaves), trial.exact.leaves)[0] for _ in range(2))
    pairs = zip(one.constants.values(), two.constants.values(), strict=False)
    return any(np.shape(a) == np.shape(b) and not np.array_equal(a, b) for a, b in pairs if _is_plain(a))


def _is_plain(a):
    return hasattr(a, "dtype") and not jax.numpy.issubdtype(a.dtype, jax.dtypes.prng_key)


def _hidden_from_autodiff(trial: Trial) -> str:
    """Return why autodiff and the hand agree and differences do not: something in the loss has its own derivative."""
    closed = jax.make_jaxpr(trial.exact.loss)(trial.exact.leaves)
    for equation in jaxprs.flatten(closed, opened=lambda eqn: not eqn.primitive.name.startswith("custom_")).equations:
        if equation.name in CUSTOM and equation.lines:
            what = equation.name.removesuffix("_call")
            where = spoken(equation.lines[0])
            return f"the loss holds a {what}, {where}: autodiff follows it, the values of the loss do not"
    return ""
