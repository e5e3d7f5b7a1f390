"""Model d: conv 3x3, softplus, pool 2x2, conv 2x2, softplus, pool 2x2, dense, softmax cross-entropy over N; NHWC."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn import sigmoid as sig


def loss(params, X, Y):
    """Return the cross-entropy, the mean over the images."""
    K1, k1, K2, k2, V, c = (params[name] for name in ("K1", "k1", "K2", "k2", "V", "c"))
    P1 = pool(jax.nn.softplus(conv(X, K1, k1)))
    P2 = pool(jax.nn.softplus(conv(P1, K2, k2)))
    Z = P2.reshape(len(X), -1) @ V + c[None, :]
    return -jnp.sum(Y * jax.nn.log_softmax(Z)) / len(X)


def grad(params, X, Y):
    """Return the gradient of `loss` by hand."""
    K1, k1, K2, k2, V, c = (params[name] for name in ("K1", "k1", "K2", "k2", "V", "c"))
    N = len(X)
    Z1 = conv(X, K1, k1)
    S1 = jax.nn.softplus(Z1)
    P1 = pool(S1)
    Z2 = conv(P1, K2, k2)
    S2 = jax.nn.softplus(Z2)
    P2 = pool(S2)
    F = P2.reshape(N, -1)
    Q = jax.nn.softmax(F @ V + c[None, :])
    dZ = (Q * Y.sum(axis=1, keepdims=True) - Y) / N
    dV = F.T @ dZ
    dc = jnp.sum(dZ, axis=0)
    dP2 = (dZ @ V.T).reshape(P2.shape)
    dS2 = pool_dA(S2, dP2)
    dZ2 = dS2 * sig(Z2)
    dK2 = conv_dK(P1, dZ2, K2.shape)
    dk2 = jnp.sum(dZ2, axis=(0, 1, 2))
    dP1 = conv_dX(dZ2, K2)
    dS1 = pool_dA(S1, dP1)
    dZ1 = dS1 * sig(Z1)
    dK1 = conv_dK(X, dZ1, K1.shape)
    dk1 = jnp.sum(dZ1, axis=(0, 1, 2))
    return {"K1": dK1, "k1": dk1, "K2": dK2, "k2": dk2, "V": dV, "c": dc}


def around(X, k):
    """Return the images with zeros around them that keep their size, an odd one at the bottom and right."""
    lo = (k - 1) // 2
    return jnp.pad(X, ((0, 0), (lo, k - 1 - lo), (lo, k - 1 - lo), (0, 0)))


def conv(X, K, k):
    """Return the convolution of the same size with the square kernel K, plus k."""
    H, W, size = X.shape[1], X.shape[2], len(K)
    Xp = around(X, size)
    Z = sum(Xp[:, a : a + H, b : b + W] @ K[a, b] for a in range(size) for b in range(size))
    return Z + k[None, None, None, :]


def conv_dX(dZ, K):
    """Return the cotangent of the images: a convolution with the turned kernel."""
    H, W, size = dZ.shape[1], dZ.shape[2], len(K)
    lo = size - 1 - (size - 1) // 2
    dZp = jnp.pad(dZ, ((0, 0), (lo, size - 1 - lo), (lo, size - 1 - lo), (0, 0)))
    Kf = K[::-1, ::-1].transpose(0, 1, 3, 2)
    dX = sum(dZp[:, a : a + H, b : b + W] @ Kf[a, b] for a in range(size) for b in range(size))
    return dX


def conv_dK(X, dZ, shape):
    """Return the cotangent of the kernel: what each of its places saw, times dZ."""
    H, W, size = X.shape[1], X.shape[2], shape[0]
    Xp = around(X, size)
    dK = jnp.zeros(shape, X.dtype)
    for a in range(size):
        for b in range(size):
            dK = dK.at[a, b].set(jnp.einsum("nhwc,nhwo->co", Xp[:, a : a + H, b : b + W], dZ))
    return dK


def windows(A):
    """Return the four entries of each 2 x 2 window, row by row, along a new last axis."""
    N, H, W, C = A.shape
    return A.reshape(N, H // 2, 2, W // 2, 2, C).transpose(0, 1, 3, 5, 2, 4).reshape(N, H // 2, W // 2, C, 4)


def pool(A):
    """Return the largest entry of each 2 x 2 window, at ties the first."""
    w = windows(A)
    return jnp.take_along_axis(w, w.argmax(axis=-1, keepdims=True), axis=-1)[..., 0]


def pool_dA(A, dP):
    """Return dP where the largest entry of each window is, the first at ties, and 0 elsewhere."""
    w = windows(A)
    N, H, W, C, _ = w.shape
    oh = jnp.eye(4, dtype=dP.dtype)[w.argmax(axis=-1)]
    dw = (oh * dP[..., None]).reshape(N, H, W, C, 2, 2)
    dA = dw.transpose(0, 1, 4, 2, 5, 3).reshape(N, 2 * H, 2 * W, C)
    return dA


def cases():
    """Return the arguments by scenario: 3 channels, 8 x 4 images, a constant image, ties between different patches."""
    std = point()
    flat = {**std[0], "K1": np.zeros_like(std[0]["K1"])}
    return {
        "std": std,
        "ci": point(channels=3),
        "rect": point(width=4),
        "tie": (std[0], np.full_like(std[1], 0.5), std[2]),
        "tie2": (flat, *std[1:]),
    }


def point(N=3, height=8, width=8, channels=1, filters=(2, 3), classes=3):
    """Return parameters, 86 numbers as they are, and images drawn from the normal distribution, and one-hot targets."""
    rng = np.random.default_rng(5)
    features = height // 4 * (width // 4) * filters[1]
    params = {
        "K1": rng.normal(size=(3, 3, channels, filters[0])) / 2,
        "k1": rng.normal(size=filters[0]) / 2,
        "K2": rng.normal(size=(2, 2, filters[0], filters[1])) / 2,
        "k2": rng.normal(size=filters[1]) / 2,
        "V": rng.normal(size=(features, classes)) / 2,
        "c": rng.normal(size=classes) / 2,
    }
    X = rng.normal(size=(N, height, width, channels))
    return params, X, np.eye(classes)[np.arange(N) % classes]
