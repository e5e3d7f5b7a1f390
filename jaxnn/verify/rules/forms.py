"""The forms in which JAX takes a rule, each read as `f`, `f_fwd` and `f_bwd` of all arguments."""

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero, zero_from_primal

from jaxnn.errors import require


class Rule(NamedTuple):
    """`f_fwd(*args)` is `(f(*args), residuals)`, `f_bwd(residuals, g)` a cotangent for each argument.

    `fixed` are the positions of the arguments that have none (`nondiff_argnums`); `jvp(*fixed, primals,
    tangents)` is the rule itself where it gives tangents, of which JAX makes the cotangents (`jax.custom_jvp`).
    """

    f: Callable
    f_fwd: Callable
    f_bwd: Callable
    fixed: tuple[int, ...] = ()
    jvp: Callable | None = None


def read(rule: Any, args: Sequence[Any], nondiff_argnums: Sequence[int] = ()) -> tuple[Rule, tuple[Any, ...]]:
    """Return a rule and its arguments, given as `(rule, *args)` or as `(f, f_fwd, f_bwd, *args)`.

    Raises `InvalidArgument` where it is neither, or a decorated function has no rule yet.
    """
    inner, bound = _decorated(rule)
    three = len(args) >= 2 and (inner is None or _are_its_functions(inner, args))
    if three:
        f, f_fwd, f_bwd, *rest = rule, *args
        if inner is not None:  # the undecorated function: the rule is no witness of itself
            f = functools.partial(inner.fun, *bound)
            nondiff_argnums = nondiff_argnums or inner.nondiff_argnums
        for name, function in {"f": f, "f_fwd": f_fwd, "f_bwd": f_bwd}.items():
            require(callable(function), name, repr(function), "a function")
        return _with_all_arguments(f, f_fwd, f_bwd, tuple(rest), tuple(nondiff_argnums)), tuple(rest)
    expected = "a function decorated with jax.custom_vjp, custom_jvp or custom_gradient, or f, f_fwd and f_bwd"
    require(inner is not None, "rule", repr(rule)[:80], expected)
    assert inner is not None
    args = (*bound, *args)
    fixed = tuple(i % len(args) for i in inner.nondiff_argnums)
    if isinstance(inner, jax.custom_vjp):
        fwd, bwd = inner.fwd, inner.bwd
        require(fwd is not None, "rule", "a function without a rule", "rule.defvjp(f_fwd, f_bwd) before")
        assert fwd is not None and bwd is not None
        if getattr(inner, "symbolic_zeros", False):
            fwd, bwd = _with_symbolic_zeros(inner)
        return _with_all_arguments(inner.fun, fwd, bwd, args, fixed), args
    require(inner.jvp is not None, "rule", "a function without a rule", "rule.defjvp(f_jvp) before")
    return Rule(inner.fun, *_by_jax(inner), fixed, inner.jvp), args


