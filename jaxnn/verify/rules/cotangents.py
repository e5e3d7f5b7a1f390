"""Cotangents as trees: drawn, scaled, multiplied; what has none, as integers, has `float0` in its place."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.verify.rules.forms import has_floats, is_number


def cotangent_of(out: Any, seed: int = 0) -> Any:
    """Return a cotangent like `out`, entries of both signs and of sizes between 0.3 and 3."""
    rng = np.random.default_rng(seed)

    def drawn(leaf):
        if not (is_number(leaf) and has_floats(leaf)):
            return np.zeros(np.shape(leaf), jax.dtypes.float0)
        values = rng.uniform(0.3, 3, np.shape(leaf)) * rng.choice([-1, 1], np.shape(leaf))
        return jnp.asarray(values, jnp.result_type(leaf))

    return jax.tree.map(drawn, out)


def as_dtypes_of(cotangent: Any, out: Any) -> Any:
    """Return the cotangent in the precision of the result, which differs from its own in float64, and as its array."""

    def of(g, y):
        if g.dtype == jax.dtypes.float0:
            return g
        if isinstance(y, np.ndarray):  # of code in NumPy, or read as such
            return np.asarray(g, y.dtype).view(type(y))
        return jnp.asarray(g, jnp.result_type(y))

    return jax.tree.map(of, cotangent, out)


def scaled(cotangent: Any, factor: float) -> Any:
    """Return a cotangent multiplied by a number."""
    return jax.tree.map(lambda g: g if g.dtype == jax.dtypes.float0 else factor * g, cotangent)


def total(g: Any, h: Any) -> Any:
    """Return the sum of two cotangents of one array."""
    return g if g.dtype == jax.dtypes.float0 else g + h


def product(out: Any, cotangent: Any) -> Any:
    """Return the sum of all products; what has no cotangent is left out."""
    pairs = zip(jax.tree.leaves(out), jax.tree.leaves(cotangent), strict=True)
    return sum(jnp.sum(y * g) for y, g in pairs if g.dtype != jax.dtypes.float0)


def filled(given: Any, arg: Any) -> Any:
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


def flat(trees: Any) -> list[np.ndarray]:
    """Return the arrays of trees in float64."""
    return [np.asarray(v, np.float64) for v in jax.tree.leaves(trees)]
