"""The derivative of a rule's backward pass as autodiff takes it, against differences of the same pass."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxnn.trace import jaxprs
from jaxnn.verify.diagnosis.lines import returned, spoken
from jaxnn.verify.differences import slopes
from jaxnn.verify.evaluation import FAST
from jaxnn.verify.rounding import EPSILON
from jaxnn.verify.rules.cotangents import cotangent_of, flat, product
from jaxnn.verify.rules.forms import Rule, has_floats, is_number
from jaxnn.verify.trial import at_entry
from jaxnn.verify.verdict import Verdict

LINES = 4  # directions along which the derivative is looked at


def second_order(
    pulled: Callable,
    compiled: Callable,
    rule: Rule,
    args: Sequence[Any],
    g: Any,
    places: Sequence[int],
    tolerance: float = 0.0,
) -> Verdict | None:
    """Return what shows that autodiff of the rule's backward pass gives another derivative than its differences.

    They are the truth here: that the rule itself is right has been seen already. `tolerance` is a share of all.
    """
    chosen, along = tuple(args[i] for i in places), cotangent_of(tuple(args[i] for i in places), seed=2)

    def value(cotangents, *moving):
        given = list(args)
        for i, arg in zip(places, moving, strict=True):
            given[i] = arg
        return product(cotangents(*given, g), along)

    try:
        derivative = jax.grad(partial(value, pulled), argnums=tuple(range(len(places))))
        found = jax.jit(derivative, compiler_options=FAST)(*chosen)
        size = float(value(compiled, *chosen))
    except Exception:  # a backward pass that JAX cannot differentiate again is no error: nobody asked for it
        return None
    leaves, structure = jax.tree.flatten(chosen)
    gradient = flat(found)
    noise = 64 * EPSILON * max(abs(size), max(float(np.max(np.abs(v), initial=0.0)) for v in gradient))
    for seed in range(LINES):
        for k, leaf in enumerate(leaves):
            if not has_floats(leaf):
                continue
            direction = np.asarray(cotangent_of(leaf, seed=seed + 10)) * (float(np.max(np.abs(leaf), initial=0)) or 1.0)

            def phi(t, k=k, leaf=leaf, direction=direction):
                moved = [leaf + t * direction if i == k else v for i, v in enumerate(leaves)]
                return float(value(compiled, *jax.tree.unflatten(structure, moved)))

            with np.errstate(all="ignore"):
                seen = slopes(phi, noise, 0.01)
            claim, true = float(np.sum(gradient[k] * direction)), seen.central
            scale = abs(size) + sum(float(np.sum(np.abs(v))) for v in gradient)
            bar = 100 * true.error + 1e-6 * max(abs(true.value), abs(claim)) + tolerance * scale
            sharp = np.isfinite(true.value) and true.error <= 1e-4 * max(abs(true.value), abs(claim), 1e-3 * scale)
            if np.isfinite(claim) and sharp and not seen.kink and abs(claim - true.value) > bar:
                return _wrong_second_order(rule, args, g, places, k, claim, true)
    return None


def _wrong_second_order(rule, args, g, places, k, claim, true):
    paths = [
        f"argument {i}" + jax.tree_util.keystr(path) for i in places for path, _ in jax.tree.leaves_with_path(args[i])
    ]
    line, stopped = "", ""
    try:
        residuals = rule.f_fwd(*args)[1]
        stopped = _stopped(rule.f_bwd, residuals, g)
        line = stopped or returned(rule.f_bwd, (residuals, g))
    except Exception:  # what does not run in float64 has no line
        pass
    cause = "order 2: the gradient is right, the derivative that autodiff takes of it is not"
    cause += "; a stop_gradient stands in f_bwd" if stopped else ""
    note = "the values are derivatives of the gradient along a line of random signs through this argument"
    where = {"witness": "order 2", "error": true.error, "cause": cause, "line": line, "note": note}
    return at_entry("FAIL", paths[k], (), true.value, claim, **where)


def _stopped(f_bwd, residuals, cotangent):
    """Return the line of a stop_gradient in `f_bwd`, if there is one."""
    moving = [i for i, leaf in enumerate(jax.tree.leaves(residuals)) if is_number(leaf)]
    leaves, structure = jax.tree.flatten(residuals)

    def f(arrays, g):
        filled = dict(zip(moving, arrays, strict=True))
        return f_bwd(jax.tree.unflatten(structure, [filled.get(i, leaf) for i, leaf in enumerate(leaves)]), g)

    program, _ = jaxprs.program(f, [leaves[i] for i in moving], cotangent)
    stops = (equation.lines[0] for equation in program.equations if equation.name == "stop_gradient" and equation.lines)
    return next((spoken(line) for line in stops), "")
