"""The change of one line of several that puts the gradient right, found by running the function with each."""

import ast
import copy
import heapq
import inspect
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import FunctionType, MappingProxyType
from typing import NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line, source_line
from jaxnn.verify.diagnosis.edits.likeliest import Edit
from jaxnn.verify.diagnosis.edits.loops import carried, ended
from jaxnn.verify.diagnosis.edits.statements import copies, text
from jaxnn.verify.diagnosis.locate import ALIAS
from jaxnn.verify.diagnosis.programs import TRIAL, Change, Program, at_once, equals, fresh
from jaxnn.verify.diagnosis.repair import Repair, line_edits, names_in_numpy, value_of
from jaxnn.verify.diagnosis.rewrite import (
    Part,
    blocks_around,
    code_with,
    lambda_at,
    made_from,
    may_not_end,
    merged,
    row_of,
    statement_at,
)
from jaxnn.verify.diagnosis.steps import Scope, Step, as_array, held, is_array
from jaxnn.verify.diagnosis.targets import digest

MOST_RUNS = 1500  # changes of several lines, each tried by running everything
MOST_TOLD_APART = 4000  # changes that are looked at for what they evaluate to
MOST_LINES = 12  # whose numbers are followed to the lines that made them
MOST_OF_A_LINE, MOST_PAIRS = 60, 1500  # changes of a line that are tried two at a time, and such pairs of all lines
OF_A_KIND, MOST_ALIKE = 3, 3000  # changes of one kind that are tried in two lines, and such pairs
MOST_MOVES, NEXT = 400, 12  # of a statement to another place; in JAX, which takes long
MOST_RUNS_IN_JAX, MOST_TOLD_APART_IN_JAX = 150, 1500  # which take a hundred times as long


class Tried(NamedTuple):
    """The changes that have been run and are no repair, and those of them that put a part of what is wrong right."""

    changes: set[tuple[Line, str]]
    partial: dict[tuple[Line, bytes], tuple[np.ndarray, Repair]]

    @classmethod
    def nothing(cls) -> "Tried":
        return cls(set(), {})


def by_running(
    program: Program, suspects: Sequence[Step], *, inside: bool = True, tried: Tried | None = None
) -> Repair | None:
    """Return the proven change in the line of one suspect, `inside` of what stands there or also around it.

    Where there is none, a line may have to be moved to another place among those around it. What was `tried` before is
    not tried again.
    """
    last = {step.line: step for step in suspects}
    rounds = {line: [(line, step.name, k) for k in (1, 2)] for line, step in last.items()}  # in one all may be zero
    keys = {step.key for step in last.values()}.union(*rounds.values())
    seen = program.scopes(keys)
    lines = [(line, seen[step.key]) for line, step in last.items() if step.key in seen]
    also = {line: [seen[key] for key in rounds[line] if key in seen] for line, _ in lines}
    found = in_loops(program, lines) or in_lines(program, lines, inside=inside, also=also, tried=tried)
    return found or in_order(program, lines)


def in_lines(
    program: Program,
    lines: Sequence[tuple[Line, Scope]],
    *,
    inside: bool = True,
    also: Mapping[Line, Sequence[Scope]] = MappingProxyType({}),
    tried: Tried | None = None,
) -> Repair | None:
    """Return the proven change in one of the lines, each with what it sees, and what it `also` sees at other times.

    Also tried are the blocks around such a line, and the lines that made what it takes but are no steps: whole numbers,
    shapes, indices. The likeliest changes of all lines come first. What was `tried` before is not tried again.
    """
    functions = {scope.code: program.functions(scope.code) for _, scope in lines}
    most, told = (MOST_RUNS, MOST_TOLD_APART) if program.in_numpy else (MOST_RUNS_IN_JAX, MOST_TOLD_APART_IN_JAX)
    tried = tried or Tried.nothing()
    changes = itertools.islice(_untried(_changes(program, lines, inside), tried), told)
    before = program.wrong()
    for line, scope, old, new, why in itertools.islice(_different(program, changes, also), most):
        change = Change(line, old, new, functions[scope.code])
        repaired = program.repaired([change], before) if before else None
        if repaired is not None and not repaired.sum() == sum(wrong.sum() for wrong in before):
            tried.partial.setdefault((line, repaired.tobytes()), (repaired, Repair([change], why, True, False)))
        elif (repaired is not None or not before) and program.is_right_with([change]):
            return Repair([change], why, True, True)
    return _together(program, list(tried.partial.values()))


