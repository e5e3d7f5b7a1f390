"""What the convolutional networks share: an `mlp` on the features of the images, whose `W3`, `b3`, `W4`, `b4` it has.

`features_fwd(params, x) -> (features, residuals)` and `features_bwd(residuals, g) -> gradient` are a network's own.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from jaxnn.errors import check_finite, check_shape, require
from jaxnn.losses import accuracy, one_hot, softmax_cross_entropy_bwd, softmax_cross_entropy_fwd
from jaxnn.networks import mlp
from jaxnn.networks.mlp import Labels, MaybeKey, Params

Images = Float[Array, "n h w c"]
NAMES = {"W1": "W3", "b1": "b3", "W2": "W4", "b2": "b4"}
"""The parameters of the `mlp`, and what a network on features calls them."""


def init(key: Array, features: int, n_hidden: int, n_outputs: int, dtype: DTypeLike = jnp.float32) -> Params:
    """Return the start of the dense layers, as `mlp` has it."""
    return _renamed(mlp.init(key, features, n_hidden, n_outputs, dtype=dtype))


def logits(
    features_fwd: Callable, params: Params, x: Images, key: MaybeKey = None, *, rate: float = 0.0
) -> Float[Array, "n k"]:
    """Return $Z_4$; with a `key`, after dropout of the share `rate` of the hidden nodes."""
    return mlp.forward(_dense(params), features_fwd(params, x)[0], key, rate=rate)[0]


def metrics_and_grad(
    features_fwd: Callable,
    features_bwd: Callable,
    params: Params,
    x: Images,
    targets: Float[Array, "n k"],
    key: MaybeKey = None,
    *,
    rate: float = 0.0,
) -> tuple[tuple[Array, dict[str, Array]], Params]:
    """Return `((loss, {"accuracy"}), gradient)` for one-hot `targets`."""
    features, residuals = features_fwd(params, x)
    z4, dense = mlp.forward(_dense(params), features, key, rate=rate)
    total, likelihood = softmax_cross_entropy_fwd(z4, targets)
    dz4, _ = softmax_cross_entropy_bwd(likelihood, 1 / len(z4))
    d_features, d_dense = mlp.backward(dense, dz4, rate=rate)
    grads = {**features_bwd(residuals, d_features), **_renamed(d_dense)}
    return (total / len(z4), {"accuracy": accuracy(z4, targets)}), grads


def check_images(params: Params, x: Images, flattened: Callable[[tuple[int, ...]], tuple[int, int]]) -> None:
    """Raise where images do not give `W3` its features; `flattened` takes their (h, w) to what is left to flatten."""
    check_shape("x", x, ("n", "h", "w", params["W1"].shape[2]))
    (h, w), features = flattened(x.shape[1:3]), params["W3"].shape[0]
    require(
        h > 0 and w > 0 and h * w * params["b2"].shape[0] == features,
        "x",
        f"images of {x.shape[1]} x {x.shape[2]}",
        f"the size, and the stride, that init was given, of which the network makes {features} features",
    )
    check_finite("x", x)


def targets(params: Params, x: Images, y: Labels) -> Float[Array, "n k"]:
    """Return labels one-hot, weights as they are; raise where they are not one for each image."""
    y = one_hot(y, params["b4"].shape[0], params["W4"].dtype)
    check_shape("y", y, (len(x), params["b4"].shape[0]))
    return y


def _dense(params):
    return {name: params[here] for name, here in NAMES.items()}


def _renamed(dense):
    return {NAMES[name]: value for name, value in dense.items()}
