"""`check_rule`: a hand-written rule in any of JAX's forms, its wiring included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import require
from jaxnn.trace import jaxprs
from jaxnn.verify.check import run
from jaxnn.verify.diagnose import raised_at, returned, spoken
from jaxnn.verify.differences import slopes
from jaxnn.verify.doubled import doubled, must_double
from jaxnn.verify.evaluation import FAST, Programs, programs
from jaxnn.verify.problem import widen
from jaxnn.verify.rounding import EPSILON, SAFETY
from jaxnn.verify.rule_forms import Rule, has_floats, in_reals, is_number, read
from jaxnn.verify.steps import record
from jaxnn.verify.surveys import overall
from jaxnn.verify.targets import close, is_adjoint
from jaxnn.verify.trial import at_entry, float64
from jaxnn.verify.verdict import Verdict
from jaxnn.verify.witnesses import FEW_DIGITS

COTANGENTS = (1.0, -2.5, 0.3, 0.0)
TINY = 2.0**-14  # of a cotangent that no clipping reaches, and float16 still holds
LINES = 4  # directions along which the rule's own derivative is looked at


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
        return _judged(found, given, {}, Meant(surrogate, linear, tolerance))


def survey_rule(
    f: Callable, f_fwd: Callable, f_bwd: Callable, cases: Mapping[str, Sequence[Any]], *, quick: bool = False
) -> Verdict:
    """Return the verdict of `check_rule` at many argument tuples, by name: the first that is false.

    The first case is brought before every witness; the others, and where it is to be `quick` the first too, before
    those that look at every entry. Without a failure the verdict is that of `survey`: KINK, PASS, or NOISE where
    nothing could be resolved; its `note` counts.
    """
    require(bool(cases), "cases", "none", "argument tuples by name")
    prepared: dict[Any, _Prepared] = {}
    verdicts = []
    for name, args in cases.items():
        with jax.default_matmul_precision("highest"):
            verdict = _judged(Rule(f, f_fwd, f_bwd), args, prepared, Meant(), quick=quick or bool(verdicts))
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
        return _raised("f", error)
    places = tuple(i for i, arg in enumerate(args) if i not in rule.fixed and has_floats(arg))
    require(has_floats(out), "f", f"a result of {type(out).__name__}", "floating-point arrays, which have cotangents")
    wiring = _wiring(out, rule, args, places, meant)
    if wiring is not None:
        return wiring
    x64 = bool(jax.config.jax_enable_x64)
    cotangent = _cotangent(out)
    pulled = partial(_pulled, rule, places)
    if must_double(lambda *given: rule.f(*given[:-1]), pulled, (*args, cotangent), x64):
        pulled = doubled(pulled, (*args, cotangent), x64)
    with float64():
        exact, wide = jax.tree.map(widen, (tuple(args), cotangent))
        compiled = _compiled(pulled, exact, wide)
        unlike = _not_linear(compiled, rule, exact, wide, places) if meant.linear else None
    like = places, str(jax.tree.map(lambda leaf: (np.shape(leaf), jnp.result_type(leaf)), out))
    if like not in prepared:
        f = meant.surrogate or rule.f
        scale = 1.0 if meant.linear else TINY
        prepared[like] = _prepared(f, rule, places, _scaled(cotangent, scale))
    loss, grad, ready = prepared[like]
    verdict = run(
        loss, grad, args, places, ready, quick=quick, tolerance=meant.tolerance, defines=meant.surrogate is not None
    )
    if unlike is not None:
        return replace(unlike, line=unlike.line or verdict.line)
    if not meant.linear and verdict.kind == "FAIL":
        with float64():
            verdict = _of_its_direction(compiled, loss, exact, wide, places) or verdict
    if not verdict or quick:
        return replace(verdict, note=_intended(meant, verdict.note)) if verdict else verdict
    if _few_digits((tuple(args), out)) and meant.linear:
        # Sums of one sign stall in few digits, those of both signs do not.
        positive = jax.tree.map(lambda g: g if g.dtype == jax.dtypes.float0 else jnp.abs(g), cotangent)
        loss, grad, ready = _prepared(meant.surrogate or rule.f, rule, places, positive)
        options = {"tolerance": meant.tolerance, "defines": meant.surrogate is not None}
        stalled = run(loss, grad, args, places, ready, quick=True, **options)
        if not stalled or stalled.kind == "NOISE":
            return replace(stalled, note="; ".join(p for p in (stalled.note, "at a cotangent of one sign") if p))
    with float64():
        same = meant.surrogate is None and meant.linear
        second = _second_order(pulled, compiled, rule, exact, wide, places) if same else None
    return replace(verdict, note=_intended(meant, verdict.note)) if second is None else second


def _few_digits(trees):
    """Return whether there is an array of float16, bfloat16 or less."""
    kinds = [jnp.result_type(v) for v in jax.tree.leaves(trees) if is_number(v)]
    return any(jnp.issubdtype(kind, jnp.floating) and jnp.finfo(kind).eps > FEW_DIGITS for kind in kinds)


def _intended(meant: Meant, note: str) -> str:
    """Return a note with what the rule was meant to be."""
    parts = [
        "intended: the rule is the derivative of the surrogate, not of f" * (meant.surrogate is not None),
        "intended: the rule is not linear in the cotangent, and the derivative at small ones" * (not meant.linear),
        note,
    ]
    return "; ".join(part for part in parts if part)


def _pulled(rule, places, *args):
    """Return the cotangents of the arguments in `places`; the last of `args` is the cotangent of the result."""
    *args, g = args
    out, residuals = rule.f_fwd(*args)
    given = rule.f_bwd(residuals, _as(g, out))
    return tuple(_filled(given[i], args[i]) for i in places)


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
        return _product(out, _as(cotangent, out))

    def grad(*args):
        return _pulled(rule, places, *args, cotangent)

    return _Prepared(loss, grad, programs(loss, grad, places))


def _wiring(out, rule, args, places, meant) -> Verdict | None:
    """Return what is wrong with the form of what comes back: value, structure, shapes, dtypes."""
    try:
        forward = rule.f_fwd(*args)
    except Exception as error:
        return _raised("f_fwd", error)
    if not (isinstance(forward, tuple) and len(forward) == 2):
        return _fail("f_fwd", f"f_fwd returns {type(forward).__name__}, not the pair (f(*args), residuals)")
    value, residuals = forward
    if jax.tree.structure(value) != jax.tree.structure(out):
        seen, wanted = jax.tree.structure(value), jax.tree.structure(out)
        return _fail("f_fwd", f"f_fwd returns a value of the structure {seen}, f one of {wanted}")
    for (path, true), got in zip(jax.tree.leaves_with_path(out), jax.tree.leaves(value), strict=True):
        name = "f_fwd" + jax.tree_util.keystr(path)
        if np.shape(got) != np.shape(true) or jnp.result_type(got) != jnp.result_type(true):
            seen, wanted = (f"{jnp.result_type(v)}{list(np.shape(v))}" for v in (got, true))
            return _fail(name, f"the value of f_fwd is {seen}, that of f {wanted}")
        got, true = np.asarray(got, np.float64), np.asarray(true, np.float64)
        dtype = jnp.result_type(jax.tree.leaves(value)[0])
        epsilon = float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else EPSILON
        gap = np.nan_to_num(np.abs(got - true), nan=0.0)
        size = np.max(np.abs(np.nan_to_num(true)), initial=0.0)
        if np.any(gap > (SAFETY * epsilon + (meant.tolerance or 0.0)) * size):
            index = np.unravel_index(int(np.argmax(gap)), gap.shape)
            cause = "f_fwd returns another value than f: under custom_vjp the function changes when differentiated"
            line = returned(rule.f_fwd, args, got)
            return at_entry("FAIL", name, index, true[index], got[index], witness="f itself", cause=cause, line=line)
    try:
        given = rule.f_bwd(residuals, _cotangent(out))
    except Exception as error:
        return _raised("f_bwd", error)
    if not isinstance(given, tuple | list) or len(given) != len(args):
        count = len(given) if isinstance(given, tuple | list) else type(given).__name__
        many = len(args) - len(rule.fixed)
        return _fail("f_bwd", f"f_bwd returns {count} cotangents for {many} arguments: a tuple, one for each")
    for i in places:
        verdict = _form(rule, args, i, given[i], out, residuals, meant)
        if verdict is not None:
            return verdict
    return None


def _form(rule, args, i, given, out, residuals, meant):
    """Return what is wrong with the form of the cotangent of one argument."""
    name, cotangent = f"argument {i}", _cotangent(out)
    filled = _filled(given, args[i])
    if filled is None:
        seen, wanted = jax.tree.structure(given), jax.tree.structure(args[i])
        return _fail(name, f"the cotangent has the structure {seen}, the argument {wanted}")
    nones = [path for path, v in jax.tree.leaves_with_path(given, is_leaf=lambda v: v is None) if v is None]
    if nones and not _is_zero(meant.surrogate or rule.f, args, i, out, given):
        where = name + jax.tree_util.keystr(nones[0])
        cause = "f_bwd returns None for this argument, which custom_vjp takes as a gradient of zero, silently"
        return _fail(where, cause, returned(rule.f_bwd, (residuals, cotangent)))
    for (path, got), arg in zip(jax.tree.leaves_with_path(filled), jax.tree.leaves(args[i]), strict=True):
        place = name + jax.tree_util.keystr(path)
        if np.shape(got) != np.shape(arg):
            return _fail(place, f"the cotangent has the shape {np.shape(got)}, the argument {np.shape(arg)}")
        if has_floats(arg) and jnp.result_type(got) not in (jnp.result_type(arg), jax.dtypes.float0):
            return _fail(place, f"the cotangent is {jnp.result_type(got)}, the argument {jnp.result_type(arg)}")
    return None


def _is_zero(f, args, place, out, given):
    """Return whether the true cotangents for which None was `given` are 0, as far as one of the result shows."""

    def moved(arg):
        return f(*args[:place], arg, *args[place + 1 :])

    try:
        _, pull = jax.vjp(moved, args[place])
    except Exception:  # what JAX cannot differentiate is judged by differences, as zeros
        return True
    (true,) = pull(_cotangent(out))
    zeros = jax.tree.map(lambda v: v is None, given, is_leaf=lambda v: v is None)
    told = jax.tree.map(lambda none, v: none and any(map(np.any, jax.tree.leaves(v))), zeros, true)
    return not any(jax.tree.leaves(told))


def _not_linear(pulled, rule, args, base, places):
    """Return what shows that the cotangents are not linear in `g`: zero, multiples and sums."""
    other = _cotangent(base, seed=1)
    try:
        at_base, at_other = (_flat(pulled(*args, g)) for g in (base, other))
    except Exception as error:
        return _raised("f_bwd", error)
    names = [
        f"argument {i}" + jax.tree_util.keystr(path) for i in places for path, _ in jax.tree.leaves_with_path(args[i])
    ]
    if not all(np.all(np.isfinite(v)) for v in at_base):
        return None  # `check` says where
    trials: list[tuple[float | None, Any, Any]] = [
        (c, _flat(pulled(*args, _scaled(base, c))), [c * v for v in at_base]) for c in (*COTANGENTS, 1e3)
    ]
    together = _flat(pulled(*args, jax.tree.map(_sum, base, other)))
    trials.append((None, together, [a + b for a, b in zip(at_base, at_other, strict=True)]))
    for factor, found, expected in sorted(trials, key=lambda trial: trial[0] != 0.0):
        for name, got, true, one in zip(names, found, expected, at_base, strict=True):
            size = max(np.max(np.abs(v), initial=0.0) for v in (np.nan_to_num(true), np.nan_to_num(one)))
            gap = np.nan_to_num(np.abs(got - true), nan=np.inf)
            if np.any(gap > 1e-3 * size * max(1.0, abs(factor or 1.0))):  # finer ones are `check`'s, which knows causes
                index = np.unravel_index(int(np.argmax(gap)), gap.shape)
                cause = _why_not_linear(factor, got[index], true[index], one[index])
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
        once, again = record(rule.f_bwd, residuals, g), record(rule.f_bwd, residuals, _scaled(g, -2.5))
    except Exception:  # what does not run in float64 has no line
        return ""
    for one, other in zip(once, again, strict=False):
        if not close(other.value, one.value) and not close(other.value, -2.5 * one.value):
            return spoken(one.line)
    given = [np.asarray(v, float) for v in jax.tree.leaves((residuals, g)) if is_number(v) and has_floats(v)]
    new = (step for step in once if is_adjoint(step.name) and not any(close(v, step.value) for v in given))
    return next((spoken(step.line) for step in new), "")


def _why_not_linear(factor, got, true, one):
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


def _of_its_direction(compiled, loss, args, g, places):
    """Return PASS where the rule has the true cotangent's signs, and its size is the same whatever that of `g` is."""
    once, again = (_flat(compiled(*args, _scaled(g, c))) for c in (1.0, TINY))
    if not all(np.allclose(a, b, rtol=1e-3) for a, b in zip(once, again, strict=True)):
        return None
    true = _flat(jax.grad(loss, argnums=places)(*args))
    if any(np.any(a * b < 0) or np.any((a == 0) & (b != 0)) for a, b in zip(once, true, strict=True)):
        return None
    return Verdict("PASS", note="the cotangent's size does not depend on that of g, its signs are the true ones")


