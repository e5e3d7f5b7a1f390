r"""The network of R's neuralnet: its error and the gradient by hand, as functions of one vector of weights.

The vector is R's `unlist(weights)`: layer by layer, node by node, the intercept first. So a layer's part, reshaped to
`(nodes, inputs + 1)`, is the transpose of R's matrix, and examples are columns, along which every operation runs.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import xlog1py, xlogy
from jaxtyping import Array, Float

from jaxnn import losses, ops
from jaxnn.networks.columns import products

Function = Callable[..., Any]


class Architecture(NamedTuple):
    """The numbers of nodes of each layer, inputs first; what the hidden and the output nodes compute; the error.

    `activation` and `output` are names of `ACTIVATIONS` or JAX functions of one argument, the output also "softmax";
    `error` is a name of `ERRORS` or a JAX function `error(output, target)`, whose values are added up.
    """

    sizes: tuple[int, ...]
    activation: str | Function
    output: str | Function
    error: str | Function  # a function is given (n, k) outputs and targets, one example a row

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """R's shapes of the layers' matrices, `(inputs + 1, nodes)`."""
        return [(inputs + 1, nodes) for inputs, nodes in zip(self.sizes[:-1], self.sizes[1:], strict=True)]

    @property
    def n_weights(self) -> int:
        """The length of the vector of weights."""
        return sum(rows * columns for rows, columns in self.shapes)


def identity_fwd(z: Array) -> tuple[Array, tuple[()]]:
    """Return $z$, and that the backward needs nothing."""
    return z, ()


def identity_bwd(residuals: tuple[()], g: Array) -> tuple[Array]:
    r"""Return $\bar z = \bar a$."""
    del residuals
    return (g,)


def half_squared_error(output: Float[Array, "k n"], y: Float[Array, "k n"]) -> Float[Array, ""]:
    r"""Return $\frac{1}{2} \sum (o - y)^2$, a sum over rows and outputs."""
    return jnp.sum((output - y) ** 2) / 2


def half_squared_error_slope(output: Float[Array, "k n"], y: Float[Array, "k n"]) -> Float[Array, "k n"]:
    r"""Return $\partial E / \partial o = o - y$."""
    return output - y


def cross_entropy(output: Float[Array, "k n"], y: Float[Array, "k n"]) -> Float[Array, ""]:
    r"""Return $-\sum y \log o + (1 - y) \log (1 - o)$, where $0 \log 0 = 0$: outputs may be 0 and 1 exactly."""
    return -jnp.sum(xlogy(y, output) + xlog1py(1 - y, -output))


def cross_entropy_slope(output: Float[Array, "k n"], y: Float[Array, "k n"]) -> Float[Array, "k n"]:
    r"""Return $\partial E / \partial o = \frac{1 - y}{1 - o} - \frac{y}{o}$."""
    return (1 - y) / (1 - output) - y / output


# The forward and the backward of what a node makes of its input.
ACTIVATIONS = {
    "logistic": (ops.sigmoid_fwd, ops.sigmoid_bwd),
    "tanh": (ops.tanh_fwd, ops.tanh_bwd),
    "relu": (ops.relu_fwd, ops.relu_bwd),
    "softplus": (ops.softplus_fwd, ops.softplus_bwd),
    "linear": (identity_fwd, identity_bwd),
}
# The error of all outputs, and its slope by each of them.
ERRORS = {
    "sse": (half_squared_error, half_squared_error_slope),
    "ce": (cross_entropy, cross_entropy_slope),
}
# The cross-entropy of these outputs is computed from their inputs, the logits: the output's derivative cancels against
# the error's, so that a saturated node gives neither an infinite error nor 0 / 0 in the gradient.
LIKELIHOODS = {
    "logistic": (losses.bernoulli_fwd, losses.bernoulli_bwd),
    "softmax": (losses.softmax_cross_entropy_fwd, losses.softmax_cross_entropy_bwd),
}


def layers(weights: Any, architecture: Architecture) -> list[Any]:
    """Return each layer's part of the vector, the transpose of R's matrix."""
    found, start = [], 0
    for rows, columns in architecture.shapes:
        found.append(weights[start : start + rows * columns].reshape(columns, rows))
        start += rows * columns
    return found


def matrices(weights: Float[np.ndarray, " w"], architecture: Architecture) -> list[np.ndarray]:
    """Return the vector as R's matrices, `(inputs + 1, nodes)`, row 0 the intercepts."""
    return [np.array(layer.T) for layer in layers(weights, architecture)]


def vector(of_layers: Sequence[np.ndarray]) -> Float[np.ndarray, " w"]:
    """Return R's matrices as the vector, R's `unlist`."""
    return np.concatenate([np.asarray(matrix, float).ravel(order="F") for matrix in of_layers])


def activation_rule(function: str | Function) -> tuple[Function, Function]:
    """Return an activation's forward and backward, of a JAX function those of its vector-Jacobian product."""
    if isinstance(function, str):
        return ACTIVATIONS[function]
    return partial(jax.vjp, function), lambda pull_back, g: pull_back(g)


def error_rule(function: str | Function) -> tuple[Function, Function]:
    """Return an error and its slope by the outputs, both of `(k, n)` outputs and targets."""
    if isinstance(function, str):
        return ERRORS[function]

    def summed(output, y):
        return jnp.sum(function(output.T, y.T))

    return summed, jax.grad(summed)


def forward(
    weights: Float[Array, " w"], x: Float[Array, "p n"], architecture: Architecture
) -> tuple[list[Array], list, Float[Array, "k n"]]:
    """Return each layer's inputs with a row of ones, the hidden nodes' residuals, and the output nodes' inputs."""
    # The row of ones makes a layer one product, intercepts included, and its gradient one as well.
    *hidden, last = layers(weights, architecture)
    fwd, _ = activation_rule(architecture.activation)
    inputs, residuals = [with_ones(x)], []
    for layer in hidden:
        a, kept = fwd(layer @ inputs[-1])
        residuals.append(kept)
        inputs.append(with_ones(a))
    return inputs, residuals, last @ inputs[-1]


