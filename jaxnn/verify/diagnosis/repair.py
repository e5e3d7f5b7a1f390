"""What should stand in a wrong line: the change of one thing in it that puts the gradient right.

A change is a repair only if the whole function, run with it, gives the right gradient at every point that is known.
"""

import ast
import heapq
import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, FunctionType, MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.edits import Edit, edits
from jaxnn.verify.diagnosis.exchange import NUMPY, updatable
from jaxnn.verify.diagnosis.in_scope import evaluated, is_value, is_whole, named, no_arrays
from jaxnn.verify.diagnosis.programs import Change, Program, equals, fresh
from jaxnn.verify.diagnosis.rewrite import (
    Part,
    code_with,
    following,
    functions_of,
    lambda_at,
    loops_around,
    made_from,
    may_not_end,
    put,
    statement_at,
)
from jaxnn.verify.diagnosis.statements import text
from jaxnn.verify.diagnosis.steps import Path, Scope, Step, as_array, held, is_array, scopes
from jaxnn.verify.diagnosis.targets import close, digest
from jaxnn.verify.diagnosis.terms import NEAR, missing

MOST_VALUES = 20_000  # changes of one line, whose right value is known: each is an expression evaluated
MOST_LABELS = 6  # arrays of whole numbers that a mask may be made of
MOST_RUNS = 3000  # changes of several lines, each tried by running everything
MOST_TOLD_APART = 15_000  # changes that are looked at for what they evaluate to
MOST_RUNS_IN_JAX = 150  # which takes a hundred times as long


class Repair(NamedTuple):
    """Changes, in words; `inside` of what stands there, or something to be put around it.

    It is `proven` where the whole gradient is right with it at every point.
    """

    changes: Sequence[Change]
    why: str
    inside: bool
    proven: bool

    @property
    def line(self) -> Line:
        return self.changes[0].line


def by_value(program: Program, step: Step, expected: np.ndarray, *, inside: bool = False) -> Repair | None:
    """Return the change in a step's line that gives it the value `expected`, evaluated where the line stands.

    The first that is proven; where none is, the first of all. `inside`: with nothing put around what stands there.
    """
    (args, _), first = program.points[0], None
    scope = scopes(program.run, args, {step.key}).get(step.key)
    place = scope and _source(step, scope.code)
    if scope is None or place is None:
        return None
    functions = functions_of(scope.code)
    with np.errstate(all="ignore"), jax.disable_jit():
        for names in (_in_numpy(scope.names), scope.names):
            value, wanted = _written(place, names, step.value, expected)
            found = ((root, _place(program, root, names, value)) for root in _expressions(place))
            root, path = next(((root, path) for root, path in found if path is not None), (None, None))
            if root is None:
                continue
            given = *named(names, root, step.line), no_arrays(root, names)
            for edit in itertools.islice(edits(root, *given), MOST_VALUES):
                if inside and not edit.inside:
                    break
                if _place(program, edit.tree, names, wanted, path) is not None:
                    change = Change(step.line, place, _with_root(place, root, edit.tree), functions)
                    repair = Repair([change], edit.why, edit.inside, program.is_right_with([change]))
                    if repair.proven:
                        return repair
                    first = first or repair
            whole = (
                root for root in _expressions(place) if _place(program, root, names, value) == ()
            )  # not an entry of it
            if not inside and (root := next(whole, None)) is not None:
                for tree, why in _completed(root, names, step.line, value, wanted):
                    change = Change(step.line, place, _with_root(place, root, tree), functions)
                    if program.is_right_with([change]):
                        return Repair([change], why, False, True)
            break
    return first


def _written(place, names, value, expected):
    """Return the part of an array that a statement writes into, `d[i] = ...`, as it is and as it should be."""
    target = place.targets[0] if isinstance(place, ast.Assign) and len(place.targets) == 1 else None
    if isinstance(target, ast.Subscript):
        index = ast.unparse(target).removeprefix(ast.unparse(target.value))
        try:
            part, wanted = (as_array(evaluated(f"written{index}", names | {"written": v})) for v in (value, expected))
        except Exception:  # a dict's entry: the value is all that is written
            return value, expected
        if part is not None and wanted is not None:
            return part, wanted
    return value, expected


