"""A hand-written backward pass as it can be run again and again with some of its assignments replaced.

What JAX can trace becomes one compiled program in which every assignment is a place where another array can be put in;
NumPy code and what branches on values is run line by line.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.diagnosis.steps import Key, Step, is_array, record, rerun
from jaxnn.verify.diagnosis.targets import is_adjoint
from jaxnn.verify.evaluation import FAST
from jaxnn.verify.marks import marked_program

MOST_PLACES = 600  # assignments in a compiled program: with 500 it takes seconds to compile, with 800 minutes
MOST_LINES, FEWEST_RUNS = 3000, 8  # of JAX code that is run line by line
MOST_IN_NUMPY = 150_000  # lines of NumPy code
MOST_COMPILED = 300_000  # assignments in the runs of a compiled program


class Replay(NamedTuple):
    """The `steps` of a run, and what it gives with other values at the keys `replaced`.

    `outputs(replaced)` are the arrays that it returns, `value(replaced, key)` is that of a step, None where it is not
    taken; it should be run `most` times at most.
    """

    steps: list[Step]
    outputs: Callable[[Mapping[Key, np.ndarray]], list[np.ndarray]]
    value: Callable[[Mapping[Key, np.ndarray], Key], np.ndarray | None]
    most: int


def replay(run: Callable, args: Sequence[Any], arrays: Callable[[Any], list[Any]]) -> Replay:
    """Return how to run `arrays(run(*args))` again, in float64."""
    try:
        return _compiled(run, args, arrays)
    except Exception:  # whatever keeps JAX from tracing it
        return line_by_line(run, args, arrays)


def line_by_line(run: Callable, args: Sequence[Any], arrays: Callable[[Any], list[Any]]) -> Replay:
    """Return the same without tracing; of JAX code, whose every line takes long so, for a limited number of runs."""
    steps = [step for step in record(run, *args) if step.value.size]
    in_jax = any(issubclass(step.kind, jax.Array) for step in steps)
    most = max(FEWEST_RUNS, (MOST_LINES if in_jax else MOST_IN_NUMPY) // max(len(steps), 1))
    left = itertools.count(most, -1) if in_jax else itertools.repeat(1)

    def counted():
        if next(left) <= 0:
            raise RuntimeError(f"looking for it would take more than {MOST_LINES} lines of JAX run one by one")

    def outputs(replaced):
        counted()
        return [np.asarray(v, np.float64) for v in arrays(rerun(run, args, replaced))]

    def value(replaced, key):
        counted()
        seen: dict[Key, np.ndarray] = {}
        rerun(run, args, replaced, seen, {key[0]})
        return seen.get(key)

    return Replay(steps, outputs, value, most)


def _compiled(run, args, arrays):
    leaves, structure = jax.tree.flatten(tuple(args))
    moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array) and is_array(leaf)]
    moving = moving or [i for i, leaf in enumerate(leaves) if isinstance(leaf, float)]
    values = [jnp.asarray(leaves[i]) for i in moving]
    if not moving:
        raise TypeError("nothing to trace by")

    def traced(values):
        given = dict(zip(moving, values, strict=True))
        args = jax.tree.unflatten(structure, [given.get(i, leaf) for i, leaf in enumerate(leaves)])
        return [jnp.asarray(v) for v in arrays(run(*args))]

    program, places = marked_program(traced, values, floats=is_adjoint)
    if len(places) > MOST_PLACES:
        raise ValueError(f"{len(places)} assignments, each of them a choice in the program, take minutes to compile")
    kinds = {slot: equation.eqn.outvars[0].aval for equation in program.equations for slot in equation.outputs[:1]}
    keys = {key: slot for slot, key in places.items()}

    def everything(values, which, new):
        def put(slot, value):
            return jnp.where(which[slot], new[slot], value) if slot in places else value

        env = jaxprs.run(program, values, put)
        return [jaxprs.read(env, out) for out in program.outputs], {slot: env[slot] for slot in places}

    none = {slot: np.zeros(kinds[slot].shape, kinds[slot].dtype) for slot in places}
    never = dict.fromkeys(places, np.asarray(False))
    never, none = jax.device_put((never, none))  # once: most of the time of a run goes into handing its arguments over
    ready = jax.jit(everything).lower(values, never, none).compile(compiler_options=FAST)
    _, seen = ready(values, never, none)

    def again(replaced):
        new = {keys[key]: value for key, value in replaced.items()}
        put = {slot: np.asarray(value, none[slot].dtype).reshape(none[slot].shape) for slot, value in new.items()}
        return ready(values, never | dict.fromkeys(put, np.asarray(True)), none | put)

    def outputs(replaced):
        return [np.asarray(v, np.float64) for v in again(replaced)[0]]

    def value(replaced, key):
        return np.asarray(again(replaced)[1][keys[key]], np.float64)

    def steps():
        for number, (slot, key) in enumerate(places.items()):
            yield Step(number, key[1], np.asarray(seen[slot], np.float64), key[0], key, none[slot].dtype)

    return Replay([step for step in steps() if step.value.size], outputs, value, MOST_COMPILED // len(places))
