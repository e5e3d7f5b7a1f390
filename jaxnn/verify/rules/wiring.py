"""The form of a rule: that what comes back has the value, structure, shapes and dtypes that `jax.custom_vjp` needs."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.diagnosis.lines import raised_at, returned
from jaxnn.verify.rounding import EPSILON, SAFETY
from jaxnn.verify.rules.cotangents import cotangent_of, filled
from jaxnn.verify.rules.forms import Rule, has_floats
from jaxnn.verify.trial import at_entry
from jaxnn.verify.verdict import Verdict


def wiring(
    out: Any, rule: Rule, args: Sequence[Any], places: Sequence[int], surrogate: Callable | None, tolerance: float
) -> Verdict | None:
    """Return what is wrong with the form of what comes back: value, structure, shapes, dtypes."""
    try:
        forward = rule.f_fwd(*args)
    except Exception as error:
        return raised("f_fwd", error)
    if not (isinstance(forward, tuple) and len(forward) == 2):
        return form_fails("f_fwd", f"f_fwd returns {type(forward).__name__}, not the pair (f(*args), residuals)")
    value, residuals = forward
    if jax.tree.structure(value) != jax.tree.structure(out):
        seen, wanted = jax.tree.structure(value), jax.tree.structure(out)
        return form_fails("f_fwd", f"f_fwd returns a value of the structure {seen}, f one of {wanted}")
    for (path, true), got in zip(jax.tree.leaves_with_path(out), jax.tree.leaves(value), strict=True):
        name = "f_fwd" + jax.tree_util.keystr(path)
        if np.shape(got) != np.shape(true) or jnp.result_type(got) != jnp.result_type(true):
            seen, wanted = (f"{jnp.result_type(v)}{list(np.shape(v))}" for v in (got, true))
            return form_fails(name, f"the value of f_fwd is {seen}, that of f {wanted}")
        got, true = np.asarray(got, np.float64), np.asarray(true, np.float64)
        dtype = jnp.result_type(jax.tree.leaves(value)[0])
        epsilon = float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else EPSILON
        gap = np.nan_to_num(np.abs(got - true), nan=0.0)
        size = np.max(np.abs(np.nan_to_num(true)), initial=0.0)
        if np.any(gap > (SAFETY * epsilon + tolerance) * size):
            index = np.unravel_index(int(np.argmax(gap)), gap.shape)
            cause = "f_fwd returns another value than f: under custom_vjp the function changes when differentiated"
            line = returned(rule.f_fwd, args, got)
            return at_entry("FAIL", name, index, true[index], got[index], witness="f itself", cause=cause, line=line)
    try:
        given = rule.f_bwd(residuals, cotangent_of(out))
    except Exception as error:
        return raised("f_bwd", error)
    if not isinstance(given, tuple | list) or len(given) != len(args):
        count = len(given) if isinstance(given, tuple | list) else type(given).__name__
        many = len(args) - len(rule.fixed)
        return form_fails("f_bwd", f"f_bwd returns {count} cotangents for {many} arguments: a tuple, one for each")
    for i in places:
        verdict = _form(rule, args, i, given[i], out, residuals, surrogate)
        if verdict is not None:
            return verdict
    return None


def _form(rule, args, i, given, out, residuals, surrogate):
    """Return what is wrong with the form of the cotangent of one argument."""
    name, cotangent = f"argument {i}", cotangent_of(out)
    whole = filled(given, args[i])
    if whole is None:
        seen, wanted = jax.tree.structure(given), jax.tree.structure(args[i])
        return form_fails(name, f"the cotangent has the structure {seen}, the argument {wanted}")
    nones = [path for path, v in jax.tree.leaves_with_path(given, is_leaf=lambda v: v is None) if v is None]
    if nones and not _is_zero(surrogate or rule.f, args, i, out, given):
        where = name + jax.tree_util.keystr(nones[0])
        cause = "f_bwd returns None for this argument, which custom_vjp takes as a gradient of zero, silently"
        return form_fails(where, cause, returned(rule.f_bwd, (residuals, cotangent)))
    for (path, got), arg in zip(jax.tree.leaves_with_path(whole), jax.tree.leaves(args[i]), strict=True):
        place = name + jax.tree_util.keystr(path)
        if np.shape(got) != np.shape(arg):
            return form_fails(place, f"the cotangent has the shape {np.shape(got)}, the argument {np.shape(arg)}")
        if has_floats(arg) and jnp.result_type(got) not in (jnp.result_type(arg), jax.dtypes.float0):
            return form_fails(place, f"the cotangent is {jnp.result_type(got)}, the argument {jnp.result_type(arg)}")
    return None


def _is_zero(f, args, place, out, given):
    """Return whether the true cotangents for which None was `given` are 0, as far as one of the result shows."""

    def moved(arg):
        return f(*args[:place], arg, *args[place + 1 :])

    try:
        _, pull = jax.vjp(moved, args[place])
    except Exception:  # what JAX cannot differentiate is judged by differences, as zeros
        return True
    (true,) = pull(cotangent_of(out))
    zeros = jax.tree.map(lambda v: v is None, given, is_leaf=lambda v: v is None)
    told = jax.tree.map(lambda none, v: none and any(map(np.any, jax.tree.leaves(v))), zeros, true)
    return not any(jax.tree.leaves(told))


def form_fails(name: str, cause: str, line: str = "") -> Verdict:
    """Return the verdict on a form that is wrong."""
    return Verdict("FAIL", name, witness="the form of the rule", cause=cause, line=line)


def raised(name: str, error: Exception) -> Verdict:
    """Return the verdict on a function that raises; a warning that is to be an error is the caller's."""
    if isinstance(error, Warning):
        raise error
    cause = f"{name} raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return form_fails(name, cause[:300], raised_at(error))
