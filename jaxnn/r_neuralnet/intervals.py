"""Intervals of predictions, mean slopes and weights: by sandwich and by likelihood, beside each other.

They hold for a network at a minimum of its error that the data identify; `hindrances` says where one is not, and then
none is given. `python -m experiments coverage` measures how often they cover.
"""

import warnings
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import chdtrc, expit, ndtri, stdtrit

from jaxnn.errors import require
from jaxnn.r_neuralnet.fitted import Fitted, Net
from jaxnn.r_neuralnet.inference import check_alpha, slopes
from jaxnn.r_neuralnet.network import Architecture, error_and_dz, forward, output_of

Table = dict[str, np.ndarray]  # columns of one length, by name
_ROWS = 25  # a weight, or of the rarer class: with fewer the intervals of weights cover too little
_NEEDED = 0.0027  # the largest p at which a hidden node is taken for needed, three standard errors
_FLAT = 1e-5  # of the Hessian with a diagonal of 1: below, a direction is not identified
_ALIKE = 0.05  # the least p of the test that the rows vary as the likelihood takes them to
NO_WEIGHTS = "no intervals of weights (nan), but of slopes and predictions: "
_IS_FLAT = "a direction of the weights along which the error is flat: the data do not identify them"
_NEAR = 0.1  # standard errors that the weights may be away from the minimum
_LOOSE = 0.12  # of weights' standard errors: the standard deviation of a logarithm that the other weights make