def _second_order(pulled, compiled, rule, args, g, places):
    """Return what shows that autodiff of the rule's backward pass gives another derivative than its differences.

    They are the truth here: that the rule itself is right has been seen already.
    """
    chosen, along = tuple(args[i] for i in places), _cotangent(tuple(args[i] for i in places), seed=2)

    def value(cotangents, *moving):
        given = list(args)
        for i, arg in zip(places, moving, strict=True):
            given[i] = arg
        return _product(cotangents(*given, g), along)

    try:
        derivative = jax.grad(partial(value, pulled), argnums=tuple(range(len(places))))
        found = jax.jit(derivative, compiler_options=FAST)(*chosen)
        size = float(value(compiled, *chosen))
    except Exception:  # a backward pass that JAX cannot differentiate again is no error: nobody asked for it
        return None
    leaves, structure = jax.tree.flatten(chosen)
    gradient = _flat(found)
    noise = 64 * EPSILON * max(abs(size), max(float(np.max(np.abs(v), initial=0.0)) for v in gradient))
    for seed in range(LINES):
        for k, leaf in enumerate(leaves):
            if not has_floats(leaf):
                continue
            direction = np.asarray(_cotangent(leaf, seed=seed + 10)) * (float(np.max(np.abs(leaf), initial=0)) or 1.0)

            def phi(t, k=k, leaf=leaf, direction=direction):
                moved = [leaf + t * direction if i == k else v for i, v in enumerate(leaves)]
                return float(value(compiled, *jax.tree.unflatten(structure, moved)))

            with np.errstate(all="ignore"):
                seen = slopes(phi, noise, 0.01)
            claim, true = float(np.sum(gradient[k] * direction)), seen.central
            bar = 100 * true.error + 1e-6 * max(abs(true.value), abs(claim))
            scale = abs(size) + sum(float(np.sum(np.abs(v))) for v in gradient)
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