def error_and_gradient(
    weights: Float[Array, " w"],
    x: Float[Array, "p n"],
    y: Float[Array, "k n"],
    architecture: Architecture,
    row_weights: Float[Array, "v n"] | None = None,
) -> tuple[Float[Array, "..."], Float[Array, " w"]]:
    r"""Return $E$ and its gradient, `forward` from the last line to the first: $\bar Z = \bar A f'(Z)$,
    $\bar W = \bar Z [1, A]'$, $\bar A = W' \bar Z$ without the intercept's row; sums over the examples, as in R.

    With `row_weights` $E$ is `(v,)`, a sum for each row of them; the gradient is that of the first.
    """
    inputs, residuals, z = forward(weights, x, architecture)
    if row_weights is None:
        error, dz = error_and_dz(z, y, architecture)
    else:
        errors, dz = errors_and_dz(z, y, architecture)
        error, dz = jnp.sum(row_weights * errors[None], axis=1), row_weights[:1] * dz
    _, bwd = activation_rule(architecture.activation)
    gradients = [products(dz, inputs[-1])]  # in place of `@`: half the time on a CPU where both have few rows
    for layer, kept, a in zip(layers(weights, architecture)[:0:-1], residuals[::-1], inputs[-2::-1], strict=True):
        (dz,) = bwd(kept, layer[:, 1:].T @ dz)
        gradients.append(products(dz, a))
    return error, jnp.concatenate([gradient.ravel() for gradient in reversed(gradients)])


def error_and_dz(
    z: Float[Array, "k n"], y: Float[Array, "k n"], architecture: Architecture
) -> tuple[Float[Array, ""], Float[Array, "k n"]]:
    r"""Return $E$ and $\partial E / \partial z$ at the output nodes' inputs $z$."""
    if architecture.error == "ce" and architecture.output in LIKELIHOODS:
        fwd, bwd = LIKELIHOODS[str(architecture.output)]
        error, residuals = fwd(z.T, y.T)
        return error, bwd(residuals, jnp.ones_like(error))[0].T
    fwd, bwd = activation_rule(softmax if architecture.output == "softmax" else architecture.output)
    error, slope = error_rule(architecture.error)
    output, residuals = fwd(z)
    return error(output, y), bwd(residuals, slope(output, y))[0]


def error_of(
    output: Float[Array | np.ndarray, "k n"], y: Float[Array | np.ndarray, "k n"], architecture: Architecture
) -> Float[Array, ""]:
    """Return the error of outputs at hand."""
    if architecture.error == "ce" and architecture.output == "softmax":
        return -jnp.sum(xlogy(y, output))
    return error_rule(architecture.error)[0](output, y)


def softmax(z: Float[Array, "k n"]) -> Float[Array, "k n"]:
    r"""Return $e^{z_k} / \sum_j e^{z_j}$ of each column."""
    return jax.nn.softmax(z, axis=0)


def with_ones(rows: Float[Array, "m n"]) -> Float[Array, "m+1 n"]:
    """Return the rows below a row of ones, which the intercepts multiply."""
    return jnp.concatenate([jnp.ones_like(rows[:1]), rows])


def output_of(z: Float[Array, "k n"], architecture: Architecture) -> Float[Array, "k n"]:
    """Return what the output nodes make of their inputs."""
    return softmax(z) if architecture.output == "softmax" else activation_rule(architecture.output)[0](z)[0]


def errors_and_dz(
    z: Float[Array, "k n"], y: Float[Array, "k n"], architecture: Architecture
) -> tuple[Float[Array, " n"], Float[Array, "k n"]]:
    r"""Return each row's error $E_i$ by itself, and its slope by $z$."""
    of_row = lambda z, y: error_and_dz(z[:, None], y[:, None], architecture)  # noqa: E731
    errors, dz = jax.vmap(of_row, in_axes=1)(z, y)
    return errors, dz[:, :, 0].T


# Kept, so that two fits of one network pass the very same function on: training's compiled programs are found by it.
@cache
def objective(
    architecture: Architecture, excluded: tuple[int, ...], weighted: bool | int = False, decay: float = 0.0
) -> Callable[..., tuple[Any, Array]]:
    r"""Return `value_and_grad(weights (w,), x (n, p), y (n, k))` of the error, its gradient 0 at the excluded places.

    Where rows are `weighted`, the last column of `y` is their weights; with 2 the last but one is, and the last is what
    rows that are held out weigh in the second error, which is returned beside the first. `decay` adds
    $\frac{\lambda}{2} \sum w^2$ over the weights that are trained, intercepts included, which R's nnet adds to a
    squared error, too.
    """
    free = np.ones(architecture.n_weights)
    free[list(excluded)] = 0
    columns = int(weighted)

    def value_and_grad(weights, x, y):
        targets, row_weights = (y[:, :-columns], y[:, -columns:].T) if columns else (y, None)
        found, gradient = error_and_gradient(weights, x.T, targets.T, architecture, row_weights)
        error, *held_out = found if columns else (found,)
        if decay:
            error, gradient = error + decay / 2 * jnp.sum(free * weights**2), gradient + decay * weights
        # Chosen, not multiplied: 0 times an infinite gradient is NaN. A gradient of 0 keeps the weight where it is,
        # with each of R's algorithms, and out of what is compared with the threshold.
        gradient = jnp.where(free == 0, 0, gradient) if excluded else gradient
        return (error, *held_out) if held_out else error, gradient

    return value_and_grad
