"""Intervals of predictions, mean slopes and weights: sandwich, likelihood and bootstrap, beside each other.

They hold for a network at a minimum of its error that the data identify; `hindrances` says where one is not, and then
none is given. `python -m experiments coverage` measures how often they cover.
"""

from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import chdtrc, expit, ndtri, stdtrit

from jaxnn.errors import check_positive_int, check_share, require
from jaxnn.r_neuralnet.fitted import Fitted, Net
from jaxnn.r_neuralnet.inference import slopes
from jaxnn.r_neuralnet.network import Architecture, error_and_dz, forward, objective, output_of
from jaxnn.restarts import fit_until

if TYPE_CHECKING:
    import optax

Table = dict[str, np.ndarray]  # columns of one length, by name
_ROWS = 25  # a weight, or of the rarer class: with fewer the intervals of weights cover too little
_NEEDED = 0.0027  # the largest p at which a hidden node is taken for needed, three standard errors
_FLAT = 1e-5  # of the Hessian with a diagonal of 1: below, a direction is not identified
_APART = 1.1  # by what standard errors may differ that a likelihood's interval is given
_IS_FLAT = "a direction of the weights along which the error is flat: the data do not identify them"
_NEAR = 0.1  # standard errors that the weights may be away from the minimum
_MEMORY = 2**28  # bytes of targets that are refitted at a time


class Estimates(NamedTuple):
    """What intervals are made of: the quantities, on the scale on which they are nearly normal, and their covariances.

    `values (q,)` are the weights that are trained, the mean slopes `(k, p)` and, before the output's logistic function
    if it has one, the outputs `(m, k)`; `derivatives (q, w)` are those by the weights that are trained.
    """

    values: Float[np.ndarray, " q"]
    derivatives: Float[np.ndarray, "q w"]
    sandwich: Float[np.ndarray, "w w"]
    likelihood: Float[np.ndarray, "w w"] | None
    degrees: float  # of freedom of t; infinite: the normal distribution
    hindrances: list[str]


def estimates(
    weights: Float[np.ndarray, " w"],
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n k"],
    at: Float[np.ndarray, "m p"],
    architecture: Architecture,
    row_weights: Float[np.ndarray, " n"] | None = None,
    excluded: tuple[int, ...] = (),
) -> Estimates:
    r"""Return the quantities at a minimum of the error, and what their intervals are made of.

    Sandwich: $H^{-1} (\sum_i \tilde g_i \tilde g_i') H^{-1}$, $\tilde g_i = J_i' (I - V_i J_i H^{-1} J_i')^{-1} r_i$
    the gradient of a row as of a fit without it, where $r_i$ and $V_i$ are the first and second derivatives of its
    error by the outputs' inputs, whose own by the weights are $J_i$ (White 1980; HC3 of MacKinnon and White 1985).
    Likelihood: $\phi H^{-1}$, $\phi$ 1 of the cross-entropy and $2 E / (n k - w)$ of the squared error.
    """
    free = np.setdiff1d(np.arange(weights.size), excluded)
    of_rows = np.ones(len(x)) if row_weights is None else row_weights
    with jax.enable_x64(True):
        found = [np.asarray(part) for part in _derivatives(weights, x, y, of_rows, at, architecture=architecture)]
    error, hessian, r, v, jacobian, values, derivatives = found
    hessian, jacobian = hessian[np.ix_(free, free)], jacobian[:, :, free]
    values, derivatives = (
        np.concatenate([weights[free], values]),
        np.concatenate([np.eye(free.size), derivatives[:, free]]),
    )
    size = np.sqrt(np.abs(np.diag(hessian)))
    flat = not np.isfinite(hessian).all() or not (size > 0).all()
    if flat or not np.linalg.eigvalsh(hessian / size / size[:, None])[0] > _FLAT:
        nothing = np.full(hessian.shape, np.nan)
        return Estimates(
            values, derivatives, nothing, nothing, np.inf, _counted(architecture, y, free.size) + [_IS_FLAT]
        )
    inverse = np.linalg.inv(hessian / size / size[:, None]) / size / size[:, None]
    leverage = v @ jacobian @ inverse @ jacobian.swapaxes(1, 2)
    corrected = np.linalg.solve(np.eye(r.shape[1]) - leverage, r[:, :, None])[:, :, 0]
    g = np.einsum("nk,nkw->nw", corrected, jacobian)
    sandwich = inverse @ (g.T @ g) @ inverse
    gaussian, probable = architecture.error == "sse", architecture.error == "ce"
    degrees = max(r.size - free.size, 1) if gaussian else np.inf
    phi = 2 * float(error) / degrees if gaussian else 1.0 if probable else None
    gradient = np.einsum("nk,nkw->w", r, jacobian)
    # How far the weights are from the minimum in standard errors: Newton's step, measured by the sandwich.
    distance = float(np.sqrt(gradient @ np.linalg.pinv(g.T @ g) @ gradient))
    hindrances = _counted(architecture, y, free.size)
    if not distance < _NEAR:
        hindrances.append(f"weights {distance:.2g} standard errors from the minimum: fit with a smaller threshold")
    hindrances += _superfluous(architecture, weights, free, sandwich)
    likelihood = None if phi is None else phi * inverse
    return Estimates(values, derivatives, sandwich, likelihood, degrees, hindrances)


