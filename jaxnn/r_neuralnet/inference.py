"""What a fitted network says of itself: slopes, generalized weights, confidence intervals and information criteria."""

import warnings
from functools import partial
from statistics import NormalDist
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxnn.errors import require
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.network import (
    Architecture,
    error_and_dz,
    errors_and_dz,
    forward,
    layers,
    matrices,
    output_of,
)

_RCOND = float(np.finfo(float).eps ** 0.5)  # below it a singular value is 0, as in R's MASS::ginv


class ConfidenceInterval(NamedTuple):
    """`lower` and `upper` have the layout of the weights, `[rep][layer]`, NaN where there is none; `nic` one a rep."""

    lower: list[list[np.ndarray]]
    upper: list[list[np.ndarray]]
    nic: Float[np.ndarray, " restarts"]


def check_alpha(alpha: object) -> None:
    """Raise `InvalidArgument` unless intervals can leave out this share."""
    number = isinstance(alpha, int | float | np.number) and not isinstance(alpha, bool) and 0 < alpha < 1
    require(number, "alpha", repr(alpha), "a share in (0, 1), such as 0.05")


@partial(jax.jit, static_argnames="architecture")
def outputs(weights: Float[Array, " w"], x: Float[Array, "n p"], *, architecture: Architecture) -> Float[Array, "n k"]:
    """Return the network's outputs."""
    return output_of(forward(weights, x.T, architecture)[2], architecture).T


@partial(jax.jit, static_argnames="architecture")
def units(
    weights: Float[Array, " w"], x: Float[Array, "n p"], *, architecture: Architecture
) -> list[Float[Array, "n m"]]:
    """Return the values of all nodes, layer by layer, the inputs first."""
    inputs, _, z = forward(weights, x.T, architecture)
    return [*(layer[1:].T for layer in inputs), output_of(z, architecture).T]


@partial(jax.jit, static_argnames=("architecture", "before_output"))
def slopes(
    weights: Float[Array, " w"], x: Float[Array, "n p"], *, architecture: Architecture, before_output: bool = False
) -> Float[Array, "n k p"]:
    r"""Return $\partial o_k / \partial x_j$ in every row; of the output nodes' inputs where `before_output`."""

    def of_row(row):
        z = forward(weights, row[:, None], architecture)[2]
        return (z if before_output else output_of(z, architecture))[:, 0]

    return jax.vmap(jax.jacrev(of_row))(x)  # reverse: a pass for each output, of which there is mostly one


