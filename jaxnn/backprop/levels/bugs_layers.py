"""Levels made of mistakes that were really made, in layers: softmax, attention, recurrence, pooling, activations.

Each names the report that it was found in, and was written anew in the page's language.
"""

from jax.numpy import exp, max, maximum, sum, where

from jaxnn.backprop.level import Bug, Level, Training
from jaxnn.backprop.levels.sequences import ATTENTION, RECURRENT

X = [[0.5, -1.2, 0.7], [1.1, 0.3, -0.4], [-0.7, 0.8, 1.3], [0.2, 1.5, -0.9], [-1.4, -0.6, 0.4], [0.9, -0.1, -1.1]]
Y = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
W = [[0.4, -0.3, 0.8], [-0.6, 0.9, 0.2], [0.3, 0.5, -0.7]]
B = [[0.1, -0.2, 0.05]]


def _squared(W, b, X, Y, m):
    Z = X @ W + b
    E = exp(Z - max(Z, axis=1, keepdims=True))
    P = E / sum(E, axis=1, keepdims=True)
    J = sum((P - Y) ** 2) / m
    return J


JACOBIAN = Level(
    "bug-jacobian",
    "Softmax, squared",
    "find the bug",
    "A squared error behind a softmax: here nothing cancels, and the softmax has to be differentiated by itself.",
    _squared,
    {"W": W, "b": B},
    {"X": X, "Y": Y, "m": 6},
    """
    dP = 2 * (P - Y) / m
    dZ = P * (dP - sum(dP * P, axis=1, keepdims=True))
    dW = X.T @ dZ
    db = sum(dZ, axis=0, keepdims=True)
    """,
    {
        "dP": "the 2 of the square, and the mean's 1/m",
        "dZ": "each probability depends on every Z of its row: the diagonal P (1 - P) is not all of it",
        "dW": "what went into the weights, transposed, times the adjoint of what came out",
        "db": "the sum over the examples",
    },
    Training(2.0, 200),
    bug=Bug(
        "https://github.com/zhuozhiyongde/Fundamentals-of-Artificial-Intelligence-2024Spring-PKU/issues/1",
        "A course’s network for digits, whose softmax had a derivative like a sigmoid’s.",
        "dZ = dP * P * (1 - P)",
        "dZ = P * (dP - sum(dP * P, axis=1, keepdims=True))",
    ),
)


def _selu(W, b, V, X, y, m, scale, alpha):
    Z = X @ W + b
    H = where(Z > 0, scale * Z, scale * alpha * (exp(Z) - 1))
    yhat = H @ V
    J = sum((yhat - y) ** 2) / m
    return J


SELU = Level(
    "bug-selu",
    "SELU",
    "find the bug",
    "The scaled exponential unit, whose derivative is taken from its value H, so that exp is not computed again.",
    _selu,
    {"W": W, "b": B, "V": [[0.7], [-0.4], [0.9]]},
    {"X": X, "y": [[0.4], [1.3], [-0.8], [0.6], [-1.1], [0.9]], "m": 6, "scale": 1.0507, "alpha": 1.6733},
    """
    dyhat = 2 * (yhat - y) / m
    dV = H.T @ dyhat
    dH = dyhat @ V.T
    dZ = dH * where(H > 0, scale, H + scale * alpha)
    dW = X.T @ dZ
    db = sum(dZ, axis=0, keepdims=True)
    """,
    {
        "dyhat": "the 2 of the square, and the mean's 1/m",
        "dV": "what went in, transposed, times the adjoint of what came out",
        "dH": "back through V, transposed",
        "dZ": "below zero H is scale alpha exp(Z) - scale alpha: H has the scale in it already",
        "dW": "what went into the weights, transposed, times the adjoint of what came out",
        "db": "the sum over the examples",
    },
    Training(0.05, 200),
    bug=Bug(
        "https://github.com/RubixML/ML/pull/427",
        "A library for PHP, whose SELU had the derivative of its negative branch wrong.",
        "where(H > 0, scale, scale * (H + alpha))",
        "where(H > 0, scale, H + scale * alpha)",
    ),
)


def _leaky(W1, b1, W2, X, y, m, alpha):
    Z1 = X @ W1 + b1
    A1 = where(Z1 > 0, Z1, alpha * Z1)
    yhat = A1 @ W2
    J = sum((yhat - y) ** 2) / m
    return J


LEAKY = Level(
    "bug-leaky",
    "A leak of another size",
    "find the bug",
    "Leaky ReLU: below zero a slope of alpha, which whoever calls it may choose.",
    _leaky,
    {"W1": W, "b1": B, "W2": [[0.7], [-0.4], [0.9]]},
    {"X": X, "y": [[0.4], [1.3], [-0.8], [0.6], [-1.1], [0.9]], "m": 6, "alpha": 0.3},
    """
    dyhat = 2 * (yhat - y) / m
    dW2 = A1.T @ dyhat
    dA1 = dyhat @ W2.T
    dZ1 = dA1 * where(Z1 > 0, 1, alpha)
    dW1 = X.T @ dZ1
    db1 = sum(dZ1, axis=0, keepdims=True)
    """,
    {
        "dyhat": "the 2 of the square, and the mean's 1/m",
        "dW2": "what went in, transposed, times the adjoint of what came out",
        "dA1": "back through W2, transposed",
        "dZ1": "the slope below zero is the one of the forward pass",
        "dW1": "what went into the weights, transposed, times the adjoint of what came out",
        "db1": "the sum over the examples",
    },
    Training(0.05, 200),
    bug=Bug(
        "https://github.com/deeplearning4j/deeplearning4j/issues/8178",
        "A library for Java, whose leaky ReLU took its usual slope backward, whatever was chosen forward.",
        "where(Z1 > 0, 1, 0.01)",
        "where(Z1 > 0, 1, alpha)",
    ),
)

