"""A program run again in float64, each operation of it, those in calls and loops too, whatever it was traced in."""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.extend import core

from jaxnn.trace import jaxprs
from jaxnn.trace.tape import Step, Tape


def evaluate(closed: Any, values: Sequence[Any], constant: Callable[[Any], Any] | None = None) -> list[Any]:
    """Return the outputs of a closed jaxpr at `values`, its floating-point operations in float64; x64 must be on.

    A cast to a shorter dtype rounds nothing then. JAX can trace it, and loops then stay loops. `constant` makes float64
    of the constants of the program, where they are not to be taken as they are.
    """
    return _jaxpr(closed, [_double(value) for value in values], constant or _double)


def in_double(tape: Tape) -> dict[int, Any]:
    """Return the value of every slot in float64, from the inputs and constants that the tape has."""
    made = {slot for step in tape.steps for slot in step.outputs}
    values = {slot: _double(value) for slot, value in tape.values.items() if slot not in made}
    for step in tape.steps:
        values |= _results(step, values)
    return values


def perturbed_output(tape: Tape, values: dict[int, Any], output: int, slot: int, shift: Any) -> float:
    """Return the output after `shift` is added to the value in `slot`; `values` are those of `in_double`.

    A `stop_gradient` keeps its value, as the derivative has it.
    """
    changed = {slot: jax.device_put(np.asarray(values[slot]) + shift)}
    now = ChainMap(changed, values)
    for step in tape.steps:
        # A check takes 13 outputs or more for every row: what the shift does not reach is not computed again.
        reached = any(atom in changed for atom in step.inputs if isinstance(atom, int))
        if reached and slot not in step.outputs and step.name != "stop_gradient":
            changed |= _results(step, now)
    return float(now[output])


def _results(step: Step, env: Mapping[int, Any]) -> dict[int, Any]:
    """Return the results of a step in float64, by slot."""
    inputs = [env[atom] if isinstance(atom, int) else _double(atom.val) for atom in step.inputs]
    if step.members:
        inside = dict(zip(step.inputs, inputs, strict=True))
        for member in step.members:
            inside |= _results(member, inside)
        return {slot: inside[slot] for slot in step.outputs}
    out = step.apply(*inputs) if step.eqn is None else _equation(step.eqn, inputs)
    return dict(zip(step.outputs, out, strict=True))


def _jaxpr(closed, values, constant):
    jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", [])
    env = dict(zip(jaxpr.constvars, map(constant, consts), strict=True)) | dict(zip(jaxpr.invars, values, strict=True))

    def read(atom):
        return constant(atom.val) if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        env |= zip(eqn.outvars, _equation(eqn, [read(atom) for atom in eqn.invars], constant), strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _equation(eqn, values, constant=None):
    constant = constant or _double
    name = eqn.primitive.name
    # Before `body_of`: of `platform_dependent` that takes this machine's branch, and the tape took the default one.
    if name == "cond":
        branches = eqn.params["branches"]
        if isinstance(values[0], jax.core.Tracer):
            return jax.lax.switch(
                values[0], [lambda *v, body=body: _jaxpr(body, v, constant) for body in branches], *values[1:]
            )
        return _jaxpr(branches[int(values[0])], values[1:], constant)
    if (body := jaxprs.body_of(eqn)) is not None:
        return _jaxpr(body, values, constant)
    if name == "scan":
        return _scan(eqn, values, constant)
    if name == "while":
        return _while(eqn, values, constant)
    return _primitive(eqn, values)


def _scan(eqn, values, constant):
    (n_consts, n_carry), rounds = jaxprs.scan_sizes(eqn), range(eqn.params["length"])
    consts, carry, xs = values[:n_consts], values[n_consts : n_consts + n_carry], values[n_consts + n_carry :]
    if any(isinstance(value, jax.core.Tracer) for value in values):

        def body(carry, x):
            out = _jaxpr(eqn.params["jaxpr"], [*consts, *carry, *x], constant)
            return out[:n_carry], out[n_carry:]

        settings = {key: eqn.params[key] for key in ("length", "reverse")}
        carry, stacked = jax.lax.scan(body, carry, xs, **settings)
        return [*carry, *stacked]
    ys = {}
    for i in reversed(rounds) if eqn.params["reverse"] else rounds:
        out = _jaxpr(eqn.params["jaxpr"], [*consts, *carry, *(x[i] for x in xs)], constant)
        carry, ys[i] = out[:n_carry], out[n_carry:]
    return [*carry, *(jnp.stack([ys[i][j] for i in rounds]) for j in range(len(eqn.outvars) - n_carry))]


def _while(eqn, values, constant):
    n_cond, n_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    asked, consts, carry = values[:n_cond], values[n_cond : n_cond + n_body], list(values[n_cond + n_body :])
    if any(isinstance(value, jax.core.Tracer) for value in values):
        return jax.lax.while_loop(
            lambda carry: _jaxpr(eqn.params["cond_jaxpr"], [*asked, *carry], constant)[0],
            lambda carry: _jaxpr(eqn.params["body_jaxpr"], [*consts, *carry], constant),
            carry,
        )
    while _jaxpr(eqn.params["cond_jaxpr"], [*asked, *carry], constant)[0]:
        carry = _jaxpr(eqn.params["body_jaxpr"], [*consts, *carry], constant)
    return carry


def _primitive(eqn, values):
    """Return a primitive at float64 values; where it insists on the dtypes it was traced with, at those."""
    name, has_body = eqn.primitive.name, any(True for _ in core.jaxprs_in_params(eqn.params))
    if name == "reduce_precision":  # a cast without a dtype of its own
        return values
    if name.startswith("scatter") and "update_jaxpr" in eqn.params:  # which is of the dtype it was traced with
        kept = ("dimension_numbers", "indices_are_sorted", "unique_indices", "mode")
        again = getattr(jax.lax, name.replace("-", "_"))
        operand, indices, updates = values
        return [again(operand, indices, updates.astype(operand.dtype), **{key: eqn.params[key] for key in kept})]
    # A cast to float32 has its dtype among the parameters: left as it is, it would round the differences.
    params = {key: _double_dtype(value) for key, value in eqn.params.items()}
    try:
        # Bits are those of the dtype it was traced with, and so is the body of a kernel.
        if name == "bitcast_convert_type" or has_body:
            raise TypeError(name)
        out = jaxprs.apply(eqn, *values, params=params)
    except (TypeError, ValueError, NotImplementedError):
        traced = [
            v if jnp.issubdtype(v.dtype, dtypes.extended) else jnp.asarray(v, var.aval.dtype)
            for v, var in zip(values, eqn.invars, strict=True)
        ]
        out = jaxprs.apply(eqn, *traced)
    return [_double(value) for value in out]


def _double_dtype(value):
    return jnp.dtype("float64") if isinstance(value, np.dtype | type) and _is_short(value) else value


def _is_short(dtype):
    """Return whether a dtype is one of floating-point numbers of fewer bits than float64."""
    try:
        return jnp.issubdtype(dtype, jnp.floating) and jnp.dtype(dtype) != jnp.float64
    except TypeError:
        return False


def _double(value):
    if isinstance(value, jax.Array):  # a random key, which NumPy cannot hold, or a value that is being traced
        if jnp.issubdtype(value.dtype, dtypes.extended):
            return value
        wide = "complex128" if value.dtype == np.complex64 else "float64" if _is_short(value.dtype) else value.dtype
        return value if wide == value.dtype else value.astype(wide)
    value = np.asarray(value)
    if value.dtype == np.complex64:
        return value.astype(np.complex128)
    return value.astype(np.float64) if _is_short(value.dtype) else value
