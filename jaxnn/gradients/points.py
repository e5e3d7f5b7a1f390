"""The points at which the gradients of the table are looked at: small, the same each time, and not only ordinary ones.

Arguments by the name of what they show; `std` is an ordinary point. Arrays are NumPy's, float64.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Points = dict[str, tuple]


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return normal random numbers, always the same."""
    return np.random.default_rng(seed).normal(size=shape)


def elementwise() -> Points:
    """Return inputs of an elementwise function: ordinary, with zeros, near zero, saturated, very large."""
    x = normal(1, 4, 3)
    return {
        "std": (x,),
        "kink": (np.where(np.abs(x) < 0.5, 0.0, x),),
        "slab": (1e-4 * x,),
        "saturated": (30 * np.sign(x),),
        "huge": (800 * np.sign(x),),
    }


def with_key_of(*shape: int) -> Callable[[], Points]:
    """Return the points of a function of an array and a random key."""
    return lambda: {"std": (normal(1, *shape), jax.random.key(1))}


def dense() -> Points:
    """Return inputs, weights and biases: ordinary, one example, one output."""
    std = dense_of(5, 4, 3)
    return {"std": std, "m1": (std[0][:1], *std[1:]), "one": (std[0], std[1][:, :1], std[2][:1])}


def dense_of(n: int, d: int, k: int) -> tuple:
    """Return inputs, weights and biases of a dense layer."""
    return normal(1, n, d), normal(2, d, k), normal(3, k)


def kernels_over_images() -> Points:
    """Return images, an even kernel and biases: ordinary, several channels, one image."""
    return {"std": images(), "channels": images(channels=3), "one": images(n=1)}


def images(n: int = 2, channels: int = 1, size: tuple[int, int] = (5, 6), kernel: tuple[int, int] = (2, 2)) -> tuple:
    """Return images, a kernel of three filters and biases."""
    return normal(1, n, *size, channels), normal(2, *kernel, channels, 3), normal(3, 3)


def images_of(**sizes: Any) -> Callable[[], Points]:
    """Return the points of one set of images and kernels."""
    return lambda: {"std": images(**sizes)}


def without_bias(points: Callable[[], Points]) -> Callable[[], Points]:
    """Return the points without their last argument."""
    return lambda: {name: args[:-1] for name, args in points().items()}


def pooled() -> Points:
    """Return images: ordinary, of odd sizes, with ties."""
    x = normal(1, 2, 4, 6, 2)
    return {"std": (x,), "odd": (normal(2, 2, 5, 7, 1),), "tie": (np.round(x),)}


def outputs() -> Points:
    """Return outputs and targets: ordinary, targets that do not sum to 1, one example, saturated."""
    z, y = normal(1, 5, 3), np.eye(3)[[0, 2, 1, 2, 2]]
    soft = np.random.default_rng(2).uniform(size=y.shape)
    return {"std": (z, y), "soft": (z, soft), "m1": (z[:1], y[:1]), "saturated": (30 * z, y)}


def linear() -> Points:
    """Return parameters and data of a linear network: one output, several, one example."""
    return {"std": linear_of(1), "ny": linear_of(3), "m1": linear_of(1, n=1)}


def linear_of(k: int, n: int = 6) -> tuple:
    """Return parameters and data of a linear network of `k` outputs."""
    return {"W1": normal(1, 4, k), "b1": normal(2, k)}, normal(3, n, 4), normal(4, n, k)


def hidden() -> Points:
    """Return parameters and data of a hidden-layer network: one output, several, one example, saturated."""
    params, x, y = hidden_points(4, 5, 1)
    large = {**params, "W2": 30 * params["W2"]}
    several, single = hidden_points(4, 5, 3), hidden_points(4, 5, 1, n=1)
    return {"std": (params, x, y), "ny": several, "m1": single, "saturated": (large, x, y)}


def hidden_of(d: int, h: int, k: int) -> Callable[[], Points]:
    """Return the points of a hidden-layer network of those sizes."""
    return lambda: {"std": hidden_points(d, h, k)}


def hidden_points(d: int, h: int, k: int, n: int = 6) -> tuple:
    """Return parameters, inputs and targets 0 or 1 of a hidden-layer network."""
    params = {"W1": normal(1, d, h), "b1": normal(2, h), "W2": normal(3, h, k), "b2": normal(4, k)}
    return params, normal(5, n, d), np.random.default_rng(6).integers(0, 2, size=(n, k)).astype(float)


def dense_labels() -> Points:
    """Return parameters and data of an MLP: ordinary, one example, two classes, soft targets."""
    params, x, y = labelled(hidden_points(4, 5, 3))
    soft = np.random.default_rng(7).uniform(size=y.shape)
    single, two = labelled(hidden_points(4, 5, 3, n=1)), labelled(hidden_points(4, 5, 2))
    return {"std": (params, x, y), "m1": single, "two": two, "soft": (params, x, soft)}


