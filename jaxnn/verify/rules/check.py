"""`check_rule`: a hand-written rule in any of JAX's forms, its wiring included."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import require
from jaxnn.verify.check import run
from jaxnn.verify.doubled import doubled, must_double
from jaxnn.verify.evaluation import FAST, Programs, programs
from jaxnn.verify.problem import widen
from jaxnn.verify.rules.cotangents import as_dtypes_of, cotangent_of, filled, product, scaled
from jaxnn.verify.rules.forms import has_floats, in_reals, is_number, of_each_output, read
from jaxnn.verify.rules.linearity import TINY, not_linear, of_its_direction
from jaxnn.verify.rules.second_order import second_order
from jaxnn.verify.rules.tangents import by_tangents
from jaxnn.verify.rules.wiring import raised, wiring
from jaxnn.verify.trial import float64
from jaxnn.verify.verdict import Verdict, joined, overall
from jaxnn.verify.witnesses import FEW_DIGITS


class Meant(NamedTuple):
    """What a rule is meant to be: the derivative of `surrogate`, `linear` in the cotangent, right to `tolerance`."""

    surrogate: Callable | None = None
    linear: bool = True
    tolerance: float | None = None


def check_rule(
    rule: Callable,
    *args: Any,
    nondiff_argnums: Sequence[int] = (),
    surrogate: Callable | None = None,
    linear: bool = True,
    tolerance: float | None = None,
) -> Verdict:
    """Return the verdict on a rule: `check_rule(rule, *args)` or `check_rule(f, f_fwd, f_bwd, *args)`.

    `rule` is decorated with `jax.custom_vjp`, `jax.custom_jvp` or `jax.custom_gradient`; the function under the
    decoration is what it is held against. Of the three functions `f_fwd(*args)` is `(f(*args), residuals)`,
    `f_bwd(residuals, g)` the cotangents, `f_bwd(*fixed, residuals, g)` where arguments are fixed by `nondiff_argnums`.

    Beside all that `check` does for the cotangents: the value of `f_fwd` is that of `f`; `f_bwd` returns one cotangent
    for each argument, of its structure, shape and dtype, none of them None where it is not zero; at 0 it is 0; it is
    linear in `g`, at the cotangents 1, -2.5, 0.3 and 0 and in their sums; and its own derivative is that which
    differences of it have. Arguments without a floating-point number (labels, keys, sizes) get no cotangent or zeros.
    Complex numbers follow JAX's convention: a gradient is that by the real part minus i times that by the imaginary.

    A rule may deviate on purpose: it is meant to be the derivative of `surrogate(*args)` (a straight-through
    estimator), or not to be `linear` in the cotangent, which is clipped or normalised: then it has to be the derivative
    at small cotangents, or one of its direction. `tolerance` is that of `check`. The note says what was intended.

    Raises `InvalidArgument` where there is no rule, or `f` returns no floating-point array.
    """
    found, given = read(rule, args, nondiff_argnums)
    with jax.default_matmul_precision("highest"):
        verdict = _judged(found, given, {}, Meant(surrogate, linear, tolerance))
        for alone in of_each_output(rule, given) if verdict and surrogate is None else ():
            one = _judged(alone, given, {}, Meant(None, linear, tolerance), quick=True)
            if not one:
                return replace(one, note=joined(one.note, "where for one output alone a cotangent comes"))
        return verdict


def survey_rule(rule: Callable, *functions_and_cases: Any, quick: bool = False) -> Verdict:
    """Return the verdict of `check_rule` at many argument tuples: `(rule, cases)` or `(f, f_fwd, f_bwd, cases)`.

    `cases` are the tuples by name; the verdict is the first that is false. The first case is brought before every
    witness; the others, and where it is to be `quick` the first too, before those that look at every entry. Without a
    failure the verdict is that of `survey`: KINK, PASS, or NOISE where nothing could be resolved; its `note` counts.
    """
    *functions, cases = functions_and_cases
    require(bool(cases), "cases", "none", "argument tuples by name")
    prepared: dict[Any, _Prepared] = {}
    verdicts = []
    for name, args in cases.items():
        found, given = read(rule, (*functions, *args))
        with jax.default_matmul_precision("highest"):
            verdict = _judged(found, given, prepared, Meant(), quick=quick or bool(verdicts))
        verdict = replace(verdict, case=name)
        if not verdict:
            return verdict
        verdicts.append(verdict)
    return overall(verdicts)


class _Prepared(NamedTuple):
    """A rule as a scalar loss, `f` times a cotangent, and its gradient, with the programs of both."""

    loss: Callable
    grad: Callable
    programs: Programs


def _judged(rule, args, prepared, meant, quick=False):
    """Return the verdict; `prepared` keeps programs from one case to the next of the same shapes."""
    some = any(has_floats(arg) for i, arg in enumerate(args) if i not in rule.fixed)
    require(some, "args", "no argument of floating-point numbers", "one at least, to differentiate by")
    try:
        rule, args = in_reals(rule, args, rule.f(*args))
        out = rule.f(*args)
    except Exception as error:
        return raised("f", error)
    places = tuple(i for i, arg in enumerate(args) if i not in rule.fixed and has_floats(arg))
    require(has_floats(out), "f", f"a result of {type(out).__name__}", "floating-point arrays, which have cotangents")
    unfit = wiring(out, rule, args, places, meant.surrogate, meant.tolerance or 0.0)
    if unfit is not None:
        return unfit
    x64 = bool(jax.config.jax_enable_x64)
    cotangent = cotangent_of(out)
    pulled = partial(_pulled, rule, places)
    as_it_is = not must_double(lambda *given: rule.f(*given[:-1]), pulled, (*args, cotangent), x64)
    if not as_it_is:
        pulled = doubled(pulled, (*args, cotangent), x64)
    with float64():
        exact, wide = jax.tree.map(widen, (tuple(args), cotangent))
        compiled = _compiled(pulled, exact, wide)
        unlike = not_linear(compiled, rule, exact, wide, places) if meant.linear else None
    f = meant.surrogate or rule.f
    like = places, str(jax.tree.map(lambda leaf: (np.shape(leaf), jnp.result_type(leaf)), out))
    if like not in prepared:
        scale = 1.0 if meant.linear else TINY
        prepared[like] = _prepared(f, rule, places, scaled(cotangent, scale))
    loss, grad, ready = prepared[like]
    options = {"tolerance": meant.tolerance, "defines": meant.surrogate is not None}
    verdict = run(loss, grad, args, places, ready, quick=quick, explain=rule.jvp is None, **options)
    if verdict.kind == "FAIL" and rule.jvp is not None:
        verdict = by_tangents(verdict, rule, f, args, places)
    if unlike is not None:
        return replace(unlike, line=unlike.line or verdict.line)
    if not meant.linear and verdict.kind == "FAIL":
        with float64():
            wide_loss = loss if as_it_is else doubled(loss, args, x64)
            verdict = of_its_direction(compiled, wide_loss, exact, wide, places) or verdict
    if not verdict or quick:
        return replace(verdict, note=_intended(meant, verdict.note)) if verdict else verdict
    if _few_digits((tuple(args), out)) and meant.linear:
        # Sums of one sign stall in few digits, those of both signs do not.
        positive = jax.tree.map(lambda g: g if g.dtype == jax.dtypes.float0 else jnp.abs(g), cotangent)
        loss, grad, ready = _prepared(f, rule, places, positive)
        stalled = run(loss, grad, args, places, ready, quick=True, **options)
        if not stalled or stalled.kind == "NOISE":
            return replace(stalled, note=joined(stalled.note, "at a cotangent of one sign"))
    with float64():
        same = meant.surrogate is None and meant.linear
        tolerated = meant.tolerance or 0.0
        second = second_order(pulled, compiled, rule, exact, wide, places, tolerated) if same else None
    return replace(verdict, note=_intended(meant, verdict.note)) if second is None else second


def _few_digits(trees):
    """Return whether there is an array of float16, bfloat16 or less."""
    kinds = [jnp.result_type(v) for v in jax.tree.leaves(trees) if is_number(v)]
    return any(jnp.issubdtype(kind, jnp.floating) and jnp.finfo(kind).eps > FEW_DIGITS for kind in kinds)


def _intended(meant: Meant, note: str) -> str:
    """Return a note with what the rule was meant to be."""
    return joined(
        "intended: the rule is the derivative of the surrogate, not of f" * (meant.surrogate is not None),
        "intended: the rule is not linear in the cotangent, and the derivative at small ones" * (not meant.linear),
        note,
    )


def _pulled(rule, places, *args):
    """Return the cotangents of the arguments in `places`; the last of `args` is the cotangent of the result."""
    *args, g = args
    out, residuals = rule.f_fwd(*args)
    given = rule.f_bwd(residuals, as_dtypes_of(g, out))
    return tuple(filled(given[i], args[i]) for i in places)


def _compiled(pulled, args, g):
    """Return the function of `(*args, g)` compiled, its arrays as float64; as it is where JAX cannot trace it."""
    leaves, structure = jax.tree.flatten((*args, g))
    moving = [i for i, leaf in enumerate(leaves) if is_number(leaf) and has_floats(leaf)]

    def by_arrays(arrays):
        given = list(leaves)
        for i, array in zip(moving, arrays, strict=True):
            given[i] = array
        return pulled(*jax.tree.unflatten(structure, given))

    program = jax.jit(by_arrays, compiler_options=FAST)
    try:
        jax.eval_shape(by_arrays, [jnp.asarray(leaves[i]) for i in moving])
    except Exception:
        return pulled

    def call(*args):
        given = jax.tree.leaves(args)
        return program([jnp.asarray(given[i]) for i in moving])

    return call


def _prepared(f, rule, places, cotangent):
    def loss(*args):
        out = f(*args)
        return product(out, as_dtypes_of(cotangent, out))

    def grad(*args):
        return _pulled(rule, places, *args, cotangent)

    return _Prepared(loss, grad, programs(loss, grad, places))
