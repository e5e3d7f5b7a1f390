"""The function by hand as it is looked into: its program, its backward pass step by step, and the right values."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify import batches
from jaxnn.verify.adjoints import Node, nodes, nodes_by_replaying
from jaxnn.verify.compare import Comparison
from jaxnn.verify.diagnosis.exchange import Exchange
from jaxnn.verify.diagnosis.locate import another, upstream
from jaxnn.verify.diagnosis.programs import Program, Work, as_numpy
from jaxnn.verify.diagnosis.repair import Repair, by_value
from jaxnn.verify.diagnosis.replay import Replay, line_by_line, replay
from jaxnn.verify.diagnosis.rewrite import functions_of
from jaxnn.verify.diagnosis.search import Tried, by_running
from jaxnn.verify.diagnosis.sizes import constants
from jaxnn.verify.diagnosis.steps import Key, Step, record, rerun, until_error
from jaxnn.verify.diagnosis.targets import Targets, digest
from jaxnn.verify.evaluation import evaluator
from jaxnn.verify.numeric import by_differences
from jaxnn.verify.problem import Problem, in_float64, split_output
from jaxnn.verify.rounding import SAFETY
from jaxnn.verify.trial import Point, Trial, loss_at, moved_by

WORK = 200_000_000  # a repair that is known took 54 million
PROOF = 1e-3  # of the largest entry: as little have functions to round that a repair is to be proven of
NEAR = 1e-7  # of the largest entry, at fewer examples, where rounding was not measured


def tape_of(trial: Trial, problem: Problem, point: Point) -> tuple[list[Node], list[float]]:
    """Return the intermediates of the loss with their adjoints, and the numbers that stand in it.

    Of NumPy code they are those that JAX sees, where its gradient is the one that differences have found; else those
    that running the loss again with other values shows.
    """
    if trial.evaluator.loss_traceable:
        try:
            return nodes(problem.loss, problem.leaves, problem.names), constants(problem)
        except Exception:  # its own precision is the only one that JAX takes it in, as a scan from float32 to float32
            return nodes(trial.exact.loss, problem.leaves, problem.names), []
    try:
        files = {step.line.file for step in record(problem.whole_loss, *problem.args)}
        with Exchange([(np, jax.numpy)], files):
            args = jax.tree.map(lambda v: jax.numpy.asarray(v) if isinstance(v, np.ndarray) else v, problem.args)
            there = in_float64(trial.own.whole_loss, trial.own.whole_grad, args, trial.argnums)
            tape, numbers = nodes(there.loss, there.leaves, there.names), constants(there)
    except Exception:  # it writes into arrays, or branches on values
        return nodes_by_replaying(problem.whole_loss, problem.args), []
    adjoints = {node.name: node.adjoint for node in reversed(tape)}  # the parameters come first
    rows = zip(problem.names, point.comparison.expected, point.comparison.allowed, strict=True)
    same = all(np.all(np.abs(adjoints[name] - true) <= bar + 1e-9 * np.abs(true)) for name, true, bar in rows)
    return (tape, numbers) if same else (nodes_by_replaying(problem.whole_loss, problem.args), [])


class Hand(NamedTuple):
    """The function by hand: its `backward` pass to be replayed, the right `targets`, and how wrong it is.

    `errors` are those of a gradient's arrays in units of their error bars. The `program` is what repairs are tried on,
    `of_leaf` the same where one leaf alone has to be right. `upstream(number)` are the steps that made one of its steps
    without having a right value, looked for once. `tried` are changes of the program that failed, `found` what
    `by_value` has found.
    """

    program: Program
    backward: Replay
    targets: Targets
    errors: Callable[[list[np.ndarray]], list[float]]
    of_leaf: Callable[[int], Program]
    upstream: Callable[[int], list[Step]]
    tried: Tried
    found: dict[tuple[Key, str, bool], Repair | None]

    def by_value(self, step: Step, expected: np.ndarray, *, inside: bool = False) -> Repair | None:
        """Return the change in a step's line that gives it the value `expected`, looked for once."""
        asked = step.key, digest(expected), inside
        if asked not in self.found:
            self.found[asked] = by_value(self.program, step, expected, inside=inside)
        return self.found[asked]

    def by_running(self, suspects: Sequence[Step], *, inside: bool = True) -> Repair | None:
        """Return the proven change in the line of one suspect, of those that have not been tried."""
        return by_running(self.program, suspects, inside=inside, tried=self.tried)