def _completed(root, names, line, value, expected):
    """Yield an expression with the term or the factor that it lacks, and what is said of it."""
    arrays, numbers, _ = named(names, root, line)
    values = {name: array for name in arrays if (array := as_array(evaluated(name, names))) is not None}
    labels = {name: np.asarray(x, np.float64) for name, x in names.items() if name.isidentifier() and is_whole(x)}
    values |= dict(itertools.islice(labels.items(), MOST_LABELS))
    sizes = {name: float(evaluated(name, names)) for name in numbers}
    for sign, lacking in missing(value, expected, values, sizes):
        part = ast.parse(lacking, mode="eval").body
        if sign == "=":
            yield part, f"{text(root)} should be `{lacking}`"
            continue
        operator = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult}[sign]()
        tree = ast.fix_missing_locations(ast.BinOp(root, operator, part))
        what = "factor" if sign == "*" else "term"
        says = {"+": "add it to", "-": "subtract it from", "*": "multiply by it:"}[sign]
        yield tree, f"the {what} `{lacking}` is missing: {says} `{ast.unparse(root)}`"


def by_running(program: Program, suspects: Sequence[Step], *, inside: bool = True) -> Repair | None:
    """Return the proven change in the line of one suspect, `inside` of what stands there or also around it.

    Where there is none, the line may have to be exchanged with the next one.
    """
    first, last = ({step.line: step for step in some} for some in (reversed(suspects), suspects))
    keys = {step.key for step in (*first.values(), *last.values())}
    seen = scopes(program.run, jax.tree.map(fresh, program.points[0][0]), keys)
    lines = [(line, seen[step.key]) for line, step in last.items() if step.key in seen]
    also = {line: seen[step.key] for line, step in first.items() if step.key in seen}
    return in_lines(program, lines, inside=inside, also=also) or in_order(program, lines)


def in_lines(
    program: Program,
    lines: Sequence[tuple[Line, Scope]],
    *,
    inside: bool = True,
    also: Mapping[Line, Scope] = MappingProxyType({}),
) -> Repair | None:
    """Return the proven change in one of the lines, each with what it sees, and what it `also` sees another time.

    Also tried are the loops around such a line, and the lines that made what it takes but are no steps: whole numbers,
    shapes, indices. The likeliest changes of all lines come first.
    """
    functions = {scope.code: functions_of(scope.code) for _, scope in lines}  # found by searching through everything
    most = MOST_RUNS if program.in_numpy else MOST_RUNS_IN_JAX
    changes = itertools.islice(_changes(lines, inside), MOST_TOLD_APART)
    for line, scope, old, new, why in itertools.islice(_different(program, changes, also), most):
        change = Change(line, old, new, functions[scope.code])
        if program.is_right_with([change]):
            return Repair([change], why, True, True)
    return None


def _different(program, changes, also):
    """Yield the changes that make a difference where their line stands: a value that no other one has made.

    To evaluate an expression takes a tenth of the time of a run. Lines that are not seen twice are left as they are.
    """
    made: dict[tuple[Line, Any], set[Any]] = {}
    for line, scope, old, new, why in changes:
        if line in also or isinstance(new, ast.For):
            seen = [scope.names for scope in (scope, also.get(line, scope))]
            kind = type(new), [ast.dump(part) for part in _targets(new)], type(getattr(new, "op", None))
            values = [_fingerprint(program, _computed(new), names) for names in seen]
            told = made.setdefault((line, str(kind)), set())
            if not told and type(new) is type(old):
                told.add(str([_fingerprint(program, _computed(old), names) for names in seen]))
            if values == [None, None] or str(values) in told:
                continue
            told.add(str(values))
        yield line, scope, old, new, why


def _targets(part):
    return getattr(part, "targets", None) or [t for t in [getattr(part, "target", None)] if t is not None]


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
    try:
        with program.reading, np.errstate(all="ignore"), jax.disable_jit():
            value = eval(compile(ast.Expression(expression), "<repair>", "eval"), dict(names))
    except Exception:  # most changes make no sense
        return None
    arrays = [as_array(leaf) for leaf in jax.tree.leaves(value)]
    return [repr(leaf)[:80] if x is None else digest(x) for leaf, x in zip(jax.tree.leaves(value), arrays, strict=True)]


def in_order(program: Program, lines: Sequence[tuple[Line, Scope]]) -> Repair | None:
    """Return the proven exchange of one of the lines with the statement after it."""
    for line, scope in lines:
        statement = statement_at(line)
        after = following(line) if statement is not None else None
        if statement is None or after is None or may_not_end(line):
            continue
        functions = functions_of(scope.code)
        pair = [Change(line, *two, functions) for two in ((statement, after), (after, statement))]
        if program.is_right_with(pair):
            return Repair(pair, f"{text(statement)} has to come after {text(after)}: exchange the two", True, True)
    return None


