"""The backward pass over a tape: every adjoint as the sum of what each use of the value contributes to it.

A contribution is the vector-Jacobian product of one operation at one operand, by `jax.vjp` of that operation alone,
each operand a variable of its own: in `x * x` there are two.
"""

from collections.abc import Callable, Sequence, Set
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace.tape import Step, Tape


class Contribution(NamedTuple):
    """What the step number `step` contributes to the adjoint of a value that is its operand number `operand`."""

    step: int
    operand: int
    value: Any


class Backward(NamedTuple):
    """The contributions to the adjoint of each slot, the adjoints, the pullback of each step, and those without one."""

    contributions: dict[int, list[Contribution]]
    adjoints: dict[int, Any]
    pullbacks: dict[int, Callable]
    failed: dict[int, str]


def is_real(value: Any) -> bool:
    """Return whether a value is made of real floating-point numbers, those that a derivative can be taken by."""
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def is_key(value: Any) -> bool:
    """Return whether a value is a typed random key, which NumPy cannot hold."""
    return isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key)


def backward(tape: Tape, output: int, path: Set[int], folded: Callable[[Step], bool]) -> Backward:
    """Return the backward pass from the slot `output`, whose adjoint is 1, over the slots on the `path` to it.

    What reaches the result of a `folded` step is passed on to its operand with the label of where it came from.
    """
    one = np.ones_like(tape.values[output])
    contributions: dict[int, list[Contribution]] = {output: [Contribution(-1, 0, one)]}
    found = Backward(contributions, {}, {}, {})

    def add(slot, contribution):
        # In NumPy: JAX would compile a program for every shape that is summed, indexed or compared from here on.
        value = np.asarray(contribution.value)
        contributions.setdefault(slot, []).append(contribution._replace(value=value))

    for number in reversed(range(len(tape.steps))):
        step = tape.steps[number]
        reached = [slot for slot in step.outputs if slot in contributions]
        places = differentiable_operands(step, tape)
        # Off the path a pullback would be computed in vain, and what has no reverse rule does no harm there.
        if not reached or not path & {step.inputs[place] for place in places}:
            continue
        try:
            pullback = pullback_of(step, tape, places)
            cotangents = {slot: total(contributions[slot]) for slot in reached}
            pulled = pullback(cotangents)
        except (ValueError, NotImplementedError, TypeError) as error:  # how JAX says it has no reverse rule
            found.failed[number] = str(error).split("\n")[0]
            continue
        found.pullbacks[number] = pullback
        if folded(step):
            (slot,) = reached
            # One by one and not their sum: the row that stands for both slots has a term for each use.
            for c in contributions[slot]:
                add(step.inputs[places[0]], c._replace(value=pullback({slot: c.value})[0]))
        else:
            for place, value in zip(places, pulled, strict=True):
                if step.inputs[place] in path:
                    add(step.inputs[place], Contribution(number, place, value))
    found.adjoints.update({slot: total(parts) for slot, parts in contributions.items()})
    return found


def differentiable_operands(step: Step, tape: Tape) -> list[int]:
    """Return the places of the operands that a derivative can be taken by; none where no result is real."""
    if not any(is_real(tape.values[slot]) for slot in step.outputs):
        return []
    values = [tape.values[atom] if isinstance(atom, int) else 0 for atom in step.inputs]
    return [i for i, value in enumerate(values) if is_real(value) and np.size(value)]


def restricted(step: Step, values: Sequence[Any], places: Sequence[int]) -> Callable[..., list[Any]]:
    """Return a step as a function of its operands at `places` alone, the others held at `values`."""

    def apply(*varied):
        given = list(values)
        for place, value in zip(places, varied, strict=True):
            given[place] = value
        return step.apply(*given)

    return apply


def pullback_of(step: Step, tape: Tape, places: list[int]) -> Callable[[dict[int, Any]], tuple]:
    """Return the function from the adjoints of a step's results, by slot, to the contributions to its operands."""
    values = [tape.read(atom) for atom in step.inputs]
    # Of a whole-number result JAX wants a cotangent of the dtype float0: left out, there is none to give.
    real = [i for i, slot in enumerate(step.outputs) if is_real(tape.values[slot])]
    apply = restricted(step, values, places)

    def real_results(*varied):
        out = apply(*varied)
        return [out[i] for i in real]

    out, pull = jax.vjp(real_results, *(values[place] for place in places))

    def pullback(cotangents):
        slots = [step.outputs[i] for i in real]
        # `jnp.asarray` compiles a program for every shape, unless it is told the dtype.
        filled = [
            jnp.asarray(cotangents.get(slot, np.zeros(value.shape, value.dtype)), value.dtype)
            for slot, value in zip(slots, out, strict=True)
        ]
        return pull(filled)

    return pullback


def size_of_terms(found: Backward, tape: Tape, slot: int) -> float:
    """Return how large what is added up for the adjoint of a slot is, which its own size hides where it cancels.

    The pullbacks add up inside, too: with random signs on what they are given, their terms do not cancel.
    """
    size, random = 0.0, np.random.default_rng(0)
    for c in found.contributions.get(slot, ()):
        if c.step not in found.pullbacks:
            continue
        reached = {s: np.asarray(found.adjoints[s]) for s in tape.steps[c.step].outputs if s in found.adjoints}
        for _ in range(4):
            pulled = found.pullbacks[c.step]({s: v * random.choice([-1, 1], v.shape) for s, v in reached.items()})
            size = max(size, *(float(np.sum(np.abs(np.asarray(v, float)))) for v in pulled))
    return size


def total(parts: list[Contribution]) -> Any:
    """Return the sum of contributions, in the order in which the backward pass meets them."""
    value = parts[0].value
    for part in parts[1:]:
        value = np.asarray(value + part.value)
    return value


def one_hot(like: Any, entry: tuple[int, ...]) -> np.ndarray:
    """Return an array of zeros with a single 1."""
    hot = np.zeros(np.shape(like), jnp.result_type(like))
    hot[entry] = 1
    return hot