class Estimates(NamedTuple):
    """What intervals are made of: the quantities, on the scale on which they are nearly normal, and their covariances.

    `values (q,)` are the weights that are trained, the mean slopes `(k, p)` and, before the output's logistic function
    if it has one, the outputs `(m, k)`; `derivatives (q, w)` are those by the weights that are trained.
    """

    values: Float[np.ndarray, " q"]
    derivatives: Float[np.ndarray, "q w"]
    sandwich: Float[np.ndarray, "w w"]
    likelihood: Float[np.ndarray, "w w"] | None
    growth: Float[np.ndarray, " q"]  # of a standard error's logarithm, while its quantity grows by one of them
    skewed: Float[np.ndarray, " q"]  # by what the sandwich's grows besides, where residuals are skewed
    degrees: float  # of freedom of t; infinite: the normal distribution
    hindrances: list[str]
    of_weights: list[str]  # hindrances of the weights' intervals alone


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

    Sandwich: $I^{-1} (\sum_i \tilde g_i \tilde g_i') I^{-1}$, $\tilde g_i = J_i' (1 - V_i J_i I^{-1} J_i')^{-1} r_i$
    the gradient of a row as of a fit without it, where $r_i$ and $V_i$ are the first and second derivatives of its
    error by the outputs' inputs, whose own by the weights are $J_i$, and $I$ is the Hessian; of the squared error that
    which is expected of a network that is right, $\sum_i J_i' V_i J_i$, as R's nls takes it, with which more intervals
    covered on the networks that it was chosen on (White 1980; HC3 of MacKinnon and White 1985).
    Likelihood: $\phi I^{-1}$, $\phi$ 1 of the cross-entropy and $2 E / (n k - w)$ of the squared error. How standard
    errors grow: see `_growth`; the sandwich's of the squared error grow by $\frac{1}{2} \sum_i \psi_{ij}^3 / s_j^3$
    besides, $\psi_i = -D I^{-1} \tilde g_i$ being what a row adds to the quantities: where residuals are skewed, the
    rows that move a quantity change its standard error too (Johnson 1978). Of classes `_growth` has that in it.
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
    expected = np.einsum("nkw,nkl,nlv->wv", jacobian, v, jacobian) if architecture.error == "sse" else hessian
    if not all(_curved(matrix) for matrix in (hessian, expected)):
        nothing, reasons = np.full(hessian.shape, np.nan), _counted(architecture, y, free.size) + [_IS_FLAT]
        unknown = np.full(values.shape, np.nan)
        return Estimates(values, derivatives, nothing, nothing, unknown, unknown, np.inf, reasons, [])
    size = np.sqrt(np.diag(expected))
    inverse = np.linalg.inv(expected / size / size[:, None]) / size / size[:, None]
    leverage = v @ jacobian @ inverse @ jacobian.swapaxes(1, 2)
    corrected = np.linalg.solve(np.eye(r.shape[1]) - leverage, r[:, :, None])[:, :, 0]
    g = np.einsum("nk,nkw->nw", corrected, jacobian)
    sandwich = inverse @ (g.T @ g) @ inverse
    gaussian, probable = architecture.error == "sse", architecture.error == "ce"
    settings = {"architecture": architecture, "free": tuple(free.tolist())}
    with jax.enable_x64(True):
        of_errors = np.asarray(_growth(weights, x, y, of_rows, at, corrected, **settings))
    errors = _errors(derivatives, sandwich)
    with np.errstate(divide="ignore", invalid="ignore"):  # a quantity that hangs on no weight has no interval
        growth = np.einsum("wq,wv,qv->q", of_errors, sandwich, derivatives) / errors
        third = np.sum((-g @ inverse @ derivatives.T) ** 3, axis=0) if gaussian else np.zeros(values.size)
        skewed = third / errors**3 / 2
    degrees = max(r.size - free.size, 1) if gaussian else np.inf
    phi = 2 * float(error) / degrees if gaussian else 1.0 if probable else None
    gradient = np.einsum("nk,nkw->w", r, jacobian)
    # How far the weights are from the minimum in standard errors: Newton's step, measured by the sandwich.
    distance = float(np.sqrt(gradient @ np.linalg.pinv(g.T @ g) @ gradient))
    hindrances = _counted(architecture, y, free.size)
    if not distance < _NEAR:
        hindrances.append(f"weights {distance:.2g} standard errors from the minimum: fit with a smaller threshold")
    hindrances += _superfluous(architecture, weights, free, sandwich)
    likelihood = None if phi is None or not _as_likely(r, v, jacobian, inverse, phi) else phi * inverse
    left = np.einsum("wq,wv,vq->q", of_errors, sandwich, of_errors) - growth**2  # that the other weights make
    loose = float(np.mean(np.sqrt(np.maximum(left[: free.size], 0)))) if gaussian else 0.0
    of_weights = [
        f"standard errors that other weights make uncertain by {loose:.1%} in the mean, over {_LOOSE:.1%}: nodes that "
        "hardly bend, or do nearly the same"
    ] * (loose > _LOOSE)
    return Estimates(values, derivatives, sandwich, likelihood, growth, skewed, degrees, hindrances, of_weights)


def _curved(matrix: Float[np.ndarray, "w w"]) -> bool:
    """Return whether a Hessian, its diagonal made 1, has curvature in all directions."""
    size = np.sqrt(np.abs(np.diag(matrix)))
    if not np.isfinite(matrix).all() or not (size > 0).all():
        return False
    return bool(np.linalg.eigvalsh(matrix / size / size[:, None])[0] > _FLAT)


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
    def error(w):
        def of_row(row, t, u):
            return u * error_and_dz(forward(w, row[:, None], architecture)[2], t[:, None], architecture)[0]

        return jnp.sum(jax.vmap(of_row)(x, y, row_weights))

    r, v, jacobian = _by_row(weights, x, y, row_weights, architecture)
    of_weights = partial(quantities, x=x, at=at, architecture=architecture)
    found = of_weights(weights), jax.jacrev(of_weights)(weights)
    return error(weights), jax.hessian(error)(weights), r, v, jacobian, *found


def _by_row(
    w: Float[Array, " w"],
    x: Float[Array, "n p"],
    y: Float[Array, "n k"],
    row_weights: Float[Array, " n"],
    architecture: Architecture,
) -> tuple[Float[Array, "n k"], Float[Array, "n k k"], Float[Array, "n k w"]]:
    """Return of each row the derivatives of its error by the outputs' inputs, first and second, and theirs by `w`.

    The second of the squared error is the one that is expected where the network is right.
    """

    def inputs(w, row):
        return forward(w, row[:, None], architecture)[2][:, 0]

    def first(z, t, u):
        return u * error_and_dz(z[:, None], t[:, None], architecture)[1][:, 0]

    def expected(z, t, u):
        slope = jax.jacfwd(lambda z: output_of(z[:, None], architecture)[:, 0])(z)
        return u * slope.T @ slope

    z = jax.vmap(inputs, (None, 0))(w, x)
    second = expected if architecture.error == "sse" else jax.jacfwd(first)
    return (
        jax.vmap(first)(z, y, row_weights),
        jax.vmap(second)(z, y, row_weights),
        jax.vmap(jax.jacrev(inputs), (None, 0))(w, x),
    )


@partial(jax.jit, static_argnames=("architecture", "free"))
def _growth(
    weights: Float[Array, " w"],
    x: Float[Array, "n p"],
    y: Float[Array, "n k"],
    row_weights: Float[Array, " n"],
    at: Float[Array, "m p"],
    residuals: Float[Array, "n k"],
    *,
    architecture: Architecture,
    free: tuple[int, ...],
) -> Float[Array, "free q"]:
    r"""Return $\partial \log s_j / \partial w$: how the standard error of each quantity grows with the weights.

    When the quantity grows by one standard error the weights go by $u_j = S d_j / s_j$, and the standard error's
    logarithm by $\kappa_j = u_j \cdot \partial \log s_j / \partial w$. What the weights do to it otherwise has the
    variance $\partial \log s_j' \, S \, \partial \log s_j - \kappa_j^2$.

    $s_j^2 = d_j' I^{-1} (\sum_i \tilde g_i \tilde g_i') I^{-1} d_j$ with the expected $I$; the residuals stay, but for
    their size, which goes as $\sqrt{V}$, as in exponential families.
    """
    places = jnp.array(free)
    at_first = jnp.diagonal(_by_row(weights, x, y, row_weights, architecture)[1], axis1=1, axis2=2)

    def errors(part):
        w = weights.at[places].set(part)
        _, v, jacobian = _by_row(w, x, y, row_weights, architecture)
        jacobian, size = jacobian[:, :, places], jnp.diagonal(v, axis1=1, axis2=2)
        known = (size > 0) & (at_first > 0)
        size = jnp.sqrt(jnp.where(known, size, 1) / jnp.where(known, at_first, 1))
        g = jnp.einsum("nk,nkw->nw", residuals * size, jacobian)
        inverse = jnp.linalg.inv(jnp.einsum("nkw,nkl,nlv->wv", jacobian, v, jacobian))
        others = jax.jacrev(partial(quantities, x=x, at=at, architecture=architecture))(w)[:, places]
        d = jnp.concatenate([jnp.eye(len(free)), others])
        return 0.5 * jnp.log(jnp.einsum("qw,wv,qv->q", d, inverse @ (g.T @ g) @ inverse, d))

    # One weight after the other: all at once they would take as many times the memory.
    return jax.lax.map(lambda way: jax.jvp(errors, (weights[places],), (way,))[1], jnp.eye(len(free)))


@partial(jax.jit, static_argnames="architecture")
def quantities(
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


def _as_likely(r: np.ndarray, v: np.ndarray, jacobian: np.ndarray, inverse: np.ndarray, phi: float) -> bool:
    r"""Return whether the weights' variances by the sandwich are those by the likelihood, for all the rows tell.

    White's information matrix test (1982), of its diagonal: $d_i = (a_i r_i)^2 - \phi \, a_i V_i a_i'$ with
    $a_i = I^{-1} J_i'$ has the mean 0 then. Of one response with the squared error its covariance is that of residuals
    whose squares vary alike (Koenker 1981), else that of what the rows' gradients, those by $\phi$ among them, leave of
    it, by which more are refused than should be: up to a quarter of two classes.
    """
    a, squares = jacobian @ inverse, np.sum(r**2, axis=1) - phi * np.trace(v, axis1=1, axis2=2)
    if r.shape[1] == 1 and (v == v[0]).all():
        centred = a[:, 0] ** 2 - np.mean(a[:, 0] ** 2, axis=0)
        left, total = centred * np.sqrt(np.mean(squares**2)), squares @ centred
    else:
        apart = np.einsum("nk,nkw->nw", r, a) ** 2 - phi * np.einsum("nkw,nkl,nlw->nw", a, v, a)
        nuisance = np.column_stack([np.einsum("nk,nkw->nw", r, jacobian), squares])
        left = apart - nuisance @ np.linalg.lstsq(nuisance, apart)[0]
        total = left.sum(axis=0)
    size = np.sqrt(np.mean(left**2, axis=0))
    if not (size > 0).all():
        return True
    spread = np.linalg.pinv(left.T @ left / size / size[:, None], rcond=1e-10)
    return bool(chdtrc(len(total), total / size @ spread @ (total / size)) >= _ALIKE)


def bounds(found: Estimates, alpha: float) -> Table:
    r"""Return each quantity with its bounds, by sandwich and by likelihood, on the scale of `found`.

    Where the quantity grows by $t$ standard errors $s$, these become $s e^{\kappa t}$, $\kappa$ being `growth`, so what
    varies by 1 everywhere is $\int_0^t e^{-\kappa \tau} d\tau$, and it is that which is held within the critical values
    $\pm z$ (stabilised variances: Bartlett 1947). So the bounds are at $t = -\log(1 - \kappa z) / \kappa$, at $z$ where
    $\kappa$ is 0, and infinite where $\kappa z \ge 1$: the data set no bound there. Likelihood's are NaN where there is
    none, and where the rows do not vary as it takes them to; those of weights where `of_weights` says why.
    """
    critical = float(ndtri(1 - alpha / 2) if np.isinf(found.degrees) else stdtrit(found.degrees, 1 - alpha / 2))
    columns = {"estimate": found.values}
    growths = {"sandwich": found.growth + found.skewed, "likelihood": found.growth}
    for name, covariance in (("sandwich", found.sandwich), ("likelihood", found.likelihood)):
        errors = np.full(found.values.shape, np.nan) if covariance is None else _errors(found.derivatives, covariance)
        for side, z in (("lower", -critical), ("upper", critical)):
            columns[f"{name}_{side}"] = found.values + _stabilised(growths[name], z) * errors
    return columns if not found.of_weights else without_weights(columns, found.derivatives.shape[1])


def without_weights(columns: Table, count: int) -> Table:
    """Return the columns with NaN in the place of the bounds of so many weights, which stand in front."""
    refused = np.arange(len(columns["estimate"])) < count
    return {name: np.where(refused & (name != "estimate"), np.nan, values) for name, values in columns.items()}


def _stabilised(growth: Float[np.ndarray, " q"], z: float) -> Float[np.ndarray, " q"]:
    left = 1 - growth * z
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = -np.log(np.maximum(left, 0)) / growth
    return np.where(np.abs(growth) < 1e-9, z, bent)


def _errors(derivatives: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.einsum("qw,wv,qv->q", derivatives, covariance, derivatives), 0))


def intervals(net: Net, data: Any = None, rep: int | str = "best", alpha: float = 0.05) -> dict[str, Table]:
    """Return intervals of `weights`, mean `slopes` and `predictions`, for some data or that of the fit, as tables.

    Each has `name` or `row` and `response`, `estimate`, and `sandwich_lower`, `sandwich_upper`, `likelihood_lower` and
    `likelihood_upper`, in the user's units but for weights (see `estimates`, `bounds`). Raises `InvalidArgument`
    with the reasons where intervals do not hold: too few rows a weight, weights that the data do not identify (of
    softmax outputs never: what is added to all of them changes nothing), that decay or rows held out chose, or that are
    not at a minimum. Warns where there are none of the weights alone, which are NaN then: other weights make their
    standard errors too uncertain. Measured by `python -m experiments coverage`.
    """
    check_alpha(alpha)
    fitted, number = net.fitted, net.fitted.number(rep)
    at = fitted.covariate if data is None else fitted.settings.design.x(data)
    found = holding(fitted, number, at)
    for reason in found.of_weights:
        warnings.warn(f"{NO_WEIGHTS}{reason}", stacklevel=2)
    return tables_of(fitted, at, bounds(found, alpha))


def sandwich_of(fitted: Fitted, rep: int, alpha: float) -> tuple[Table, Table]:
    """Return the sandwich's `lower` and `upper` bounds of all weights and of the mean slopes, NaN where none holds."""
    count, k = fitted.settings.architecture.n_weights, len(fitted.settings.design.outputs)
    weights = {side: np.full(count, np.nan) for side in ("lower", "upper")}
    if fitted.held_out is not None or hindrances(fitted, rep):
        slopes_ = np.full(k * len(fitted.settings.design.variables), np.nan)
        return weights, {"lower": slopes_, "upper": slopes_}
    at = fitted.covariate[:1]
    tables = tables_of(fitted, at, bounds(_of(fitted, rep, at), alpha))
    for side, of_all in weights.items():
        of_all[np.setdiff1d(np.arange(count), fitted.settings.excluded)] = tables["weights"][f"sandwich_{side}"]
    return weights, {side: tables["slopes"][f"sandwich_{side}"] for side in weights}


def hindrances(fitted: Fitted, rep: int) -> list[str]:
    """Return why intervals of a restart do not hold, nothing where they do."""
    shrunk = [f"decay = {fitted.settings.decay:g} pulls all weights aside"] * (fitted.settings.decay > 0)
    return shrunk + _of(fitted, rep, fitted.covariate[:1]).hindrances


def hindrances_of_weights(fitted: Fitted, rep: int) -> list[str]:
    """Return why those of its weights alone do not."""
    return _of(fitted, rep, fitted.covariate[:1]).of_weights


def _of(fitted: Fitted, rep: int, at: np.ndarray) -> Estimates:
    settings, (x, y) = fitted.settings, fitted.trained_on
    scaled = at if settings.scaling is None else settings.scaling.standardised(at, y[:1])[0]
    weights = fitted.restarts.params[rep]
    return estimates(weights, x, y, scaled, settings.architecture, fitted.weights, settings.excluded)


def holding(fitted: Fitted, rep: int, at: np.ndarray) -> Estimates:
    """Return the estimates of a restart; raises `InvalidArgument` where intervals do not hold."""
    fitted.check_at_minimum()
    decay = fitted.settings.decay
    require(decay == 0, "net", f"one with decay = {decay:g}", "decay=0: it pulls all weights aside")
    found = _of(fitted, rep, at)
    reasons = "; ".join(found.hindrances)
    require(not reasons, "net", reasons, "a network at a minimum of the error that the data identify")
    return found


def tables_of(fitted: Fitted, at: np.ndarray, columns: Table) -> dict[str, Table]:
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