def generalized_weights(
    weights: Float[np.ndarray, " w"], x: Float[np.ndarray, "n p"], architecture: Architecture
) -> Float[np.ndarray, "n k*p"]:
    r"""Return $\partial \log(o_k / (1 - o_k)) / \partial x_j$ in every row, response by response.

    $= \frac{\partial o_k / \partial x_j}{o_k (1 - o_k)}$, R's formula, which it uses for outputs too that are no
    probabilities (see `slopes` for those). Of logistic outputs the logit itself is differentiated: nothing saturates.
    Intrator and Intrator 1993.
    """
    logistic = architecture.output == "logistic"
    found = np.asarray(slopes(weights, x, architecture=architecture, before_output=logistic))
    if not logistic:
        o = np.asarray(outputs(weights, x, architecture=architecture))[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            found = found / (o * (1 - o))
    return found.reshape(len(x), -1)


def confidence_interval(fitted: Fitted, alpha: float, as_in_r: bool) -> ConfidenceInterval:
    r"""Return $w \pm z_{1 - \alpha / 2} \sqrt{V_{ii} / n}$ for every restart, and its NIC, $E + \mathrm{tr}(B A^+)$.

    See `standard_errors`. Warns, as from the caller's caller, where a weight has no interval.
    """
    architecture, excluded = fitted.settings.architecture, fitted.settings.excluded
    free = np.setdiff1d(np.arange(architecture.n_weights), excluded)
    fitted.check_at_minimum()
    z = -NormalDist().inv_cdf(alpha / 2)  # of Python, as exact as R's qnorm: JAX would compile dozens of programs
    lower, upper, nic, without = [], [], [], 0
    covariate, response = fitted.trained_on
    with jax.enable_x64(True):
        for weights, error in zip(fitted.restarts.params, fitted.restarts.loss, strict=True):
            errors, penalty = standard_errors(
                weights, covariate, response, architecture, free, as_in_r, fitted.trained_weights, fitted.settings.decay
            )
            half = np.full(weights.size, np.nan)
            without += errors is None or bool(np.isnan(errors).any())
            if errors is not None:
                half[free] = z * errors
            lower.append(matrices(weights - half, architecture))
            upper.append(matrices(weights + half, architecture))
            nic.append(error + penalty)
    if without:
        warnings.warn(
            f"{without} of {len(nic)} repetition(s) could not calculate confidence intervals for the weights; "
            "varify that the neural network does not contain irrelevant neurons: fit with fewer hidden nodes",
            stacklevel=3,
        )
    return ConfidenceInterval(lower, upper, np.array(nic))


def standard_errors(
    weights: Float[np.ndarray, " w"],
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n k"],
    architecture: Architecture,
    free: np.ndarray,
    as_in_r: bool,
    row_weights: Float[np.ndarray, " n"] | None = None,
    decay: float = 0.0,
) -> tuple[Float[np.ndarray, " free"] | None, float]:
    r"""Return the standard error of each free weight, `None` without one, and $\mathrm{tr}(B A^+)$, NIC's penalty.

    $A$ is the mean over examples of the error's Hessian, $B$ that of $g g'$, $V = A^+ B A^+$, and the standard errors
    are $\sqrt{V_{ii} / n}$ (White 1989; Murata et al. 1994). `as_in_r` gives R's numbers: its Hessian has one block off
    by a row, and its $B$ leaves out what different outputs have in common. A weight that the data does not identify, on
    which $A$ has a direction without curvature, gets NaN; in R's numbers the interval of such a one is too narrow.
    """
    n = len(x)
    b, a = (np.array(m) / n for m in information_matrices(weights, x, y, architecture, as_in_r, row_weights))
    a += decay / n * np.eye(len(a))
    if as_in_r and len(architecture.sizes) == 3:
        a += np.array(error_of_rs_hessian(weights, x, y, architecture)) / n
    a, b = a[np.ix_(free, free)], b[np.ix_(free, free)]
    finite = np.isfinite(a).all() and np.isfinite(b).all()
    if not finite or (as_in_r and np.linalg.det(a) == 0):  # R's rule
        return None, np.nan
    inverse = np.linalg.pinv(a, rcond=_RCOND)
    penalty = float(np.trace(b @ inverse))
    if as_in_r:
        variances = np.diag(inverse @ b @ inverse)
        return (None if (variances < 0).any() else np.sqrt(variances / n)), penalty
    # As sums of squares, of the rows of A^+ B^(1/2): the diagonal of A^+ B A^+ itself can be rounded below 0.
    sizes, directions = np.linalg.eigh(b)
    rows = inverse @ (directions * np.sqrt(np.maximum(sizes, 0)))
    # A^+ A projects onto the directions that have curvature: its diagonal is 1 where a weight lies wholly in them.
    identified = np.diag(inverse @ a) >= 1 - 1e-6
    return np.sqrt(np.where(identified, np.sum(rows**2, axis=1), np.nan) / n), penalty


def covariance(
    fitted: Fitted, rep: int, free: np.ndarray
) -> tuple[Float[np.ndarray, "free free"], Float[np.ndarray, "free free"]]:
    """Return the covariance of a restart's free weights, $A^+ B A^+ / n$, and the projection $A^+ A$, as
    `standard_errors` has them: where its diagonal is 1 a weight is identified, its trace counts directions that are.
    """
    x, y = fitted.trained_on
    n = len(x)
    found = information_matrices(
        fitted.restarts.params[rep],
        x,
        y,
        fitted.settings.architecture,
        by_output=False,
        row_weights=fitted.trained_weights,
    )
    b, a = (np.array(m)[np.ix_(free, free)] / n for m in found)
    a += fitted.settings.decay / n * np.eye(len(a))
    inverse = np.linalg.pinv(a, rcond=_RCOND)
    return inverse @ b @ inverse / n, inverse @ a


@partial(jax.jit, static_argnames=("architecture", "by_output"))
def information_matrices(
    weights: Float[Array, " w"],
    x: Float[Array, "n p"],
    y: Float[Array, "n k"],
    architecture: Architecture,
    by_output: bool,
    row_weights: Float[Array, " n"] | None = None,
) -> tuple[Float[Array, "w w"], Float[Array, "w w"]]:
    """Return the sum of the outer products of the examples' gradients, and the Hessian, both exact.

    With `by_output` the gradients of the outputs' errors are taken apart, as R does. Rows weigh 1, unless told.
    """
    row_weights = jnp.ones(len(x)) if row_weights is None else row_weights

    def errors(w, row, target, row_weight):
        return row_weight * of_row(w, row, target)

    def of_row(w, row, target):
        z = forward(w, row[:, None], architecture)[2]
        if not by_output:
            return error_and_dz(z, target[:, None], architecture)[0][None]
        apart = architecture._replace(sizes=(*architecture.sizes[:-1], 1))
        return jax.vmap(lambda zk, yk: error_and_dz(zk[None, None], yk[None, None], apart)[0])(z[:, 0], target)

    g = jax.vmap(jax.jacrev(errors), (None, 0, 0, 0))(weights, x, y, row_weights).reshape(-1, weights.size)

    def error(w):
        return row_weights @ errors_and_dz(forward(w, x.T, architecture)[2], y.T, architecture)[0]

    hessian = jax.hessian(error)(weights)
    return g.T @ g, hessian


@partial(jax.jit, static_argnames="architecture")
def error_of_rs_hessian(
    weights: Float[Array, " w"], x: Float[Array, "n p"], y: Float[Array, "n k"], architecture: Architecture
) -> Float[Array, "w w"]:
    r"""Return R's Hessian less the true one, of a network with one hidden layer.

    The second derivative by the output weight of hidden node v and output s, and by an input weight of that node, has
    the term $\sum \bar z_s f'(z_v) x_u$; R adds it where the row of the output weight is v, though row 1 is the
    intercept's: it belongs into row v + 1.
    """
    _, hidden, outputs_ = architecture.sizes
    inputs, _, z = forward(weights, x.T, architecture)
    first, _ = layers(weights, architecture)
    dz = jax.grad(lambda z: error_and_dz(z, y.T, architecture)[0])(z)
    act = lambda z: output_of(z, architecture._replace(output=architecture.activation))  # noqa: E731
    z1 = first @ inputs[0]
    slope = jax.jvp(act, (z1,), (jnp.ones_like(z1),))[1]
    term = jnp.einsum("sn,vn,un->svu", dz, slope, inputs[0])
    block = jnp.zeros((outputs_, hidden + 1, hidden, len(inputs[0])))
    v = jnp.arange(hidden)
    block = block.at[:, v, v].add(term).at[:, v + 1, v].add(-term)
    cross = block.reshape(outputs_ * (hidden + 1), -1)
    n_first = first.size
    whole = jnp.zeros((weights.size, weights.size))
    return whole.at[n_first:, :n_first].set(cross).at[:n_first, n_first:].set(cross.T)
