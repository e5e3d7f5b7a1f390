"""Where and why a gradient is wrong: the first wrong line, and the cause in one sentence."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from traceback import walk_tb
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.trace.jaxprs import Line
from jaxnn.verify.adjoints import Node, nodes
from jaxnn.verify.compare import Comparison
from jaxnn.verify.convolutions import convolutions, no_others
from jaxnn.verify.exchange import Exchange
from jaxnn.verify.locate import ALIAS, Culprit, culprits, renamed, upstream, where_made
from jaxnn.verify.numeric import by_differences
from jaxnn.verify.operands import made_of
from jaxnn.verify.patches import unified
from jaxnn.verify.problem import Problem, in_float64, split_output
from jaxnn.verify.repair import Program, Repair, as_numpy, by_running, by_value, in_function
from jaxnn.verify.replay import Replay, line_by_line, replay
from jaxnn.verify.rewrite import only_assembles
from jaxnn.verify.rounding import SAFETY
from jaxnn.verify.steps import Step, record
from jaxnn.verify.targets import FACTOR, Targets, close
from jaxnn.verify.trial import MOVED, Point, Trial, moved_by
from jaxnn.verify.verdict import Verdict
from jaxnn.verify.why import Known, constants, likely_sizes, of_culprit, of_leaf

NAMES = 4  # by which a wrong value goes, one after the other, that are looked at
EXPLANATIONS = 8  # of the wrong gradient that are looked at
CUSTOM = ("stop_gradient", "custom_jvp_call", "custom_vjp_call")


def explained(trial: Trial, verdict: Verdict, point: Point) -> Verdict:
    """Return a failed verdict with its `line` and `cause` where they can be found; the verdict itself stands anyway."""
    try:
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
    return _located(trial, problem, verdict, point, *_tape(trial, problem, point))


def _tape(trial: Trial, problem: Problem, point: Point) -> tuple[list[Node], list[float]]:
    """Return the intermediates of the loss with their adjoints, and the numbers that stand in it.

    Of NumPy code they are those that JAX sees, where its gradient is the one that differences have found.
    """
    if trial.evaluator.loss_traceable:
        return nodes(problem.loss, problem.leaves, problem.names), constants(problem)
    try:
        files = {step.line.file for step in record(problem.whole_loss, *problem.args)}
        with Exchange(np, jax.numpy, files):
            args = jax.tree.map(lambda v: jax.numpy.asarray(v) if isinstance(v, np.ndarray) else v, problem.args)
            there = in_float64(trial.own.whole_loss, trial.own.whole_grad, args, trial.argnums)
            tape, numbers = nodes(there.loss, there.leaves, there.names), constants(there)
    except Exception:  # it writes into arrays, or branches on values
        return [], []
    adjoints = {node.name: node.adjoint for node in reversed(tape)}  # the parameters come first
    rows = zip(problem.names, point.comparison.expected, point.comparison.allowed, strict=True)
    same = all(np.all(np.abs(adjoints[name] - true) <= bar + 1e-9 * np.abs(true)) for name, true, bar in rows)
    return (tape, numbers) if same else ([], [])


class Hand(NamedTuple):
    """The function by hand: its `backward` pass to be replayed, the right `targets`, and how wrong it is.

    `errors` are those of a gradient's arrays in units of their error bars. The `program` is what repairs are tried on,
    `of_leaf` the same where one leaf alone has to be right.
    """

    program: Program
    backward: Replay
    targets: Targets
    errors: Callable[[list[np.ndarray]], list[float]]
    of_leaf: Callable[[int], Program]

    @property
    def run(self) -> Callable:
        return self.program.run

    @property
    def args(self) -> Sequence[Any]:
        return self.program.points[0][0]


def _located(
    trial: Trial, problem: Problem, verdict: Verdict, point: Point, tape: list[Node], numbers: list[float]
) -> Verdict:
    with no_others(convolutions(lambda: problem.whole_grad(*problem.args))):
        return _placed(trial, problem, verdict, point, tape, numbers)


def _placed(trial, problem, verdict, point, tape, numbers):
    comparison, leaf = point.comparison, problem.names.index(verdict.leaf)
    hand = _hand(trial, problem, point, tape)
    stale = _stale(trial, problem, point, hand.targets)
    if stale is not None:
        why = f"{stale.name}: a stale value, captured at another point: it does not follow the arguments"
        return replace(verdict, line=spoken(stale.line), cause=why)
    sizes = likely_sizes(trial, problem, numbers)
    known, culprit = Known(problem, tape, hand.backward.steps, sizes, trial.epsilon), None
    if max(hand.errors(hand.backward.outputs({}))) > 1:
        found = culprits(hand.backward, hand.targets, hand.errors, sorted(set(sizes.values())))
        culprit = _likeliest(hand, found)
    if culprit and not culprit.whole and any(close(comparison.actual[leaf], true) for true in comparison.expected):
        culprit = None  # it is another leaf's gradient
    sentence = (of_culprit(known, culprit) if culprit else "") or of_leaf(known, comparison, culprit, leaf)
    true = [*comparison.expected, *(node.adjoint for node in tape)]
    made = where_made(hand.backward.steps, comparison.actual[leaf], true, problem.names[leaf])
    step, change = _line_and_change(hand, culprit, made, comparison.expected[leaf], bool(sentence))
    each = {} if change and change.proven else _each_leaf(hand, comparison, problem.names, true)
    if each:
        change = each.get(verdict.leaf, change)
    elif change is None or not change.proven:
        change = _searched(hand, step) or change
        step = step or (change and next(other for other in hand.backward.steps if other.line == change.line))
    if step is None:
        return replace(verdict, cause=sentence or verdict.cause)
    if change is None:
        step = _made_inside(hand, step)
        if not sentence:
            parts = made_of(hand.run, hand.args, step, hand.targets)
            sentence = f"{step.name}: {parts}" if parts else ""
        return replace(verdict, line=spoken(step.line), cause=sentence or verdict.cause)
    if change.line != step.line or not sentence:
        follows = f"; so {sentence}" if sentence else ""
        sentence = f"{next(iter(change.line.names), step.name)}: {change.why}{follows}"
    else:
        sentence = f"{sentence}; {change.why}"
    changes = [repair.change for repair in each.values()] or [change.change] * change.proven
    proven = len(hand.program.points) > 1  # at one point alone a change may fit by chance
    patch = unified([(c.line.file, c.old, c.new) for c in changes]) if proven else ""
    return replace(verdict, line=spoken(change.line), cause=sentence, patch=patch)


def _each_leaf(hand: Hand, comparison: Comparison, names: Sequence[str], true: list[np.ndarray]) -> dict[str, Repair]:
    """Return a repair for each of several wrong leaves, by name, where all together put the gradient right; or none."""
    found: dict[str, Repair] = {}
    rows = zip(names, comparison.actual, comparison.expected, comparison.wrong, strict=True)
    wrong_ones = [(leaf, *row[:3]) for leaf, row in enumerate(rows) if np.any(row[3])]
    for leaf, name, actual, expected in wrong_ones if len(wrong_ones) > 1 else ():
        first = where_made(hand.backward.steps, actual, true, name)
        passed_on = [step for step in hand.backward.steps if close(step.value, actual)]
        places = list({step.line: step for step in [*([first] if first else []), *passed_on]}.values())
        repairs = (by_value(hand.of_leaf(leaf), step, expected) for step in places[:NAMES])
        repair = next((repair for repair in repairs if repair and repair.proven), None)
        if repair is None:
            return {}
        found[name] = repair
    return found if found and hand.program.is_right_with([repair.change for repair in found.values()]) else {}


def _made_inside(hand: Hand, step: Step) -> Step:
    """Return the step inside of the user's function that a wrong line calls with right values, or the step itself."""
    here = (step.line.file, step.line.function)
    before = reversed(hand.backward.steps[: step.number])
    inside = list(itertools.takewhile(lambda other: (other.line.file, other.line.function) != here, before))
    made = [other for other in inside if other.line != step.line and not other.name.startswith("return")]
    wrong = next((other for other in made if not hand.targets.hold(other.value)), None)
    return step if wrong is None else _made_inside(hand, wrong)