def _flat(trees):
    return [np.asarray(v, np.float64) for v in jax.tree.leaves(trees)]


def _cotangent(out, seed=0):
    """Return a cotangent like `out`, entries of both signs and of sizes between 0.3 and 3."""
    rng = np.random.default_rng(seed)

    def drawn(leaf):
        if not (is_number(leaf) and has_floats(leaf)):
            return np.zeros(np.shape(leaf), jax.dtypes.float0)
        values = rng.uniform(0.3, 3, np.shape(leaf)) * rng.choice([-1, 1], np.shape(leaf))
        return jnp.asarray(values, jnp.result_type(leaf))

    return jax.tree.map(drawn, out)


def _as(cotangent, out):
    """Return the cotangent in the precision of the result, which differs from its own in float64."""
    return jax.tree.map(
        lambda g, y: g if g.dtype == jax.dtypes.float0 else jnp.asarray(g, jnp.result_type(y)), cotangent, out
    )


def _product(out, cotangent):
    """Return the sum of all products; what has no cotangent is left out."""
    pairs = zip(jax.tree.leaves(out), jax.tree.leaves(cotangent), strict=True)
    return sum(jnp.sum(y * g) for y, g in pairs if g.dtype != jax.dtypes.float0)


def _sum(g, h):
    return g if g.dtype == jax.dtypes.float0 else g + h


def _scaled(cotangent, factor):
    return jax.tree.map(lambda g: g if g.dtype == jax.dtypes.float0 else factor * g, cotangent)


def _filled(given, arg):
    """Return a cotangent with zeros where it has None for a part of the argument; None where the structures differ."""
    if given is None:
        return jax.tree.map(jnp.zeros_like, arg)
    try:
        # Where the argument has None itself there is no leaf for a cotangent.
        return jax.tree.map(
            lambda v, part: jax.tree.map(jnp.zeros_like, part) if v is None else v,
            given,
            arg,
            is_leaf=lambda v: v is None,
        )
    except (ValueError, TypeError):
        return None


def _fail(name, cause, line=""):
    return Verdict("FAIL", name, witness="the form of the rule", cause=cause, line=line)


def _raised(name, error):
    """Return the verdict on a function that raises; a warning that is to be an error is the caller's."""
    if isinstance(error, Warning):
        raise error
    cause = f"{name} raises {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return _fail(name, cause[:300], raised_at(error))


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
