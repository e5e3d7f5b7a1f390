"""Tables of a fitted network as of a regression: effects of covariates, tests of weights, residuals."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import chdtrc

from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.inference import covariance, outputs, slopes
from jaxnn.r_neuralnet.intervals import sandwich_of
from jaxnn.r_neuralnet.network import Architecture

Table = dict[str, np.ndarray]  # columns of one length, by name
_IDENTIFIED = 1e-6  # of a direction, the share that may lie where the error has no curvature


def tables(fitted: Fitted, rep: int, alpha: float) -> dict[str, Table]:
    """Return `weights`, `covariates`, `effects`, `residuals` and `fit`, each a table, with intervals of 1 - `alpha`.

    Standard errors are those of `inference.standard_errors`, the intervals the sandwich's of `intervals`.

    Where rows held out chose the step there are none.
    """
    settings = fitted.settings
    architecture, weights = settings.architecture, fitted.restarts.params[rep]
    free = np.setdiff1d(np.arange(weights.size), settings.excluded)
    with jax.enable_x64(True):
        cov, projection = covariance(fitted, rep, free)
        if fitted.held_out is not None:  # the rows held out chose the step: the weights are at no minimum
            projection = np.zeros_like(projection)
        found = outputs(fitted.in_users_units(rep), fitted.covariate, architecture=architecture)
        mean_slopes, gradients = _mean_slopes(weights, fitted.trained_on[0], architecture=architecture)
    residuals = fitted.response - np.asarray(found)
    of_weights, of_slopes = sandwich_of(fitted, rep, alpha)
    return {
        "weights": _weights(fitted, weights, free, cov, projection) | of_weights,
        "covariates": _covariates(fitted, weights, free, cov, projection),
        "effects": _effects(fitted, np.asarray(mean_slopes), np.asarray(gradients)[..., free], cov, projection)
        | of_slopes,
        "residuals": {"response": np.array(settings.design.outputs)}
        | {name: np.quantile(residuals, q, axis=0) for name, q in
           (("min", 0), ("1q", 0.25), ("median", 0.5), ("3q", 0.75), ("max", 1))},
        "fit": _fit(fitted, rep, residuals, free, projection),
    }  # fmt: skip


@partial(jax.jit, static_argnames="architecture")
def _mean_slopes(
    weights: Float[Array, " w"], x: Float[Array, "n p"], *, architecture: Architecture
) -> tuple[Float[Array, "k p"], Float[Array, "k p w"]]:
    """Return the mean over the rows of each output's slopes, and its derivative by the weights."""
    mean = lambda w: jnp.mean(slopes(w, x, architecture=architecture), axis=0)  # noqa: E731
    return mean(weights), jax.jacrev(mean)(weights)


def _estimates(values: np.ndarray, errors: np.ndarray) -> Table:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = values / errors
    p = np.where(np.isnan(ratio), np.nan, chdtrc(1, ratio**2))
    return {"estimate": values, "std_error": errors, "z": ratio, "p": p}


def _weights(fitted, weights, free, cov, projection) -> Table:
    errors = np.full(weights.size, np.nan)
    errors[free] = np.where(np.diag(projection) >= 1 - _IDENTIFIED, np.sqrt(np.maximum(np.diag(cov), 0)), np.nan)
    return {"name": np.array(fitted.weight_names)} | _estimates(weights, errors)


def _covariates(fitted, weights, free, cov, projection) -> Table:
    r"""Wald's test that all weights of an input are 0: $w' C^{-1} w$, chi-squared with as many degrees of freedom."""
    design, sizes = fitted.settings.design, fitted.settings.architecture.sizes
    rows = []
    for j in range(sizes[0]):
        own = np.flatnonzero(np.isin(free, (sizes[0] + 1) * np.arange(sizes[1]) + 1 + j))
        known = bool(own.size) and bool((np.diag(projection)[own] >= 1 - _IDENTIFIED).all())
        part, w = cov[np.ix_(own, own)], weights[free[own]]
        statistic = float(w @ np.linalg.solve(part, w)) if known and np.linalg.matrix_rank(part) == own.size else np.nan
        rows.append((statistic, own.size, float(chdtrc(own.size, statistic)) if own.size else np.nan))
    wald, degrees, p = np.array(rows, float).T
    return {"name": np.array(design.variables), "wald": wald, "df": degrees.astype(int), "p": p}


def _effects(fitted, mean_slopes, gradients, cov, projection) -> Table:
    """The mean slope of each output by each covariate, its standard error by the delta method, in the user's units."""
    design, scaling = fitted.settings.design, fitted.settings.scaling
    variances = np.einsum("kpw,wv,kpv->kp", gradients, cov, gradients)
    outside = np.linalg.norm(gradients - gradients @ projection, axis=-1)
    known = outside <= np.sqrt(_IDENTIFIED) * np.linalg.norm(gradients, axis=-1)
    errors = np.where(known, np.sqrt(np.maximum(variances, 0)), np.nan)
    units = 1.0 if scaling is None else np.array(scaling.y_sd)[:, None] / np.array(scaling.x_sd)
    names = {
        "response": np.repeat(design.outputs, len(design.variables)),
        "name": np.tile(design.variables, len(design.outputs)),
    }
    return names | _estimates((mean_slopes * units).ravel(), (errors * units).ravel())


def _fit(fitted, rep, residuals, free, projection) -> Table:
    error = float(fitted.restarts.loss[rep])
    found = {
        "rows": fitted.rows,
        "parameters": fitted.n_parameters,
        "identified": int(round(float(np.trace(projection)))),
        "trained": len(free),
        "error": error,
        "steps": int(fitted.restarts.steps[rep]),
        "aic": float(fitted.aic[rep]),
        "bic": float(fitted.bic[rep]),
        "residual_sd": float(np.sqrt(np.sum(residuals**2) / max(residuals.size - fitted.n_parameters, 1))),
    }
    spread = np.sum((fitted.response - fitted.response.mean(axis=0)) ** 2)
    found["r_squared"] = float(1 - np.sum(residuals**2) / spread) if spread > 0 else np.nan
    return {name: np.array([value]) for name, value in found.items()}
