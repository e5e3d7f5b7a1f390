"""Start weights and excluded weights, as R's neuralnet takes them: by places, from 1, in R's `unlist(weights)`."""

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import check_key, require
from jaxnn.r_neuralnet.network import Architecture, vector


def excluded_indices(exclude: Any, architecture: Architecture) -> tuple[int, ...]:
    """Return the indices, from 0, of the weights that stay as they are, in the order that `constant_weights` has.

    `exclude` is a vector of places from 1, whose order is kept; a matrix with the rows layer, from (1 for the
    intercept), to, all from 1; or one truth value a weight, in a list of matrices like the weights'.
    """
    if exclude is None:
        return ()
    shapes, n = architecture.shapes, architecture.n_weights
    if isinstance(exclude, list | tuple) and exclude and depth(exclude) == 3:
        seen = [np.shape(part) for part in exclude]
        require(seen == shapes, "exclude", f"matrices of shapes {seen}", f"shapes {shapes}")
        places = np.flatnonzero(vector(exclude)) + 1
    else:
        given: np.ndarray = np.asarray(exclude)
        require(given.dtype.kind in "iuf" and (given == np.round(given)).all(), "exclude", exclude, "whole numbers")
        places = given.astype(int)
        if given.ndim == 2:
            require(given.shape[1] == 3, "exclude", f"shape {given.shape}: 'exclude' has wrong dimensions",
                    "three columns: layer, from (1 for the intercept) and to")  # fmt: skip
            # Sorted, for R makes a mask of the rows: the first constant is that of the first place, not the first row.
            places = np.sort([_place(row, shapes) for row in places.tolist()]).astype(int)
        require(given.ndim in (1, 2), "exclude", f"shape {given.shape}: 'exclude' must be a vector or matrix",
                "places from 1, or rows of layer, from and to")  # fmt: skip
    places = places.ravel()[np.sort(np.unique(places, return_index=True)[1])]
    wrong = places[(places < 1) | (places > n)]
    require(not wrong.size, "exclude", f"{wrong[:1]}: 'exclude' contains at least one invalid weight", f"1 to {n}")
    require(places.size < n, "exclude", f"all weights are exluded, {n} of {n}", "at least one weight to train")
    return tuple(int(place) - 1 for place in places)


def _place(row: list[int], shapes: Sequence[tuple[int, int]]) -> int:
    """Return the place, from 1, of the weight that a row of layer, from and to names."""
    layer, source, to = row
    valid = 1 <= layer <= len(shapes) and 1 <= source <= shapes[layer - 1][0] and 1 <= to <= shapes[layer - 1][1]
    require(
        valid,
        "exclude",
        f"{row}: 'exclude' contains at least one invalid weight",
        f"layers 1 to {len(shapes)}, each with from and to within its matrix, {shapes}",
    )
    before = sum(rows * columns for rows, columns in shapes[: layer - 1])
    return before + (to - 1) * shapes[layer - 1][0] + source


def constant_values(constant_weights: Any, excluded: Sequence[int]) -> Float[np.ndarray, " excluded"]:
    """Return the value of each excluded weight: those given in the order of `exclude`, the others 0."""
    values = np.zeros(len(excluded))
    if constant_weights is None:
        return values
    given = np.atleast_1d(np.asarray(constant_weights, float))
    require(
        given.ndim == 1 and given.size <= len(excluded),
        "constant_weights",
        f"{given.size} for {len(excluded)} excluded: constant.weights contains more weights than exclude",
        "at most one for each excluded weight",
    )
    require(bool(np.isfinite(given).all()), "constant_weights", constant_weights, "finite numbers")
    values[: given.size] = given
    return values


def start_weights(
    startweights: Any,
    rep: int,
    architecture: Architecture,
    excluded: Sequence[int],
    constants: Float[np.ndarray, " excluded"],
) -> Float[np.ndarray, "restarts w"]:
    """Return the start of each restart, the excluded weights as they stay.

    `startweights` is a list over restarts of lists of matrices, or a vector of the weights that are trained, one
    restart after the other. Raises `InvalidArgument` where they are too few: R would silently draw all of them.
    """
    n = architecture.n_weights
    free = np.setdiff1d(np.arange(n), excluded)
    found = np.zeros((rep, n))
    if depth(startweights) == 1:
        given = np.asarray(startweights, float)
        seen = f"{given.size} weights"
        require(given.size >= rep * free.size, "startweights", seen,
                f"{free.size} for each of {rep} restarts, {rep * free.size} in all")  # fmt: skip
        found[:, free] = given[: rep * free.size].reshape(rep, -1)
    else:
        nets = [startweights] if depth(startweights) == 3 else startweights
        expected = "a list over restarts of lists of matrices, or a vector"
        require(depth(nets) == 4, "startweights", f"{depth(nets)} levels of lists", expected)
        require(len(nets) >= rep, "startweights", f"{len(nets)} networks", f"one for each of {rep} restarts")
        for i, net in enumerate(nets[:rep]):
            shapes = [np.shape(matrix) for matrix in net]
            expected = f"matrices of shapes {architecture.shapes}, the first row the intercepts"
            require(shapes == architecture.shapes, "startweights", f"shapes {shapes} in restart {i}", expected)
            found[i, free] = vector([np.array(m, float) for m in net])[free]
    require(bool(np.isfinite(found).all()), "startweights", "a number that is not finite", "finite numbers")
    found[:, list(excluded)] = constants
    return found


def depth(nested: Any) -> int:
    """Return how many indices lead to a number."""
    if isinstance(nested, np.ndarray | jax.Array):
        return nested.ndim
    return 1 + depth(nested[0]) if isinstance(nested, list | tuple) and nested else 0


def normal_draws(rng: Any, seed: int | None) -> tuple[Callable[[int], np.ndarray], int | None]:
    """Return a function that draws n standard normals, and the seed that it begins with.

    `rng` is "R", for R's own stream after `set.seed(seed)`; an `RRandom`, which goes on; or a JAX key.
    """
    if isinstance(rng, RRandom):
        require(seed is None, "seed", f"{seed} beside a running stream", "one of rng and seed")
        return rng.rnorm, None
    if isinstance(rng, str):
        require(rng == "R", "rng", repr(rng), '"R", an RRandom or a key such as jax.random.key(0)')
        seed = secrets.randbelow(2**31) if seed is None else seed  # one that is kept, so that the fit can be repeated
        return RRandom(seed).rnorm, seed
    check_key("rng", rng)
    require(seed is None, "seed", f"{seed} beside a key", "one of rng and seed")
    return lambda n: np.asarray(jax.random.normal(rng, (n,), float)), None
