"""Whether a rule's cotangents are linear in the cotangent of the result, and what they are where they are not to be."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxnn.verify.diagnosis.lines import spoken
from jaxnn.verify.diagnosis.steps import record
from jaxnn.verify.diagnosis.targets import close, is_adjoint
from jaxnn.verify.rules.cotangents import cotangent_of, flat, scaled, total
from jaxnn.verify.rules.forms import Rule, has_floats, is_number
from jaxnn.verify.rules.wiring import raised
from jaxnn.verify.trial import at_entry
from jaxnn.verify.verdict import Verdict

COTANGENTS = (1.0, -2.5, 0.3, 0.0)
TINY = 2.0**-14  # of a cotangent that no clipping reaches, and float16 still holds


def not_linear(pulled: Callable, rule: Rule, args: Sequence[Any], base: Any, places: Sequence[int]) -> Verdict | None:
    """Return what shows that the cotangents are not linear in `g`: zero, multiples and sums."""
    other = cotangent_of(base, seed=1)
    try:
        at_base, at_other = (flat(pulled(*args, g)) for g in (base, other))
    except Exception as error:
        return raised("f_bwd", error)
    names = [
        f"argument {i}" + jax.tree_util.keystr(path) for i in places for path, _ in jax.tree.leaves_with_path(args[i])
    ]
    if not all(np.all(np.isfinite(v)) for v in at_base):
        return None  # `check` says where
    trials: list[tuple[float | None, Any, Any]] = [
        (c, flat(pulled(*args, scaled(base, c))), [c * v for v in at_base]) for c in (*COTANGENTS, 1e3)
    ]
    together = flat(pulled(*args, jax.tree.map(total, base, other)))
    trials.append((None, together, [a + b for a, b in zip(at_base, at_other, strict=True)]))
    for factor, found, expected in sorted(trials, key=lambda trial: trial[0] != 0.0):
        for name, got, true, one in zip(names, found, expected, at_base, strict=True):
            size = max(np.max(np.abs(v), initial=0.0) for v in (np.nan_to_num(true), np.nan_to_num(one)))
            gap = np.nan_to_num(np.abs(got - true), nan=np.inf)
            if np.any(gap > 1e-3 * size * max(1.0, abs(factor or 1.0))):  # finer ones are `check`'s, which knows causes
                index = np.unravel_index(int(np.argmax(gap)), gap.shape)
                cause = _why_not_linear(factor, got[index], one[index])
                line = _first_not_linear(rule, args, base)
                where = {"witness": "linear in g", "cause": cause, "line": line}
                return at_entry("FAIL", name, index, true[index], got[index], **where)
    return None


def _first_not_linear(rule, args, g):
    """Return the first line of `f_bwd` whose value at -2.5 g is neither the one at g nor -2.5 times that.

    Without one, g is ignored: then the first line that makes something named like an adjoint.
    """
    try:
        residuals = rule.f_fwd(*args)[1]
        once, again = record(rule.f_bwd, residuals, g), record(rule.f_bwd, residuals, scaled(g, -2.5))
    except Exception:  # what does not run in float64 has no line
        return ""
    for one, other in zip(once, again, strict=False):
        if not close(other.value, one.value) and not close(other.value, -2.5 * one.value):
            return spoken(one.line)
    given = [np.asarray(v, float) for v in jax.tree.leaves((residuals, g)) if is_number(v) and has_floats(v)]
    new = (step for step in once if is_adjoint(step.name) and not any(close(v, step.value) for v in given))
    return next((spoken(step.line) for step in new), "")


def _why_not_linear(factor, got, one):
    if factor == 0.0:
        return "f_bwd does not give 0 at the cotangent 0: g is ignored, or something is added to it"
    if factor is None:
        return "f_bwd is not additive in the cotangent: f_bwd(g + h) is not f_bwd(g) + f_bwd(h)"
    for power, what in ((2, "squared"), (-1, "divided by"), (3, "cubed")):
        if np.isclose(got, factor**power * one, rtol=1e-6):
            return (
                f"f_bwd is not linear in the cotangent: g is {what}, {factor:g} g gives {factor**power:g} times as much"
            )
    if np.isclose(got, abs(factor) * one, rtol=1e-6):
        return f"f_bwd is not linear in the cotangent: the sign of g is lost, an absolute value ({factor:g} g)"
    return f"f_bwd is not linear in the cotangent, at {factor:g} g: g is clipped, normalised or thresholded"


def of_its_direction(
    compiled: Callable, loss: Callable, args: Sequence[Any], g: Any, places: Sequence[int]
) -> Verdict | None:
    """Return PASS where the rule has the true cotangent's signs, and its size is the same whatever that of `g` is."""
    once, again = (flat(compiled(*args, scaled(g, c))) for c in (1.0, TINY))
    if not all(np.allclose(a, b, rtol=1e-3) for a, b in zip(once, again, strict=True)):
        return None
    true = flat(jax.grad(loss, argnums=tuple(places))(*args))
    if any(np.any(a * b < 0) or np.any((a == 0) & (b != 0)) for a, b in zip(once, true, strict=True)):
        return None
    return Verdict("PASS", note="the cotangent's size does not depend on that of g, its signs are the true ones")
