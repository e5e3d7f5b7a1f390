"""The rows of an explanation, from a tape with its backward pass."""

from typing import Any, NamedTuple

import numpy as np

from jaxnn.trace.adjoints import Backward, Contribution, differentiable_operands, is_key
from jaxnn.trace.derivation import Row, Slope, Term
from jaxnn.trace.entries import Locals
from jaxnn.trace.expressions import Formula, derivative, formula, words
from jaxnn.trace.folding import is_folded
from jaxnn.trace.formulas import OPERANDS, rule
from jaxnn.trace.jaxprs import Line
from jaxnn.trace.tape import Step, Tape, rule_name

LONGEST = 24  # of an operand that is written out in a formula


class Passes(NamedTuple):
    """What rows are made from: both passes, the slot that stands for each, names, entries and local derivatives."""

    tape: Tape
    backward: Backward
    owner: dict[int, int]
    names: dict[int, str]
    entries: dict[int, tuple[int, ...]]
    slopes: Locals


def row(passes: Passes, slot: int, number: int | None) -> Row:
    """Return the row of a slot, made by step `number`; None for an argument."""
    tape, backward = passes.tape, passes.backward
    entry = passes.entries.get(slot, (0,) * np.ndim(tape.values[slot]))
    adjoint = np.asarray(backward.adjoints[slot]) if slot in backward.adjoints else None
    parts = [c for c in backward.contributions.get(slot, []) if c.step >= 0]  # not the 1 that the output starts with
    terms = [_term(passes, slot, c, entry) for c in sorted(parts, key=lambda c: (c.step, c.operand))]
    step = None if number is None else tape.steps[number]
    text, slopes = (None, ()) if step is None else _formulas(passes, slot, step, number)
    line, loop = ("", None) if step is None else (source_of(step.lines), loop_of(step))
    return Row(
        passes.names[slot], text, np.asarray(tape.values[slot]), entry, slopes, adjoint, tuple(terms), None, line, loop
    )


def _formulas(passes, slot, step, number) -> tuple[Formula, tuple[Slope, ...]]:
    tape = passes.tape
    texts = [written(passes, atom) for atom in step.inputs]
    operands = dict(zip(OPERANDS, texts, strict=False))
    operands |= {"out": passes.names[slot], "call": step.title}
    result, derivatives = rule(rule_name(step), step.params, len(texts))
    slopes = []
    for at in differentiable_operands(step, tape):
        if (number, slot, at) not in passes.slopes or step.inputs[at] not in passes.backward.adjoints:
            continue
        value = _at_owner(passes, step.inputs[at], passes.slopes[number, slot, at])
        linked = value != 0 or not np.any(passes.slopes[number, slot, at])
        known = formula(derivatives[at], operands) if derivatives[at] else None
        slopes.append(Slope(passes.names.get(passes.owner[step.inputs[at]], "?"), known, value, linked))
    return formula(result, operands), tuple(slopes)


def _at_owner(passes, slot, cotangent) -> float:
    """Return the entry, shown of the slot that stands for `slot`, of a cotangent of `slot`."""
    backward, tape = passes.backward, passes.tape
    makers = {o: n for n, s in enumerate(tape.steps) if is_folded(s, tape) for o in s.outputs}
    while passes.owner[slot] != slot:
        number = makers[slot]
        (cotangent,) = backward.pullbacks[number]({slot: cotangent})
        slot = tape.steps[number].inputs[differentiable_operands(tape.steps[number], tape)[0]]
    return float(np.asarray(cotangent)[passes.entries[slot]])


def _term(passes: Passes, slot: int, c: Contribution, entry) -> Term:
    backward, child = passes.backward, passes.tape.steps[c.step]
    value = float(c.value[entry])
    outputs = [o for o in child.outputs if o in backward.adjoints]
    factors = None
    if len(outputs) == 1:
        local = _at_owner(passes, child.inputs[c.operand], passes.slopes[c.step, outputs[0], c.operand])
        above = float(backward.adjoints[outputs[0]][passes.entries[outputs[0]]])
        # Of an array other entries may contribute too: only where the product is all of it may it be written as one.
        if np.isclose(above * local, value, rtol=1e-6, atol=0, equal_nan=True):
            factors = (above, local)
    names = [passes.names[o] for o in outputs if o in passes.names]
    return Term(names[0] if names else child.title, value, factors, _product(passes, child, c.operand, outputs))


def _product(passes, child: Step, operand, outputs) -> Formula | None:
    """Return the contribution to an operand of a plain matrix product, as a product of matrices."""
    if child.name != "dot_general" or len(outputs) != 1 or outputs[0] not in passes.names:
        return None
    (contracted, batch) = child.params["dimension_numbers"]
    a, b = (np.ndim(passes.tape.read(atom)) for atom in child.inputs)
    if any(len(part) for part in batch) or [list(part) for part in contracted] != [[a - 1], [0]] or (a, b) != (2, 2):
        return None
    x, y = (written(passes, atom) for atom in child.inputs)
    operands = {"x": x, "y": y, "g": derivative(passes.names[passes.tape.outputs[0]], passes.names[outputs[0]])}
    return formula("g @ y.T" if operand == 0 else "x.T @ g", operands)


def written(passes: Passes, atom: Any, depth: int = 2) -> str | Formula:
    """Return what an operand is called: its name, its value where it is one number, how it is made, or its shape."""
    if isinstance(atom, int) and passes.owner[atom] in passes.names:
        return passes.names[passes.owner[atom]]
    value = passes.tape.read(atom)
    if not is_key(value) and np.size(value) and bool(np.all(np.asarray(value) == np.ravel(value)[0])):
        first = np.ravel(value)[0]
        return f"{first:.7g}" if np.asarray(value).dtype != bool else str(first)
    maker = next((s for s in passes.tape.steps if atom in s.outputs), None) if isinstance(atom, int) else None
    if maker and depth:
        inner = [written(passes, a, depth - 1) for a in maker.inputs]
        result, _ = rule(rule_name(maker), maker.params, len(inner))
        made = formula(result, dict(zip(OPERANDS, inner, strict=False)) | {"call": maker.title})
        if len(made.text) <= LONGEST:
            return made
    return words(f"[{'x'.join(map(str, np.shape(value)))}]")


def source_of(lines: tuple[Line, ...]) -> str:
    """Return the statement that made a value and where it stands: "h = x @ w  (net.py:12)"."""
    if not lines:
        return ""
    text = lines[0].text if len(lines[0].text) <= 100 else lines[0].text[:97] + "..."
    return f"{text}  ({lines[0].file.rsplit('/', 1)[-1]}:{lines[0].number})"


def loop_of(step: Step) -> tuple[str, str, int] | None:
    """Return the innermost loop that a step is a round of, the round, and what tells its operation in the body."""
    for depth in range(len(step.calls) - 1, -1, -1):
        name, bracket, rest = step.calls[depth].rpartition("[")
        if bracket:
            return "/".join((*step.calls[:depth], name)), rest.rstrip("]"), hash(step.key)
    return None
