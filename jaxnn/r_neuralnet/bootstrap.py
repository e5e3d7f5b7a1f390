"""Bootstrap: many refits of a fitted network side by side, and the intervals that hold most of them."""

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from jaxnn.errors import check_positive_int, require
from jaxnn.r_neuralnet.fitted import Net
from jaxnn.r_neuralnet.inference import check_alpha
from jaxnn.r_neuralnet.intervals import NO_WEIGHTS, Table, bounds, holding, quantities, tables_of, without_weights
from jaxnn.r_neuralnet.network import Architecture, objective
from jaxnn.restarts import fit_until

if TYPE_CHECKING:
    import optax

_MEMORY = 2**28  # bytes of targets that are refitted at a time


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
    check_alpha(alpha)
    check_positive_int("B", B)
    fitted, number = net.fitted, net.fitted.number(rep)
    at = fitted.covariate if data is None else fitted.settings.design.x(data)
    found = holding(fitted, number, at)
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
    columns |= {"bootstrap_lower": low, "bootstrap_upper": high}
    if found.of_weights:
        columns = without_weights(columns, found.derivatives.shape[1])
    for reason in found.of_weights:
        warnings.warn(f"{NO_WEIGHTS}{reason}", stacklevel=2)
    tables = tables_of(fitted, at, columns)
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
        others = np.stack([quantities(w, x, at, architecture=architecture) for w in weights])
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