def _decorated(rule: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the decorated function under `jit` and `functools.partial`, or None, and the arguments bound to it."""
    bound: tuple[Any, ...] = ()
    while not isinstance(rule, jax.custom_vjp | jax.custom_jvp):
        if isinstance(rule, functools.partial) and not rule.keywords:
            bound, rule = (*rule.args, *bound), rule.func
        elif hasattr(rule, "lower") and hasattr(rule, "__wrapped__"):
            rule = rule.__wrapped__  # pyright: ignore[reportAttributeAccessIssue]
        else:
            return None, ()
    return rule, bound


def _are_its_functions(inner, args):
    """Return whether two functions follow because they are `f_fwd` and `f_bwd`, not the first arguments."""
    if not (callable(args[0]) and callable(args[1])):
        return False
    try:
        inspect.signature(inner.fun).bind(*args)
    except TypeError:
        return True
    except ValueError:
        pass
    return False


def _with_all_arguments(f, f_fwd, f_bwd, args, fixed):
    """Return the rule with a cotangent, None, for the fixed arguments too."""
    if not fixed:
        return Rule(f, f_fwd, f_bwd)
    fixed = tuple(int(i) % len(args) for i in fixed)

    def whole(residuals, g):
        given = f_bwd(*(args[i] for i in sorted(fixed)), residuals, g)
        moving = len(args) - len(fixed)
        if not isinstance(given, tuple | list) or len(given) != moving:
            return given
        rest = iter(given)
        return tuple(None if i in fixed else next(rest) for i in range(len(args)))

    return Rule(f, f_fwd, functools.wraps(f_bwd)(whole), fixed)


def of_each_output(rule: Any, args: Sequence[Any]) -> Iterator[Rule]:
    """Yield a rule with `symbolic_zeros`, of all arguments, for each of its several outputs alone.

    For the others no cotangent comes then, which a rule may take in another way than one of zeros.
    """
    inner, _ = _decorated(rule)
    if not getattr(inner, "symbolic_zeros", False):
        return
    fixed = tuple(i % len(args) for i in inner.nondiff_argnums)
    outputs = jax.tree.leaves(inner.fun(*args))
    for k, output in enumerate(outputs if len(outputs) > 1 else ()):
        if has_floats(output):

            def part(*args, k=k):
                return jax.tree.leaves(inner.fun(*args))[k]

            yield _with_all_arguments(part, *_with_symbolic_zeros(inner, k), args, fixed)


def _with_symbolic_zeros(rule, only=None):
    """Return `f_fwd` and `f_bwd` that call a rule's functions as JAX does; a cotangent comes for one output `only`."""

    def f_fwd(*args):
        fixed = [i % len(args) for i in rule.nondiff_argnums]
        marked = [a if i in fixed else jax.tree.map(_marked, a) for i, a in enumerate(args)]
        given = rule.fwd(*marked)
        if not (isinstance(given, tuple | list) and len(given) == 2):
            return given
        out, residuals = given
        if any(isinstance(v, CustomVJPPrimal) for v in jax.tree.leaves(given)):  # JAX refuses them too
            raise TypeError("f_fwd returns an argument as it comes with symbolic_zeros: return its .value")
        return (out if only is None else jax.tree.leaves(out)[only]), (out, residuals)

    def f_bwd(*given):
        *fixed, (out, residuals), g = given
        leaves, structure = jax.tree.flatten(out)
        come = jax.tree.leaves(g) if only is None else [g if k == only else None for k in range(len(leaves))]
        cotangents = [
            zero_from_primal(y, symbolic_zeros=True) if v is None or v.dtype == jax.dtypes.float0 else v
            for v, y in zip(come, leaves, strict=True)
        ]
        found = rule.bwd(*fixed, residuals, jax.tree.unflatten(structure, cotangents))
        return jax.tree.map(_instantiated, found)

    return f_fwd, functools.wraps(rule.bwd)(f_bwd)


def _marked(value):
    return CustomVJPPrimal(value, has_floats(value))


def _instantiated(cotangent: Any) -> Any:
    if isinstance(cotangent, SymbolicZero):
        return jnp.zeros_like(cotangent)  # pyright: ignore[reportArgumentType]
    return cotangent


def _by_jax(rule):
    """Return `f_fwd` and `f_bwd` that leave it to JAX how the rule's functions are called."""

    def f_fwd(*args):
        return rule(*args), args

    def f_bwd(args, g):
        places = [i for i, arg in enumerate(args) if i not in rule.nondiff_argnums and has_floats(arg)]

        def moved(*chosen):
            given = dict(zip(places, chosen, strict=True))
            return rule(*(given.get(i, arg) for i, arg in enumerate(args)))

        found = iter(jax.vjp(moved, *(args[i] for i in places))[1](g))
        return tuple(next(found) if i in places else None for i in range(len(args)))

    return f_fwd, f_bwd


def has_floats(tree: Any) -> bool:
    """Return whether a tree has an array or number that is differentiated by."""
    return any(jnp.issubdtype(jnp.result_type(v), jnp.inexact) for v in jax.tree.leaves(tree) if is_number(v))


def is_number(value: Any) -> bool:
    """Return whether JAX takes a value for an array or a number."""
    try:
        return jnp.result_type(value) is not None
    except TypeError:
        return False


class Pair(NamedTuple):
    """A complex array as two real ones."""

    real: Any
    imag: Any


def in_reals(rule: Rule, args: Sequence[Any], out: Any) -> tuple[Rule, tuple[Any, ...]]:
    r"""Return a rule whose arguments or result `out` are complex as one of pairs of real arrays, in JAX's convention.

    There the cotangent $g$ of $z = u + iv$ belongs to the loss $\mathrm{Re}(g z) = g_u u + g_v v$, so that
    $g = g_u - i g_v$, and a gradient is $\partial_u L - i \partial_v L$.
    """
    if not any(jnp.iscomplexobj(v) for v in jax.tree.leaves((args, out)) if is_number(v)):
        return rule, tuple(args)

    def f(*pairs):
        return _split(rule.f(*_joined(pairs)))

    def f_fwd(*pairs):
        given = rule.f_fwd(*_joined(pairs))
        return (_split(given[0]), given[1]) if isinstance(given, tuple) and len(given) == 2 else given

    def f_bwd(residuals, g):
        given = rule.f_bwd(residuals, _joined(g, sign=-1))
        return tuple(_split(v, sign=-1) for v in given) if isinstance(given, tuple | list) else given

    return Rule(f, f_fwd, functools.wraps(rule.f_bwd)(f_bwd), rule.fixed), _split(tuple(args))


def _split(tree, sign=1):
    return jax.tree.map(
        lambda v: Pair(jnp.real(v), sign * jnp.imag(v)) if is_number(v) and jnp.iscomplexobj(v) else v, tree
    )


def _joined(tree, sign=1):
    return jax.tree.map(
        lambda v: v.real + sign * 1j * v.imag if isinstance(v, Pair) else v, tree, is_leaf=lambda v: isinstance(v, Pair)
    )
