"""The line that writes into an array of the caller's, and the copy that keeps it from that."""

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxnn.trace.jaxprs import Line
from jaxnn.verify.diagnosis.edits.statements import copies, text
from jaxnn.verify.diagnosis.lines import spoken
from jaxnn.verify.diagnosis.patches import unified
from jaxnn.verify.diagnosis.programs import Change
from jaxnn.verify.diagnosis.rewrite import functions_of, made_from, rewritten, statement_at
from jaxnn.verify.diagnosis.steps import Scope, raised_in
from jaxnn.verify.verdict import Verdict

MOST = 4  # changes that are tried, each by a whole check


def written_at(
    verdict: Verdict, functions: Sequence[Callable], args: Sequence[Any], is_right: Callable[[], bool]
) -> Verdict:
    """Return a verdict about an array that was written into with the line that does, and the change that mends it.

    One of the functions refuses to write into arrays that may be read only, and its error tells the line. `is_right()`
    is whether all is well as the functions stand, with a change in them.
    """
    for function in functions:
        line, scope = _refused(function, args)
        if line is None or scope is None:
            continue
        called = functions_of(scope.code)
        for change, why in list(_apart(line, scope, called))[:MOST]:
            try:
                with rewritten(called, line.file, [(change.old, change.new)]):
                    right = is_right()
            except Exception:  # it makes no sense there
                continue
            if right:
                patch = unified([(line.file, change.old, change.new)])
                return replace(verdict, line=spoken(line), cause=f"{verdict.cause}: {why}", patch=patch)
        return replace(verdict, line=spoken(line))
    return verdict


def _refused(function, args) -> tuple[Line | None, Scope | None]:
    """Return the line that fails where the arguments may not be written into, and what it saw."""
    try:
        function(*jax.tree.map(_to_be_read, args))
    except ValueError as error:
        if "read-only" in str(error):
            return next(iter(raised_in(error)), (None, None))
    except Exception:  # it fails for another reason, where nothing fails otherwise
        pass
    return None, None


def _to_be_read(leaf):
    if not isinstance(leaf, np.ndarray):
        return leaf
    kept = leaf.copy()
    kept.flags.writeable = False
    return kept


def _apart(line: Line, scope: Scope, called) -> Iterator[tuple[Change, str]]:
    """Yield what keeps a statement from writing into what it was given, and what is said of it."""
    statement = statement_at(line)
    target = getattr(statement, "target", None) or next(iter(getattr(statement, "targets", [])), None)
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        value = ast.BinOp(ast.Name(statement.target.id, ast.Load()), statement.op, statement.value)
        new = ast.fix_missing_locations(ast.copy_location(ast.Assign([statement.target], value), statement))
        yield Change(line, statement, new, called), f"{text(statement)} changes it where it stands: write {text(new)}"
    while isinstance(target, ast.Subscript | ast.Attribute | ast.Starred):
        target = target.value
    if statement is None or not isinstance(target, ast.Name):
        return
    for other in (other for other in made_from(line, scope.code) if target.id in other.names):
        place = statement_at(other, target.id)
        if place is not None:
            for new, why in copies(place, (), ()):
                yield Change(other, place, ast.copy_location(new, place), called), why
    first = ast.parse(f"{target.id} = {target.id}.copy()").body[0]
    new = ast.Module([ast.copy_location(first, statement), copy.copy(statement)], [])
    yield Change(line, statement, new, called), f"copy `{target.id}` before {text(statement)}"
