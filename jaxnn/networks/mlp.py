r"""The dense network of lecture section 8.3: inputs, one hidden layer of ReLU nodes, dropout, softmax.

$A_1 = \mathrm{dropout}(\mathrm{relu}(x W_1 + b_1))$, $Z_2 = A_1 W_2 + b_2$, $\hat y = \mathrm{softmax}(Z_2)$. Dropout
takes part only where a random `key` is given, which is in training.
"""

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from jaxnn.errors import check_dtype, check_finite, check_key, check_positive_int
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy, softmax_cross_entropy_bwd, softmax_cross_entropy_fwd
from jaxnn.ops import dense_bwd, dense_fwd, dropout_bwd, dropout_fwd, relu_bwd, relu_fwd

Params = dict[str, Array]


def init(
    key: Array, n_inputs: int = 784, n_hidden: int = 512, n_outputs: int = 10, *, dtype: DTypeLike = jnp.float32
) -> Params:
    r"""Return Keras' start: weights uniform on $\pm\sqrt{6 / (\text{inputs} + \text{outputs})}$ (Glorot), biases 0."""
    for name, size in {"n_inputs": n_inputs, "n_hidden": n_hidden, "n_outputs": n_outputs}.items():
        check_positive_int(name, size)
    check_dtype("dtype", dtype)
    check_key("key", key)
    key1, key2 = jax.random.split(key)
    glorot = jax.nn.initializers.glorot_uniform()
    return {
        "W1": glorot(key1, (n_inputs, n_hidden), dtype),
        "b1": jnp.zeros(n_hidden, dtype),
        "W2": glorot(key2, (n_hidden, n_outputs), dtype),
        "b2": jnp.zeros(n_outputs, dtype),
    }


def forward(params: Params, x: Float[Array, "n d"], key: Key[Array, ""] | None = None, *, rate: float = 0.2):
    """Return $Z_2$ and the residuals for `backward`; with a `key`, a share `rate` of the hidden nodes drops out."""
    z1, layer1 = dense_fwd(x, params["W1"], params["b1"])
    a1, positive = relu_fwd(z1)
    mask = None
    if key is not None:
        a1, mask = dropout_fwd(a1, key, rate=rate)
    z2, layer2 = dense_fwd(a1, params["W2"], params["b2"])
    return z2, (layer1, positive, mask, layer2)


def backward(residuals, dz2: Float[Array, "n k"], *, rate: float = 0.2) -> tuple[Float[Array, "n d"], Params]:
    """Return the cotangents of `x` and of the parameters: `forward` line by line, from the last to the first."""
    layer1, positive, mask, layer2 = residuals
    da1, dW2, db2 = dense_bwd(layer2, dz2)
    if mask is not None:
        da1, _ = dropout_bwd(mask, da1, rate=rate)
    (dz1,) = relu_bwd(positive, da1)
    dx, dW1, db1 = dense_bwd(layer1, dz1)
    return dx, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def value_and_grad(params: Params, x, y, key=None, *, rate: float = 0.2) -> tuple[Array, Params]:
    """Return `loss` and its gradient by hand; arguments as in `loss`."""
    (value, _), grads = metrics_and_grad(params, x, y, key, rate=rate)
    return value, grads


def metrics_and_grad(params: Params, x, y, key=None, *, rate: float = 0.2):
    """Return `((loss, {"accuracy"}), gradient)`, the accuracy that of the same forward pass, dropout and all."""
    check_finite("x", x)
    z2, residuals = forward(params, x, key, rate=rate)
    y = one_hot(y, z2.shape[1], z2.dtype)
    total, likelihood = softmax_cross_entropy_fwd(z2, y)
    dz2, _ = softmax_cross_entropy_bwd(likelihood, 1 / len(z2))
    _, grads = backward(residuals, dz2, rate=rate)
    return (total / len(z2), {"accuracy": accuracy(z2, y)}), grads


def logits(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    """Return $Z_2$, all nodes active."""
    check_finite("x", x)
    return forward(params, x)[0]


def apply(params: Params, x: Float[Array, "n d"]) -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = \mathrm{softmax}(Z_2)$, all nodes active."""
    return jax.nn.softmax(logits(params, x))


def loss(params: Params, x, y, key: Key[Array, ""] | None = None, *, rate: float = 0.2) -> Float[Array, ""]:
    r"""Return the mean cross-entropy $-\frac{1}{n} \sum y \log \hat y$; `y` is labels `(n,)` or one-hot `(n, k)`."""
    return loss_and_metrics(params, x, y, key, rate=rate)[0]


def loss_and_metrics(params: Params, x, y, key: Key[Array, ""] | None = None, *, rate: float = 0.2):
    """Return `(loss, {"accuracy"})`; autodiff of it, with `has_aux=True`, stands for `metrics_and_grad`."""
    check_finite("x", x)
    z2, _ = forward(params, x, key, rate=rate)
    y = one_hot(y, z2.shape[1], z2.dtype)
    return softmax_cross_entropy(z2, y) / len(z2), {"accuracy": accuracy(z2, y)}


def metrics(params: Params, x: Float[Array, "n d"], y: Array) -> dict[str, Array]:
    """Return `{"loss", "accuracy"}` over the examples, all nodes active."""
    value, others = loss_and_metrics(params, x, y)
    return {"loss": value, **others}
