r"""The linear network of lecture sections 2 and 5: ordinary least squares seen as a network without a hidden layer.

The lecture's $\beta$ is `[b1, W1]`, its update $\beta \leftarrow \beta + \lambda X'(y - \hat y)$ is gradient descent on
the mean squared error at the rate $\lambda n / 2$: the lecture's sum is $n$ means, and its $\lambda$ absorbed the 2.
"""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.errors import check_dtype, check_finite, check_key, check_positive_int
from jaxnn.losses import sum_squared_error, sum_squared_error_bwd, sum_squared_error_fwd
from jaxnn.networks.targets import column_targets
from jaxnn.ops import dense, dense_bwd, dense_fwd

Params = dict[str, Array]


def init(key: Array, n_inputs: int, n_outputs: int = 1, *, dtype: DTypeLike = jnp.float32) -> Params:
    """Return `{"W1": (n_inputs, n_outputs), "b1": (n_outputs,)}`: Glorot-uniform weights, biases of 0."""
    check_positive_int("n_inputs", n_inputs)
    check_positive_int("n_outputs", n_outputs)
    check_dtype("dtype", dtype)
    check_key("key", key)
    weights = jax.nn.initializers.glorot_uniform()(key, (n_inputs, n_outputs), dtype)
    return {"W1": weights, "b1": jnp.zeros(n_outputs, dtype)}


def apply(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    r"""Return $\hat y = x W_1 + b_1$."""
    check_finite("x", x)
    return dense(x, params["W1"], params["b1"])


def loss(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> Float[Array, ""]:
    r"""Return the mean squared error $\frac{1}{n} \sum (y - \hat y)^2$; `y` is `(n, k)`, or `(n,)` if $k = 1$."""
    y_hat = apply(params, x)
    return sum_squared_error(y_hat, column_targets(y, y_hat.shape)) / len(y_hat)


def value_and_grad(params: Params, x: Float[Array, "n d"], y: Float[Array, "n k"]) -> tuple[Array, Params]:
    r"""Return `loss` and its gradient by hand, $-\frac{2}{n} x'(y - \hat y)$ for `W1`, the same with ones for `b1`."""
    check_finite("x", x)
    y_hat, layer = dense_fwd(x, params["W1"], params["b1"])
    total, errors = sum_squared_error_fwd(y_hat, column_targets(y, y_hat.shape))
    d_y_hat, _ = sum_squared_error_bwd(errors, 1 / len(y_hat))
    _, dW1, db1 = dense_bwd(layer, d_y_hat)
    return total / len(y_hat), {"W1": dW1, "b1": db1}
