"""Where a rule that gives tangents (`jax.custom_jvp`) is wrong: its own lines, held against the tangents of `f`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.check import run
from jaxnn.verify.evaluation import programs
from jaxnn.verify.rules.cotangents import cotangent_of, product
from jaxnn.verify.rules.forms import Rule, has_floats, is_number
from jaxnn.verify.trial import moved_by
from jaxnn.verify.verdict import Verdict, joined

BY = 0.1  # of itself, by which an argument is moved to the second point


def by_tangents(verdict: Verdict, rule: Rule, f: Callable, args: Sequence[Any], places: Sequence[int]) -> Verdict:
    r"""Return a failed verdict with the line of the rule's own function, the cause and the patch, as far as found.

    $\sum_k u_k \cdot \dot y_k$, with the tangents $\dot y_k$ of `f` along fixed directions at two points, has the
    gradient $\dot y_k$ by $u_k$: what the rule gives is a gradient by hand of that.
    """
    try:
        found = _judged(rule, f, args, places)
    except Exception as error:  # the verdict stands anyway
        unknown = f"the cause was not found ({type(error).__name__}: {error})"
        return replace(verdict, note=joined(verdict.note, unknown))
    if found.kind != "FAIL":
        return verdict
    note = joined(verdict.note, found.note)
    return replace(verdict, line=found.line, cause=found.cause, patch=found.patch, note=note)


def _judged(rule, f, args, places):
    points = [tuple(args), tuple(_moved(arg) if i in places else arg for i, arg in enumerate(args))]
    along = [tuple(cotangent_of(args[i], seed) for i in places) for seed in range(len(points))]
    weights = [_floats(rule.f(*point)) for point in points]
    if not all(np.all(np.isfinite(np.asarray(y, np.float64))) for y in jax.tree.leaves(weights)):
        points, along, weights = points[:1], along[:1], weights[:1]

    def loss(weights, points, along):
        return sum(product(_true(f, at, places, v), u) for u, at, v in zip(weights, points, along, strict=True))

    def tangents(weights, points, along):
        return [_given(rule, at, places, v) for at, v in zip(points, along, strict=True)]

    weights = [cotangent_of(y, seed) for seed, y in enumerate(weights)]
    return run(loss, tangents, (weights, points, along), 0, programs(loss, tangents, 0), quick=True)


def _moved(arg: Any) -> Any:
    """Return an argument at the second point."""
    rng = np.random.default_rng(0)

    def moved(leaf):
        if not (is_number(leaf) and has_floats(leaf)) or jnp.iscomplexobj(leaf):
            return leaf
        return jnp.asarray(moved_by(np.asarray(leaf, np.float64), BY, rng), jnp.result_type(leaf))

    return jax.tree.map(moved, arg)


def _true(f, args, places, along):
    """Return the tangents of `f`, those of its floating-point results."""

    def by_places(*chosen):
        given = dict(zip(places, chosen, strict=True))
        return f(*(given.get(i, arg) for i, arg in enumerate(args)))

    return _floats(jax.jvp(by_places, tuple(args[i] for i in places), along)[1])


def _given(rule, args, places, along):
    """Return those that the rule gives; what is not differentiated by has `float0`, as JAX passes it."""
    given = dict(zip(places, along, strict=True))
    moving = [i for i in range(len(args)) if i not in rule.fixed]
    every = (given[i] if i in given else jax.tree.map(_no_tangent, args[i]) for i in moving)
    fixed = (args[i] for i in sorted(rule.fixed))
    return _floats(rule.jvp(*fixed, tuple(args[i] for i in moving), tuple(every))[1])


def _no_tangent(leaf):
    return np.zeros(np.shape(leaf), jax.dtypes.float0)


def _floats(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if is_number(leaf) and has_floats(leaf)]
