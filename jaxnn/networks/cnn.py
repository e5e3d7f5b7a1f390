r"""The convolutional network of lecture section 8.5: two convolutions, a pool, a hidden layer, dropout, softmax.

$A_1 = \mathrm{relu}(x * W_1 + b_1)$, $F = \mathrm{softplus}(\mathrm{pool}(A_1 * W_2 + b_2))$, flattened row by row with
the channels last, then the dense network of `jaxnn.networks.mlp` with `W3`, `b3`, `W4`, `b4`. The lecture takes
softplus before the pool; softplus rises everywhere, so the largest value is the same one, and pooling first leaves a
quarter of the work. Where pixels of a window tie, the first of them, row by row, gets the whole cotangent.

`stride` and `dilation`, 1 in the lecture, are those of both convolutions, as in `jaxnn.ops.conv2d`, and every function
of one network is told the same. The features are written twice: plainly below, and block by block in
`jaxnn.networks.blocks` for CPUs and the lecture's geometry.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.errors import as_pair, check_dtype, check_key, check_positive_int, require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy
from jaxnn.networks import blocks, on_features
from jaxnn.networks.mlp import Labels, MaybeKey, Params, Residuals
from jaxnn.networks.on_features import Images
from jaxnn.ops import (
    conv2d_bwd,
    conv2d_fwd,
    flatten_bwd,
    flatten_fwd,
    max_pool_bwd,
    max_pool_fwd,
    relu_bwd,
    relu_fwd,
    softplus_bwd,
    softplus_fwd,
)
from jaxnn.ops.convolution import Pair, as_sides


def init(
    key: Array,
    image: tuple[int, int, int] = (28, 28, 1),
    filters: tuple[int, int] = (32, 16),
    n_hidden: int = 1000,
    n_outputs: int = 10,
    *,
    stride: Pair = 1,
    dtype: DTypeLike = jnp.float32,
) -> Params:
    r"""Return Keras' start: kernels 3 x 3 and 2 x 2 and weights Glorot-uniform, biases 0.

    `W1` is `(3, 3, channels, filters[0])`, `W2` `(2, 2, filters[0], filters[1])`, `W3` `(features, n_hidden)`, `W4`
    `(n_hidden, n_outputs)`; 3,149,394 numbers with the lecture's sizes. Either convolution makes $\lceil h / s \rceil$
    rows of $h$ with the stride $s$, the pool half of them; a dilation changes no size.
    """
    expected = "(height, width, channels), at least 2 x 2 pixels after both strides, since they are pooled in pairs"
    require(isinstance(image, tuple | list) and len(image) == 3, "image", image, expected)
    size, channels = as_pair("image", image[:2]), image[2]
    check_positive_int("image", channels)
    h, w = _pooled(size, stride)
    require(h > 0 and w > 0, "image", image, expected)
    filters = as_pair("filters", filters)
    check_positive_int("n_hidden", n_hidden)
    check_dtype("dtype", dtype)
    check_key("key", key)
    key1, key2, key_head = jax.random.split(key, 3)
    glorot = jax.nn.initializers.glorot_uniform()
    return {
        "W1": glorot(key1, (3, 3, channels, filters[0]), dtype),
        "b1": jnp.zeros(filters[0], dtype),
        "W2": glorot(key2, (2, 2, filters[0], filters[1]), dtype),
        "b2": jnp.zeros(filters[1], dtype),
        **on_features.init(key_head, h * w * filters[1], n_hidden, n_outputs, dtype),
    }


def features_fwd(
    params: Params, x: Images, *, stride: Pair = 1, dilation: Pair = 1
) -> tuple[Float[Array, "n f"], Residuals]:
    """Return the features `(n, f)` that the dense layers see, and the residuals for `features_bwd`."""
    geometry = {"stride": stride, "padding": "same", "dilation": dilation}
    z1, conv1 = conv2d_fwd(x, params["W1"], params["b1"], **geometry)
    a1, positive = relu_fwd(z1)
    z2, conv2 = conv2d_fwd(a1, params["W2"], params["b2"], **geometry)
    # Before softplus, which rises everywhere: the largest value is the same one, and a quarter of the work is left.
    pooled, windows = max_pool_fwd(z2)
    a2, rising = softplus_fwd(pooled)
    features, images = flatten_fwd(a2)
    return features, (conv1, positive, conv2, windows, rising, images)


def features_bwd(residuals: Residuals, g: Float[Array, "n f"], *, stride: Pair = 1, dilation: Pair = 1) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`: `features_fwd` line by line, from the last to the first."""
    geometry = {"stride": stride, "padding": "same", "dilation": dilation}
    conv1, positive, conv2, windows, rising, images = residuals
    (da2,) = flatten_bwd(images, g)
    (d_pooled,) = softplus_bwd(rising, da2)
    (dz2,) = max_pool_bwd(windows, d_pooled)
    da1, dW2, db2 = conv2d_bwd(conv2, dz2, **geometry)
    (dz1,) = relu_bwd(positive, da1)
    _, dW1, db1 = conv2d_bwd(conv1, dz1, **geometry)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def value_and_grad(
    params: Params,
    x: Images,
    y: Labels,
    key: MaybeKey = None,
    *,
    rate: float = 0.5,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> tuple[Array, Params]:
    """Return `loss` and its gradient by hand; arguments as in `loss`."""
    (value, _), grads = metrics_and_grad(params, x, y, key, rate=rate, stride=stride, dilation=dilation)
    return value, grads


def metrics_and_grad(
    params: Params,
    x: Images,
    y: Labels,
    key: MaybeKey = None,
    *,
    rate: float = 0.5,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """Return `((loss, {"accuracy"}), gradient)`, the accuracy that of the same forward pass, dropout and all."""
    on_features.check_images(params, x, partial(_pooled, stride=stride))
    rules = _for_platform(partial(on_features.metrics_and_grad, key=key, rate=rate), stride, dilation)
    return rules(params, x, on_features.targets(params, x, y))


def logits(
    params: Params, x: Images, key: MaybeKey = None, *, rate: float = 0.5, stride: Pair = 1, dilation: Pair = 1
) -> Float[Array, "n k"]:
    """Return $Z_4$; with a `key`, after dropout of the share `rate` of the hidden nodes."""
    on_features.check_images(params, x, partial(_pooled, stride=stride))

    def by(features_fwd, _, params, x):
        return on_features.logits(features_fwd, params, x, key, rate=rate)

    return _for_platform(by, stride, dilation)(params, x)


def apply(params: Params, x: Images, *, stride: Pair = 1, dilation: Pair = 1) -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = \mathrm{softmax}(Z_4)$, all nodes active."""
    return jax.nn.softmax(logits(params, x, stride=stride, dilation=dilation))


def loss(
    params: Params,
    x: Images,
    y: Labels,
    key: MaybeKey = None,
    *,
    rate: float = 0.5,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> Float[Array, ""]:
    r"""Return the mean cross-entropy $-\frac{1}{n} \sum y \log \hat y$; `y` is labels `(n,)` or one-hot `(n, k)`."""
    return loss_and_metrics(params, x, y, key, rate=rate, stride=stride, dilation=dilation)[0]


def loss_and_metrics(
    params: Params,
    x: Images,
    y: Labels,
    key: MaybeKey = None,
    *,
    rate: float = 0.5,
    stride: Pair = 1,
    dilation: Pair = 1,
) -> tuple[Array, dict[str, Array]]:
    """Return `(loss, {"accuracy"})`; autodiff of it, with `has_aux=True`, stands for `metrics_and_grad`."""
    z4 = logits(params, x, key, rate=rate, stride=stride, dilation=dilation)
    y = one_hot(y, z4.shape[1], z4.dtype)
    return softmax_cross_entropy(z4, y) / len(z4), {"accuracy": accuracy(z4, y)}


def metrics(params: Params, x: Images, y: Array, *, stride: Pair = 1, dilation: Pair = 1) -> dict[str, Array]:
    """Return `{"loss", "accuracy"}` over the examples, all nodes active."""
    value, others = loss_and_metrics(params, x, y, stride=stride, dilation=dilation)
    return {"loss": value, **others}


def _for_platform(by, stride, dilation):
    """Return `by` of the features' two rules: block by block for a CPU and the lecture's geometry, plain otherwise."""
    geometry = {"stride": stride, "dilation": dilation}
    plain = partial(by, partial(features_fwd, **geometry), partial(features_bwd, **geometry))
    if as_sides("stride", stride) + as_sides("dilation", dilation) != (1, 1, 1, 1):
        return plain
    blockwise = partial(by, blocks.features_fwd, blocks.features_bwd)
    return partial(lax.platform_dependent, cpu=blockwise, default=plain)


def _pooled(size, stride):
    """Return the height and width of what is flattened, for images of the given size."""
    for _ in range(2):
        size = [-(-n // s) for n, s in zip(size, as_sides("stride", stride), strict=True)]
    return size[0] // 2, size[1] // 2
