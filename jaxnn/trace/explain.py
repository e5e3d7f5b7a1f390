"""`explain`: from a function and a point to the rows of its two tables."""

import math
from collections.abc import Callable, Collection
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import require
from jaxnn.trace import jaxprs, names
from jaxnn.trace.adjoints import Backward, backward, differentiable, is_real, one_hot
from jaxnn.trace.explanation import Explanation, Row, Slope, Term
from jaxnn.trace.expressions import Formula, formula
from jaxnn.trace.formulas import OPERANDS, rule
from jaxnn.trace.tape import Step, Tape, record

FOLDED = {"convert_element_type", "reshape", "broadcast_in_dim", "squeeze", "expand_dims", "copy", "copy_p", "name"}


def explain(f: Callable, *args: Any, open: Collection[str] = (), depth: int = 0, fold: bool = True) -> Explanation:
    """Return the tables of `f` at `args`."""
    leaves = jax.tree.leaves(args)
    with jax.enable_x64(True) if _in_double(leaves) else nullcontext():
        closed, shape = jax.make_jaxpr(f, return_shape=True)(*args)
        values = [jnp.asarray(leaf) for leaf in leaves]
        tape = record(closed, values, lambda name, title, at: at < depth or name in open or title in open)
        (output,) = tape.outputs
        return _explained(f, args, tape, output, (lambda s: s.name in FOLDED) if fold else lambda s: False)


def _in_double(leaves):
    return not any(getattr(x, "dtype", None) in (np.float32, jnp.bfloat16) for x in leaves)


def _explained(f, args, tape, output, folded):
    found = backward(tape, output, jnp.ones_like(tape.values[output]), lambda s: folded(s) and _foldable(s, tape))
    shown = [n for n, s in enumerate(tape.steps) if any(o in found.adjoints for o in s.outputs)]
    shown = [n for n in shown if not (folded(tape.steps[n]) and _foldable(tape.steps[n], tape))]
    arguments = dict(zip(tape.inputs, names.argument_names(f, args), strict=True))
    given = arguments | {
        tape.steps[n].outputs[0]: name for n, name in names.assigned(tape.steps).items() if n in set(shown)
    }
    slots = [*tape.inputs, *(o for n in shown for o in tape.steps[n].outputs)]
    function = getattr(f, "__name__", "f")
    if output not in given and function.isidentifier():
        given[output] = function
    called = names.name_all(slots, given, set())
    owner = _owners(tape, folded, called)
    rows = []
    for slot in tape.inputs:
        rows.append(_row(slot, None, tape, found, called, owner))
    for n in shown:
        for slot in tape.steps[n].outputs:
            rows.append(_row(slot, tape.steps[n], tape, found, called, owner))
    return Explanation(function, called[output], tuple(rows))


def _foldable(step, tape):
    return len(step.outputs) == 1 and len(differentiable(step, tape)) == 1


def _owners(tape, folded, called):
    """Return the slot that stands for each slot where folded steps are left out."""
    owner = {slot: slot for slot in tape.values}
    for step in tape.steps:
        if folded(step) and _foldable(step, tape):
            owner[step.outputs[0]] = owner[step.inputs[differentiable(step, tape)[0]]]
    return owner


def _written(atom, tape, called, owner):
    if isinstance(atom, int) and owner[atom] in called:
        return called[owner[atom]]
    value = np.asarray(tape.read(atom))
    return f"{value.ravel()[0]:.7g}" if value.size == 1 else f"const{value.shape}".replace(" ", "")


def _row(slot, step, tape, found: Backward, called, owner):
    name, value = called[slot], np.asarray(tape.values[slot])
    line, slopes, text = "", [], None
    if step is not None:
        texts = [_written(a, tape, called, owner) for a in step.inputs]
        operands = dict(zip(OPERANDS, texts, strict=False)) | {"out": name}
        result, derivatives = rule(step.name, step.title, step.params, len(step.inputs))
        text = formula(result, operands)
        number = tape.steps.index(step)
        pulled = found.pullbacks[number]({slot: one_hot(tape.values[slot], ())})
        for place, g in zip(differentiable(step, tape), pulled, strict=True):
            slopes.append(
                Slope(texts[place], formula(derivatives[place], operands) if derivatives[place] else None, float(np.asarray(g).ravel()[0]))
            )
        line = step.lines[0].text if step.lines else ""
    terms = []
    for c in found.contributions.get(slot, []):
        if c.step < 0:
            continue
        child = tape.steps[c.step]
        out = child.outputs[0]
        d = next(s for s in _slopes(child, tape, found, c.step) if s[0] == c.operand)[1]
        terms.append(Term(called[out], float(c.value), float(found.adjoints[out]), d, None))
    adjoint = np.asarray(found.adjoints[slot]) if slot in found.adjoints else None
    return Row(name, text, value, (), tuple(slopes), adjoint, tuple(terms), None, line, "")


def _slopes(step, tape, found, number):
    pulled = found.pullbacks[number]({step.outputs[0]: one_hot(tape.values[step.outputs[0]], ())})
    return [(p, float(np.asarray(g))) for p, g in zip(differentiable(step, tape), pulled, strict=True)]
