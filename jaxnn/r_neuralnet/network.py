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
    `error` is "sse", "ce" or a JAX function `error(output, target)`, whose values are added up.
    """

    sizes: tuple[int, ...]
    activation: str | Function
    output: str | Function
    error: str | Function  # of (n, k) outputs and targets, one example a row

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """R's shapes of the layers' matrices, `(inputs + 1, nodes)`."""
        return [(inputs + 1, nodes) for inputs, nodes in zip(self.sizes[:-1], self.sizes[1:], strict=True)]

    @property
    def n_weights(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes)


def identity_fwd(z):
    return z, ()


def identity_bwd(residuals, g):
    del residuals
    return (g,)


ACTIVATIONS = {
    "logistic": (ops.sigmoid_fwd, ops.sigmoid_bwd),
    "tanh": (ops.tanh_fwd, ops.tanh_bwd),
    "relu": (ops.relu_fwd, ops.relu_bwd),
    "softplus": (ops.softplus_fwd, ops.softplus_bwd),
    "linear": (identity_fwd, identity_bwd),
}
# Errors that are computed from the output's input, where output and error cancel and nothing saturates.
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


def vector(of_layers: Sequence[np.ndarray]) -> np.ndarray:
    """Return R's matrices as the vector, R's `unlist`."""
    return np.concatenate([np.asarray(matrix, float).ravel(order="F") for matrix in of_layers])


def activation(function: str | Function) -> tuple[Function, Function]:
    """Return an activation's forward and backward, of a JAX function those of its vector-Jacobian product."""
    if isinstance(function, str):
        return ACTIVATIONS[function]
    return partial(jax.vjp, function), lambda pull_back, g: pull_back(g)


def forward(
    weights: Float[Array, " w"], x: Float[Array, "p n"], architecture: Architecture
) -> tuple[list[Array], list, Float[Array, "k n"]]:
    """Return each layer's inputs with a row of ones, the hidden nodes' residuals, and the output nodes' inputs."""
    *hidden, last = layers(weights, architecture)
    fwd, _ = activation(architecture.activation)
    inputs, residuals = [with_ones(x)], []
    for layer in hidden:
        a, kept = fwd(layer @ inputs[-1])
        residuals.append(kept)
        inputs.append(with_ones(a))
    return inputs, residuals, last @ inputs[-1]


def error_and_gradient(weights, x, y, architecture: Architecture) -> tuple[Float[Array, ""], Float[Array, " w"]]:
    r"""Return $E$ and its gradient, `forward` from the last line to the first: $\bar Z = \bar A f'(Z)$,
    $\bar W = \bar Z [1, A]'$, $\bar A = W' \bar Z$ without the intercept's row; sums over the examples, as in R.
    """
    inputs, residuals, z = forward(weights, x, architecture)
    error, dz = error_at(z, y, architecture)
    _, bwd = activation(architecture.activation)
    gradients = [products(dz, inputs[-1])]
    for layer, kept, a in zip(layers(weights, architecture)[:0:-1], residuals[::-1], inputs[-2::-1], strict=True):
        (dz,) = bwd(kept, layer[:, 1:].T @ dz)
        gradients.append(products(dz, a))
    return error, jnp.concatenate([gradient.ravel() for gradient in reversed(gradients)])


def error_at(z: Float[Array, "k n"], y: Float[Array, "k n"], architecture: Architecture) -> tuple[Array, Array]:
    r"""Return $E$ and $\partial E / \partial z$ at the output nodes' inputs $z$."""
    if architecture.error == "ce" and architecture.output in LIKELIHOODS:
        fwd, bwd = LIKELIHOODS[str(architecture.output)]
        error, residuals = fwd(z.T, y.T)
        return error, bwd(residuals, jnp.ones_like(error))[0].T
    fwd, bwd = activation(softmax if architecture.output == "softmax" else architecture.output)
    output, residuals = fwd(z)
    if architecture.error == "sse":
        error, d_output = jnp.sum((output - y) ** 2) / 2, output - y
    elif architecture.error == "ce":
        error, d_output = binary_cross_entropy(output, y), (1 - y) / (1 - output) - y / output
    else:
        error, d_output = jax.value_and_grad(lambda o: error_of(o, y, architecture))(output)
    return error, bwd(residuals, d_output)[0]


def binary_cross_entropy(output, y):
    return -jnp.sum(y * jnp.log(output) + (1 - y) * jnp.log(1 - output))


def error_of(output: Any, y: Any, architecture: Architecture) -> Float[Array, ""]:
    """Return the error of outputs at hand, of probabilities 0 and 1 too."""
    if architecture.error == "sse":
        return jnp.sum((output - y) ** 2) / 2
    if not isinstance(architecture.error, str):
        return jnp.sum(architecture.error(output.T, y.T))
    of_classes = -jnp.sum(xlogy(y, output))
    return of_classes if architecture.output == "softmax" else of_classes - jnp.sum(xlog1py(1 - y, -output))


def softmax(z: Float[Array, "k n"]) -> Float[Array, "k n"]:
    return jax.nn.softmax(z, axis=0)


def with_ones(rows: Float[Array, "m n"]) -> Float[Array, "m1 n"]:
    return jnp.concatenate([jnp.ones_like(rows[:1]), rows])


def output_of(z: Float[Array, "k n"], architecture: Architecture) -> Float[Array, "k n"]:
    """Return what the output nodes make of their inputs."""
    return softmax(z) if architecture.output == "softmax" else activation(architecture.output)[0](z)[0]


@cache
def objective(architecture: Architecture, excluded: tuple[int, ...]) -> Callable:
    """Return `value_and_grad(weights, x, y)` of the error, 0 at the excluded places; one object for one network."""
    free = np.ones(architecture.n_weights)
    free[list(excluded)] = 0

    def value_and_grad(weights, x, y):
        error, gradient = error_and_gradient(weights, x.T, y.T, architecture)
        return error, jnp.where(free == 0, 0, gradient) if excluded else gradient

    return value_and_grad
