"""What a wrong line is made of: which of its parts are right values, so that the others must be wrong."""

import ast
from collections.abc import Callable

import jax
import numpy as np

from jaxnn.verify.diagnosis.edits.statements import text
from jaxnn.verify.diagnosis.programs import Program
from jaxnn.verify.diagnosis.repair import source_of
from jaxnn.verify.diagnosis.steps import Step, as_array
from jaxnn.verify.diagnosis.targets import Targets


def made_of(program: Program, step: Step, targets: Targets) -> str:
    """Return which factor or term of the line of a step must be wrong, "" where none of its parts is a right value."""
    scope = program.scopes({step.key}).get(step.key)
    place = scope and source_of(step, scope.code)  # of a lambda its own expression: around it is its caller's
    value = place if isinstance(place, ast.expr) else getattr(place, "value", None)
    if scope is None or not isinstance(value, ast.expr):
        return ""

    def right(node):
        try:
            with np.errstate(all="ignore"), jax.disable_jit():
                array = as_array(eval(compile(ast.Expression(node), "<operand>", "eval"), dict(scope.names)))
        except Exception:  # a part that cannot be computed by itself
            return False
        return array is not None and array.size > 1 and targets.hold(array)

    return wrong_part(value, right)


def wrong_part(value: ast.expr, right: Callable[[ast.expr], bool]) -> str:
    """Return which factor or term of an expression must be wrong, "" where none of its parts is `right`."""
    for kinds, says in (((ast.Mult, ast.Div), _factor), ((ast.Add, ast.Sub), _term)):
        parts = _parts(value, kinds)
        good = [part for part in parts if right(part)]
        rest = [part for part in parts if part not in good]
        if len(parts) > 1 and good:
            return says(good, rest)
    names = [n for n in ast.walk(value) if isinstance(n, ast.Name | ast.Attribute | ast.Subscript) and right(n)]
    known = list(dict.fromkeys(map(text, names)))
    if not known:
        return ""
    if len(known) == 1:
        return f"{known[0]} is right, what is made of it is not: a factor or a term is wrong or missing"
    return f"{' and '.join(known[:4])} are right, what is made of them is not: a factor or a term is wrong or missing"


def _parts(node: ast.expr, kinds: tuple[type, ...]) -> list[ast.expr]:
    """Return the factors of a product, or the terms of a sum."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
        return [*_parts(node.left, kinds), *_parts(node.right, kinds)]
    return [node]


def _factor(good, rest):
    by = " and ".join(map(text, rest))
    of = " and ".join(map(text, good))
    if not rest:
        return f"{of} are right, their product is not: a factor or a term is missing"
    are = "is" if len(good) == 1 else "are"
    return f"{of} {are} right, so the factor {by} is not, a wrong local derivative for example, or a term is missing"


def _term(good, rest):
    by, of = (" and ".join(map(text, some)) for some in (rest, good))
    are = "is" if len(good) == 1 else "are"
    return f"{of} {are} right, so the term {by} is not" if rest else f"{of} are right: a term is missing"
