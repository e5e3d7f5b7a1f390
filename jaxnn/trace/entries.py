"""Which entry of every array to show: those on one path through the function, so that their numbers belong together.

From an entry asked for, or else from the largest adjoint of the argument used first, the path goes forward, each time
to the entry through which the output feels it most; what else there is on the way is followed back, each time to the
entry that matters most to the one at hand.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace.adjoints import Backward, differentiable, one_hot
from jaxnn.trace.tape import Step, Tape

Entry = tuple[int, ...]
Locals = dict[tuple[int, int, int], Any]


def choose(tape: Tape, found: Backward, output: int, wanted: dict[int, Entry]) -> tuple[dict[int, Entry], Locals]:
    """Return the entry to show of every slot with an adjoint, and the local derivatives of these entries.

    The latter by number of the step, slot of its result and place of its operand, each an array like that operand.
    """
    first = next((a for step in tape.steps for a in sorted(_arguments(step, tape)) if a in found.adjoints), output)
    chosen = dict(wanted or {first: _largest(found.adjoints[first])}) | {output: ()}
    for number, step in enumerate(tape.steps):
        starts = [place for place in differentiable(step, tape) if step.inputs[place] in chosen]
        if starts and number in found.pullbacks:
            tangents = _tangents(step, tape, starts[0], chosen[step.inputs[starts[0]]])
            for slot, tangent in zip(step.outputs, tangents, strict=True):
                if slot in found.adjoints and slot not in chosen:
                    chosen[slot] = _largest(tangent * found.adjoints[slot])
    slopes: Locals = {}
    for number in sorted(found.pullbacks, reverse=True):
        step = tape.steps[number]
        for slot in step.outputs:
            if slot not in found.adjoints:
                continue
            entry = chosen.setdefault(slot, _largest(found.adjoints[slot]))
            pulled = found.pullbacks[number]({slot: one_hot(tape.values[slot], entry)})
            for place, slope in zip(differentiable(step, tape), pulled, strict=True):
                slopes[number, slot, place] = slope
                if np.any(slope):
                    chosen.setdefault(step.inputs[place], _largest(slope))
    for slot, adjoint in found.adjoints.items():
        chosen.setdefault(slot, _largest(adjoint))
    return chosen, slopes


def _arguments(step, tape):
    return {atom for atom in step.inputs if atom in tape.inputs}


def _tangents(step: Step, tape: Tape, place: int, entry: Entry) -> list[Any]:
    values = [tape.read(atom) for atom in step.inputs]

    def apply(varied):
        return [jnp.asarray(v, float) for v in step.apply(*values[:place], varied, *values[place + 1 :])]

    return jax.jvp(apply, (values[place],), (one_hot(values[place], entry),))[1]


def _largest(array: Any) -> Entry:
    size = np.abs(np.asarray(array, float))
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.nan_to_num(size, nan=np.inf)), size.shape))