SHARES = Level(
    "bug-shares",
    "Attention without its shares",
    "find the bug",
    "The attention head, with one line as it stood in a library.",
    ATTENTION.loss,
    ATTENTION.params,
    ATTENTION.data,
    ATTENTION.solution,
    ATTENTION.missing,
    Training(0.3, 200),
    bug=Bug(
        "https://github.com/HomericIntelligence/Odyssey/issues/2134",
        "A library for Mojo, whose softmax lacked a term backward.",
        "dS = A * dA",
        "dS = A * (dA - sum(dA * A, axis=1, keepdims=True))",
    ),
)

TRANSPORT = Level(
    "bug-transport",
    "Through time, unchanged",
    "find the bug",
    "The recurrent cell. A state’s adjoint comes back from the step that follows.",
    RECURRENT.loss,
    RECURRENT.params,
    RECURRENT.data,
    RECURRENT.solution,
    RECURRENT.missing,
    Training(0.4, 100),
    bug=Bug(
        "https://github.com/qixianbiao/RNN/issues/2",
        "A recurrent network in NumPy, which handed an adjoint on to the earlier step as it was.",
        "dZ2 = dZ3 * (1 - H2 ** 2)",
        "dZ2 = (dZ3 @ W.T) * (1 - H2 ** 2)",
    ),
)


def _overlapping(K, X, Y):
    V = K * X
    M = maximum(maximum(V[0:2, 0:2], V[0:2, 1:3]), maximum(V[1:3, 0:2], V[1:3, 1:3]))
    J = sum((M - Y) ** 2) / 2
    return J


OVERLAPPING = Level(
    "bug-overlapping",
    "Windows that overlap",
    "find the bug",
    "Max pooling with windows of 2 × 2 that move on by one: a large number may be the largest of several windows.",
    _overlapping,
    {"K": [[1.2, 0.8, -0.5], [0.6, 1.5, 0.9], [-0.4, 1.1, 0.7]]},
    {"X": [[0.9, 0.1, 0.8], [0.2, 0.7, 0.3], [0.8, 0.4, 0.6]], "Y": [[0.3, 0.6], [0.2, 0.5]]},
    """
    dM = M - Y
    dV = zeros((3, 3))
    dV[0:2, 0:2] += dM * (V[0:2, 0:2] == M)
    dV[0:2, 1:3] += dM * (V[0:2, 1:3] == M)
    dV[1:3, 0:2] += dM * (V[1:3, 0:2] == M)
    dV[1:3, 1:3] += dM * (V[1:3, 1:3] == M)
    dK = dV * X
    """,
    {
        "dM": "the 2 of the square and the 1/2 before it are 1 together",
        "dV": "an entry may be in several windows: what comes back from each of them is added",
        "dK": "the other factor of the product is X",
    },
    Training(0.5, 60),
    bug=Bug(
        "https://github.com/ghosert/cmd-editor/issues/2058",
        "A convolutional network in NumPy, whose pooling kept what came back from the last window alone.",
        "dV[1:3, 0:2] = dM * (V[1:3, 0:2] == M)",
        "dV[1:3, 0:2] += dM * (V[1:3, 0:2] == M)",
    ),
)


def _tied(A, B, Y):
    G = A @ B.T
    J = sum((G - Y) ** 2) / 2
    return J


ORDER = Level(
    "bug-order",
    "The order of a product",
    "find the bug",
    "A product with a transposed matrix; all matrices are square, so no shape gives the mistake away.",
    _tied,
    {"A": W, "B": [[0.5, -0.7, 0.2], [0.3, 0.8, -0.4], [-0.6, 0.1, 0.9]]},
    {"Y": [[0.2, -0.1, 0.6], [0.4, 0.5, -0.3], [-0.2, 0.7, 0.1]]},
    """
    dG = G - Y
    dA = dG @ B
    dB = dG.T @ A
    """,
    {
        "dG": "the 2 of the square and the 1/2 before it are 1 together",
        "dA": "the adjoint times the right factor's transpose, which is B itself",
        "dB": "B stands transposed forward: so does its adjoint, and A.T @ dG is that of B.T",
    },
    Training(0.2, 100),
    bug=Bug(
        "https://github.com/denizyuret/Knet.jl/commit/1775260776aadf7b514b3aaf623549b8d6e6c791",
        "A library for Julia, in its table of derivatives of products.",
        "dB = A.T @ dG",
        "dB = dG.T @ A",
    ),
)

LEVELS = (JACOBIAN, SELU, LEAKY, ORDER, OVERLAPPING, SHARES, TRANSPORT)
