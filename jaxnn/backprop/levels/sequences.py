"""The levels beyond the lecture: layer norm, an attention head, a recurrent cell over three steps."""

from jax.numpy import exp, max, mean, sqrt, sum, tanh

from jaxnn.backprop.level import Level, Training

X = [[0.5, -1.2, 0.7], [1.1, 0.3, -0.4], [-0.7, 0.8, 1.3], [0.2, 1.5, -0.9]]


def _norm(W, g, b, X, Y, m):
    H = X @ W
    C = H - mean(H, axis=1, keepdims=True)
    s = sqrt(mean(C**2, axis=1, keepdims=True) + 0.001)
    N = C / s
    O = g * N + b  # noqa: E741
    J = sum((O - Y) ** 2) / (2 * m)
    return J


NORM = Level(
    "norm",
    "Layer norm",
    "beyond the lecture",
    "Each row is centred and divided by its spread. H enters N three times: directly, by its mean, and by its spread. "
    "Two of the paths show up as means that are taken off again.",
    _norm,
    {"W": [[0.4, -0.3, 0.8], [-0.6, 0.9, 0.2], [0.5, 0.7, -0.4]], "g": [[1.2, 0.8, 1.1]], "b": [[0.1, -0.2, 0.05]]},
    {"X": X, "Y": [[0.3, -0.6, 0.9], [1.2, 0.1, -0.5], [-0.8, 0.7, 0.4], [0.6, -0.9, 0.2]], "m": 4},
    """
    dO = O - Y
    dg = sum(dO * N, axis=0, keepdims=True) / m
    db = sum(dO, axis=0, keepdims=True) / m
    dN = dO * g
    dC = (dN - N * mean(dN * N, axis=1, keepdims=True)) / s
    dH = dC - mean(dC, axis=1, keepdims=True)
    dW = X.T @ dH / m
    """,
    {
        "dO": "the 2 of the square and the 1/2 before it are 1 together",
        "dg": "g is stretched over the rows: the other factor times the adjoint, summed over them, and the mean's 1/m",
        "db": "b is stretched over the rows: the adjoint summed over them, and the mean's 1/m",
        "dN": "the other factor of the product is g",
        "dC": "two paths: C directly over s, and by way of s, which takes N times the row's mean of dN * N off again",
        "dH": "the mean of the row is taken off forward, so it is taken off backward",
        "dW": "what went into the weights, transposed, times the adjoint of what came out; and the mean's 1/m",
    },
    Training(0.2, 200),
)


def _attention(Wq, Wk, Wv, X, Y, h):
    Q = X @ Wq
    K = X @ Wk
    V = X @ Wv
    S = Q @ K.T / sqrt(h)
    E = exp(S - max(S, axis=1, keepdims=True))
    A = E / sum(E, axis=1, keepdims=True)
    O = A @ V  # noqa: E741
    J = sum((O - Y) ** 2) / 2
    return J


ATTENTION = Level(
    "attention",
    "An attention head",
    "beyond the lecture",
    "Four positions, each of which asks (Q), is asked (K) and has something to say (V). A row of A are the shares in "
    "which a position listens to the others: a softmax, so each share depends on the whole row of S.",
    _attention,
    {
        "Wq": [[0.5, -0.7], [0.3, 0.8], [-0.4, 0.6]],
        "Wk": [[-0.2, 0.9], [0.7, 0.1], [0.4, -0.5]],
        "Wv": [[0.6, 0.2], [-0.8, 0.5], [0.3, 0.7]],
    },
    {"X": X, "Y": [[0.4, -0.3], [0.9, 0.5], [-0.6, 0.2], [0.1, 0.8]], "h": 2.0},
    """
    dO = O - Y
    dV = A.T @ dO
    dA = dO @ V.T
    dS = A * (dA - sum(dA * A, axis=1, keepdims=True))
    dQ = dS @ K / sqrt(h)
    dK = dS.T @ Q / sqrt(h)
    dWq = X.T @ dQ
    dWk = X.T @ dK
    dWv = X.T @ dV
    """,
    {
        "dO": "the 2 of the square and the 1/2 before it are 1 together",
        "dV": "O = A @ V: the left factor, transposed, times the adjoint",
        "dA": "O = A @ V: the adjoint times the right factor, transposed",
        "dS": "the softmax of a row: A times dA, less A times the row's sum of A * dA",
        "dQ": "S = Q @ K.T: the adjoint times K, which forward is transposed; and the division by the root",
        "dK": "the adjoint is transposed, times Q, for K is transposed forward; and the division by the root",
        "dWq": "Q = X @ Wq: X, transposed, times the adjoint",
        "dWk": "K = X @ Wk: X, transposed, times the adjoint",
        "dWv": "V = X @ Wv: X, transposed, times the adjoint",
    },
    Training(0.1, 200),
)