def in_function(program: Program, step: Step, expected: np.ndarray) -> Repair | None:
    """Return the same for the function that a step stands in and returns the value of: its call is run by itself.

    `expected` is what it should return; NumPy stands in for JAX where that gives the same.
    """
    scope = scopes(program.run, program.points[0][0], {step.key}).get(step.key)
    functions = functions_of(scope.code) if scope is not None else []
    if scope is None or not functions or scope.code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        return None
    for swap in (_in_numpy, dict):
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
        changes = _changes([(line, scope) for line in (step.line, *above)])
        for line, _, old, new, why in itertools.islice(changes, MOST_RUNS if swap is _in_numpy else MOST_RUNS_IN_JAX):
            try:
                right = equals(returned(code_with(own.__code__, line.file, [(old, new)]))[place], expected)
            except Exception:  # most changes make no sense
                continue
            change = Change(line, old, new, functions)
            if right and program.is_right_with([change]):
                return Repair([change], why, True, True)
        break
    return None


def _changes(lines: Sequence[tuple[Line, Scope]], inside: bool = True) -> Iterator[tuple[Line, Scope, Part, Part, str]]:
    """Yield changed statements in lines, the loops around them and what made their numbers, the likeliest first."""
    loops = {loop: scope for line, scope in lines for loop in loops_around(line, scope.code)}
    others = {
        other: scope
        for line, scope in lines[:3]
        for other in made_from(line, scope.code)
        if not all(is_array(scope.names.get(name)) for name in other.names)
    }
    places = [(*place, True) for place in (loops | others).items() if place[0] not in dict(lines)]
    each = (_in_line(*place) for place in (*places, *((line, scope, inside) for line, scope in lines)))
    for edit, line, scope, place in heapq.merge(*each, key=lambda change: change[0].rank):
        yield line, scope, place, _with_body(edit.tree, place), edit.why


def _in_line(line: Line, scope: Scope, inside: bool) -> Iterator[tuple[Edit, Line, Scope, Part]]:
    """Yield the changes of a line, those inside of what stands there before those around it."""
    place = lambda_at(line, scope.code) if scope.code.co_name == "<lambda>" else statement_at(line)
    if place is None or may_not_end(line):
        return
    place = place.body if isinstance(place, ast.Lambda) else place
    head = _head(place)
    for edit in edits(head, *named(scope.names, head, line), no_arrays(head, scope.names)):
        if inside and not edit.inside:
            break
        yield edit, line, scope, place


def _source(step: Step, code: CodeType) -> Part | None:
    """Return the statement of a step's line; of a lambda its own expression, for the rest is its caller's."""
    if code.co_name == "<lambda>":
        found = lambda_at(step.line, code)
        return found and found.body
    return statement_at(step.line, step.name)


def _with_root(place: Part, root: ast.expr, tree: ast.expr) -> Part:
    """Return a statement with an expression in the place of one of `_expressions`."""
    if root is place:
        return tree
    if isinstance(place, ast.AugAssign) and isinstance(place.target, ast.Name) and not _holds(place, root):
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([place.target], tree), place))
    return put(root, tree, place)


def _holds(place, root):
    return any(node is root for node in ast.walk(place))


def _head(statement: Part) -> Part:
    """Return a loop without its body, anything else as it is."""
    if isinstance(statement, ast.For):
        return ast.copy_location(ast.For(statement.target, statement.iter, [], []), statement)
    return statement


def _with_body(head: Part, statement: Part) -> Part:
    if isinstance(head, ast.For) and isinstance(statement, ast.For):
        return ast.copy_location(ast.For(head.target, head.iter, statement.body, statement.orelse), statement)
    return head


def _expressions(statement: Part) -> list[ast.expr]:
    """Return the expressions of a statement, the outermost first; `a += b` is `a + b`."""
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        whole = ast.BinOp(ast.Name(statement.target.id, ast.Load()), statement.op, statement.value)
        return [ast.fix_missing_locations(whole)]
    return [node for node in ast.walk(statement) if isinstance(node, ast.expr) and is_value(node)]


def _place(
    program: Program, expression: ast.expr, names: dict[str, Any], wanted: np.ndarray, at: Path | None = None
) -> Path | None:
    """Return where in an expression's value an array stands, `at` that place if it is given; None where it does not."""
    try:
        with program.reading:
            found = held(eval(compile(ast.Expression(expression), "<repair>", "eval"), dict(names)))
    except Exception:  # most changes make no sense
        return None
    places = {path: as_array(part) for path, part in found.items() if at is None or path == at}
    return next((path for path, array in places.items() if array is not None and close(array, wanted, NEAR)), None)


def _in_numpy(names: dict[str, Any]) -> dict[str, Any]:
    """Return the same variables for NumPy, which need not compile every change."""

    def plain(value):
        if value is jax.numpy:
            return NUMPY
        return updatable(value) if isinstance(value, jax.Array | dict | list | tuple) else value

    return {name: plain(value) for name, value in names.items()}