def _untried(changes, tried):
    for line, scope, old, new, why in changes:
        spelt = line, ast.dump(new)
        if spelt not in tried.changes:
            tried.changes.add(spelt)
            yield line, scope, old, new, why


def _together(program: Program, partial: Sequence[tuple[np.ndarray, Repair]]) -> Repair | None:
    """Return the repairs of several mistakes as one, each of which puts other entries right; None without proof."""
    covered, chosen = np.zeros(()), []
    of_line = Counter(repair.line for _, repair in partial)  # a line of few repairs first: it takes one alone
    for repaired, repair in sorted(partial, key=lambda one: (-one[0].sum(), of_line[one[1].line])):
        if np.any(repaired > covered) and at_once(change for one in (*chosen, repair) for change in one.changes):
            covered, chosen = np.maximum(covered, repaired), [*chosen, repair]
    changes = at_once(change for repair in chosen for change in repair.changes)
    if len(chosen) > 1 and program.is_right_with(changes):
        return Repair(changes, "; and ".join(repair.why for repair in chosen), True, True)
    return None


def _different(program, changes, also):
    """Yield the changes that make a difference where their line stands: a value that no other one has made.

    To evaluate an expression takes a tenth of the time of a run. Lines that are not seen twice are left as they are.
    """
    made: dict[tuple[Line, str], set[str]] = {}
    for line, scope, old, new, why in changes:
        if (line in also or isinstance(new, ast.For)) and not isinstance(new, ast.If | ast.Pass):
            seen = [scope.names for scope in (scope, *also.get(line, ()))]
            values = [_fingerprint(program, _computed(new), names) for names in seen]
            told = made.setdefault((line, _kind(new)), set())
            if not told and _kind(new) == _kind(old):
                told.add(str([_fingerprint(program, _computed(old), names) for names in seen]))
            if not any(values) or str(values) in told:
                continue
            told.add(str(values))
        yield line, scope, old, new, why


def _kind(part: Part) -> str:
    """Return what a statement does with the value that it evaluates, and to which variables."""
    given = getattr(part, "targets", None) or [t for t in [getattr(part, "target", None)] if t is not None]
    return str((type(part), [ast.dump(target) for target in given], type(getattr(part, "op", None))))


def _computed(part: Part) -> ast.expr | None:
    """Return the expression that a statement evaluates: what a loop walks through, what is passed to a procedure."""
    if isinstance(part, ast.For):
        walked = ast.Call(ast.Name("list", ast.Load()), [part.iter], [])
        return ast.fix_missing_locations(ast.copy_location(walked, part))
    value = part if isinstance(part, ast.expr) else getattr(part, "value", None)
    if isinstance(part, ast.Expr) and isinstance(value, ast.Call):
        value = ast.Tuple([*value.args, *(keyword.value for keyword in value.keywords)], ast.Load())
        return ast.fix_missing_locations(ast.copy_location(value, part))
    return value


def _fingerprint(program, expression, names):
    """Return what tells the value of an expression from others, None where it has none."""
    if expression is None:
        return "not evaluated"
    value = value_of(program, expression, names)
    if value is None:
        return None
    arrays = [as_array(leaf) for leaf in jax.tree.leaves(value)]
    return [repr(leaf)[:80] if x is None else digest(x) for leaf, x in zip(jax.tree.leaves(value), arrays, strict=True)]


def in_two_places(program: Program, steps: Sequence[Step]) -> Repair | None:
    """Return the proven change of two things in the line of one step, of which neither is enough.

    What is there is changed or taken away, nothing put around it. The likeliest pairs of all lines come first.
    """
    first, last = ({step.line: step for step in some} for some in (reversed(steps), steps))
    keys = {step.key for step in (*first.values(), *last.values())}
    seen = program.scopes(keys)
    pairs = []
    for line, step in last.items():
        rounds = [seen[one.key] for one in (step, first[line]) if one.key in seen]
        if not rounds:
            continue
        functions = program.functions(rounds[0].code)
        changes = [one for one in _in_line(program, line, rounds[0], True) if not isinstance(one[3], ast.For | ast.If)]
        some = list(itertools.islice(_of_one_shape(program, changes, rounds), MOST_OF_A_LINE))
        for (i, one), (k, two) in itertools.combinations(enumerate(some), 2):
            pairs.append((i + k, len(pairs), line, changes[0][3], one, two, functions))
    for _, _, line, old, one, two, functions in heapq.nsmallest(MOST_PAIRS, pairs):
        new = merged(old, one.tree, two.tree)
        if new is not None and program.is_right_with([change := Change(line, old, new, functions)]):
            return Repair([change], f"{one.why}; and {two.why}", True, True)
    return None


