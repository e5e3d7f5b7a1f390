r"""The convolutional network of lecture section 8.5: two convolutions, a pool, a hidden layer, dropout, softmax.

$A_1 = \mathrm{relu}(x * W_1 + b_1)$, $F = \mathrm{softplus}(\mathrm{pool}(A_1 * W_2 + b_2))$, flattened row by row with
the channels last, then the dense network of `jaxnn.networks.mlp` with `W3`, `b3`, `W4`, `b4`. The lecture takes
softplus before the pool; softplus rises everywhere, so the largest value is the same one, and pooling first leaves a
quarter of the work.

The features are written twice: plainly below, and block by block in `jaxnn.networks.blocks` for CPUs.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from jaxnn.errors import as_pair, check_dtype, check_finite, check_key, check_positive_int, check_shape, require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy, softmax_cross_entropy_bwd, softmax_cross_entropy_fwd
from jaxnn.networks import blocks, mlp
from jaxnn.ops import conv2d_bwd, conv2d_fwd, max_pool_bwd, max_pool_fwd, relu_bwd, relu_fwd, softplus_bwd, softplus_fwd

Params = dict[str, Array]


def init(
    key: Array,
    image: tuple[int, int, int] = (28, 28, 1),
    filters: tuple[int, int] = (32, 16),
    n_hidden: int = 1000,
    n_outputs: int = 10,
    *,
    dtype: DTypeLike = jnp.float32,
) -> Params:
    r"""Return Keras' start: kernels 3 x 3 and 2 x 2 and weights Glorot-uniform, biases 0.

    `W1` is `(3, 3, channels, filters[0])`, `W2` `(2, 2, filters[0], filters[1])`, `W3` `(features, n_hidden)`, `W4`
    `(n_hidden, n_outputs)`; 3,149,394 numbers with the lecture's sizes.
    """
    expected = "(height, width, channels), at least 2 x 2 pixels, since they are pooled in pairs, and 1 channel"
    require(isinstance(image, tuple | list) and len(image) == 3, "image", image, expected)
    (h, w), channels = as_pair("image", image[:2], least=2), image[2]
    check_positive_int("image", channels)
    filters = as_pair("filters", filters)
    check_dtype("dtype", dtype)
    check_key("key", key)
    key1, key2, key_head = jax.random.split(key, 3)
    glorot = jax.nn.initializers.glorot_uniform()
    head = mlp.init(key_head, (h // 2) * (w // 2) * filters[1], n_hidden, n_outputs, dtype=dtype)
    return {
        "W1": glorot(key1, (3, 3, channels, filters[0]), dtype),
        "b1": jnp.zeros(filters[0], dtype),
        "W2": glorot(key2, (2, 2, filters[0], filters[1]), dtype),
        "b2": jnp.zeros(filters[1], dtype),
        **_from_head(head),
    }


def features_fwd(params: Params, x: Float[Array, "n h w c"]):
    """Return the features `(n, f)` that the dense layers see, and the residuals for `features_bwd`."""
    z1, conv1 = conv2d_fwd(x, params["W1"], params["b1"], padding="same")
    a1, positive = relu_fwd(z1)
    z2, conv2 = conv2d_fwd(a1, params["W2"], params["b2"], padding="same")
    pooled, windows = max_pool_fwd(z2)
    features, rising = softplus_fwd(pooled)
    return features.reshape(len(x), -1), (conv1, positive, conv2, windows, rising)


def features_bwd(residuals, g: Float[Array, "n f"]) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`: `features_fwd` line by line, from the last to the first."""
    conv1, positive, conv2, windows, rising = residuals
    (d_pooled,) = softplus_bwd(rising, g.reshape(rising[0].shape))
    (dz2,) = max_pool_bwd(windows, d_pooled)
    da1, dW2, db2 = conv2d_bwd(conv2, dz2, padding="same")
    (dz1,) = relu_bwd(positive, da1)
    _, dW1, db1 = conv2d_bwd(conv1, dz1, padding="same")
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def value_and_grad(params: Params, x, y, key=None, *, rate: float = 0.5) -> tuple[Array, Params]:
    """Return `loss` and its gradient by hand; arguments as in `loss`."""
    (value, _), grads = metrics_and_grad(params, x, y, key, rate=rate)
    return value, grads


