r"""A convolutional network that learns the digits in one pass: whitened patches, two pools, a hidden layer, softmax.

$A_1 = \mathrm{relu}(\mathrm{pool}(x * [W_1, -W_1] + [b_1, -b_1]))$, $A_2 = \mathrm{relu}(\mathrm{pool}(A_1 * W_2 +
b_2))$, flattened channel by channel, then the dense network of `jaxnn.networks.mlp` with `W3`, `b3`, `W4`, `b4`. No
zeros surround the images. Every filter of the first layer looks with both signs (Shang et al. 2016, CReLU), and starts
as a principal direction of the images' own patches, divided by what varies along it: its outputs are white from the
start (Jordan, airbench). The relus stand after the pools, on a quarter of the work, with the same result since they
never fall. Where pixels of a window tie, the first of them, row by row, gets the whole cotangent.

Such a first layer may be left as it starts: with an optimizer that leaves `W1` and `b1` alone (`optax.set_to_zero`)
the compiler drops their gradient, and all that only it needs.

The features are written twice: plainly below, and pooled within the product in `jaxnn.networks.phases` for CPUs.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.errors import as_pair, check_dtype, check_finite, check_key, check_positive_int, check_shape, require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy
from jaxnn.networks import on_features, phases
from jaxnn.networks.mlp import Labels, Params, Residuals
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
)

KERNELS = 5, 3
FLOOR = 1e-2  # of the pixels' variance: directions in which patches hardly vary are not blown up


def init(
    key: Array,
    images: Array | np.ndarray,
    filters: tuple[int, int] = (6, 32),
    n_hidden: int = 256,
    n_outputs: int = 10,
    *,
    dtype: DTypeLike = jnp.float32,
) -> Params:
    r"""Return the start: `W1` and `b1` whitening the patches of `images` `(n, h, w, c)`, the rest as Keras starts.

    `W1` is `(5, 5, c, filters[0])`, `W2` `(3, 3, 2 filters[0], filters[1])`, `W3` `(features, n_hidden)`, `W4`
    `(n_hidden, n_outputs)`, Glorot-uniform all but the first. A few hundred images are enough.
    """
    check_shape("images", images, ("n", "h", "w", "c"))
    check_finite("images", images)
    h, w = _features_shape(images.shape[1:3])
    require(h > 0 and w > 0, "images", f"images of {images.shape[1]} x {images.shape[2]}", "at least 12 x 12 pixels")
    filters = as_pair("filters", filters)
    most = KERNELS[0] ** 2 * images.shape[3]
    require(filters[0] <= most, "filters", filters, f"at most {most} in the first layer, the numbers in a patch")
    check_positive_int("n_hidden", n_hidden)
    check_dtype("dtype", dtype)
    check_key("key", key)
    key2, key_head = jax.random.split(key)
    W1, b1 = whitening(np.asarray(images), filters[0])
    shape = (KERNELS[1], KERNELS[1], 2 * filters[0], filters[1])
    return {
        "W1": jnp.asarray(W1, dtype),
        "b1": jnp.asarray(b1, dtype),
        "W2": jax.nn.initializers.glorot_uniform()(key2, shape, dtype),
        "b2": jnp.zeros(filters[1], dtype),
        **on_features.init(key_head, h * w * filters[1], n_hidden, n_outputs, dtype),
    }


def whitening(images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    r"""Return filters `(5, 5, c, count)` and biases that whiten the images' patches.

    With the pixels' mean $m$ and standard deviation $s$ over all images, $P$ the patches of $(x - m) / s$ as rows, and
    $\frac{1}{n} P^\top P = V \Lambda V^\top$: filter $i$ is $v_i / (s \sqrt{\lambda_i + 0.01})$ for the largest
    $\lambda_i$, and its bias takes $m$ off.
    """
    m, s = images.mean(dtype=float), images.std(dtype=float)
    require(bool(s > 0), "images", "one value alone", "images that differ somewhere")
    size = KERNELS[0]
    patches = np.lib.stride_tricks.sliding_window_view((images - m) / s, (size, size), (1, 2))
    patches = patches.transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * images.shape[3])
    values, vectors = np.linalg.eigh(patches.T @ patches / len(patches))
    filters = vectors[:, ::-1][:, :count] / (s * np.sqrt(values[::-1][:count] + FLOOR))
    return filters.reshape(size, size, -1, count), -m * filters.sum(axis=0)


def features_fwd(params: Params, x: Images) -> tuple[Float[Array, "n f"], Residuals]:
    """Return the features `(n, f)` that the dense layers see, and the residuals for `features_bwd`."""
    z1, conv1 = conv2d_fwd(x, *_signed(params))
    pooled1, windows1 = max_pool_fwd(z1)
    a1, positive1 = relu_fwd(pooled1)
    z2, conv2 = conv2d_fwd(a1, params["W2"], params["b2"])
    pooled2, windows2 = max_pool_fwd(z2)
    a2, positive2 = relu_fwd(pooled2)
    features, images = flatten_fwd(a2.transpose(0, 3, 1, 2))
    return features, (conv1, windows1, positive1, conv2, windows2, positive2, images)


def features_bwd(residuals: Residuals, g: Float[Array, "n f"]) -> Params:
    """Return the cotangents of `W1`, `b1`, `W2`, `b2`: `features_fwd` line by line, from the last to the first."""
    conv1, windows1, positive1, conv2, windows2, positive2, images = residuals
    (da2,) = flatten_bwd(images, g)
    (d_pooled2,) = relu_bwd(positive2, da2.transpose(0, 2, 3, 1))
    (dz2,) = max_pool_bwd(windows2, d_pooled2)
    da1, dW2, db2 = conv2d_bwd(conv2, dz2)
    (d_pooled1,) = relu_bwd(positive1, da1)
    (dz1,) = max_pool_bwd(windows1, d_pooled1)
    _, dW1, db1 = conv2d_bwd(conv1, dz1)
    return {**_signed_bwd(dW1, db1), "W2": dW2, "b2": db2}


def value_and_grad(params: Params, x: Images, y: Labels) -> tuple[Array, Params]:
    """Return `loss` and its gradient by hand; arguments as in `loss`."""
    (value, _), grads = metrics_and_grad(params, x, y)
    return value, grads


def metrics_and_grad(params: Params, x: Images, y: Labels) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """Return `((loss, {"accuracy"}), gradient)`, the accuracy that of the same forward pass."""
    on_features.check_images(params, x, _features_shape)
    return _for_platform(on_features.metrics_and_grad)(params, x, on_features.targets(params, x, y))


def logits(params: Params, x: Images) -> Float[Array, "n k"]:
    """Return $Z_4$."""
    on_features.check_images(params, x, _features_shape)

    def by(features_fwd, _, params, x):
        return on_features.logits(features_fwd, params, x)

    return _for_platform(by)(params, x)


def apply(params: Params, x: Images) -> Float[Array, "n k"]:
    r"""Return the predicted probabilities $\hat y = \mathrm{softmax}(Z_4)$."""
    return jax.nn.softmax(logits(params, x))


def loss(params: Params, x: Images, y: Labels) -> Float[Array, ""]:
    r"""Return the mean cross-entropy $-\frac{1}{n} \sum y \log \hat y$; `y` is labels `(n,)` or weights `(n, k)`."""
    return loss_and_metrics(params, x, y)[0]


def loss_and_metrics(params: Params, x: Images, y: Labels) -> tuple[Array, dict[str, Array]]:
    """Return `(loss, {"accuracy"})`; autodiff of it, with `has_aux=True`, stands for `metrics_and_grad`."""
    z4 = logits(params, x)
    y = one_hot(y, z4.shape[1], z4.dtype)
    return softmax_cross_entropy(z4, y) / len(z4), {"accuracy": accuracy(z4, y)}


def metrics(params: Params, x: Images, y: Array) -> dict[str, Array]:
    """Return `{"loss", "accuracy"}` over the examples."""
    value, others = loss_and_metrics(params, x, y)
    return {"loss": value, **others}


def _signed(params: Params) -> tuple[Float[Array, "5 5 c f"], Float[Array, " f"]]:
    """Return the first layer's filters and biases, all of them with both signs."""
    W1, b1 = params["W1"], params["b1"]
    return jnp.concatenate([W1, -W1], axis=-1), jnp.concatenate([b1, -b1])


def _signed_bwd(dW: Float[Array, "5 5 c f"], db: Float[Array, " f"]) -> Params:
    """Return the cotangents of `W1` and `b1`."""
    halves = [jnp.split(part, 2, axis=-1) for part in (dW, db)]
    return {name: plus - minus for name, (plus, minus) in zip(("W1", "b1"), halves, strict=True)}


def _for_platform(by):
    """Return `by` of the features' two rules: pooled within the product for a CPU, plain otherwise."""
    plain = partial(by, features_fwd, features_bwd)
    return partial(lax.platform_dependent, cpu=partial(by, phases.features_fwd, phases.features_bwd), default=plain)


def _features_shape(size):
    """Return the height and width of what is flattened, for images of the given size."""
    for kernel in KERNELS:
        size = [(n - kernel + 1) // 2 for n in size]
    return size[0], size[1]