@partial(jax.jit, static_argnames="architecture")
def _derivatives(
    weights: Float[Array, " w"],
    x: Float[Array, "n p"],
    y: Float[Array, "n k"],
    row_weights: Float[Array, " n"],
    at: Float[Array, "m p"],
    *,
    architecture: Architecture,
) -> tuple[Array, ...]:
    def logits(w, row):
        return forward(w, row[:, None], architecture)[2][:, 0]

    def of_row(z, target, row_weight):
        error, dz = error_and_dz(z[:, None], target[:, None], architecture)
        return row_weight * dz[:, 0], row_weight * error

    z = jax.vmap(logits, (None, 0))(weights, x)
    (v, r, errors) = jax.vmap(
        lambda z, t, u: (jax.jacfwd(lambda z: of_row(z, t, u)[0])(z), *of_row(z, t, u))
    )(z, y, row_weights)  # fmt: skip
    jacobian = jax.vmap(jax.jacrev(logits), (None, 0))(weights, x)

    def error(w):
        return jnp.sum(jax.vmap(lambda row, t, u: of_row(logits(w, row), t, u)[1])(x, y, row_weights))

    quantities = partial(_quantities, x=x, at=at, architecture=architecture)
    return (
        jnp.sum(errors), jax.hessian(error)(weights), r, v, jacobian,
        quantities(weights), jax.jacrev(quantities)(weights),
    )  # fmt: skip


@partial(jax.jit, static_argnames="architecture")
def _quantities(
    w: Float[Array, " w"], x: Float[Array, "n p"], at: Float[Array, "m p"], *, architecture: Architecture
) -> Float[Array, " q"]:
    """Return the mean slopes and the outputs, of the logistic function its inputs."""
    z = forward(w, at.T, architecture)[2]
    outputs = z if architecture.output == "logistic" else output_of(z, architecture)
    mean = jnp.mean(slopes(w, x, architecture=architecture), axis=0)
    return jnp.concatenate([mean.ravel(), outputs.T.ravel()])


def _counted(architecture: Architecture, y: np.ndarray, count: int) -> list[str]:
    """Return what hinders where the rows are too few for so many weights."""
    classes = architecture.error == "ce"
    rows = int(np.minimum(y.sum(axis=0), (1 - y).sum(axis=0)).sum()) if classes else y.size
    what = f"{rows} {'rows of the rarer class' if classes else 'rows and responses'} for {count} weights"
    return [f"{what}, fewer than {_ROWS} a weight"] * (rows < _ROWS * count)


def _superfluous(architecture: Architecture, weights: np.ndarray, free: np.ndarray, sandwich: np.ndarray) -> list[str]:
    """Return the hidden nodes whose output weights may all be 0, by Wald's test: their others mean nothing then."""
    place, start, idle = {int(w): i for i, w in enumerate(free)}, 0, []
    for layer, (rows, columns) in enumerate(architecture.shapes):
        for node in range(1, rows if layer else 1):
            own = [place[w] for w in range(start + node, start + rows * columns, rows) if w in place]
            out = weights[free[own]]
            statistic = float(out @ np.linalg.pinv(sandwich[np.ix_(own, own)]) @ out)
            if own and not chdtrc(len(own), statistic) < _NEEDED:
                idle.append(f"{layer}layhid{node}")
        start += rows * columns
    return [f"hidden nodes that may be superfluous, whose own weights mean nothing then: {', '.join(idle)}"] * bool(
        idle
    )


def bounds(found: Estimates, alpha: float) -> Table:
    """Return each quantity with its bounds, by sandwich and by likelihood, on the scale of `found`.

    Likelihood's are NaN where the error is none, and where its standard error and that of the sandwich are more than a
    tenth apart: the rows do not vary then as the likelihood takes them to.
    """
    critical = float(ndtri(1 - alpha / 2) if np.isinf(found.degrees) else stdtrit(found.degrees, 1 - alpha / 2))
    columns = {"estimate": found.values}
    own = _errors(found.derivatives, found.sandwich)
    for name, covariance in (("sandwich", found.sandwich), ("likelihood", found.likelihood)):
        errors = np.full(own.shape, np.nan) if covariance is None else _errors(found.derivatives, covariance)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.where(np.abs(np.log(errors / own)) <= np.log(_APART), errors, np.nan)
        columns |= {
            f"{name}_lower": found.values - critical * errors,
            f"{name}_upper": found.values + critical * errors,
        }
    return columns


