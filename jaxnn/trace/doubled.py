"""A tape run again in float64, each operation of it, those in calls and loops too, whatever it was traced in."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import dtypes
from jax.extend import core

from jaxnn.trace import jaxprs
from jaxnn.trace.tape import Step, Tape

SHORT = {jnp.dtype(t) for t in (jnp.float16, jnp.bfloat16, jnp.float32)}


def doubled(tape: Tape) -> dict[int, Any]:
    """Return the value of every slot in float64, from the inputs and constants that the tape has."""
    made = {slot for step in tape.steps for slot in step.outputs}
    values = {slot: _double(value) for slot, value in tape.values.items() if slot not in made}
    for step in tape.steps:
        _take(step, values, values)
    return values


def moved(tape: Tape, values: dict[int, Any], output: int, slot: int, shift: Any) -> float:
    """Return the output after `shift` is added to the value in `slot`; `values` are those of `doubled`.

    A `stop_gradient` keeps its value, as the derivative has it.
    """
    changed = {slot: values[slot] + shift}
    for step in tape.steps:
        reached = any(atom in changed for atom in step.inputs if isinstance(atom, int))
        if reached and slot not in step.outputs and step.name != "stop_gradient":
            _take(step, changed, values)
    return float(changed.get(output, values[output]))


def _take(step, changed, values):
    inputs = [
        _double(a.val) if not isinstance(a, int) else changed[a] if a in changed else values[a] for a in step.inputs
    ]
    changed |= zip(step.outputs, precise(step)(*inputs), strict=True)


def precise(step: Step) -> Callable[..., list[Any]]:
    """Return what a step does, in float64."""
    if step.members:
        return lambda *values: _members(step, values)
    if step.eqn is None:
        return step.apply
    return lambda *values: _equation(step.eqn, values)


def _members(step, values):
    env = dict(zip(step.inputs, values, strict=True))
    for member in step.members:
        inputs = [env[a] if isinstance(a, int) else _double(a.val) for a in member.inputs]
        env |= zip(member.outputs, precise(member)(*inputs), strict=True)
    return [env[slot] for slot in step.outputs]


def _jaxpr(closed, values):
    jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", [])
    env = dict(zip(jaxpr.constvars, map(_double, consts), strict=True)) | dict(zip(jaxpr.invars, values, strict=True))

    def read(atom):
        return _double(atom.val) if isinstance(atom, core.Literal) else env[atom]

    for eqn in jaxpr.eqns:
        env |= zip(eqn.outvars, _equation(eqn, [read(atom) for atom in eqn.invars]), strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _equation(eqn, values):
    name = eqn.primitive.name
    if name == "cond":
        return _jaxpr(eqn.params["branches"][int(values[0])], values[1:])
    if (body := jaxprs.body_of(eqn)) is not None:
        return _jaxpr(body, values)
    if name == "scan":
        return _scan(eqn, values)
    if name == "while":
        return _while(eqn, values)
    return _primitive(eqn, values)


def _scan(eqn, values):
    (n_consts, n_carry), rounds = jaxprs.scan_sizes(eqn), range(eqn.params["length"])
    consts, carry, xs = values[:n_consts], values[n_consts : n_consts + n_carry], values[n_consts + n_carry :]
    ys = {}
    for i in reversed(rounds) if eqn.params["reverse"] else rounds:
        out = _jaxpr(eqn.params["jaxpr"], [*consts, *carry, *(x[i] for x in xs)])
        carry, ys[i] = out[:n_carry], out[n_carry:]
    return [*carry, *(jnp.stack([ys[i][j] for i in rounds]) for j in range(len(eqn.outvars) - n_carry))]


def _while(eqn, values):
    n_cond, n_body = eqn.params["cond_nconsts"], eqn.params["body_nconsts"]
    asked, consts, carry = values[:n_cond], values[n_cond : n_cond + n_body], list(values[n_cond + n_body :])
    while _jaxpr(eqn.params["cond_jaxpr"], [*asked, *carry])[0]:
        carry = _jaxpr(eqn.params["body_jaxpr"], [*consts, *carry])
    return carry


def _primitive(eqn, values):
    """Return a primitive at float64 values; where it insists on the dtypes it was traced with, at those."""
    params = {key: _double_dtype(value) for key, value in eqn.params.items()}
    try:
        if eqn.primitive.name == "bitcast_convert_type":
            raise TypeError("bits are those of the dtype it was traced with")
        out = _bind(eqn, values, params)
    except (TypeError, ValueError, NotImplementedError):
        traced = [
            v if jnp.issubdtype(v.dtype, dtypes.extended) else jnp.asarray(v, var.aval.dtype)
            for v, var in zip(values, eqn.invars, strict=True)
        ]
        out = _bind(eqn, traced, eqn.params)
    return [_double(value) for value in out]


def _bind(eqn, values, params):
    with eqn.ctx.manager:
        out = eqn.primitive.bind(*values, **eqn.primitive.get_bind_params(params))
    return out if eqn.primitive.multiple_results else [out]


def _double_dtype(value):
    return jnp.dtype("float64") if isinstance(value, np.dtype | type) and _is_short(value) else value


def _is_short(dtype):
    try:
        return jnp.dtype(dtype) in SHORT
    except TypeError:
        return False


def _double(value):
    if isinstance(value, jax.Array) and value.dtype not in SHORT | {jnp.dtype("complex64")}:
        return value
    value = np.asarray(value)
    if value.dtype == np.complex64:
        return value.astype(np.complex128)
    return value.astype(np.float64) if value.dtype in SHORT else value
