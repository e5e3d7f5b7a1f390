"""Every intermediate value of a loss with its true adjoint, by name: what a backward pass should compute."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.diagnosis.steps import Step, record, rerun
from jaxnn.verify.evaluation import FAST
from jaxnn.verify.marks import is_mark, marked_program

LOCAL = {
    *("logistic", "tanh", "exp", "log", "log1p", "expm1", "sin", "cos", "tan", "sqrt", "rsqrt", "abs", "integer_pow"),
    *("square", "erf", "max", "min", "pow", "neg", "cbrt", "atan", "asin", "acos", "sinh", "cosh"),
}
SPOKEN = {"logistic": "sigmoid", "max": "relu", "integer_pow": "power"}
MOST_ENTRIES = 600  # whose adjoint is taken: each needs four runs of the loss
STEP = 1e-3  # relative to an entry: with four points the error is some 1e-12 of a smooth loss


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


def nodes(loss: Callable, leaves: Sequence[Any], names: Sequence[str], *, unstopped: bool = False) -> list[Node]:
    """Return the parameters and all intermediates of `loss(leaves)`, in the order in which they are computed.

    The adjoint of a value is the gradient of the loss with respect to a zero that is added to it. A value that is used
    in several places is followed by a node without a name for each, with that use's part of the adjoint. `unstopped`
    passes over every stop_gradient, as differences do.
    """
    return nodes_at(loss, leaves, names, unstopped=unstopped)(leaves)


def nodes_at(
    loss: Callable, leaves: Sequence[Any], names: Sequence[str], *, unstopped: bool = False
) -> Callable[[Sequence[Any]], list[Node]]:
    """Return the function that gives the `nodes` at any leaves of these shapes, traced and compiled once."""
    program, places = marked_program(loss, list(leaves))
    made = {slot: equation for equation in program.equations for slot in equation.outputs}
    called = dict(zip(program.inputs, names, strict=True))
    called |= {slot: key[1] for slot, key in places.items() if not key[1].startswith("return")}
    marks = [equation for equation in program.equations if is_mark(equation)]
    unnamed = {equation.outputs[0] for equation in marks if equation.outputs[0] not in called}
    # What gets its name one equation later is left to that one.
    before = [equation.inputs[0] for equation in marks if equation.outputs[0] in called]
    unnamed |= {slot for slot in before if isinstance(slot, int)} - set(called)
    unnamed |= set(program.constants)

    def maker(slot):
        equation = made.get(slot) if isinstance(slot, int) else None  # a number stands there
        return maker(equation.inputs[0]) if equation is not None and is_mark(equation) else equation

    equations = {slot: maker(slot) for slot in made}
    users = _users(program)

    def inside(slot):
        """Whether a value is inside of a function of JAX's: made in it, and used in it alone."""
        equation = equations.get(slot)
        calls = equation.calls if equation is not None else ()
        return bool(calls and users.get(slot)) and all(user.calls[: len(calls)] == calls for user in users[slot])

    floats: dict[int, Any] = {}

    def values(leaves, zeros, parts):
        number = itertools.count()

        def step(eqn, *operands):
            k = next(number)
            if unstopped and eqn.primitive.name == "stop_gradient":
                return list(operands)
            return jaxprs.apply(eqn, *(v + parts[k, i] if (k, i) in parts else v for i, v in enumerate(operands)))

        env = jaxprs.run(program, leaves, lambda slot, v: v + zeros[slot] if slot in zeros else v, step=step)
        out = program.outputs[0]
        return jnp.asarray(jaxprs.read(env, out)), env

    def shapes(leaves):
        env = jaxprs.run(program, leaves)
        floats.update({slot: v for slot, v in env.items() if jnp.issubdtype(jnp.result_type(v), jnp.floating)})
        return [jnp.asarray(v) for v in floats.values()]

    outs = jax.eval_shape(shapes, list(leaves))
    shaped = {slot: np.zeros(out.shape, out.dtype) for slot, out in zip(floats, outs, strict=True)}
    uses = _several_uses(program, shaped)
    apart = {use: shaped[slot] for slot, places in uses.items() for use in places}

    def everything(leaves, shaped, apart):
        differentiated = jax.value_and_grad(values, argnums=(1, 2), has_aux=True)
        (_, env), (adjoints, parts) = differentiated(leaves, shaped, apart)
        local = {slot: d for slot in shaped if (d := _local(equations.get(slot), env)) is not None}
        return {slot: env[slot] for slot in shaped}, adjoints, local, parts

    compiled = jax.jit(everything, compiler_options=FAST)

    def of(slot, value, adjoint, local, part):
        equation, name = equations.get(slot), called.get(slot, "")
        inner = not name and inside(slot)
        yield Node(name, value[slot], adjoint[slot], local.get(slot), _spoken(equation, called), inner)
        for use in uses.get(slot, ()):
            yield Node("", value[slot], part[use], None, "", inner or bool(program.equations[use[0]].calls))

    def at(leaves):
        found = compiled(list(leaves), shaped, apart)
        pieces = [{k: np.asarray(v, np.float64) for k, v in piece.items()} for piece in found]
        return [node for slot in shaped if slot not in unnamed for node in of(slot, *pieces)]

    return at


def nodes_by_replaying(loss: Callable[..., Any], args: Sequence[Any]) -> list[Node]:
    r"""Return the named variables of `loss(*args)` with their adjoints, the small ones first where there are many.

    The adjoint of an entry v is $(8 (f(v + h) - f(v - h)) - f(v + 2h) + f(v - 2h)) / 12 h$, f the loss where the rest
    of the function is run with it.
    """
    steps = [step for step in record(loss, *args) if step.value.size and step.dtype != bool]
    named = [step for step in steps if not step.name.startswith("return") and np.all(np.isfinite(step.value))]
    left, chosen = MOST_ENTRIES, []
    for step in sorted(named, key=lambda step: step.value.size):
        left -= step.value.size
        if left < 0:
            break
        chosen.append(step)
    return [_node(loss, args, step) for step in sorted(chosen, key=lambda step: step.number)]


def _node(loss: Callable[..., Any], args: Sequence[Any], step: Step) -> Node:
    adjoint = np.zeros(step.value.shape)
    for index in np.ndindex(step.value.shape):
        h = STEP * max(1.0, abs(step.value[index]))

        def f(move, index=index):
            changed = step.value.copy()
            changed[index] += move
            return float(rerun(loss, args, {step.key: changed}))

        adjoint[index] = (8 * (f(h) - f(-h)) - f(2 * h) + f(-2 * h)) / (12 * h)
    return Node(step.name, step.value, adjoint, None, "", False)


def _users(program: jaxprs.Program) -> dict[int, list[jaxprs.Equation]]:
    """Return the equations that each slot is an operand of."""
    found: dict[int, list[jaxprs.Equation]] = {}
    for equation in program.equations:
        for atom in equation.inputs:
            if isinstance(atom, int):
                found.setdefault(atom, []).append(equation)
    return found


def _several_uses(program: jaxprs.Program, slots: Mapping[int, Any]) -> dict[int, list[tuple[int, int]]]:
    """Return, for each slot that is an operand more than once, where: which equation and which of its operands."""
    uses: dict[int, list[tuple[int, int]]] = {}
    for k, equation in enumerate(program.equations):
        for i, atom in enumerate(equation.inputs):
            if isinstance(atom, int) and atom in slots and atom not in program.constants:
                uses.setdefault(atom, []).append((k, i))
    return {slot: places for slot, places in uses.items() if len(places) > 1}


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