def _errors(derivatives: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.einsum("qw,wv,qv->q", derivatives, covariance, derivatives), 0))


def intervals(net: Net, data: Any = None, rep: int | str = "best", alpha: float = 0.05) -> dict[str, Table]:
    """Return intervals of `weights`, mean `slopes` and `predictions`, for some data or that of the fit, as tables.

    Each has `name` or `row` and `response`, `estimate`, and `sandwich_lower`, `sandwich_upper`, `likelihood_lower` and
    `likelihood_upper`, in the user's units but for weights (see `estimates`, `bounds`). Raises `InvalidArgument`
    with the reasons where intervals do not hold: too few rows a weight, weights that the data do not identify (of
    softmax outputs never: what is added to all of them changes nothing), that decay or rows held out chose, or that are
    not at a minimum. Measured by `python -m experiments coverage`.
    """
    check_share("alpha", alpha)
    fitted, number = net.fitted, net.fitted.number(rep)
    at = fitted.covariate if data is None else fitted.settings.design.x(data)
    return _tables(fitted, at, bounds(_holding(fitted, number, at), alpha))


def hindrances(fitted: Fitted, rep: int) -> list[str]:
    """Return why intervals of a restart do not hold, nothing where they do."""
    shrunk = [f"decay = {fitted.settings.decay:g} pulls all weights aside"] * (fitted.settings.decay > 0)
    return shrunk + _of(fitted, rep, fitted.covariate[:1]).hindrances


def _of(fitted: Fitted, rep: int, at: np.ndarray) -> Estimates:
    settings, (x, y) = fitted.settings, fitted.trained_on
    scaled = at if settings.scaling is None else settings.scaling.standardised(at, y[:1])[0]
    weights = fitted.restarts.params[rep]
    return estimates(weights, x, y, scaled, settings.architecture, fitted.weights, settings.excluded)


def _holding(fitted: Fitted, rep: int, at: np.ndarray) -> Estimates:
    """Return the estimates of a restart; raises `InvalidArgument` where intervals do not hold."""
    fitted.check_at_minimum()
    decay = fitted.settings.decay
    require(decay == 0, "net", f"one with decay = {decay:g}", "decay=0: it pulls all weights aside")
    found = _of(fitted, rep, at)
    reasons = "; ".join(found.hindrances)
    require(not reasons, "net", reasons, "a network at a minimum of the error that the data identify")
    return found


def _tables(fitted: Fitted, at: np.ndarray, columns: Table) -> dict[str, Table]:
    """Return the columns of all quantities as three tables, in the user's units."""
    settings, scaling = fitted.settings, fitted.settings.scaling
    design, (p, *_, k) = settings.design, settings.architecture.sizes
    free = np.setdiff1d(np.arange(settings.architecture.n_weights), settings.excluded)
    ends = np.cumsum([free.size, k * p, len(at) * k])
    parts = [{name: values[a:b] for name, values in columns.items()} for a, b in zip([0, *ends], ends, strict=False)]
    y_mean, y_sd = (np.zeros(k), np.ones(k)) if scaling is None else (np.array(scaling.y_mean), np.array(scaling.y_sd))
    per_unit = (y_sd[:, None] / (np.ones(p) if scaling is None else np.array(scaling.x_sd))).ravel()
    logistic = settings.architecture.output == "logistic"
    slopes_ = {name: values * per_unit for name, values in parts[1].items()}
    predictions = {
        name: expit(values) if logistic else values * np.tile(y_sd, len(at)) + np.tile(y_mean, len(at))
        for name, values in parts[2].items()
    }
    by_slope = {"response": np.repeat(design.outputs, p), "name": np.tile(design.variables, k)}
    by_row = {"row": np.repeat(np.arange(len(at)), k), "response": np.tile(design.outputs, len(at))}
    names = {"name": np.array(fitted.weight_names)[free]}
    return {"weights": names | parts[0], "slopes": by_slope | slopes_, "predictions": by_row | predictions}


class Bootstrap(NamedTuple):
    """The refits that converged, `weights (refits, w)`; of `asked` refits; and the tables of `intervals` with
    `bootstrap_lower` and `bootstrap_upper` beside the others.
    """

    weights: Float[np.ndarray, "refits w"]
    asked: int
    tables: dict[str, Table]