def _searched(hand: Hand, step: Step | None) -> Repair | None:
    """Return the proven change in any line of the backward pass, those before a step, the nearest first, first."""
    before = upstream(hand.backward, hand.targets, step) if step is not None else []
    steps = [*before, *hand.backward.steps]
    return by_running(hand.program, steps, inside=False) if hand.program.in_numpy else None


def _hand(trial: Trial, problem: Problem, point: Point, tape: list[Node]) -> Hand:
    """Return the function by hand, compiled if it is as wrong then as when it is run line by line."""
    run = problem.whole_grad

    def gradient(output):
        return split_output(output, problem.structure, problem.names)[1]

    def errors_at(comparison):
        slack = SAFETY * trial.own_epsilon if trial.rounds else 1e-9  # run as it is written, it rounds as it does
        sizes = [slack * np.max(np.abs(e), initial=0.0) for e in comparison.expected]
        bars = [t + size for t, size in zip(comparison.allowed, sizes, strict=True)]

        def errors(arrays):
            rows = zip(arrays, comparison.expected, bars, strict=True)
            gaps = (np.abs(a - e) / t if a.shape == e.shape else np.array(np.inf) for a, e, t in rows)
            return [float(np.max(np.nan_to_num(gap, nan=np.inf), initial=0.0)) for gap in gaps]

        return errors

    def is_right_at(comparison, leaf):
        errors = errors_at(comparison)
        return lambda output: np.max(np.array(errors([np.asarray(v, np.float64) for v in gradient(output)]))[leaf]) <= 1

    errors = errors_at(point.comparison)
    points = [(problem.args, point.comparison)]
    for args, comparison in [(p.args, p.comparison) for p in (trial.here, trial.moved) if p] + _by_differences(trial):
        if args is not point.args:
            there = in_float64(trial.own.whole_loss, trial.own.whole_grad, args, trial.argnums)
            points.append((there.args, comparison))
    true = dict(zip(problem.names, point.comparison.expected, strict=True))

    def program(leaf: int | slice = slice(None)):
        return as_numpy(Program(run, [(args, is_right_at(comparison, leaf)) for args, comparison in points]))

    whole = program()
    if whole.in_numpy:
        backward = line_by_line(whole.run, whole.points[0][0], gradient)
    else:
        backward = replay(run, problem.args, gradient)
        if max(errors(backward.outputs({}))) <= 1:  # wrong only as it is called, not as JAX traces it
            backward = line_by_line(run, problem.args, gradient)
    return Hand(whole, backward, Targets(tape, true, problem.args), errors, program)


