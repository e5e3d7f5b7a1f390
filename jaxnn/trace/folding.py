"""What a table leaves out: casts and reshapes, values computed twice, the insides of functions where it is long."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnn.trace.adjoints import differentiable_operands
from jaxnn.trace.jaxprs import read
from jaxnn.trace.tape import Step, Tape

FOLDED = {"convert_element_type", "reshape", "broadcast_in_dim", "squeeze", "expand_dims", "copy", "copy_p", "name"}
FOLDED |= {"sharding_constraint", "optimization_barrier", "reduce_precision"}


def is_folded(step: Step, tape: Tape) -> bool:
    """Return whether a step only casts or reshapes its one operand that a derivative can be taken by."""
    if step.name not in FOLDED or len(step.outputs) != 1 or step.outputs[0] in tape.outputs:
        return False
    return len(differentiable_operands(step, tape)) == 1


def merged(tape: Tape, named: dict[int, str]) -> tuple[Tape, dict[int, str]]:
    """Return the tape without the steps that compute again what is there, and the names of the slots on it.

    Common subexpression elimination: `sqrt(x**2 + exp(x**2))` has one row for `x**2`. Two values that the source gives
    different names stay two.
    """
    same: dict[int, int] = {}
    seen: dict[Any, Step] = {}
    named, steps = dict(named), []
    for step in tape.steps:
        inputs = tuple(same.get(atom, atom) if isinstance(atom, int) else atom for atom in step.inputs)
        step = step._replace(inputs=inputs)
        key = _key(step)
        first = seen.get(key) if key is not None else None
        if first and not _differ(named, first.outputs, step.outputs):
            same |= zip(step.outputs, first.outputs, strict=True)
            named |= {a: named.pop(b) for a, b in zip(first.outputs, step.outputs, strict=True) if b in named}
            continue
        if key is not None:
            seen.setdefault(key, step)
        steps.append(step)
    outputs = tuple(same.get(atom, atom) if isinstance(atom, int) else atom for atom in tape.outputs)
    return tape._replace(steps=tuple(steps), outputs=outputs), named


def _differ(named, first, second):
    return any(named.get(a, named.get(b)) != named.get(b, named.get(a)) for a, b in zip(first, second, strict=True))


def _key(step):
    """Return what two equal steps share, or None where that cannot be told: for parameters that have no hash."""
    if step.members:
        return None
    atoms = tuple(
        atom if isinstance(atom, int) else (np.asarray(atom.val).tobytes(), str(atom.aval)) for atom in step.inputs
    )
    key = (step.name, step.calls, tuple(sorted(step.params.items())), atoms)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def owners(tape: Tape) -> dict[int, int]:
    """Return for each slot the one that stands for it where folded steps are left out."""
    owner = {slot: slot for slot in tape.values}
    for step in tape.steps:
        if is_folded(step, tape):
            (place,) = differentiable_operands(step, tape)
            owner[step.outputs[0]] = owner[step.inputs[place]]
    return owner


def active(tape: Tape, output: Any, varied: Collection[int]) -> set[int]:
    """Return the slots that depend on the slots `varied` by real numbers and that `output` depends on.

    Those are the only ones with a derivative: activity analysis, as automatic differentiation calls it.
    """
    reached = set(varied)
    for step in tape.steps:
        if any(step.inputs[place] in reached for place in differentiable_operands(step, tape)):
            reached |= set(step.outputs)
    needed = {output} if isinstance(output, int) else set()
    for step in reversed(tape.steps):
        if needed & set(step.outputs):
            needed |= {step.inputs[place] for place in differentiable_operands(step, tape)}
    return reached & needed


def shortened(tape: Tape, count: Callable[[Tape], int], limit: int) -> Tape:
    """Return the tape with functions of the source closed, the innermost first, until it counts `limit` at most."""
    depth = max((len(step.lines) for step in tape.steps), default=0)
    for level in range(depth - 1, 0, -1):
        for members in sorted(_called(tape.steps, level), key=len, reverse=True):
            if count(tape) <= limit:
                return tape
            function = members[0].lines[-level - 1].function.split(".")[-1].strip("<>")
            tape = _closed(tape, members, function, members[0].lines[-level:])
    return tape


def _called(steps: Sequence[Step], level: int) -> list[tuple[Step, ...]]:
    """Return the steps of each function that a statement `level` from outside calls, where there are several."""
    found: list[tuple[Step, ...]] = []
    run: list[Step] = []
    for step in steps:
        inside = len(step.lines) > level
        if run and (not inside or _place(step, level) != _place(run[0], level) or step.again(run[0])):
            found.append(tuple(run))
            run = []
        if inside:
            run.append(step)
    return [run for run in [*found, tuple(run)] if len(run) > 1]


def _place(step, level):
    rounds = tuple(call for call in step.calls if call.endswith("]"))
    return rounds, step.lines[-level:], step.lines[-level - 1].function, step.lines[-level - 1].file


def real_throughout(tape: Tape) -> Tape:
    """Return the tape with what is done in complex numbers between real values, as around a Fourier transform, closed.

    Such a part of it becomes one step, with all that lies on the way from one of its operations to another.
    """
    numbers = {slot for slot, value in tape.values.items() if _is_complex(value)}
    while True:
        first = next((i for i, s in enumerate(tape.steps) if numbers & set(s.outputs)), None)
        if first is None:
            return tape
        found = {first}
        for i in range(first + 1, len(tape.steps)):  # what uses a complex number of the part
            made = numbers & {slot for k in found for slot in tape.steps[k].outputs}
            if any(isinstance(atom, int) and atom in made for atom in tape.steps[i].inputs):
                found.add(i)
        last, steps = max(found), tape.steps
        within = range(first, last + 1)
        after = _reached(steps, within, found, _feeds)
        before = _reached(steps, reversed(within), found, lambda one, two: _feeds(two, one))
        members = tuple(steps[i] for i in within if i in after & before)
        ahead = [steps[i] for i in within if i not in after]
        behind = [steps[i] for i in within if i in after - before]
        titles = list(dict.fromkeys(s.title for s in members if s.name not in FOLDED))  # "fft_mul"
        tape = tape._replace(steps=(*steps[:first], *ahead, *members, *behind, *steps[last + 1 :]))
        tape = _closed(tape, members, "_".join(titles[:3]), members[-1].lines)


def _is_complex(value):
    return jnp.issubdtype(jnp.result_type(value), jnp.complexfloating)


def _feeds(one, two):
    return any(isinstance(atom, int) and atom in one.outputs for atom in two.inputs)


def _reached(steps, order, start, follows):
    """Return the numbers of the steps that follow from those in `start`, and these, in one pass in `order`."""
    reached = set(start)
    for i in order:
        if any(follows(steps[k], steps[i]) for k in reached):
            reached.add(i)
    return reached


def _closed(tape: Tape, members: tuple[Step, ...], title: str, lines: Any) -> Tape:
    """Return the tape with `members`, which stand side by side, as one step."""
    inside = {id(step) for step in members}
    made = {slot for step in members for slot in step.outputs}
    used = {a for s in tape.steps if id(s) not in inside for a in s.inputs if isinstance(a, int)} | set(tape.outputs)
    inputs = tuple(dict.fromkeys(a for s in members for a in s.inputs if isinstance(a, int) and a not in made))
    outputs = tuple(slot for step in members for slot in step.outputs if slot in used)

    def apply(*values):
        env = dict(zip(inputs, values, strict=True))
        for step in members:
            results = step.apply(*(read(env, atom) for atom in step.inputs))
            env |= zip(step.outputs, results, strict=True)
        return [env[slot] for slot in outputs]

    first = members[0]._replace(name="function", title=title, params={}, eqn=None, members=members)
    step = first._replace(apply=apply, inputs=inputs, outputs=outputs, lines=lines, traceback=members[-1].traceback)
    at = next(i for i, s in enumerate(tape.steps) if s is members[0])
    return tape._replace(steps=(*tape.steps[:at], step, *tape.steps[at + len(members) :]))