def metrics_and_grad(params: Params, x, y, key=None, *, rate: float = 0.5):
    """Return `((loss, {"accuracy"}), gradient)`, the accuracy that of the same forward pass, dropout and all."""
    y = _checked(params, x, y)

    def by(features_fwd, features_bwd):
        def metrics_and_grad(params, x, y):
            features, residuals = features_fwd(params, x)
            z4, head_residuals = mlp.forward(_head(params), features, key, rate=rate)
            total, likelihood = softmax_cross_entropy_fwd(z4, y)
            dz4, _ = softmax_cross_entropy_bwd(likelihood, 1 / len(z4))
            d_features, d_head = mlp.backward(head_residuals, dz4, rate=rate)
            grads = {**features_bwd(residuals, d_features), **_from_head(d_head)}
            return (total / len(z4), {"accuracy": accuracy(z4, y)}), grads

        return metrics_and_grad

    plain, blocked = by(features_fwd, features_bwd), by(blocks.features_fwd, blocks.features_bwd)
    return lax.platform_dependent(params, x, y, cpu=blocked, default=plain)


def logits(params: Params, x, key: Key[Array, ""] | None = None, *, rate: float = 0.5) -> Float[Array, "n k"]:
    """Return $Z_4$; with a `key`, after dropout of the share `rate` of the hidden nodes."""
    _checked(params, x)

    def by(features_fwd):
        return lambda params, x: mlp.forward(_head(params), features_fwd(params, x)[0], key, rate=rate)[0]

    return lax.platform_dependent(params, x, cpu=by(blocks.features_fwd), default=by(features_fwd))


def apply(params: Params, x: Float[Array, "n h w c"]) -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = \mathrm{softmax}(Z_4)$, all nodes active."""
    return jax.nn.softmax(logits(params, x))


def loss(params: Params, x, y, key: Key[Array, ""] | None = None, *, rate: float = 0.5) -> Float[Array, ""]:
    r"""Return the mean cross-entropy $-\frac{1}{n} \sum y \log \hat y$; `y` is labels `(n,)` or one-hot `(n, k)`."""
    return loss_and_metrics(params, x, y, key, rate=rate)[0]


def loss_and_metrics(params: Params, x, y, key: Key[Array, ""] | None = None, *, rate: float = 0.5):
    """Return `(loss, {"accuracy"})`; autodiff of it, with `has_aux=True`, stands for `metrics_and_grad`."""
    z4 = logits(params, x, key, rate=rate)
    y = one_hot(y, z4.shape[1], z4.dtype)
    return softmax_cross_entropy(z4, y) / len(z4), {"accuracy": accuracy(z4, y)}


def metrics(params: Params, x: Float[Array, "n h w c"], y: Array) -> dict[str, Array]:
    """Return `{"loss", "accuracy"}` over the examples, all nodes active."""
    value, others = loss_and_metrics(params, x, y)
    return {"loss": value, **others}


def _checked(params, x, y=None):
    """Return `y` one-hot where there is one; raise where `x` or `y` cannot be right."""
    channels, features = params["W1"].shape[2], params["W3"].shape[0]
    check_shape("x", x, ("n", "h", "w", channels))
    n, h, w, _ = x.shape
    require(
        (h // 2) * (w // 2) * params["b2"].shape[0] == features,
        "x",
        f"images of {h} x {w}",
        f"the size of those that init was told, which pool and flatten to {features} features",
    )
    check_finite("x", x)
    if y is None:
        return None
    y = one_hot(y, params["b4"].shape[0], params["W4"].dtype)
    check_shape("y", y, (n, params["b4"].shape[0]))
    return y


def _head(params):
    """Return the dense layers as the parameters of an `mlp`."""
    return {"W1": params["W3"], "b1": params["b3"], "W2": params["W4"], "b2": params["b4"]}


def _from_head(head):
    return {"W3": head["W1"], "b3": head["b1"], "W4": head["W2"], "b4": head["b2"]}
