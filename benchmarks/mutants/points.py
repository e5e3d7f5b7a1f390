"""The arguments at which jaxnn's own gradients are checked: `std` is an ordinary point, the others show more."""

import numpy as np


def activation():
    """Return inputs of an elementwise function: ordinary, with zeros, near zero, saturated, very large."""
    x = normal(1, 4, 3)
    return {
        "std": (x,),
        "kink": (np.where(np.abs(x) < 0.5, 0.0, x),),
        "slab": (1e-4 * x,),
        "saturated": (30 * np.sign(x),),
        "huge": (800 * np.sign(x),),
    }


def dense():
    """Return inputs, weights and biases: ordinary, one example, one output."""
    std = (normal(1, 5, 4), normal(2, 4, 3), normal(3, 3))
    return {"std": std, "m1": (std[0][:1], *std[1:]), "one": (std[0], std[1][:, :1], std[2][:1])}


def convolution():
    """Return images, an even kernel and biases: ordinary, several channels."""
    return {"std": images(), "channels": images(channels=3), "one": images(n=1)}


def convolution_without_bias():
    """Return images and an even kernel."""
    return {name: case[:2] for name, case in convolution().items()}


def images(n=2, channels=1):
    return normal(1, n, 5, 6, channels), normal(2, 2, 2, channels, 3), normal(3, 3)


def pooling():
    """Return images: ordinary, of odd sizes, with ties."""
    x = normal(1, 2, 4, 6, 2)
    return {"std": (x,), "odd": (normal(2, 2, 5, 7, 1),), "tie": (np.round(x),)}


def outputs():
    """Return outputs and targets: ordinary, targets that do not sum to 1, one example, saturated."""
    z, y = normal(1, 5, 3), np.eye(3)[[0, 2, 1, 2, 2]]
    soft = np.random.default_rng(2).uniform(size=y.shape)
    return {"std": (z, y), "soft": (z, soft), "m1": (z[:1], y[:1]), "saturated": (30 * z, y)}


def linear():
    """Return parameters and data of a linear network: one output, several, one example."""
    return {"std": linear_point(1), "ny": linear_point(3), "m1": linear_point(1, n=1)}


def linear_point(k, n=6):
    return {"W1": normal(1, 4, k), "b1": normal(2, k)}, normal(3, n, 4), normal(4, n, k)


def hidden():
    """Return parameters and data of a hidden-layer network: one output, several, one example, saturated."""
    params, x, y = dense_point(1)
    large = {**params, "W2": 30 * params["W2"]}
    return {"std": (params, x, y), "ny": dense_point(3), "m1": dense_point(1, n=1), "saturated": (large, x, y)}


def mlp():
    """Return parameters and data of an MLP: ordinary, one example, two classes, soft targets."""
    params, x, y = dense_point(3, classes=True)
    soft = np.random.default_rng(7).uniform(size=y.shape)
    return {
        "std": (params, x, y),
        "m1": dense_point(3, n=1, classes=True),
        "two": dense_point(2, classes=True),
        "soft": (params, x, soft),
    }


def dense_point(k, n=6, *, classes=False):
    params = {"W1": normal(1, 4, 5), "b1": normal(2, 5), "W2": normal(3, 5, k), "b2": normal(4, k)}
    chosen = np.random.default_rng(6).integers(0, 2, size=(n, k)).astype(float)
    return params, normal(5, n, 4), np.eye(k)[np.arange(n) % k] if classes else chosen


def features():
    """Return the convolutions' parameters and images: ordinary, one image, several channels, more than a block."""
    return {
        "std": features_point(),
        "m1": features_point(n=1),
        "channels": features_point(channels=2),
        "many": features_point(n=17),
    }


def features_point(n=2, channels=1):
    params = {
        "W1": normal(1, 3, 3, channels, 3) / 2,
        "b1": normal(2, 3) / 2,
        "W2": normal(3, 2, 2, 3, 2) / 2,
        "b2": normal(4, 2) / 2,
    }
    return params, normal(5, n, 6, 4, channels)


def cnn():
    """Return all parameters of the convolutional network, images and one-hot targets."""
    params, x = features_point(n=3)
    dense = {"W3": normal(6, 12, 4) / 2, "b3": normal(7, 4), "W4": normal(8, 4, 3), "b4": normal(9, 3)}
    return {"std": ({**params, **dense}, x, np.eye(3))}


def normal(seed, *shape):
    """Return numbers from the normal distribution."""
    return np.random.default_rng(seed).normal(size=shape)
