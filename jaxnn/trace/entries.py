"""Which entry of every array to show: those on one path through the function, so that their numbers belong together.

From an entry asked for, or else from the largest adjoint of the argument used first, the path goes forward, each time
to the entry through which the output feels it most; what else there is on the way is followed back, each time to the
entry that matters most to the one at hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnn.trace.adjoints import Backward, differentiable_operands, is_real, one_hot
from jaxnn.trace.tape import Step, Tape

Entry = tuple[int, ...]
Locals = dict[tuple[int, int, int], Any]


def shown_entries(
    tape: Tape, backward: Backward, output: int, wanted: dict[int, Entry]
) -> tuple[dict[int, Entry], Locals]:
    """Return the entry to show of every slot with an adjoint, and the local derivatives of these entries.

    The latter by number of the step, slot of its result and place of its operand, each an array like that operand.
    """
    first = next((a for step in tape.steps for a in sorted(_arguments(step, tape)) if a in backward.adjoints), output)
    chosen = dict(wanted or {first: _largest(backward.adjoints[first])}) | {output: ()}
    # Where several operands are on a path, the first one's is followed: a number of the result belongs to one path.
    for number, step in enumerate(tape.steps):
        starts = [place for place in differentiable_operands(step, tape) if step.inputs[place] in chosen]
        if starts and number in backward.pullbacks:
            entry = chosen[step.inputs[starts[0]]]
            for slot, tangent in _tangents(step, tape, backward.pullbacks[number], starts[0], entry).items():
                if slot in backward.adjoints and slot not in chosen:
                    chosen[slot] = _largest(np.asarray(tangent) * backward.adjoints[slot])
    slopes: Locals = {}
    for number in sorted(backward.pullbacks, reverse=True):
        step = tape.steps[number]
        for slot in step.outputs:
            if slot not in backward.adjoints:
                continue
            entry = chosen.setdefault(slot, _largest(backward.adjoints[slot]))
            pulled = backward.pullbacks[number]({slot: one_hot(tape.values[slot], entry)})
            for place, slope in zip(differentiable_operands(step, tape), pulled, strict=True):
                slopes[number, slot, place] = np.asarray(slope)
                if np.any(slopes[number, slot, place]):
                    chosen.setdefault(step.inputs[place], _largest(slope))
    for slot, adjoint in backward.adjoints.items():
        chosen.setdefault(slot, _largest(adjoint))
    return chosen, slopes


def _arguments(step, tape):
    return {atom for atom in step.inputs if atom in tape.inputs}


def _tangents(step: Step, tape: Tape, pullback: Callable, place: int, entry: Entry) -> dict[int, Any]:
    """Return how the results of a step feel an entry of its operand: its pullback, which is linear, transposed.

    Unlike `jax.jvp`, this is there for a rule written by hand in reverse too.
    """
    values = {slot: tape.values[slot] for slot in step.outputs if is_real(tape.values[slot])}
    results = {slot: np.zeros(value.shape, value.dtype) for slot, value in values.items()}
    try:
        _, pushed = jax.vjp(lambda g: pullback(g)[differentiable_operands(step, tape).index(place)], results)
        return pushed(one_hot(tape.values[step.inputs[place]], entry))[0]
    except ValueError:  # a loop in a backward pass written by hand: which entry feels it most is not known
        return {}


def _largest(array: Any) -> Entry:
    size = np.abs(np.asarray(array, float))
    # NaN counts as largest: it is what the reader of the table looks for.
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.nan_to_num(size, nan=np.inf)), size.shape))