def in_lines_alike(program: Program, steps: Sequence[Step]) -> Repair | None:
    """Return the proven change of the same kind in two lines of a row, or all, such as `=` for `+=` in each."""
    seen = program.scopes({step.key for step in steps})
    rows: dict[ast.stmt, tuple[list[ast.stmt], Line, Scope]] = {}
    for step in steps:
        row, _ = row_of(step.line) if step.key in seen else ([], 0)
        if len(row) > 1 and not program.defines(step.line):
            rows.setdefault(row[0], (row, step.line, seen[step.key]))
    for row, line, scope in rows.values():
        each = [_of_kind(program, statement, line, scope) for statement in row]
        kinds = dict.fromkeys(kind for changes in each for kind in changes)
        functions = program.functions(scope.code)
        pairs = sorted(itertools.combinations(range(len(row)), 2), key=lambda pair: pair[1] - pair[0])
        for kind, places in itertools.islice(itertools.product(kinds, [*pairs, range(len(row))]), MOST_ALIKE):
            some = [(row[k], each[k][kind]) for k in places if kind in each[k]]
            if len(some) < len(places):
                continue
            at = source_line(line.file, some[0][0].lineno, line.function)
            changes = [Change(at, old, edit.tree, functions) for old, edit in some]
            if program.is_right_with(changes):
                return Repair(changes, "; and ".join(edit.why for _, edit in some), True, True)
    return None


def _of_kind(program, statement, line, scope):
    """Return the first few changes of each kind of a statement, by the kind and their place among these."""
    found: dict[tuple[int, int], Edit] = {}
    times: Counter[int] = Counter()
    for edit in line_edits(program, statement, scope.names, line):
        if not edit.inside:
            break
        if times[edit.rank] < OF_A_KIND:
            found[edit.rank, times[edit.rank]] = edit
        times[edit.rank] += 1
    return found


def _of_one_shape(program, changes, rounds):
    """Yield the edits, of changes of a line, that evaluate to an array as large as its own, each to another one."""

    def values(part):
        expression = _computed(part)
        arrays = [as_array(value_of(program, expression, scope.names)) for scope in rounds] if expression else []
        return [array for array in arrays if array is not None]

    told: set[str] = set()
    shapes = [array.shape for array in values(changes[0][3])] if changes else []
    for edit, *_ in changes:
        found = values(edit.tree)
        if found and [array.shape for array in found] == shapes:
            spelt = str([digest(array) for array in found])
            if spelt not in told:
                told.add(spelt)
                yield edit


def in_copies(program: Program, steps: Sequence[Step]) -> Repair | None:
    """Return the proven copy in a line that gives an array a second name, which another line writes into."""
    lines = {step.line: step for step in steps if ALIAS.fullmatch(step.line.text)}
    seen = program.scopes({step.key for step in lines.values()})
    for line, step in lines.items():
        place = statement_at(line)
        if place is None or step.key not in seen:
            continue
        for new, why in copies(place, (), ()):
            change = Change(line, place, ast.copy_location(new, place), program.functions(seen[step.key].code))
            if program.is_right_with([change]):
                return Repair([change], why, True, True)
    return None


def in_loops(program: Program, lines: Sequence[tuple[Line, Scope]]) -> Repair | None:
    """Return the proven change of what the loops around lines hand on from round to round, or where a round ends."""
    for line, scope in {block: at for at in lines for block in blocks_around(at[0], at[1].code)}.values():
        functions = program.functions(scope.code)
        for parts, why in itertools.chain(carried(line, scope.code), ended(line, scope.code)):
            changes = [Change(*part, functions) for part in parts]
            if program.is_right_with(changes):
                return Repair(changes, why, True, True)
    return None


def in_order(program: Program, lines: Sequence[tuple[Line, Scope]]) -> Repair | None:
    """Return the proven move of one of the lines to another place among the simple statements around it."""
    moves = []
    for line, scope in lines:
        row, at = row_of(line)
        if not may_not_end(line):
            moves += [(abs(to - at), len(moves), line, scope, row, at, to) for to in range(len(row)) if to != at]
    for _, _, line, scope, row, at, to in itertools.islice(sorted(moves), MOST_MOVES if program.in_numpy else NEXT):
        moved = [part for k, part in enumerate(row) if k != at]
        moved.insert(to, row[at])
        functions, places = program.functions(scope.code), [at, *(k for k in range(len(row)) if k != at)]
        # Copies: what stands in two places at once would be found in the wrong one.
        changes = [Change(line, row[k], copy.copy(moved[k]), functions) for k in places if moved[k] is not row[k]]
        if program.is_right_with(changes):
            order = "before" if to < at else "after"
            return Repair(
                changes, f"{text(row[at])} has to come {order} {text(row[to])}: the order is wrong", True, True
            )
    return None


