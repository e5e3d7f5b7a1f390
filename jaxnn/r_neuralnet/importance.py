"""What the covariates of a fitted network matter: Garson, Olden, Lek's profiles, partial derivatives."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxnn.data.rrandom import RRandom
from jaxnn.errors import check_positive_int, require
from jaxnn.r_neuralnet import clusters, inference
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.network import Architecture, matrices


def garson(fitted: Fitted, rep: int) -> dict[str, float]:
    r"""Return Garson's relative importance of each covariate: shares that add up to 1.

    $R_i = \sum_j q_{ij} / \sum_i \sum_j q_{ij}$ with $q_{ij} = |w_{ij} v_j| / \sum_i |w_{ij} v_j|$ over the hidden
    nodes $j$. Garson 1991, Goh 1995; NeuralNetTools 1.5.3. Raises `InvalidArgument` unless there is one hidden layer
    and one response.
    """
    sizes = fitted.settings.architecture.sizes
    layers = "one, of which Garson's shares are: olden takes any number"
    require(len(sizes) == 3, "net", f"{len(sizes) - 2} hidden layers", layers)
    require(
        sizes[-1] == 1, "net", f"{sizes[-1]} responses", "one, of which Garson's shares are: olden takes any number"
    )
    first, last = matrices(fitted.restarts.params[rep], fitted.settings.architecture)
    products = np.abs(first[1:] * last[1:, 0])
    joined = products.sum(axis=0)
    shares = products / np.where(joined > 0, joined, 1)  # a node that nothing joins has no part
    whole = shares.sum(axis=1) / (shares.sum() or 1)
    return dict(zip(fitted.settings.design.variables, whole.tolist(), strict=True))


def olden(fitted: Fitted, rep: int, response: str | None) -> dict[str, float]:
    r"""Return Olden's importance of each covariate for a response, by default the first: the product of all weights.

    $W_1 W_2 \cdots W_L$, intercepts left out, summed over all ways from the covariate to the response. Olden et al.
    2004; NeuralNetTools 1.5.3.
    """
    design = fitted.settings.design
    k = place(response, design.outputs)
    weights = matrices(fitted.restarts.params[rep], fitted.settings.architecture)
    whole = reduce(np.matmul, [matrix[1:] for matrix in weights])[:, k]
    return dict(zip(design.variables, whole.tolist(), strict=True))


def place(response: str | None, names: list[str]) -> int:
    """Return the place of a response, of none the first."""
    known = response is None or response in names
    require(known, "response", repr(response), f"one of {', '.join(names)}")
    return 0 if response is None else names.index(response)


def lek_profile(
    fitted: Fitted, rep: int, steps: int, groups: int | Sequence[float], seed: int | None
) -> dict[str, np.ndarray]:
    """Return the responses while one covariate goes from its least to its largest value, the others held in groups.

    `groups` centres of R's `kmeans` of the covariates, drawn from R's stream where the fit left it, or where `seed`
    begins it; or the quantiles that are given. Columns of one length: see `NeuralNet.lek_profile`. Lek et al. 1996;
    NeuralNetTools 1.5.3. Raises `InvalidArgument` for a single covariate.
    """
    design, x = fitted.settings.design, fitted.covariate
    require(len(design.variables) > 1, "net", "1 covariate", "two or more: the others are held while one changes")
    check_positive_int("steps", steps)
    held = _held(fitted, groups, seed)
    ways = np.linspace(x.min(axis=0), x.max(axis=0), steps)
    rows = np.repeat(np.tile(held, (x.shape[1], 1)), steps, axis=0).reshape(x.shape[1], len(held), steps, -1)
    for j in range(x.shape[1]):
        rows[j, :, :, j] = ways[:, j]
    with jax.enable_x64(True):
        flat = rows.reshape(-1, x.shape[1])
        found = np.asarray(inference.outputs(fitted.in_users_units(rep), flat, architecture=_as_in_nnet(fitted)))
    shape = x.shape[1], len(held), len(design.outputs), steps
    numbers = np.indices(shape).reshape(4, -1)
    return {
        "name": np.array(design.variables)[numbers[0]],
        "explanatory": ways[numbers[3], numbers[0]],
        "response": found.reshape(*shape[:2], steps, -1).swapaxes(2, 3).ravel(),
        "response_name": np.array(design.outputs)[numbers[2]],
        "group": numbers[1] + 1,
    }


def _as_in_nnet(fitted: Fitted) -> Architecture:
    """Return the architecture with the logistic function of R's nnet, by which NeuralNetTools predicts."""
    architecture = fitted.settings.architecture
    named = {"activation": architecture.activation, "output": architecture.output}
    return architecture._replace(
        **{part: _logistic_of_nnet if name == "logistic" else name for part, name in named.items()}
    )


def _logistic_of_nnet(z: Array) -> Array:
    """Return 0 below -15, 1 above 15, and the logistic function between: 3e-7 from it at most."""
    return jnp.where(z > 15, 1.0, jnp.where(z < -15, 0.0, jax.nn.sigmoid(z)))


def _held(fitted: Fitted, groups: Any, seed: int | None) -> np.ndarray:
    """Return the rows that the covariates are held at."""
    x = fitted.covariate
    if np.ndim(groups) == 1:
        shares = np.asarray(groups, float)
        require(bool(((shares >= 0) & (shares <= 1)).all()), "groups", repr(groups), "a number, or shares in [0, 1]")
        return np.quantile(x, shares, axis=0)
    check_positive_int("groups", groups)
    fitted_seed = fitted.settings.seed
    rng = RRandom(seed if seed is not None else 0 if fitted_seed is None else fitted_seed)
    if seed is None and fitted_seed is not None:  # where the fit left the stream, after the start weights
        rng.rnorm(len(fitted.starts) * (fitted.settings.architecture.n_weights - len(fitted.settings.excluded)))
    return clusters.centres(x, groups, rng)


def sensitivities(fitted: Fitted, rep: int, response: str | None) -> dict[str, dict[str, float]]:
    r"""Return of each covariate's slopes $\partial o / \partial x$ over the data: mean, standard deviation, root mean
    square and mean square, as `{name: {"mean", "sd", "rms", "mean_square"}}`. Pizarroso et al. 2022, NeuralSens.
    """
    design = fitted.settings.design
    k = place(response, design.outputs)
    weights = fitted.in_users_units(rep)
    with jax.enable_x64(True):
        slopes = inference.slopes(weights, fitted.covariate, architecture=fitted.settings.architecture)
    found = {}
    for name, values in zip(design.variables, np.asarray(slopes)[:, k].T, strict=True):
        square = float(np.mean(values**2))
        sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        found[name] = {"mean": float(values.mean()), "sd": sd, "rms": square**0.5, "mean_square": square}
    return found