def labelled(point: tuple) -> tuple:
    """Return a point with the classes 0, 1, ... in turn for targets, one-hot."""
    params, x, y = point
    return params, x, np.eye(y.shape[1])[np.arange(len(y)) % y.shape[1]]


def layers_of(*sizes: int) -> Callable[[], Points]:
    """Return the points of a dense network of any depth."""
    layers = list(enumerate(zip(sizes, sizes[1:], strict=False), 1))
    params = {f"W{i}": normal(i, *size) for i, size in layers} | {f"b{i}": normal(i, size[1]) for i, size in layers}
    return lambda: {"std": (params, normal(0, 5, sizes[0]), np.eye(sizes[-1])[np.arange(5) % sizes[-1]])}


def dense_cotangent() -> Points:
    """Return the parameters and the inputs of dense layers."""
    return {"std": layers_of(5, 4, 6, 3)()["std"][:2]}


def features() -> Points:
    """Return the convolutions' parameters and images: ordinary, more than a block, one image, several channels."""
    sizes = {"std": {}, "many": {"n": 17}, "m1": {"n": 1}, "channels": {"channels": 2}}
    return {name: features_point(**size) for name, size in sizes.items()}


def features_point(n: int = 2, channels: int = 1, size: tuple[int, int] = (6, 4)) -> tuple:
    """Return the convolutions' parameters and images."""
    first = {"W1": normal(1, 3, 3, channels, 3) / 2, "b1": normal(2, 3) / 2}
    return {**first, "W2": normal(3, 2, 2, 3, 2) / 2, "b2": normal(4, 2) / 2}, normal(5, n, *size, channels)


def cnn() -> Points:
    """Return all parameters of the convolutional network, images and one-hot targets."""
    return {"std": image_point(12, n=3)}


def black_images() -> Points:
    """Return images and biases of 0: every relu of the first layer at its kink, every window of the pool tied."""
    params, x, y = image_point(12, n=3)
    return {"std": ({**params, "b1": 0 * params["b1"]}, 0 * x, y)}


def odd_images() -> Points:
    """Return images of odd sizes, whose last row and column no window of the pool has."""
    return {"std": image_point(12, n=3, channels=2, size=(5, 7))}


def strided_images() -> Points:
    """Return images for the stride 2 x 1 twice, after which they are 3 x 8."""
    return {"std": image_point(8, n=3, channels=2, size=(9, 8))}


def image_point(n_features: int, **sizes: Any) -> tuple:
    """Return all parameters of the convolutional network, images and one-hot targets."""
    params, x = features_point(**sizes)
    head = {"W3": normal(6, n_features, 4) / 2, "b3": normal(7, 4), "W4": normal(8, 4, 3), "b4": normal(9, 3)}
    return {**params, **head}, x, np.eye(3)


def dense_on_images() -> Points:
    """Return the parameters `W3`, `b3`, `W4`, `b4`, images of six pixels and one-hot targets."""
    params, x, y = image_point(6, n=3, size=(3, 2))
    return {"std": ({name: params[name] for name in ("W3", "b3", "W4", "b4")}, x, y)}


def whitened_features() -> Points:
    """Return the whitened network's convolutions and images: ordinary, of odd sizes, several channels, black."""
    params, x = whitened_point()
    others = {"odd": whitened_point(n=1, size=(13, 15)), "channels": whitened_point(channels=2)}
    # On black images every window of either pool is tied.
    return {"std": (params, x), **others, "black": (params, 0 * x)}


def whitened() -> Points:
    """Return all parameters of the whitened network, images and one-hot targets."""
    params, x = whitened_point(n=3)
    head = {"W3": normal(6, 2, 4) / 2, "b3": normal(7, 4), "W4": normal(8, 4, 3), "b4": normal(9, 3)}
    return {"std": ({**params, **head}, x, np.eye(3))}


def whitened_point(n: int = 2, channels: int = 1, size: tuple[int, int] = (12, 12)) -> tuple:
    """Return the whitened network's convolutions and images: two filters with both signs, then two more."""
    first = {"W1": normal(1, 5, 5, channels, 2) / 5, "b1": normal(2, 2) / 2}
    return {**first, "W2": normal(3, 3, 3, 4, 2) / 6, "b2": normal(4, 2) / 2}, normal(5, n, *size, channels)


def weights_of(output: str) -> Callable[[], Points]:
    """Return the points of R's neuralnet: weights and data, such that outputs of tanh have a cross-entropy."""

    def points():
        weights, x, y = normal(1, 4 * 4 + 5 * 2 + 3 * 2), normal(2, 7, 3), normal(3, 7, 2)
        if output != "tanh":
            return {"std": (weights, x, (y > 0).astype(float))}
        return {"std": (np.abs(weights) / 3, x, np.abs(y) / (1 + np.abs(y).sum(axis=1, keepdims=True)))}

    return points
