"""The variables of a traced function in its jaxpr: every assignment to one becomes an equation that changes nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from jaxnn.trace import jaxprs
from jaxnn.verify.diagnosis.steps import Key, is_array, watched

MARK = "jaxnn: assignment "


def marked_program(
    f: Callable, *args: Any, floats: Callable[[str], bool] = lambda name: False
) -> tuple[jaxprs.Program, dict[int, Key]]:
    """Return the program of `f(*args)`, loops and calls opened where that can be, and the variable of each slot.

    A Python float is marked, and becomes an array, where `floats(name)` holds.
    """
    keys: list[Key] = []

    def marked(*args):
        def mark(key, value, scope):
            number = isinstance(value, float) and floats(key[1])
            if not number and not (isinstance(value, jax.Array) and is_array(value)):
                return None
            keys.append(key)
            return checkpoint_name(jnp.asarray(value), f"{MARK}{len(keys) - 1}")

        with watched(mark):
            return f(*args)

    try:
        with jax.disable_jit():  # opens scans too, which are then seen step by step
            program, _ = jaxprs.program(marked, *args)
    except Exception:  # loops on traced values cannot be opened
        keys.clear()
        program, _ = jaxprs.program(marked, *args)
    found: dict[int, int] = {}
    for equation in program.equations:
        if is_mark(equation):  # the first is the value's, any other that of its tangent
            found.setdefault(int(equation.eqn.params["name"].removeprefix(MARK)), equation.outputs[0])
    return program, {slot: keys[number] for number, slot in sorted(found.items())}


def is_mark(equation: jaxprs.Equation) -> bool:
    """Return whether an equation only marks an assignment."""
    return equation.name == "name" and str(equation.eqn.params.get("name", "")).startswith(MARK)
