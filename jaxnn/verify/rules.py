"""`check_rule`: a hand-written rule in `jax.custom_vjp`'s form, its wiring included."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import require
from jaxnn.trace import jaxprs
from jaxnn.verify.check import run
from jaxnn.verify.diagnose import returned, spoken
from jaxnn.verify.evaluation import STRICT, Programs, programs
from jaxnn.verify.problem import widen
from jaxnn.verify.rounding import SAFETY
from jaxnn.verify.steps import record
from jaxnn.verify.surveys import overall
from jaxnn.verify.targets import close, is_adjoint
from jaxnn.verify.trial import at_entry, float64
from jaxnn.verify.verdict import Verdict

COTANGENTS = (1.0, -2.5, 0.3, 0.0)


def check_rule(f: Callable, f_fwd: Callable, f_bwd: Callable, *args: Any) -> Verdict:
    """Return the verdict on a rule: `f_fwd(*args)` is `(f(*args), residuals)`, `f_bwd(residuals, g)` the cotangents.

    Beside all that `check` does for the cotangents: the value of `f_fwd` is that of `f`; `f_bwd` returns one cotangent
    for each argument, of its structure, shape and dtype, none of them None where it is not zero; at 0 it is 0; it is
    linear in `g`, at the cotangents 1, -2.5, 0.3 and 0 and in their sums; and its own derivative is the second
    derivative of `f`. Arguments without a floating-point number (labels, keys, sizes) get no cotangent or zeros.

    Raises `InvalidArgument` where `f` returns no floating-point array.
    """
    return _judged(f, f_fwd, f_bwd, args, {})


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
        verdict = replace(_judged(f, f_fwd, f_bwd, args, prepared, quick=quick or bool(verdicts)), case=name)
        if not verdict:
            return verdict
        verdicts.append(verdict)
    return overall(verdicts)


class _Prepared(NamedTuple):
    """A rule as a scalar loss, `f` times a cotangent, and its gradient, with the programs of both."""

    loss: Callable
    grad: Callable
    programs: Programs


def _judged(f, f_fwd, f_bwd, args, prepared, quick=False):
    """Return the verdict; `prepared` keeps programs from one case to the next of the same shapes."""
    for name, function in {"f": f, "f_fwd": f_fwd, "f_bwd": f_bwd}.items():
        require(callable(function), name, repr(function), "a function")
    places = tuple(i for i, arg in enumerate(args) if _floats(arg))
    require(bool(places), "args", "no argument of floating-point numbers", "one at least, to differentiate by")
    with jax.default_matmul_precision("highest"):
        out = f(*args)
        require(_floats(out), "f", f"a result of {type(out).__name__}", "floating-point arrays, which have cotangents")
        wiring = _wiring(out, f, f_fwd, f_bwd, args, places)
    if wiring is not None:
        return wiring
    like = places, str(jax.tree.map(lambda leaf: (np.shape(leaf), jnp.result_type(leaf)), out))
    if like not in prepared:
        prepared[like] = _prepared(f, f_fwd, f_bwd, places, _cotangent(out))
    with float64():
        exact = jax.tree.map(widen, args)
        linear = _linear(f, f_fwd, f_bwd, exact, places)
    loss, grad, ready = prepared[like]
    verdict = run(loss, grad, args, places, ready, quick=quick)
    if linear is not None:
        return replace(linear, line=linear.line or verdict.line)
    if not verdict or quick:
        return verdict
    with float64():
        second = _second_order(f, f_fwd, f_bwd, exact, places)
    return verdict if second is None else second


def _prepared(f, f_fwd, f_bwd, places, cotangent):
    def loss(*args):
        products = jax.tree.map(lambda y, g: jnp.sum(y * g), f(*args), _like(cotangent, args))
        return sum(jax.tree.leaves(products))

    def grad(*args):
        given = f_bwd(f_fwd(*args)[1], _like(cotangent, args))
        return tuple(_filled(given[i], args[i]) for i in places)

    return _Prepared(loss, grad, programs(loss, grad, places))


def _wiring(out, f, f_fwd, f_bwd, args, places) -> Verdict | None:
    """Return what is wrong with the form of what comes back: value, structure, shapes, dtypes."""
    forward = f_fwd(*args)
    if not (isinstance(forward, tuple) and len(forward) == 2):
        return _fail("f_fwd", f"f_fwd returns {type(forward).__name__}, not the pair (f(*args), residuals)")
    value, residuals = forward
    if jax.tree.structure(value) != jax.tree.structure(out):
        return _fail("f_fwd", f"f_fwd returns a value of another structure, {jax.tree.structure(value)}, than f")
    for (path, true), got in zip(jax.tree.leaves_with_path(out), jax.tree.leaves(value), strict=True):
        name = "f_fwd" + jax.tree_util.keystr(path)
        if np.shape(got) != np.shape(true) or jnp.result_type(got) != jnp.result_type(true):
            seen, wanted = (f"{jnp.result_type(v)}{list(np.shape(v))}" for v in (got, true))
            return _fail(name, f"the value of f_fwd is {seen}, that of f {wanted}")
        got, true = np.asarray(got, np.float64), np.asarray(true, np.float64)
        epsilon = float(jnp.finfo(jnp.result_type(jax.tree.leaves(value)[0])).eps)
        gap = np.nan_to_num(np.abs(got - true), nan=0.0)
        if np.any(gap > SAFETY * epsilon * np.max(np.abs(np.nan_to_num(true)), initial=0.0)):
            index = np.unravel_index(int(np.argmax(gap)), gap.shape)
            cause = "f_fwd returns another value than f: under custom_vjp the function changes when differentiated"
            line = returned(f_fwd, args, got)
            return at_entry("FAIL", name, index, true[index], got[index], witness="f itself", cause=cause, line=line)
    given = f_bwd(residuals, _cotangent(out))
    if not isinstance(given, tuple | list) or len(given) != len(args):
        count = len(given) if isinstance(given, tuple | list) else type(given).__name__
        return _fail("f_bwd", f"f_bwd returns {count} cotangents for {len(args)} arguments: a tuple, one for each")
    for i in places:
        name = f"argument {i}"
        if given[i] is None:
            if _is_zero(f, args, i, out):
                continue
            cause = "f_bwd returns None for this argument, which custom_vjp takes as a gradient of zero, silently"
            return _fail(name, cause, returned(f_bwd, (residuals, _cotangent(out))))
        if jax.tree.structure(given[i]) != jax.tree.structure(args[i]):
            return _fail(name, f"the cotangent has the structure {jax.tree.structure(given[i])}, not the argument's")
        for (path, got), arg in zip(jax.tree.leaves_with_path(given[i]), jax.tree.leaves(args[i]), strict=True):
            place = name + jax.tree_util.keystr(path)
            if np.shape(got) != np.shape(arg):
                return _fail(place, f"the cotangent has the shape {np.shape(got)}, the argument {np.shape(arg)}")
            if jnp.result_type(got) != jnp.result_type(arg) and _floats(arg):
                return _fail(place, f"the cotangent is {jnp.result_type(got)}, the argument {jnp.result_type(arg)}")
    return None


def _is_zero(f, args, place, out):
    """Return whether the true cotangent of an argument is 0, as far as one cotangent of the result shows."""

    def moved(arg):
        return f(*args[:place], arg, *args[place + 1 :])

    _, pull = jax.vjp(moved, args[place])
    return all(not np.any(np.asarray(v)) for v in jax.tree.leaves(pull(_cotangent(out))))


def _linear(f, f_fwd, f_bwd, args, places):
    """Return what shows that the cotangents are not linear in `g`: zero, multiples and sums."""
    out, residuals = f_fwd(*args)
    base, other = _cotangent(out), _cotangent(out, seed=1)

    def backward(g):
        given = f_bwd(residuals, g)
        return [np.asarray(v, np.float64) for i in places for v in jax.tree.leaves(_filled(given[i], args[i]))]

    names = [
        f"argument {i}" + jax.tree_util.keystr(path) for i in places for path, _ in jax.tree.leaves_with_path(args[i])
    ]
    at_base, at_other = backward(base), backward(other)
    if not all(np.all(np.isfinite(v)) for v in at_base):
        return None  # `check` says where
    trials: list[tuple[float | None, Any, Any]] = [
        (c, backward(_scaled(base, c)), [c * v for v in at_base]) for c in COTANGENTS
    ]
    together = backward(jax.tree.map(lambda a, b: a + b, base, other))
    trials.append((None, together, [a + b for a, b in zip(at_base, at_other, strict=True)]))
    large = backward(_scaled(base, 1e3))
    trials.append((1e3, large, [1e3 * v for v in at_base]))
    for factor, found, expected in sorted(trials, key=lambda trial: trial[0] != 0.0):
        for name, got, true, one in zip(names, found, expected, at_base, strict=True):
            size = max(np.max(np.abs(v), initial=0.0) for v in (np.nan_to_num(true), np.nan_to_num(one)))
            gap = np.nan_to_num(np.abs(got - true), nan=np.inf)
            if np.any(gap > 1e-3 * size * max(1.0, abs(factor or 1.0))):  # finer ones are `check`'s, which knows causes
                index = np.unravel_index(int(np.argmax(gap)), gap.shape)
                cause = _why_not_linear(factor, got[index], true[index], one[index])
                line = _first_not_linear(f_bwd, residuals, base)
                where = {"witness": "linear in g", "cause": cause, "line": line}
                return at_entry("FAIL", name, index, true[index], got[index], **where)
    return None


def _first_not_linear(f_bwd, residuals, g):
    """Return the first line of `f_bwd` whose value at -2.5 g is neither the one at g nor -2.5 times that.

    Without one, g is ignored: then the first line that makes something named like an adjoint.
    """
    once, again = record(f_bwd, residuals, g), record(f_bwd, residuals, _scaled(g, -2.5))
    for one, other in zip(once, again, strict=False):
        if not close(other.value, one.value) and not close(other.value, -2.5 * one.value):
            return spoken(one.line)
    given = [np.asarray(v, float) for v in jax.tree.leaves((residuals, g)) if _is_number(v) and _floats(v)]
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


def _second_order(f, f_fwd, f_bwd, args, places):
    """Return what shows that the derivative of `f_bwd` is not the second derivative of `f`."""
    rule = jax.custom_vjp(f)
    rule.defvjp(f_fwd, f_bwd)
    cotangent = _cotangent(f(*args))
    chosen = tuple(args[i] for i in places)
    directions = _cotangent(chosen, seed=2)

    def slope(function):
        def value(*moving):
            given = list(args)
            for i, arg in zip(places, moving, strict=True):
                given[i] = arg
            products = jax.tree.map(lambda y, g: jnp.sum(y * g), function(*given), cotangent)
            return sum(jax.tree.leaves(products))

        def along(*moving):
            gradient = jax.grad(value, argnums=tuple(range(len(places))))(*moving)
            products = jax.tree.map(lambda y, v: jnp.sum(y * v), gradient, directions)
            return sum(jax.tree.leaves(products))

        return jax.grad(along, argnums=tuple(range(len(places))))(*chosen)

    try:
        try:
            found, true = jax.jit(lambda: (slope(rule), slope(f)), compiler_options=STRICT)()
        except jax.errors.JAXTypeError:  # a branch on a value, which can be taken outside of `jit` only
            found, true = slope(rule), slope(f)
    except Exception:  # a backward pass that JAX cannot differentiate again is no error: nobody asked for it
        return None
    for (path, got), expected in zip(jax.tree.leaves_with_path(found), jax.tree.leaves(true), strict=True):
        got, expected = np.asarray(got), np.asarray(expected)
        size = np.max(np.abs(np.nan_to_num(expected)), initial=0.0)
        gap = np.abs(got - expected)
        if np.all(np.isfinite(expected)) and not np.all(gap <= 1e-8 * size + 1e-12):
            index = np.unravel_index(int(np.argmax(np.nan_to_num(gap, nan=np.inf))), gap.shape)
            name = f"argument {places[path[0].idx]}" + jax.tree_util.keystr(path[1:])
            cause = (
                "order 2: the gradient is right, its own derivative is not; a stop_gradient, or a residual that was "
                "differentiated away, stands in f_bwd"
            )
            line = _stopped(f_bwd, f_fwd(*args)[1], cotangent) or returned(f_bwd, (f_fwd(*args)[1], cotangent))
            where = {"witness": "order 2", "cause": cause, "line": line}
            return at_entry("FAIL", name, index, expected[index], got[index], **where)
    return None


def _floats(tree):
    return any(jnp.issubdtype(jnp.result_type(v), jnp.floating) for v in jax.tree.leaves(tree) if _is_number(v))


def _is_number(value):
    try:
        return jnp.result_type(value) is not None
    except TypeError:
        return False


def _cotangent(out, seed=0):
    """Return a cotangent like `out`, entries of both signs and of sizes between 0.3 and 3."""
    rng = np.random.default_rng(seed)

    def drawn(leaf):
        values = rng.uniform(0.3, 3, np.shape(leaf)) * rng.choice([-1, 1], np.shape(leaf))
        return jnp.asarray(values, jnp.result_type(leaf))

    return jax.tree.map(drawn, out)


def _like(cotangent, args):
    """Return the cotangent in the precision of the arguments, which differs from its own in float64."""
    dtype = jnp.result_type(*(v for v in jax.tree.leaves(args) if _is_number(v) and _floats(v)))
    return jax.tree.map(lambda g: jnp.asarray(g, dtype), cotangent)


def _scaled(cotangent, factor):
    return jax.tree.map(lambda g: factor * g, cotangent)


def _filled(given, arg):
    return jax.tree.map(jnp.zeros_like, arg) if given is None else given


def _fail(name, cause, line=""):
    return Verdict("FAIL", name, witness="the form of the rule", cause=cause, line=line)


def _stopped(f_bwd, residuals, cotangent):
    """Return the line of a stop_gradient in `f_bwd`, if there is one."""
    moving = [i for i, leaf in enumerate(jax.tree.leaves(residuals)) if _is_number(leaf)]
    leaves, structure = jax.tree.flatten(residuals)

    def f(arrays, g):
        filled = dict(zip(moving, arrays, strict=True))
        return f_bwd(jax.tree.unflatten(structure, [filled.get(i, leaf) for i, leaf in enumerate(leaves)]), g)

    program, _ = jaxprs.program(f, [leaves[i] for i in moving], cotangent)
    stops = (equation.lines[0] for equation in program.equations if equation.name == "stop_gradient" and equation.lines)
    return next((spoken(line) for line in stops), "")
