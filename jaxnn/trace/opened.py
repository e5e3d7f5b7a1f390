"""What is looked into: which calls are opened, and rules written by hand shown with their own backward."""

from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs, names
from jaxnn.trace.adjoints import Backward, is_real, restricted
from jaxnn.trace.derivation import Inside, Row
from jaxnn.trace.folding import FOLDED
from jaxnn.trace.rows import Passes, row, written
from jaxnn.trace.tape import Step, Tape, record


def opens(open: Collection[str], depth: int) -> Callable[[Any, str, int], bool]:
    """Return which calls to open: those named, those down to `depth`, and those with a single operation inside."""

    def opened(eqn, title, at):
        return at < depth or title in open or eqn.primitive.name in open or _is_thin(eqn)

    return opened


def _is_thin(eqn):
    body = jaxprs.body_of(eqn)
    jaxpr = getattr(body, "jaxpr", body)
    return body is not None and sum(e.primitive.name not in FOLDED for e in jaxpr.eqns) <= 1


def insides(passes: Passes, open: Collection[str]) -> tuple[Inside, ...]:
    """Return the insides of the rules written by hand (`custom_vjp`, `custom_jvp`) that are to be opened."""
    custom = [s for s in passes.tape.steps if s.name.startswith("custom_") and {s.title, s.name} & set(open)]
    return tuple(_inside(passes, step) for step in custom)


def _inside(passes: Passes, step: Step) -> Inside:
    values = [passes.tape.read(atom) for atom in step.inputs]
    called = [w if isinstance(w := written(passes, atom), str) else w.text for atom in step.inputs]
    real = [i for i, value in enumerate(values) if is_real(value)]
    apply = restricted(step, values, real)
    varied, varied_names = [values[i] for i in real], [called[i] for i in real]
    if step.name.startswith("custom_jvp"):
        tangents = [jnp.ones_like(value) for value in varied]
        closed = jax.make_jaxpr(lambda x, t: jax.jvp(apply, x, t)[1])(tuple(varied), tuple(tangents))
        given = [*varied_names, *(f"d{name}" for name in varied_names)]
        forward = _rows(record(jaxprs.body_of(step.eqn), values, lambda *_: True), called, {})[0]
        return Inside(step.title, forward, _rows(record(closed, [*varied, *tangents]), given, {})[0])
    # Under `jax.vjp` what runs is the rule's own forward, `f_fwd`, and not the function.
    closed = jax.make_jaxpr(lambda *x: jax.vjp(apply, *x)[0])(*varied)
    forward, known = _rows(record(closed, varied), varied_names, {})
    out, pullback = jax.vjp(apply, *varied)
    closed = jax.make_jaxpr(pullback)(out)
    cotangents = [passes.backward.adjoints.get(s, jnp.zeros_like(passes.tape.values[s])) for s in step.outputs]
    given = ["g"] if len(out) == 1 else [f"g{i + 1}" for i in range(len(out))]
    return Inside(step.title, forward, _rows(record(closed, cotangents), given, known)[0])


def _rows(tape: Tape, given: list[str], known: dict[str, Any]) -> tuple[tuple[Row, ...], dict[str, Any]]:
    """Return the rows of a tape without adjoints, and every value by name; `known` names those from elsewhere."""
    labels = dict(zip(tape.inputs, given, strict=True))
    made = [(slot, n) for n, step in enumerate(tape.steps) for slot in step.outputs]
    constants = set(tape.values) - set(tape.inputs) - {slot for slot, _ in made}
    # The residuals come as constants without a name: a value of the forward pass that is equal to one gives it its own.
    for slot in sorted(constants):
        same = [name for name, value in known.items() if _equal(value, tape.values[slot])]
        labels |= {slot: same[0]} if same else {}
    slots = [*labels, *(slot for slot, _ in made)]
    called = names.name_all(slots, labels | names.assigned_names(tape.steps), {})
    passes = Passes(tape, Backward({}, {}, {}, {}), {slot: slot for slot in tape.values}, called, {}, {})
    rows = [row(passes, slot, None) for slot in labels] + [row(passes, slot, n) for slot, n in made]
    return tuple(rows), {called[slot]: tape.values[slot] for slot in slots}


def _equal(a, b):
    return np.shape(a) == np.shape(b) and np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
