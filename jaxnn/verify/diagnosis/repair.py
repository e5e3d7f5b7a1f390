"""What should stand in a wrong line: the change of one thing in it that puts the gradient right.

A change is a repair only if the whole function, run with it, gives the right gradient at every point that is known.
"""

import ast
import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import CodeType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnn.trace.expressions import parsed
from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.edits.likeliest import Edit, edits
from jaxnn.verify.diagnosis.edits.statements import text
from jaxnn.verify.diagnosis.edits.structures import projections
from jaxnn.verify.diagnosis.edits.terms import NEAR, missing, rest, singles, two_terms
from jaxnn.verify.diagnosis.exchange import NUMPY, updatable
from jaxnn.verify.diagnosis.in_scope import (
    evaluated,
    is_value,
    is_whole,
    named,
    no_arrays,
    own_names,
    written_into,
)
from jaxnn.verify.diagnosis.programs import EVALUATION, SHARE_OF_RUN, Change, Program
from jaxnn.verify.diagnosis.rewrite import (
    Part,
    lambda_at,
    operations,
    put,
    statement_at,
)
from jaxnn.verify.diagnosis.steps import Path, Step, as_array, held
from jaxnn.verify.diagnosis.targets import close

MOST_VALUES = 5000  # changes of one line, whose right value is known: each is an expression evaluated
MOST_VALUES_IN_JAX = 400  # where NumPy cannot evaluate it: a loop of JAX's takes as long as a program
MOST_PAIRS = 3000  # changes of one line that something more is looked for with
MOST_COMPLETED = 200  # that give the right value, and yet are wrong when all is run
MOST_SUMS = 20  # of two terms that are missing at once
MOST_SCALARS = 8  # numbers that are computed elsewhere
MOST_LABELS = 6  # arrays of whole numbers that a mask may be made of


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
    first = None
    scope = program.scopes({step.key}).get(step.key)
    place = scope and source_of(step, scope.code)
    if scope is None or place is None or program.defines(step.line):
        return None
    functions = program.functions(scope.code)
    with np.errstate(all="ignore"), jax.disable_jit():
        for names in (names_in_numpy(scope.names), scope.names):
            value, wanted = _written(place, names, step.value, expected)
            found = ((root, _place(program, root, names, value)) for root in _expressions(place))
            root, path = next(((root, path) for root, path in found if path is not None), (None, None))
            if root is None:
                continue
            in_jax = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(value_of(program, root, names)))
            most = MOST_VALUES_IN_JAX if in_jax else MOST_VALUES
            for edit in itertools.islice(line_edits(program, root, names, step.line), most):
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
                pairs = _in_pairs(program, root, names, step.line, wanted, min(most, MOST_PAIRS))
                completed = itertools.chain(_completed(root, names, step.line, value, wanted), pairs)
                for tree, why in itertools.islice(completed, MOST_COMPLETED):
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
    arrays, numbers, *_, library = named(names, root, line)
    values = {name: array for name in arrays if (array := as_array(evaluated(name, names))) is not None}
    labels = {name: np.asarray(x, np.float64) for name, x in names.items() if name.isidentifier() and is_whole(x)}
    values |= dict(itertools.islice(labels.items(), MOST_LABELS))
    sizes = {name: float(evaluated(name, names)) for name in numbers} | _scalars(names, line)
    given = value, expected, values, sizes
    for sign, lacking in itertools.chain(missing(*given), itertools.islice(two_terms(*given), MOST_SUMS)):
        lacking = lacking.replace("np.", f"{library}.")
        part = parsed(lacking)
        if sign == "=":
            yield part, f"{text(root)} should be `{lacking}`"
            continue
        operator = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult}[sign]()
        tree = ast.fix_missing_locations(ast.BinOp(root, operator, part))
        what = "factor" if sign == "*" else "term"
        says = {"+": "add it to", "-": "subtract it from", "*": "multiply by it:"}[sign]
        yield tree, f"the {what} `{lacking}` is missing: {says} `{ast.unparse(root)}`"


def _scalars(names, line):
    """Return what the function of a line computes elsewhere that is a number, such as the error of one output."""
    found = {}
    for spelt in operations(line):
        with suppress(Exception):  # its variables are not known here
            value = as_array(evaluated(spelt, names))
            if value is not None and not np.ndim(value) and len(found) < MOST_SCALARS:
                found[f"({spelt})"] = float(value)
    return found


def _in_pairs(program, root, names, line, expected, most):
    """Yield an expression with two things changed, one of them a factor or a term that it lacks, and what is said."""
    known = named(names, root, line, program.called)
    values = {name: array for name in known.arrays if (array := as_array(evaluated(name, names))) is not None}
    numbers = {name: float(evaluated(name, names)) for name in known.numbers}
    others = singles(values, expected.shape)
    first = edits(root, **known._replace(arrays=[])._asdict(), fixed=no_arrays(root, names))
    second = (Edit(tree, why, False, 0) for tree, why in projections(root, known.arrays, ()))
    for edit in program.work.while_left(itertools.islice(itertools.chain(first, second), most)):
        value = as_array(value_of(program, edit.tree, names))
        if value is not None and value.shape == expected.shape:
            for sign, lacking in rest(value, expected, others, numbers):
                operator = {"+": ast.Add, "-": ast.Sub, "*": ast.Mult, "/": ast.Div}[sign]()
                tree = ast.fix_missing_locations(ast.BinOp(edit.tree, operator, parsed(lacking)))
                yield tree, f"{edit.why}, and `{sign} {lacking}` is missing: write `{ast.unparse(tree)}`"


def source_of(step: Step, code: CodeType) -> Part | None:
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
    found = held(value_of(program, expression, names))
    places = {path: as_array(part) for path, part in found.items() if at is None or path == at}
    return next((path for path, array in places.items() if array is not None and close(array, wanted, NEAR)), None)


def line_edits(program: Program, root: ast.AST, names: dict[str, Any], line: Line) -> Iterator[Edit]:
    """Yield the edits of a part of a line where those names are known, while work is left.

    Left out is what would write into something that is not the function's own: it is run on trial, and what the user
    has at the top of a module must stay as it is.
    """
    known, writes = named(names, root, line, program.called)._asdict(), written_into(root)
    found = program.work.while_left(edits(root, **known, fixed=no_arrays(root, names)))
    return (edit for edit in found if not writes or written_into(edit.tree) <= writes | own_names(line))


def value_of(program: Program, expression: ast.expr, names: dict[str, Any]) -> Any:
    """Return the value of an expression where those names are known, None where it has none."""
    if not program.work.takes(EVALUATION + program.lines // SHARE_OF_RUN):
        return None
    try:
        with program.reading, np.errstate(all="ignore"), jax.disable_jit():
            return eval(compile(ast.Expression(expression), "<repair>", "eval"), dict(names))
    except Exception:  # most changes make no sense
        return None


def names_in_numpy(names: dict[str, Any]) -> dict[str, Any]:
    """Return the same variables for NumPy, which need not compile every change."""

    def plain(value):
        if value is jax.numpy:
            return NUMPY
        return updatable(value) if isinstance(value, jax.Array | dict | list | tuple) else value

    return {name: plain(value) for name, value in names.items()}