def _recurrent(U, W, b, V, c, X1, X2, X3, H0, y, m):
    Z1 = X1 @ U + H0 @ W + b
    H1 = tanh(Z1)
    Z2 = X2 @ U + H1 @ W + b
    H2 = tanh(Z2)
    Z3 = X3 @ U + H2 @ W + b
    H3 = tanh(Z3)
    P = H3 @ V + c
    J = sum((P - y) ** 2) / (2 * m)
    return J


RECURRENT = Level(
    "recurrent",
    "A recurrent cell",
    "beyond the lecture",
    "One cell, three steps: the same U, W and b each time, so each of them gets a part of its gradient from every "
    "step. The adjoint of H2 comes back from step 3 through W.",
    _recurrent,
    {
        "U": [[0.4, -0.6, 0.3], [0.7, 0.2, -0.5]],
        "W": [[0.5, -0.3, 0.6], [0.2, 0.8, -0.4], [-0.7, 0.1, 0.9]],
        "b": [[0.1, -0.1, 0.2]],
        "V": [[0.9], [-0.5], [0.4]],
        "c": [[0.1]],
    },
    {
        "X1": [[0.5, -1.2], [1.1, 0.3], [-0.7, 0.8], [0.2, 1.5]],
        "X2": [[-0.4, 0.6], [0.9, -0.2], [0.3, -1.1], [-0.8, 0.7]],
        "X3": [[1.0, 0.4], [-0.5, 0.9], [0.6, -0.3], [0.1, -0.6]],
        "H0": [[0.0, 0.0, 0.0]] * 4,
        "y": [[0.6], [-0.4], [0.9], [0.2]],
        "m": 4,
    },
    """
    dP = P - y
    dV = H3.T @ dP / m
    dc = sum(dP, axis=0, keepdims=True) / m
    dZ3 = (dP @ V.T) * (1 - H3 ** 2)
    dZ2 = (dZ3 @ W.T) * (1 - H2 ** 2)
    dZ1 = (dZ2 @ W.T) * (1 - H1 ** 2)
    dU = (X1.T @ dZ1 + X2.T @ dZ2 + X3.T @ dZ3) / m
    dW = (H0.T @ dZ1 + H1.T @ dZ2 + H2.T @ dZ3) / m
    db = sum(dZ1 + dZ2 + dZ3, axis=0, keepdims=True) / m
    """,
    {
        "dP": "the 2 of the square and the 1/2 before it are 1 together",
        "dV": "what went into V, transposed, times the adjoint of what came out; and the mean's 1/m",
        "dc": "added to each example: summed over them, and the mean's 1/m",
        "dZ3": "back through V, then the derivative of tanh, 1 - H3^2",
        "dZ2": "H2 goes into step 3 through W: back through W, then 1 - H2^2",
        "dZ1": "H1 goes into step 2 through W: back through W, then 1 - H1^2",
        "dU": "U is used in three steps: what went into it, transposed, times the adjoint, for each step, and the sum",
        "dW": "W is used in three steps, each time with the state before: H0, H1, H2",
        "db": "b is used in three steps, and for each example: sum over both, and the mean's 1/m",
    },
    Training(0.4, 60),
)

LEVELS = (NORM, ATTENTION, RECURRENT)
