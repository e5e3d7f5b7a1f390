"""The levels of the lecture's section 8.4: convolutions on a small image, and max pooling."""

from jax.numpy import maximum, pad, sum

from jaxnn.backprop.level import Level, Training

IMAGE = [[0.9, 0.0, 0.8], [0.0, 0.7, 0.0], [0.8, 0.0, 0.9]]
KERNEL = [[0.6, -0.9], [0.9, 0.8]]


def _convolution(K, W, X, t):
    Z = K[0, 0] * X[0:2, 0:2] + K[0, 1] * X[0:2, 1:3] + K[1, 0] * X[1:3, 0:2] + K[1, 1] * X[1:3, 1:3]
    A = maximum(Z, 0)
    yhat = sum(A * W)
    J = (yhat - t) ** 2 / 2
    return J


CONVOLUTION = Level(
    "convolution",
    "A convolution",
    "section 8.4",
    "The lecture’s 3 × 3 image of an X, and a kernel of 2 × 2 that visits its four windows. Each entry of the kernel "
    "meets a part of the image, so its derivative is a sum over that part. dX is that of the image itself.",
    _convolution,
    {"K": KERNEL, "W": [[0.5, -0.3], [0.7, 0.4]], "X": IMAGE},
    {"t": 1.5},
    """
    dyhat = yhat - t
    dW = dyhat * A
    dA = dyhat * W
    dZ = dA * (Z > 0)
    dK = zeros((2, 2))
    dK[0, 0] = sum(dZ * X[0:2, 0:2])
    dK[0, 1] = sum(dZ * X[0:2, 1:3])
    dK[1, 0] = sum(dZ * X[1:3, 0:2])
    dK[1, 1] = sum(dZ * X[1:3, 1:3])
    dX = zeros((3, 3))
    dX[0:2, 0:2] += K[0, 0] * dZ
    dX[0:2, 1:3] += K[0, 1] * dZ
    dX[1:3, 0:2] += K[1, 0] * dZ
    dX[1:3, 1:3] += K[1, 1] * dZ
    """,
    {
        "dyhat": "the 2 of the square and the 1/2 before it are 1 together",
        "dW": "yhat is a sum of products: the other factor of each, times the adjoint of the sum",
        "dA": "yhat is a sum of products: the other factor of each, times the adjoint of the sum",
        "dZ": "ReLU's mask: where Z is positive",
        "dK": "each entry of K meets the part of X that stands beside it forward: the sum of dZ times that part",
        "dX": "each part of X was multiplied by one entry of K: that entry times dZ comes back to it, and is added",
    },
    Training(0.1, 20),
    start="""
    dyhat = 
    dW = 
    dA = 
    dZ = 
    dK = zeros((2, 2))
    dK[0, 0] = 
    dX = zeros((3, 3))
    dX[0:2, 0:2] += 
    """,
)


def _strided(K, W, X, t):
    P = pad(X, 1)
    Z = K[0, 0] * P[0:6:2, 0:6:2] + K[0, 1] * P[0:6:2, 1:6:2] + K[1, 0] * P[1:6:2, 0:6:2] + K[1, 1] * P[1:6:2, 1:6:2]
    A = maximum(Z, 0)
    yhat = sum(A * W)
    J = (yhat - t) ** 2 / 2
    return J


STRIDED = Level(
    "strided",
    "Stride and padding",
    "section 8.4",
    "A frame of zeros is put around a 4 × 4 image, and the kernel moves on by two. The slices take every second row "
    "and column; backward, the frame is cut off again.",
    _strided,
    {
        "K": KERNEL,
        "W": [[0.5, -0.3, 0.2], [0.7, 0.4, -0.6], [0.1, 0.9, -0.2]],
        "X": [[0.9, 0.1, 0.3, 0.8], [0.2, 0.7, 0.6, 0.0], [0.4, 0.5, 0.9, 0.1], [0.8, 0.0, 0.2, 0.7]],
    },
    {"t": 1.5},
    """
    dyhat = yhat - t
    dW = dyhat * A
    dZ = dyhat * W * (Z > 0)
    dK = zeros((2, 2))
    dK[0, 0] = sum(dZ * P[0:6:2, 0:6:2])
    dK[0, 1] = sum(dZ * P[0:6:2, 1:6:2])
    dK[1, 0] = sum(dZ * P[1:6:2, 0:6:2])
    dK[1, 1] = sum(dZ * P[1:6:2, 1:6:2])
    dP = zeros((6, 6))
    dP[0:6:2, 0:6:2] += K[0, 0] * dZ
    dP[0:6:2, 1:6:2] += K[0, 1] * dZ
    dP[1:6:2, 0:6:2] += K[1, 0] * dZ
    dP[1:6:2, 1:6:2] += K[1, 1] * dZ
    dX = dP[1:5, 1:5]
    """,
    {
        "dyhat": "the 2 of the square and the 1/2 before it are 1 together",
        "dW": "yhat is a sum of products: the other factor of each, times the adjoint of the sum",
        "dZ": "the other factor of the product, then ReLU's mask: where Z is positive",
        "dK": "each entry of K meets the part of P that stands beside it forward: the sum of dZ times that part",
        "dP": "each part of P was multiplied by one entry of K: that entry times dZ comes back to the same slice",
        "dX": "the frame was put around X: cut it off again, with a slice",
    },
    Training(0.1, 20),
    start="""
    dyhat = 
    dW = 
    dZ = 
    dK = zeros((2, 2))
    dK[0, 0] = 
    dP = zeros((6, 6))
    dP[0:6:2, 0:6:2] += 
    dX = 
    """,
)


def _pooling(X, Y):
    M = maximum(maximum(X[0::2, 0::2], X[0::2, 1::2]), maximum(X[1::2, 0::2], X[1::2, 1::2]))
    J = sum((M - Y) ** 2) / 2
    return J


POOLING = Level(
    "pooling",
    "Max pooling",
    "section 8.5",
    "Of each window of 2 × 2 the largest number goes on, so its adjoint goes back to where that number stood. In one "
    "window two numbers are equal: the loss bends there, and any way to share the adjoint out between the two is "
    "right; not to give all of it to both.",
    _pooling,
    {"X": [[0.9, 0.1, 0.3, 0.8], [0.2, 0.7, 0.6, 0.0], [0.4, 0.5, 0.9, 0.1], [0.5, 0.0, 0.2, 0.7]]},
    {"Y": [[0.2, 0.5], [0.9, 0.3]]},
    """
    dM = M - Y
    R00 = X[0::2, 0::2] == M
    R01 = X[0::2, 1::2] == M
    R10 = X[1::2, 0::2] == M
    R11 = X[1::2, 1::2] == M
    N = R00 + R01 + R10 + R11
    dX = zeros((4, 4))
    dX[0::2, 0::2] = dM * R00 / N
    dX[0::2, 1::2] = dM * R01 / N
    dX[1::2, 0::2] = dM * R10 / N
    dX[1::2, 1::2] = dM * R11 / N
    """,
    {
        "dM": "the 2 of the square and the 1/2 before it are 1 together",
        "dX": "a mask for each of the four places of a window: where X equals M; of equal ones each gets a share",
    },
    Training(0.2, 40),
    start="""
    dM = 
    dX = zeros((4, 4))
    dX[0::2, 0::2] = 
    """,
)

LEVELS = (CONVOLUTION, STRIDED, POOLING)