def hand_of(trial: Trial, problem: Problem, point: Point, tape: list[Node]) -> Hand:
    """Return the function by hand, compiled if it is as wrong then as when it is run line by line."""
    run = problem.whole_grad

    def gradient(output):
        found = split_output(output, problem.structure, problem.names)[1]
        return [np.full(np.shape(v), np.nan) if np.iscomplexobj(v) else v for v in found]  # what is complex is wrong

    def errors_at(comparison):
        slack = SAFETY * trial.own_epsilon if trial.rounds else 1e-9  # run as it is written, it rounds as it does
        sizes = [slack * np.max(np.abs(e), initial=0.0) for e in comparison.expected]
        bars = [t + size for t, size in zip(comparison.allowed, sizes, strict=True)]

        def entries(arrays):
            rows = zip(arrays, comparison.expected, bars, strict=True)
            gaps = (np.abs(a - e) / t if a.shape == e.shape else np.full(e.shape, np.inf) for a, e, t in rows)
            return [np.nan_to_num(gap, nan=np.inf) for gap in gaps]

        return entries

    def wrong_at(comparison, leaf):
        def wrong(output):
            found = errors_at(comparison)([np.asarray(v, np.float64) for v in gradient(output)])
            return np.concatenate([(error > 1).ravel() for error in found[leaf]])

        return wrong

    def errors(arrays):
        return [float(np.max(error, initial=0.0)) for error in errors_at(point.comparison)(arrays)]

    points = [(problem.args, point.comparison)]
    for args, comparison in [(p.args, p.comparison) for p in (trial.here, trial.moved) if p] + _by_differences(trial):
        if args is not point.args:
            there = in_float64(trial.own.whole_loss, trial.own.whole_grad, args, trial.argnums)
            points.append((there.args, comparison))
    true = dict(zip(problem.names, point.comparison.expected, strict=True))

    by_hand, by_loss = record(run, *problem.args), until_error(problem.whole_loss, *problem.args)[0]
    called, defines = {step.line.function for step in (*by_hand, *by_loss)}, _lines_of(problem, by_loss)

    @cache
    def smaller():
        return _of_fewer_examples(trial)

    def judged(program, leaves):
        """Return a program of which those leaves have to be right."""
        wrong = [wrong_at(comparison, leaves) for _, comparison in points]
        given = [(args, f) for (args, _), f in zip(program.points, wrong, strict=True)]

        @cache
        def elsewhere():
            return [(args, wrong_at(comparison, leaves)) for args, comparison in smaller()]

        own = program.own and judged(program.own, leaves)
        return program._replace(points=given, elsewhere=elsewhere, own=own)

    program = Program(
        run,
        [(args, bool) for args, _ in points],
        called=called,
        defines=defines,
        work=Work(WORK * provable(trial)),
        functions=cache(functions_of),
    )
    whole = as_numpy(judged(program, slice(None)), by_hand)
    if whole.in_numpy:
        backward = line_by_line(whole.run, whole.points[0][0], gradient)
    else:
        backward = replay(run, problem.args, gradient)
        if max(errors(backward.outputs({}))) <= 1:  # wrong only as it is called, not as JAX traces it
            backward = line_by_line(run, problem.args, gradient)

    def of_leaf(leaf):
        return judged(whole, slice(leaf, leaf + 1))

    targets = Targets(tape, true, problem.args)
    before = cache(lambda number: upstream(backward, targets, backward.steps[number]))
    return Hand(whole, backward, targets, errors, of_leaf, before, Tried.nothing(), {})


def provable(trial: Trial) -> bool:
    """Return whether a repair can be told from another: not where rounding moves what functions return by so much."""
    return not trial.rounds or SAFETY * trial.own_epsilon < PROOF


def _lines_of(problem: Problem, steps: Sequence[Step]) -> Callable[[Line], bool]:
    """Return what tells whether a loss, whose `steps` these are, would be another one with other values in a line.

    Where one function returns both, the loss runs lines of the gradient too.
    """
    of_line: dict[Line, list[Step]] = {}
    for step in steps:
        of_line.setdefault(step.line, []).append(step)

    def loss(replaced):
        try:
            return np.asarray(rerun(problem.loss, (problem.leaves,), replaced), np.float64)
        except Exception:  # the loss needs the values that are there
            return np.nan

    before = cache(partial(loss, {}))

    def defines(line):
        return line in of_line and not np.array_equal(loss({s.key: another(s) for s in of_line[line]}), before())

    return cache(defines)


def _by_differences(trial: Trial) -> list[tuple[Sequence[Any], Comparison]]:
    """Return a second point, and the comparison with differences there, of a loss that JAX cannot trace."""
    if trial.evaluator.loss_traceable:
        return []
    leaves = [moved_by(np.asarray(leaf), 0.1, np.random.default_rng(3)) for leaf in trial.exact.leaves]
    there = trial.evaluator.at(leaves)
    if not np.isfinite(there.value):
        return []
    return [(trial.exact.rebuild(leaves), by_differences(trial.evaluator, leaves, there, trial.tolerated))]


def _of_fewer_examples(trial: Trial) -> list[tuple[Sequence[Any], Comparison]]:
    """Return a point with one example less and the comparison there; nothing where the loss does not add up over them.

    What is right at one size alone, such as a number written out, is wrong there.
    """
    try:
        found = batches.split(trial.exact, partial(loss_at, trial))
        if found is None:
            return []
        there = in_float64(trial.exact.whole_loss, trial.exact.whole_grad, found.parts[1], trial.argnums)
        evaluate = evaluator(there, trial.evaluator.directions, trial.programs)
        there.grad(there.leaves)  # a program that holds the number of examples itself says nothing there
        if evaluate.reference is None:
            return [(there.args, by_differences(evaluate, there.leaves, evaluate.at(there.leaves), trial.tolerated))]
        expected = [np.asarray(v, np.float64) for v in evaluate.reference(there.leaves)]
    except Exception:
        return []
    return [(there.args, Comparison(expected, expected, [NEAR * np.max(np.abs(e), initial=0.0) for e in expected]))]