def bootstrap(
    net: Net, B: int = 1000, data: Any = None, rep: int | str = "best", alpha: float = 0.05, seed: int = 0
) -> Bootstrap:
    """Return the tables of `intervals` with bootstrap's bounds beside them: quantiles over `B` refits, side by side.

    Each refit weighs the rows by how often NumPy's generator of `seed` draws them, and begins at the weights of the
    fit, so that nodes keep their places; all are one compiled program, by Newton's method. Those that do not converge
    are left out. Efron 1979. Raises `InvalidArgument` as `intervals` does, and where fewer than nine tenths converge.
    """
    check_share("alpha", alpha)
    check_positive_int("B", B)
    fitted, number = net.fitted, net.fitted.number(rep)
    at = fitted.covariate if data is None else fitted.settings.design.x(data)
    found = _holding(fitted, number, at)
    columns = bounds(found, alpha)
    x, y = fitted.trained_on
    n = len(x)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=B).astype(float)
    of_rows = counts if fitted.weights is None else counts * fitted.weights
    settings = fitted.settings
    weights, converged = refits(
        settings.architecture, settings.excluded, fitted.restarts.params[number], x, np.broadcast_to(y, (B, *y.shape)),
        of_rows, min(settings.threshold, 0.01),
    )  # fmt: skip
    enough = converged.mean() >= 0.9
    require(enough, "net", f"{converged.sum()} of {B} refits that converged", "nine tenths of them at least")
    scaled = at if settings.scaling is None else settings.scaling.standardised(at, y[:1])[0]
    low, high = quantiles(weights[converged], x, scaled, settings.architecture, alpha, settings.excluded)
    tables = _tables(fitted, at, columns | {"bootstrap_lower": low, "bootstrap_upper": high})
    return Bootstrap(weights[converged], B, tables)


def quantiles(
    weights: Float[np.ndarray, "refits w"],
    x: Float[np.ndarray, "n p"],
    at: Float[np.ndarray, "m p"],
    architecture: Architecture,
    alpha: float,
    excluded: tuple[int, ...] = (),
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    """Return the bounds that hold all but a share `alpha` of the refits, of the quantities that `estimates` has."""
    free = np.setdiff1d(np.arange(weights.shape[1]), excluded)
    with jax.enable_x64(True):
        others = np.stack([_quantities(w, x, at, architecture=architecture) for w in weights])
    low, high = np.quantile(np.concatenate([weights[:, free], others], axis=1), [alpha / 2, 1 - alpha / 2], axis=0)
    return low, high


def refits(
    architecture: Architecture,
    excluded: tuple[int, ...],
    start: Float[np.ndarray, " w"],
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "fits n k"],
    row_weights: Float[np.ndarray, "fits n"],
    threshold: float,
) -> tuple[Float[np.ndarray, "fits w"], np.ndarray]:
    """Return the weights of many fits from one start, each to responses and weights of the rows of its own, and which
    of them converged: side by side, by one compiled program.
    """
    count = len(y)
    at_a_time = max(1, int(_MEMORY / (8 * len(x) * (y.shape[2] + 1))))
    found = []
    with jax.enable_x64(True):
        for begin in range(0, count, at_a_time):
            part = slice(begin, begin + at_a_time)
            targets = np.concatenate([y[part], row_weights[part, :, None]], axis=2)
            starts = np.tile(start, (len(targets), 1))
            settings = {"threshold": threshold, "stepmax": 200, "own_targets": True}
            found.append(fit_until(objective(architecture, excluded, 1), starts, _newton(), (x, targets), **settings))
    return np.concatenate([f.params for f in found]), np.concatenate([f.converged for f in found])


# One object: training's compiled programs are found by the optimizer that they were made for.
@cache
def _newton() -> "optax.GradientTransformation":
    r"""Return Newton's method, damped: $-Q (|\Lambda| + \lambda)^{-1} Q' g$, where $Q \Lambda Q'$ is the Hessian, its
    diagonal made 1; $\lambda$ is a tenth after a step that lowers the loss, and tenfold after one that would not.

    Few weights near a minimum are there in a few steps, of which L-BFGS takes forty, each with a search.
    """
    import optax

    def init(params):
        return jnp.full((), 1e-3, params.dtype)

    def update(updates: Any, state: Any, params: Any = None, **found: Any) -> tuple[Any, Any]:
        value, value_fn = found["value"], found["value_fn"]
        hessian = jax.hessian(value_fn)(params)
        size = jnp.sqrt(jnp.abs(jnp.diag(hessian)))
        size = jnp.where(size > 0, size, 1)
        curvatures, directions = jnp.linalg.eigh(hessian / size[:, None] / size[None])
        change = -(directions @ ((directions.T @ (updates / size)) / (jnp.abs(curvatures) + state))) / size
        change = jnp.where(updates == 0, 0, change)  # what is excluded has no gradient, and stays
        # Or as low, but for rounding: near the minimum the loss tells steps apart no longer, the gradient does.
        lower = value_fn(params + change) <= value + 1e-12 * jnp.abs(value)
        return jnp.where(lower, change, 0), jnp.where(lower, state / 10, jnp.maximum(state, 1e-8) * 10)

    return optax.GradientTransformationExtraArgs(init, update)
