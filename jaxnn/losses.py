r"""The losses of the lecture, each as `f`, `f_fwd` and `f_bwd` (see `jaxnn.ops`): sums over all examples and outputs.

The networks divide by the number of examples. The two likelihoods work from logits, which saturate without NaN.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.errors import check_finite, check_labels, check_shape
from jaxnn.ops import sigmoid, softplus
from jaxnn.ops.activations import Residuals

Scalar = Float[Array, ""] | float


def sum_squared_error(y_hat: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return $J = \sum (y - \hat y)^2$, with $\partial J / \partial \hat y = -2 (y - \hat y)$ (lecture section 2)."""
    check_shape("y", y, y_hat.shape)
    return jnp.sum((y - y_hat) ** 2)


def sum_squared_error_fwd(y_hat: Float[Array, "n k"], y: Float[Array, "n k"]) -> tuple[Float[Array, ""], Residuals]:
    return sum_squared_error(y_hat, y), (y - y_hat,)


def sum_squared_error_bwd(residuals: Residuals, g: Scalar) -> tuple[Float[Array, "n k"], Float[Array, "n k"]]:
    (error,) = residuals
    return -2 * g * error, 2 * g * error


def bernoulli(z: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return the negative Bernoulli log-likelihood of `y` in [0, 1] at the logits `z`, $\hat y = \sigma(z)$.

    $J = -\sum y \log \hat y + (1 - y) \log(1 - \hat y) = \sum \log(1 + e^z) - y z$, the second form free of $\log 0$;
    $\partial J / \partial z = \hat y - y$ (lecture section 4).
    """
    check_shape("y", y, z.shape)
    return jnp.sum(softplus(z) - y * z)


def bernoulli_fwd(z: Float[Array, "n k"], y: Float[Array, "n k"]) -> tuple[Float[Array, ""], Residuals]:
    return bernoulli(z, y), (z, y)


def bernoulli_bwd(residuals: Residuals, g: Scalar) -> tuple[Float[Array, "n k"], Float[Array, "n k"]]:
    z, y = residuals
    # From the logits the derivatives of sigmoid and logarithm cancel: nothing is divided by y_hat or 1 - y_hat.
    return g * (sigmoid(z) - y), -g * z


def softmax_cross_entropy(z: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return the negative multinomial log-likelihood of `y` at the logits `z`, $\hat y = \mathrm{softmax}(z)$.

    $J = -\sum_{ik} y_{ik} \log \hat y_{ik}$; `y` one-hot or any weights, whose row sums $s_i$ need not be 1:
    $\partial J / \partial z_i = s_i \hat y_i - y_i$ (lecture section 8.3, the multinomial generalization).
    """
    check_shape("y", y, z.shape)
    return -jnp.sum(y * jax.nn.log_softmax(z))


def softmax_cross_entropy_fwd(z: Float[Array, "n k"], y: Float[Array, "n k"]) -> tuple[Float[Array, ""], Residuals]:
    check_shape("y", y, z.shape)
    # The logarithm is kept and its exponential taken in the backward pass: log of a softmax of 0 would be -inf.
    log_y_hat = jax.nn.log_softmax(z)
    return -jnp.sum(y * log_y_hat), (log_y_hat, y)


def softmax_cross_entropy_bwd(residuals: Residuals, g: Scalar) -> tuple[Float[Array, "n k"], Float[Array, "n k"]]:
    log_y_hat, y = residuals
    return g * (y.sum(axis=-1, keepdims=True) * jnp.exp(log_y_hat) - y), -g * log_y_hat


def one_hot(y: Array, n_classes: int, dtype: DTypeLike) -> Float[Array, "n k"]:
    """Return whole numbers `(n,)` as rows of 0 and one 1 (lecture 8.3, `to_categorical`); `(n, k)` as it is."""
    if np.ndim(y) == 1:
        check_labels("y", y, n_classes)
        return jax.nn.one_hot(y, n_classes, dtype=dtype)
    check_shape("y", y, ("n", n_classes))
    check_finite("y", y)
    return jnp.asarray(y, dtype)


def accuracy(z: Float[Array, "n k"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    """Return the share of rows whose largest logit is where the largest label is (the first of them at ties)."""
    return jnp.mean((jnp.argmax(z, axis=-1) == jnp.argmax(y, axis=-1)).astype(z.dtype))
