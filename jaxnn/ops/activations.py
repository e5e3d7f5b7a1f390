"""The activation functions of lecture section 4, and softplus of section 8.5: elementwise, any shape.

At a kink, where a function has no derivative, each docstring states the value that the backward takes. NaN stays NaN.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Residuals = tuple[Array, ...]


def sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Return $\sigma(x) = 1 / (1 + e^{-x})$.

    Its derivative is $\sigma(x)(1 - \sigma(x))$ (lecture section 4). No overflow at either end: it is 0 and 1 there.
    """
    return jax.lax.logistic(x)


def sigmoid_fwd(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Residuals]:
    y = sigmoid(x)
    # The output is kept, not the input: the derivative needs no second exponential.
    return y, (y,)


def sigmoid_bwd(residuals: Residuals, g: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    (y,) = residuals
    return (g * y * (1 - y),)


def tanh(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Return the hyperbolic tangent $\tanh(x)$; its derivative is $1 - \tanh(x)^2$ (lecture section 4)."""
    return jnp.tanh(x)


def tanh_fwd(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Residuals]:
    y = tanh(x)
    return y, (y,)


def tanh_bwd(residuals: Residuals, g: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    (y,) = residuals
    return (g * (1 - y**2),)


def relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Return $\max(x, 0)$ (lecture section 4).

    At the kink: the derivative at 0 is 0, as in Keras, PyTorch and `jax.nn.relu` (Bertoin et al. 2021 on why 0).
    """
    # `where`, not `maximum`, whose derivative at 0 JAX takes as 1/2; and NaN, which is not below 0, stays NaN.
    return jnp.where(x <= 0, jnp.zeros_like(x), x)


def relu_fwd(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Residuals]:
    return relu(x), (x > 0,)


def relu_bwd(residuals: Residuals, g: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    (positive,) = residuals
    return (jnp.where(positive, g, jnp.zeros_like(g)),)


def softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Return $\log(1 + e^x)$, computed as $\max(x, 0) + \log(1 + e^{-|x|})$, so that no $x$ overflows.

    Its derivative is $\sigma(x)$ (lecture section 8.5, the second convolution layer).
    """
    return jnp.logaddexp(x, jnp.zeros_like(x))


def softplus_fwd(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Residuals]:
    return softplus(x), (x,)


def softplus_bwd(residuals: Residuals, g: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    (x,) = residuals
    return (g * sigmoid(x),)


def heaviside(x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""Return 1 where $x > 0$ and 0 elsewhere, the perceptron's step (lecture section 4).

    Its derivative is 0 wherever it has one; at the jump the value is 0, as in the lecture's `x>0`, and the derivative
    0.
    """
    # Of NaN it is NaN, where `x > 0` would be 0 and hide it.
    return jnp.heaviside(x, jnp.zeros_like(x))


def heaviside_fwd(x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Residuals]:
    return heaviside(x), ()


def heaviside_bwd(residuals: Residuals, g: Float[Array, "..."]) -> tuple[Float[Array, "..."]]:
    del residuals
    return (jnp.zeros_like(g),)