def in_function(program: Program, step: Step, expected: np.ndarray) -> Repair | None:
    """Return the same for the function that a step stands in and returns the value of: its call is run by itself.

    `expected` is what it should return; NumPy stands in for JAX where that gives the same.
    """
    scope = program.scopes({step.key}).get(step.key)
    functions = program.functions(scope.code) if scope is not None else []
    if scope is None or not functions or scope.code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    for swap in (names_in_numpy, dict):
        own, given = functions[0], swap(scope.given)
        names = swap(own.__globals__)

        def returned(code, own=own, given=given, names=names):
            f = FunctionType(code, names, own.__name__, own.__defaults__, own.__closure__)
            f.__kwdefaults__ = own.__kwdefaults__
            with np.errstate(all="ignore"), jax.disable_jit(), program.reading:
                return held(f(**jax.tree.map(fresh, given)))

        try:
            place = next(path for path, leaf in returned(own.__code__).items() if equals(leaf, step.value))
        except Exception:  # NumPy cannot run it, or it does not return the step's value
            continue
        above = made_from(step.line, scope.code)
        changes = _changes(program, [(line, scope) for line in (step.line, *above)])
        for line, _, old, new, why in itertools.islice(
            changes, MOST_RUNS if swap is names_in_numpy else MOST_RUNS_IN_JAX
        ):
            if not program.work.takes(TRIAL + program.lines):
                break
            try:
                right = equals(returned(code_with(own.__code__, line.file, [(old, new)]))[place], expected)
            except Exception:  # most changes make no sense
                continue
            change = Change(line, old, new, functions)
            if right and program.is_right_with([change]):
                return Repair([change], why, True, True)
        break
    return None


def _changes(
    program: Program, lines: Sequence[tuple[Line, Scope]], inside: bool = True
) -> Iterator[tuple[Line, Scope, Part, Part, str]]:
    """Yield changed statements in lines, the blocks around them and what made their numbers, the likeliest first."""
    blocks = {block: scope for line, scope in lines for block in blocks_around(line, scope.code)}
    others = {
        other: scope
        for line, scope in lines[:MOST_LINES]
        for other in made_from(line, scope.code)
        if not all(is_array(scope.names.get(name)) for name in other.names)
    }
    places = [(*place, True) for place in (blocks | others).items() if place[0] not in dict(lines)]
    each = (_in_line(program, *place) for place in (*places, *((line, scope, inside) for line, scope in lines)))
    for edit, line, scope, place in heapq.merge(*each, key=lambda change: change[0].rank):
        yield line, scope, place, _with_body(edit.tree, place), edit.why


def _in_line(program: Program, line: Line, scope: Scope, inside: bool) -> Iterator[tuple[Edit, Line, Scope, Part]]:
    """Yield the changes of a line, those inside of what stands there before those around it."""
    place = lambda_at(line, scope.code) if scope.code.co_name == "<lambda>" else statement_at(line)
    if place is None or may_not_end(line) or program.defines(line):
        return
    place = place.body if isinstance(place, ast.Lambda) else place
    head = _head(place)
    for edit in line_edits(program, head, scope.names, line):
        if inside and not edit.inside:
            break
        yield edit, line, scope, place


def _head(statement: Part) -> Part:
    """Return a loop or a condition without its body, anything else as it is."""
    if isinstance(statement, ast.For):
        return ast.copy_location(ast.For(statement.target, statement.iter, [], []), statement)
    if isinstance(statement, ast.If):
        return ast.copy_location(ast.If(statement.test, [], []), statement)
    return statement


def _with_body(head: Part, statement: Part) -> Part:
    if isinstance(head, ast.For) and isinstance(statement, ast.For):
        return ast.copy_location(ast.For(head.target, head.iter, statement.body, statement.orelse), statement)
    if isinstance(head, ast.If) and isinstance(statement, ast.If):
        return ast.copy_location(ast.If(head.test, statement.body, statement.orelse), statement)
    return head
