"""Which entry of every array to show: those on one path through the function, so that their numbers belong together.

The path is followed back from the output, each time to the entry that matters most to the one at hand; from an entry
that is asked for, forward, each time to the entry through which the output feels it most.
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
    chosen = dict(wanted) | {output: ()}
    for number, step in enumerate(tape.steps):
        starts = [place for place in differentiable(step, tape) if step.inputs[place] in chosen]
        if wanted and starts and number in found.pullbacks:
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


def _tangents(step: Step, tape: Tape, place: int, entry: Entry) -> list[Any]:
    values = [tape.read(atom) for atom in step.inputs]

    def apply(varied):
        return [jnp.asarray(v, float) for v in step.apply(*values[:place], varied, *values[place + 1 :])]

    return jax.jvp(apply, (values[place],), (one_hot(values[place], entry),))[1]


def _largest(array: Any) -> Entry:
    size = np.abs(np.asarray(array, float))
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.nan_to_num(size, nan=np.inf)), size.shape))
