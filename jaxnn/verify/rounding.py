"""How far rounding alone can move a result, measured: Monte Carlo arithmetic over a function's own operations.

Every operation's result is shaken by a relative error of random sign and the spread of the outcome is scaled down to
the dtype's machine epsilon (Parker, Monte Carlo Arithmetic, 1997). So the error bar follows the cancellations that
really take place, and grows neither with the size of the array nor with the largest entry.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn.trace import jaxprs

SHAKE = 2.0**-32
RUNS = 4
SAFETY = 32.0
EPSILON = float(np.finfo(np.float64).eps)
# Operations that move or choose numbers and round none. What was chosen must stay equal to what it was chosen from.
EXACT = {
    *("neg", "abs", "sign", "max", "min", "reduce_max", "reduce_min", "reduce_window_max", "reduce_window_min", "sort"),
    *("select_n", "clamp", "reshape", "broadcast_in_dim", "transpose", "squeeze", "expand_dims", "concatenate", "pad"),
    *("slice", "dynamic_slice", "dynamic_update_slice", "gather", "rev", "copy", "copy_p", "stop_gradient", "cummax"),
    *("cummin", "convert_element_type", "iota", "floor", "ceil", "round", "split", "argmax", "argmin", "real", "imag"),
    *("optimization_barrier", "name", "sharding_constraint", "device_put", "reduce_precision", "select_and_gather_add"),
}


def runs(f: Callable, leaves: Sequence[Any], signs: Array) -> list[Array]:
    """Return what `f(leaves)` returns without a shake and in each shaken run, stacked: the input of `spread`.

    `signs` is `shaken_signs(leaves)`, a run a row; `f` must be traceable and run in float64.
    """
    program, _ = jaxprs.program(f, list(leaves))

    def outputs(signs):
        number, twice = itertools.count(), 1 + SHAKE * jnp.concatenate([signs, signs])

        def shaken(value):
            return _shaken(value, twice, 31 * next(number))

        def step(eqn, *values):
            out = jaxprs.apply(eqn, *values)
            return out if eqn.primitive.name in EXACT else [shaken(value) for value in out]

        given = program._replace(constants={slot: shaken(value) for slot, value in program.constants.items()})
        env = jaxprs.run(given, [shaken(leaf) for leaf in leaves], step=step)
        return [jnp.asarray(jaxprs.read(env, atom), float) for atom in program.outputs]

    # The first run is not shaken; one program for all compiles faster than two.
    return jax.vmap(outputs)(jnp.concatenate([jnp.zeros_like(signs[:1]), signs]))


def spread(runs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return, for each array that a function returns, how far one rounding error of size 1 an operation moves it.

    Multiplied by a machine epsilon this is the rounding error to expect in that precision.
    """
    # In NumPy: as a part of the program that makes the runs, this would take longer to compile than it ever takes.
    with np.errstate(invalid="ignore"):
        distances = [np.max(np.abs(out[1:] - out[:1]), axis=0) for out in map(np.asarray, runs)]
    return [np.nan_to_num(distance, nan=np.inf) / SHAKE for distance in distances]


def shaken_signs(leaves: Sequence[Any], seed: int = 0) -> np.ndarray:
    """Return random shakes, a row for each run, enough for arrays of the leaves' sizes.

    Their sizes differ too: two of the same size would cancel where two rounded numbers are subtracted.
    """
    rng, shape = np.random.default_rng(seed), (RUNS, max(1021, *(np.size(leaf) for leaf in leaves)))
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.25, 1, shape)


def tolerance(errors: Sequence[np.ndarray], values: np.ndarray, epsilon: float = EPSILON) -> np.ndarray:
    """Return how far apart two results may lie whose measured rounding errors are `errors`, in a given precision."""
    return SAFETY * epsilon * (sum(errors) + np.abs(np.nan_to_num(values)) / 4) + np.finfo(np.float64).tiny


def lowest_epsilon(f: Callable, leaves: Sequence[Any], *, moved_only: bool = False) -> float:
    """Return the machine epsilon of the lowest precision that a traceable function computes in.

    `moved_only` leaves out what is computed from constants alone: it is the same wherever the leaves are.
    """
    program, _ = jaxprs.program(f, list(leaves))
    moved, epsilons = set(program.inputs), [EPSILON]
    for equation in program.equations:
        if moved.intersection(slot for slot in equation.inputs if isinstance(slot, int)):
            moved |= set(equation.outputs)
        elif moved_only:
            continue
        kinds = [getattr(v.aval, "dtype", np.dtype(bool)) for v in equation.eqn.outvars]
        epsilons += [float(jnp.finfo(kind).eps) for kind in kinds if jnp.issubdtype(kind, jnp.floating)]
    return max(epsilons)


def rounded_apart(f: Callable, g: Callable, leaves: Sequence[Any]) -> float:
    """Return the lowest precision of an array in one of two traceable functions that has numbers the other has not.

    Such an array was computed outside of JAX, as `x / 255` of NumPy, and may have been rounded differently.
    """
    one, two = (_constants(h, leaves) for h in (f, g))
    alone = [a for some, others in ((one, two), (two, one)) for a in some if not _found_in(a, others)]
    return max([float(jnp.finfo(a.dtype).eps) for a in alone], default=EPSILON)


def _constants(f, leaves):
    """Return the floating arrays in a function's program."""
    values = jaxprs.program(f, list(leaves))[0].constants.values()
    return [np.asarray(v) for v in values if jnp.issubdtype(jnp.result_type(v), jnp.floating)]


def _found_in(a, others):
    """Return whether an array is among others, or each of its numbers is whole or in them, in another order perhaps."""
    if any(a.shape == b.shape and np.array_equal(a, b) for b in others):
        return True
    numbers = np.concatenate([np.zeros(0), *(np.asarray(b, np.float64).ravel() for b in others)])
    a = np.asarray(a, np.float64)
    return bool(np.all(np.isin(a, numbers) | (a == np.round(a))))


def _shaken(value, twice, turned):
    """Return a float array with each entry made a little larger or smaller, anything else as it is.

    By the factors that `twice` has two times over, turned by so many: each operation is shaken in its own way.
    """
    if not jnp.issubdtype(jnp.result_type(value), jnp.floating):
        return value
    value, count = jnp.asarray(value), len(twice) // 2
    start = -turned % count
    # A slice is one operation where `roll` and `resize` are seven, for each of the function's own.
    own = twice[start : start + min(value.size, count)]
    factors = own if value.size <= count else jnp.resize(own, (value.size,))
    return value * factors.reshape(value.shape).astype(value.dtype)
