"""What the covariates of a fitted network matter: Garson, Olden, Lek's profiles, slopes, shuffled columns."""

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
from jaxnn.r_neuralnet.fitted import Fitted, Net
from jaxnn.r_neuralnet.formulas.columns import Columns, columns_of, find
from jaxnn.r_neuralnet.formulas.expressions import Column
from jaxnn.r_neuralnet.network import Architecture, error_of, matrices


def garson(net: Net, rep: int | str = 0) -> dict[str, float]:
    r"""Return Garson's relative importance of each covariate by name, shares that add up to 1.

    $R_i = \sum_j q_{ij} / \sum_i \sum_j q_{ij}$ with $q_{ij} = |w_{ij} v_j| / \sum_i |w_{ij} v_j|$ over the hidden
    nodes $j$. Garson 1991, Goh 1995; NeuralNetTools 1.5.3. As all importances by weights it is of the fit's own
    columns: scale them, or fit with `scale=True`. Raises `InvalidArgument` unless there is one hidden layer and one
    response.
    """
    fitted = net.fitted
    sizes = fitted.settings.architecture.sizes
    layers = "one, of which Garson's shares are: olden takes any number"
    require(len(sizes) == 3, "net", f"{len(sizes) - 2} hidden layers", layers)
    require(
        sizes[-1] == 1, "net", f"{sizes[-1]} responses", "one, of which Garson's shares are: olden takes any number"
    )
    first, last = matrices(fitted.restarts.params[fitted.number(rep)], fitted.settings.architecture)
    products = np.abs(first[1:] * last[1:, 0])
    joined = products.sum(axis=0)
    shares = products / np.where(joined > 0, joined, 1)  # a node that nothing joins has no part
    whole = shares.sum(axis=1) / (shares.sum() or 1)
    return dict(zip(fitted.settings.design.variables, whole.tolist(), strict=True))


def olden(net: Net, rep: int | str = 0, response: str | None = None) -> dict[str, float]:
    r"""Return Olden's importance of each covariate by name, for a response, by default the first one.

    $W_1 W_2 \cdots W_L$, intercepts left out: the weights along each way through the network, multiplied, and added up
    over the ways; for any number of hidden layers. Olden, Joy and Death 2004; NeuralNetTools 1.5.3.
    """
    fitted = net.fitted
    design = fitted.settings.design
    k = place(response, design.outputs)
    weights = matrices(fitted.restarts.params[fitted.number(rep)], fitted.settings.architecture)
    whole = reduce(np.matmul, [matrix[1:] for matrix in weights])[:, k]
    return dict(zip(design.variables, whole.tolist(), strict=True))


def place(response: str | None, names: list[str]) -> int:
    """Return the place of a response, of none the first."""
    known = response is None or response in names
    require(known, "response", repr(response), f"one of {', '.join(names)}")
    return 0 if response is None else names.index(response)


def lek_profile(
    net: Net, rep: int | str = 0, steps: int = 100, groups: int | Sequence[float] = 6, seed: int | None = None
) -> dict[str, np.ndarray]:
    """Return Lek's profiles: the outputs while one covariate goes from its least to its largest value in `steps`.

    The others are held at the centres of `groups` clusters of the rows, or at the quantiles that `groups` lists. The
    clusters are R's `kmeans` after the fit: from R's stream where the fit left it, or where `seed` begins it. Arrays of
    one length: `name` (the covariate), `explanatory` (its value), `response` (the output), `response_name`, `group`
    (from 1, in the order of the centres). Lek et al. 1996; NeuralNetTools 1.5.3. Raises `InvalidArgument` for a single
    covariate.
    """
    fitted, rep = net.fitted, net.fitted.number(rep)
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


def sensitivities(net: Net, rep: int | str = 0, response: str | None = None) -> dict[str, dict[str, float]]:
    r"""Return of each covariate's slopes $\partial o / \partial x$ over the data: mean, standard deviation, root mean
    square and mean square, as `{name: {"mean", "sd", "rms", "mean_square"}}`. Pizarroso et al. 2022, NeuralSens.
    """
    fitted = net.fitted
    design = fitted.settings.design
    k = place(response, design.outputs)
    weights = fitted.in_users_units(fitted.number(rep))
    with jax.enable_x64(True):
        slopes = inference.slopes(weights, fitted.covariate, architecture=fitted.settings.architecture)
    found = {}
    for name, values in zip(design.variables, np.asarray(slopes)[:, k].T, strict=True):
        square = float(np.mean(values**2))
        sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        found[name] = {"mean": float(values.mean()), "sd": sd, "rms": square**0.5, "mean_square": square}
    return found


def permutation_importance(
    net: Net, data: Any, rep: int | str = "best", repeats: int = 10, seed: int = 0
) -> dict[str, dict[str, float]]:
    r"""Return by how much the error of a row grows when a column of the data is shuffled, `{name: {"mean", "sd"}}`.

    $\frac{1}{n} (E(x_\pi) - E(x))$ over `repeats` orders $\pi$ of the column, with NumPy's generator of `seed`, the
    error being that of the fit. The columns are those of the data, of which factors and products of columns are made
    anew each time. Best of data that the fit did not see. Breiman 2001. Raises `InvalidArgument` for data that lack a
    column of the fit's.
    """
    check_positive_int("repeats", repeats)
    fitted, design = net.fitted, net.fitted.settings.design
    names = list(dict.fromkeys(name for term in design.covariates for part in term for name in part.columns))
    responses = [name for part in design.responses for name in part.columns]
    columns = columns_of("data", data, None, {*names, *responses})
    y = design.response_matrix(columns)
    weights, architecture = fitted.in_users_units(fitted.number(rep)), fitted.settings.architecture
    scaling = fitted.settings.scaling
    generator = np.random.default_rng(seed)

    def error(of: Columns) -> float:
        x = design.covariate_matrix(of)
        with jax.enable_x64(True):
            found = np.asarray(inference.outputs(weights, x, architecture=architecture))
            known = y
            if scaling is not None:
                found, known = (scaling.standardised(x, values)[1] for values in (found, y))
            return float(error_of(found.T, known.T, architecture)) / len(y)

    before, found = error(columns), {}
    for name in names:
        column = find(columns, name, "data")
        grown = [
            error(columns | {name: Column(generator.permutation(column.values), column.levels)}) - before
            for _ in range(repeats)
        ]
        found[name] = {"mean": float(np.mean(grown)), "sd": float(np.std(grown, ddof=1)) if repeats > 1 else 0.0}
    return found
