"""Every intermediate value of a loss with its true adjoint, by name: what a backward pass should compute."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.evaluation import STRICT

LOCAL = {
    *("logistic", "tanh", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "sqrt", "rsqrt", "abs", "integer_pow"),
    *("square", "erf", "max", "min", "pow", "neg", "cbrt", "atan", "asin", "acos", "sinh", "cosh"),
}
SPOKEN = {"logistic": "sigmoid", "max": "relu", "integer_pow": "power"}


class Node(NamedTuple):
    """An intermediate of the loss: the variable's `name` in its source ("" inside an expression), value and adjoint.

    `local` is the derivative of an elementwise operation, None for others; `operation` the primitive, with its operand;
    `inner` whether it is inside of a function of JAX or of the user that is compiled or has its own derivative.
    """

    name: str
    value: np.ndarray
    adjoint: np.ndarray
    local: np.ndarray | None
    operation: str
    inner: bool


def nodes(loss: Callable, leaves: Sequence[Any], names: Sequence[str]) -> list[Node]:
    """Return the parameters and all intermediates of `loss(leaves)`, in the order in which they are computed.

    The adjoint of a value is the gradient of the loss with respect to a zero that is added to it.
    """
    try:
        with jax.disable_jit():  # opens scans too, which are then seen step by step
            program, _ = jaxprs.program(loss, list(leaves))
    except Exception:  # loops on traced values cannot be opened
        program, _ = jaxprs.program(loss, list(leaves))
    equations = {slot: equation for equation in program.equations for slot in equation.outputs}
    called = _named(program) | dict(zip(program.inputs, names, strict=True))
    floats: dict[int, Any] = {}

    def values(leaves, zeros):
        env = jaxprs.run(program, leaves, lambda slot, v: v + zeros[slot] if slot in zeros else v)
        out = program.outputs[0]
        return jnp.asarray(jaxprs.read(env, out)), env

    def shapes(leaves):
        env = jaxprs.run(program, leaves)
        floats.update({slot: v for slot, v in env.items() if jnp.issubdtype(jnp.result_type(v), jnp.floating)})
        return [jnp.asarray(v) for v in floats.values()]

    outs = jax.eval_shape(shapes, list(leaves))
    shaped = {slot: jnp.zeros(out.shape, out.dtype) for slot, out in zip(floats, outs, strict=True)}

    def everything(leaves):
        (_, env), adjoints = jax.value_and_grad(values, argnums=1, has_aux=True)(leaves, shaped)
        local = {slot: d for slot in shaped if (d := _local(equations.get(slot), env)) is not None}
        return {slot: env[slot] for slot in shaped}, adjoints, local

    found = jax.jit(everything, compiler_options=STRICT)(list(leaves))
    value, adjoint, local = ({k: np.asarray(v, np.float64) for k, v in part.items()} for part in found)
    constants = set(program.constants)

    def node(slot):
        equation, name = equations.get(slot), called.get(slot, "")
        inner = equation is not None and bool(equation.calls) and not name
        return Node(name, value[slot], adjoint[slot], local.get(slot), _spoken(equation, called), inner)

    return [node(slot) for slot in shaped if slot not in constants]


def _named(program: jaxprs.Program) -> dict[int, str]:
    """Return the variable that each slot became: the last equation of a line of the source that assigns to one name.

    A loop whose body is a single line gets the name in its last round only.
    """
    found: dict[int, str] = {}
    for equation, following in zip(program.equations, [*program.equations[1:], None], strict=True):
        lines, after = equation.lines, following.lines if following else ()
        if not equation.outputs:
            continue
        for depth in range(len(lines)):
            ended = not after or lines[depth:] != after[max(len(after) - len(lines) + depth, 0) :]
            if lines[depth].names and ended:
                found[equation.outputs[0]] = lines[depth].names[0]
                break
    return found


def _local(equation, env):
    """Return the derivative of an elementwise operation of one variable, at its operand."""
    if equation is None or equation.name not in LOCAL or len(equation.outputs) != 1:
        return None
    operands = [atom for atom in equation.inputs if isinstance(atom, int)]
    if not operands or jnp.shape(env[operands[0]]) != jnp.shape(env[equation.outputs[0]]):
        return None
    rest = [jaxprs.read(env, atom) for atom in equation.inputs[1:]]

    def f(x):
        return jaxprs.apply(equation.eqn, x, *rest)[0]

    if not isinstance(equation.inputs[0], int):
        return None
    x = env[equation.inputs[0]]
    return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _spoken(equation, called):
    if equation is None:
        return ""
    operand = next((called.get(atom, "") for atom in equation.inputs if isinstance(atom, int)), "")
    return f"{SPOKEN.get(equation.name, equation.name)}'" + (f"({operand})" if operand else "")