def _by_differences(trial: Trial) -> list[tuple[Sequence[Any], Comparison]]:
    """Return a second point, and the comparison with differences there, of a loss that JAX cannot trace."""
    if trial.evaluator.loss_traceable:
        return []
    leaves = [moved_by(np.asarray(leaf), 0.1, np.random.default_rng(3)) for leaf in trial.exact.leaves]
    there = trial.evaluator.at(leaves)
    if not np.isfinite(there.value):
        return []
    return [(trial.exact.rebuild(leaves), by_differences(trial.evaluator, leaves, there, trial.tolerated))]


def _likeliest(hand: Hand, found: Iterator[Culprit]) -> Culprit | None:
    """Return the first culprit if one change is enough in its line, else another in whose line it is, else the first.

    In a line that only renames, "dx = dh", something may be missing; in others what is there has to be changed.
    """
    first = None
    for culprit in itertools.islice(found, EXPLANATIONS):
        first, step = first or culprit, culprit.step
        inside = step.number != first.step.number and not ALIAS.fullmatch(step.line.text)
        if culprit.meaning != FACTOR and by_value(hand.program, step, culprit.expected, inside=inside):
            return culprit
    return first


def _line_and_change(
    hand: Hand, culprit: Culprit | None, made: Step | None, true: np.ndarray, has_cause: bool
) -> tuple[Step | None, Repair | None]:
    """Return the step to blame and what to change, in its line or in another.

    `made` is where the wrong leaf first appears, which is `true` when right; `has_cause` whether a cause is known.
    """

    def by(step, expected):
        found = by_value(hand.program, step, expected)
        return found, bool(found and found.inside)

    step, expected = (culprit.step, culprit.expected) if culprit else (made, true)
    if step is None:
        return None, None
    change, inside = by(step, expected)
    if made and culprit and culprit.passed and hand.targets.hold(step.value) and not inside:
        step, expected = made, true  # what was passed is right, and no other would be better
        change, inside = by(step, expected)
    alias = renamed(hand.backward.steps, step)
    if inside:
        return step, change
    if alias is not None:
        return alias, by(alias, expected)[0]
    is_factor = culprit is not None and culprit.meaning == FACTOR
    if change and culprit and has_cause and not is_factor:
        return step, change
    before = upstream(hand.backward, hand.targets, step)
    elsewhere = None
    if not is_factor:
        elsewhere = in_function(hand.program, step, expected)
    elsewhere = elsewhere or by_running(hand.program, before)
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


def spoken(line: Line) -> str:
    """Return a line of the source as a verdict says it."""
    return f"{line.text}  ({line.file.rsplit('/', 1)[-1]}:{line.number}, in {line.function})"


def raised_at(error: Exception) -> str:
    """Return the innermost line of the user's source that an error came from."""
    frames = [(frame.f_code, number) for frame, number in walk_tb(error.__traceback__)]
    outside = [(code, number) for code, number in frames if not jaxprs.is_ours_or_a_dependencys(code.co_filename)]
    if not outside:
        return ""
    code, number = outside[-1]
    return spoken(jaxprs.source_line(code.co_filename, number, code.co_qualname))


def returned(f: Callable, args: Sequence[Any], value: Any = None) -> str:
    """Return the line of `f(*args)` where a value that it returns first appears; without one, that of its return."""
    try:
        steps = record(f, *args)
    except Exception:  # what cannot be watched has no line
        return ""
    made = where_made(steps, np.asarray(value, np.float64), []) if value is not None else None
    ends = [step for step in steps if step.name.startswith("return")]
    step = made or (ends[-1] if ends else None)
    return spoken(step.line) if step else ""


def first_of_dtype(f: Callable, args: Sequence[Any], dtype: Any) -> str:
    """Return the first line of `f(*args)` whose value is of a dtype that no argument has."""
    if any(getattr(leaf, "dtype", None) == dtype for leaf in jax.tree.leaves(args)):
        return ""
    try:
        steps = record(f, *args)
    except Exception:
        return ""
    return next((spoken(step.line) for step in steps if step.dtype == dtype), "")


def first_random(f: Callable, args: Sequence[Any]) -> str:
    """Return the first line of `f(*args)` whose value is another one when it runs again."""
    try:
        pairs = zip(record(f, *args), record(f, *args), strict=False)
    except Exception:
        return ""
    return next((spoken(a.line) for a, b in pairs if not np.array_equal(a.value, b.value, equal_nan=True)), "")


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
    return any(np.shape(a) == np.shape(b) and not np.array_equal(a, b) for a, b in pairs if _comparable(a, b))


def _comparable(a, b):
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
