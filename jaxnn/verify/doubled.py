"""A function in its own precision, evaluated without rounding: what a float32 program would give in exact arithmetic.

Asked for float64, many functions still round inside (`x.astype(float32)`, a scan's carry, a Pallas kernel), do not run,
or draw other random numbers. So their program is traced at the arguments' own dtypes, and each operation of it is then
done in float64 (`jaxnn.trace.double`). It is differentiated before that, where JAX knows the rules of what is in it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxnn.trace import jaxprs
from jaxnn.trace.double import evaluate
from jaxnn.verify.problem import widen
from jaxnn.verify.rounding import EPSILON


def doubled(f: Callable, own: Sequence[Any], x64: bool, constant: Callable | None = None) -> Callable:
    """Return `f` as a function of float64 arguments, like `own` otherwise; it can be differentiated and mapped.

    `x64` is the setting that `f` is traced with; `constant` makes float64 of its constants (`jaxnn.trace.double`).
    """
    with jax.enable_x64(x64):
        known = [_kind(v) for v in jax.tree.leaves(tuple(own))]

    def call(*args):
        leaves, structure = jax.tree.flatten(args)
        kinds = known if len(known) == len(leaves) else [_kind(v) for v in leaves]
        moving = [i for i, (v, kind) in enumerate(zip(leaves, kinds, strict=True)) if kind is not None and is_array(v)]
        forms = []

        def flat(*arrays):
            given = list(leaves)
            for i, array in zip(moving, arrays, strict=True):
                given[i] = array
            out, form = jax.tree.flatten(f(*jax.tree.unflatten(structure, given)))
            forms.append(form)
            return out

        def exactly(g, arrays, places):
            """Return what `g` gives, traced at the dtypes that the arguments in `places` have."""
            with jax.enable_x64(x64):
                like = [_like(v, kinds[moving[i]]) for v, i in zip(arrays, places, strict=True)]
                closed = jax.make_jaxpr(g)(*like)
            return evaluate(closed, arrays, constant)

        every, smooth = range(len(moving)), [i for i, k in enumerate(moving) if _is_inexact(_dtype(kinds[k]))]

        @jax.custom_jvp
        def wide(*arrays):
            return exactly(flat, arrays, every)

        @wide.defjvp
        def _(primals, tangents):
            def pushed(*both):
                arrays, given = both[: len(moving)], iter(both[len(moving) :])
                moved = tuple(next(given) if i in smooth else _nothing(v) for i, v in enumerate(arrays))
                out, slopes = jax.jvp(flat, arrays, moved)
                return [*out, *(slope for v, slope in zip(out, slopes, strict=True) if _smooth(v))]

            found = iter(exactly(pushed, [*primals, *(tangents[i] for i in smooth)], [*every, *smooth]))
            out = [next(found) for _ in range(forms[-1].num_leaves)]
            return out, [next(found) if _smooth(v) else _nothing(v) for v in out]

        out = wide(*(leaves[i] for i in moving))
        return jax.tree.unflatten(forms[0], out)

    return call


def must_double(loss: Callable, grad: Callable, own: Sequence[Any], x64: bool) -> bool:
    """Return whether a loss and its gradient are to be judged as `doubled`, since they are others in float64.

    They are where one of them runs in its own precision only, draws other random numbers then, or rounds to less inside
    than its arguments could hold. What only the gradient rounds away of its arguments is its own mistake.
    """
    known = max([_epsilon(v) for v in jax.tree.leaves(tuple(own)) if is_array(v) and _is_float(v)], default=EPSILON)
    rounded = []
    for f in (loss, grad):
        narrow = _traced(f, own, x64)
        if narrow is None:
            return False
        with jax.enable_x64(True):
            wide = _traced(f, jax.tree.map(widen, tuple(own)), True)
        if wide is None or _draws(narrow) != _draws(wide):
            return True
        rounded.append(_lowest(wide))
    return EPSILON < rounded[0] or EPSILON < rounded[1] <= known


def lowest_inside(f: Callable, own: Sequence[Any], x64: bool) -> float:
    """Return the machine epsilon of the lowest precision that `f` computes in of what its floating arguments move."""
    closed = _traced(f, own, x64)
    return EPSILON if closed is None else _lowest(closed)


def is_array(value: Any) -> bool:
    """Return whether a value is an array or a number of NumPy or JAX."""
    return isinstance(value, jax.Array | np.ndarray | np.generic)


def _traced(f, args, x64):
    """Return the jaxpr of `f(*args)` by the arrays among them; None where JAX cannot trace it."""
    leaves, structure = jax.tree.flatten(tuple(args))

    def by_arrays(arrays):
        given = iter(arrays)
        return f(*jax.tree.unflatten(structure, [next(given) if is_array(v) else v for v in leaves]))

    try:
        with jax.enable_x64(x64):
            return jax.make_jaxpr(by_arrays)([v for v in leaves if is_array(v)])
    except Exception:  # whatever a function makes of tracers; what is wrong with it is said where it is run
        return None


def _draws(closed):
    """Return the bits of each draw, in order: with x64 on, `jax.random` takes 64 bits a float."""
    return [str(eqn.params) for eqn in jaxprs.every_equation(closed) if eqn.primitive.name == "random_bits"]


def _lowest(closed):
    program = jaxprs.flatten(closed)
    inputs = zip(program.inputs, closed.in_avals, strict=True)
    moved, epsilons = {slot for slot, aval in inputs if _is_float(aval)}, [EPSILON]
    for equation in program.equations:
        if moved.intersection(slot for slot in equation.inputs if isinstance(slot, int)):
            moved |= set(equation.outputs)
            inside = [eqn for body in core.jaxprs_in_params(equation.eqn.params) for eqn in jaxprs.every_equation(body)]
            epsilons += [_epsilon(v.aval) for eqn in (equation.eqn, *inside) for v in eqn.outvars if _is_float(v.aval)]
    return max(epsilons)


def _is_float(value):
    return jnp.issubdtype(getattr(value, "dtype", bool), jnp.floating)


def _epsilon(value):
    return float(jnp.finfo(value.dtype).eps)


def _kind(value):
    """Return the dtype of an array, and "weak" for a Python float, which takes on that of what it meets."""
    return jnp.result_type(value) if is_array(value) else "weak" if isinstance(value, float) else None


def _dtype(kind):
    return jnp.dtype(float) if kind == "weak" else kind


def _like(value, kind):
    dtype = jnp.float64 if jax.config.jax_enable_x64 and kind == "weak" else jnp.float32 if kind == "weak" else kind
    return jax.ShapeDtypeStruct(jnp.shape(value), dtype, weak_type=kind == "weak")


def _is_inexact(kind: Any) -> bool:
    return jnp.issubdtype(kind, jnp.inexact)


def _smooth(value):
    return _is_inexact(jnp.result_type(value))


def _nothing(value):
    """Return the tangent of what has none."""
    return np.zeros(jnp.shape(value), jax.dtypes.float0)
