"""What a fitted network says of itself: slopes, generalized weights, confidence intervals and information criteria."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from jaxtyping import Array, Float

from jaxnn.r_neuralnet.network import Architecture, error_at, forward, layers, output_of

_RCOND = float(np.finfo(float).eps ** 0.5)  # below it a singular value is 0, as in R's MASS::ginv


class ConfidenceInterval(NamedTuple):
    """`lower` and `upper` have the layout of the weights, `[rep][layer]`, NaN where there is none; `nic` one a rep."""

    lower: list[list[np.ndarray]]
    upper: list[list[np.ndarray]]
    nic: np.ndarray


@partial(jax.jit, static_argnames="architecture")
def outputs(weights, x: Float[Array, "n p"], *, architecture: Architecture) -> Float[Array, "n k"]:
    """Return the network's outputs."""
    return output_of(forward(weights, x.T, architecture)[2], architecture).T


@partial(jax.jit, static_argnames="architecture")
def units(weights, x: Float[Array, "n p"], *, architecture: Architecture) -> list[Float[Array, "n m"]]:
    """Return the values of all nodes, layer by layer, the inputs first."""
    inputs, _, z = forward(weights, x.T, architecture)
    return [*(layer[1:].T for layer in inputs), output_of(z, architecture).T]


@partial(jax.jit, static_argnames=("architecture", "before_output"))
def slopes(weights, x, *, architecture: Architecture, before_output: bool = False) -> Float[Array, "n k p"]:
    r"""Return $\partial o_k / \partial x_j$ in every row; of the output nodes' inputs where `before_output`."""

    def one(row):
        z = forward(weights, row[:, None], architecture)[2]
        return (z if before_output else output_of(z, architecture))[:, 0]

    return jax.vmap(jax.jacrev(one))(x)


def generalized_weights(weights, x, architecture: Architecture) -> Float[np.ndarray, "n kp"]:
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


def standard_errors(
    weights, x, y, architecture: Architecture, free: np.ndarray, as_in_r: bool
) -> tuple[np.ndarray | None, float]:
    r"""Return the standard error of each free weight, `None` without one, and $\mathrm{tr}(B A^+)$, NIC's penalty.

    $A$ is the mean over examples of the error's Hessian, $B$ that of $g g'$, $V = A^+ B A^+$, and the standard errors
    are $\sqrt{V_{ii} / n}$ (White 1989; Murata et al. 1994). `as_in_r` gives R's numbers: its Hessian has one block off
    by a row, and its $B$ leaves out what different outputs have in common. A weight that the data does not identify, on
    which $A$ has a direction without curvature, gets NaN; in R's numbers the interval of such a one is too narrow.
    """
    n = len(x)
    b, a = (np.array(m) / n for m in information(weights, x, y, architecture, as_in_r))
    if as_in_r and len(architecture.sizes) == 3:
        a += np.array(misplaced(weights, x, y, architecture)) / n
    a, b = a[np.ix_(free, free)], b[np.ix_(free, free)]
    finite = np.isfinite(a).all() and np.isfinite(b).all()
    if not finite or (as_in_r and np.linalg.det(a) == 0):  # R's rule
        return None, np.nan
    inverse = np.linalg.pinv(a, rcond=_RCOND)
    penalty = float(np.trace(b @ inverse))
    if as_in_r:
        variances = np.diag(inverse @ b @ inverse)
        return (None if (variances < 0).any() else np.sqrt(variances / n)), penalty
    sizes, directions = np.linalg.eigh(b)
    spread = inverse @ (directions * np.sqrt(np.maximum(sizes, 0)))  # a sum of squares: rounding gives no negative one
    variances = np.where(np.diag(inverse @ a) < 1 - 1e-6, np.nan, np.sum(spread**2, axis=1))
    return np.sqrt(variances / n), penalty


@partial(jax.jit, static_argnames=("architecture", "by_output"))
def information(weights, x, y, architecture: Architecture, by_output: bool) -> tuple[Array, Array]:
    """Return the sum of the outer products of the examples' gradients, and the Hessian, both exact.

    With `by_output` the gradients of the outputs' errors are taken apart, as R does.
    """

    def errors(w, row, target):
        z = forward(w, row[:, None], architecture)[2]
        if not by_output:
            return error_at(z, target[:, None], architecture)[0][None]
        apart = architecture._replace(sizes=(*architecture.sizes[:-1], 1))
        return jax.vmap(lambda zk, yk: error_at(zk[None, None], yk[None, None], apart)[0])(z[:, 0], target)

    g = jax.vmap(jax.jacrev(errors), (None, 0, 0))(weights, x, y).reshape(-1, weights.size)
    hessian = jax.hessian(lambda w: error_at(forward(w, x.T, architecture)[2], y.T, architecture)[0])(weights)
    return g.T @ g, hessian


@partial(jax.jit, static_argnames="architecture")
def misplaced(weights, x, y, architecture: Architecture) -> Float[Array, "w w"]:
    r"""Return R's Hessian less the true one, of a network with one hidden layer.

    The second derivative by the output weight of hidden node v and output s, and by an input weight of that node, has
    the term $\sum \bar z_s f'(z_v) x_u$; R adds it where the row of the output weight is v, though row 1 is the
    intercept's: it belongs into row v + 1.
    """
    _, hidden, outputs_ = architecture.sizes
    inputs, _, z = forward(weights, x.T, architecture)
    first, _ = layers(weights, architecture)
    dz = jax.grad(lambda z: error_at(z, y.T, architecture)[0])(z)
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


def quantile(share: float) -> float:
    return float(ndtri(share))
