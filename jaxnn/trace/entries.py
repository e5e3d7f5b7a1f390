"""Which entry of every array to show: those on one path through the function, so that their numbers belong together.

From an entry asked for, or else from the largest adjoint of the argument used first, the path goes forward, each time
to the entry through which the output feels it most; what else there is on the way is followed back, each time to the
entry that matters most to the one at hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace.adjoints import Backward, differentiable, is_real, one_hot
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
            entry = chosen[step.inputs[starts[0]]]
            for slot, tangent in _tangents(step, tape, found.pullbacks[number], starts[0], entry).items():
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


def _tangents(step: Step, tape: Tape, pullback: Callable, place: int, entry: Entry) -> dict[int, Any]:
    """Return how the results of a step feel an entry of its operand: its pullback, which is linear, transposed.

    Unlike `jax.jvp`, this is there for a rule written by hand in reverse too.
    """
    results = {slot: jnp.zeros_like(tape.values[slot]) for slot in step.outputs if is_real(tape.values[slot])}
    _, pushed = jax.vjp(lambda g: pullback(g)[differentiable(step, tape).index(place)], results)
    return pushed(one_hot(tape.values[step.inputs[place]], entry))[0]


def _largest(array: Any) -> Entry:
    size = np.abs(np.asarray(array, float))
    return tuple(int(i) for i in np.unravel_index(np.argmax(np.nan_to_num(size, nan=np.inf)), size.shape))
