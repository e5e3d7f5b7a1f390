"""The levels of the lecture's section 6 and what follows from it: hidden layers, softmax, dropout."""

from jax.numpy import exp, log, max, maximum, sum, tanh

from jaxnn.backprop.level import Level, Training

X = [[0.5, -1.2], [1.1, 0.3], [-0.7, 0.8], [0.2, 1.5], [-1.4, -0.6]]
Y = [[1.0], [0.0], [1.0], [1.0], [0.0]]
Y3 = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
W1 = [[0.11, -0.93, 0.31, 0.84], [0.38, -0.73, 0.63, 0.12]]
B1 = [[0.1, -0.2, 0.3, 0.05]]
W2 = [[-0.08], [0.47], [0.51], [-0.21]]
B2 = [[0.15]]
W2_3 = [[0.3, -0.4, 0.2], [0.7, 0.1, -0.6], [-0.2, 0.5, 0.9], [0.4, -0.8, 0.1]]
B2_3 = [[0.1, -0.2, 0.05]]
# What is missing in a line, in the words of every level that has one like it.
BIAS = "the bias is added to each example: sum over them, along axis 0, and keep the axis"
WEIGHTS = "what went into the weights, transposed, times the adjoint of what came out; and the mean's 1/m"
SIGMOID = "back through the weights, then the sigmoid's derivative A (1 - A), entry by entry"
TANH = "back through the weights, then the derivative of tanh, 1 - A^2, entry by entry"


def _hidden(W1, b1, W2, b2, X, y, m):
    Z1 = X @ W1 + b1
    A1 = 1 / (1 + exp(-Z1))
    Z2 = A1 @ W2 + b2
    A2 = 1 / (1 + exp(-Z2))
    J = -sum(y * log(A2) + (1 - y) * log(1 - A2)) / m
    return J


SOLUTION = """
dZ2 = A2 - y
dW2 = A1.T @ dZ2 / m
db2 = sum(dZ2, axis=0, keepdims=True) / m
dZ1 = (dZ2 @ W2.T) * A1 * (1 - A1)
dW1 = X.T @ dZ1 / m
db1 = sum(dZ1, axis=0, keepdims=True) / m
"""

HIDDEN = Level(
    "hidden",
    "A hidden layer",
    "section 6",
    "The lecture’s network: two inputs, four hidden nodes, one output, all sigmoids, and the mean Bernoulli loss. The "
    "lecture’s dZ2 leaves the 1/m to the lines that follow; with the 1/m in it from the start is as right. The lecture "
    "has examples as columns; here one is a row, so its W1 is our W1.T.",
    _hidden,
    {"W1": W1, "b1": B1, "W2": W2, "b2": B2},
    {"X": X, "y": Y, "m": 5},
    SOLUTION,
    {
        "dZ2": "the loss and the sigmoid together: the fractions cancel, and what is left is a difference",
        "dW2": WEIGHTS,
        "db2": BIAS + ", divided by m",
        "dZ1": SIGMOID,
        "dW1": WEIGHTS,
        "db1": BIAS + ", divided by m",
    },
    Training(6.0, 500, "circle", "A2"),
)


def _several(W1, b1, W2, b2, X, Y, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = 1 / (1 + exp(-Z2))
    J = -sum(Y * log(A2) + (1 - Y) * log(1 - A2)) / m
    return J


SEVERAL = Level(
    "several",
    "Several outputs",
    "section 6",
    "The same with three outputs and tanh, the line that the lecture has commented out. The lecture’s db2 sums over "
    "everything, which is right for one output alone: each output has a bias of its own.",
    _several,
    {"W1": W1, "b1": B1, "W2": W2_3, "b2": B2_3},
    {"X": X, "Y": Y3, "m": 5},
    SOLUTION.replace("A2 - y", "A2 - Y").replace("A1 * (1 - A1)", "(1 - A1 ** 2)"),
    {
        "dZ2": "as with one output: the fractions cancel, in each column",
        "dW2": WEIGHTS,
        "db2": "one sum for each output: along axis 0 alone, the axis kept, divided by m",
        "dZ1": TANH,
        "dW1": WEIGHTS,
        "db1": BIAS + ", divided by m",
    },
    Training(1.0, 300),
)


def _softmax(W, b, X, Y, m):
    Z = X @ W + b
    E = exp(Z - max(Z, axis=1, keepdims=True))
    P = E / sum(E, axis=1, keepdims=True)
    J = -sum(Y * log(P)) / m
    return J


SOFTMAX = Level(
    "softmax",
    "Softmax and cross-entropy",
    "section 8.3",
    "Three classes, and for each example probabilities that add up to 1. The largest Z of a row is taken off before "
    "exp, which changes nothing but rounding. You may go by way of dP and dE; dZ in one line is shorter.",
    _softmax,
    {"W": [[0.4, -0.3, 0.8], [-0.6, 0.9, 0.2]], "b": B2_3},
    {"X": X, "Y": Y3, "m": 5},
    """
    dZ = P - Y
    dW = X.T @ dZ / m
    db = sum(dZ, axis=0, keepdims=True) / m
    """,
    {
        "dZ": "a probability depends on all Z of its row; with the logarithm all cancels but a difference",
        "dW": WEIGHTS,
        "db": BIAS + ", divided by m",
    },
    Training(0.8, 200),
)


def _dropout(W1, b1, W2, b2, X, y, M, keep, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    D1 = A1 * M / keep
    Z2 = D1 @ W2 + b2
    J = sum((Z2 - y) ** 2) / (2 * m)
    return J


DROPOUT = Level(
    "dropout",
    "Dropout",
    "section 8.3",
    "M is the mask of this step: 1 for a node that is kept, 0 for one that is dropped. What is kept is divided by the "
    "share that is kept, so that sums stay as large as they are without dropout.",
    _dropout,
    {"W1": W1, "b1": B1, "W2": W2, "b2": B2},
    {
        "X": X,
        "y": [[0.9], [0.2], [1.4], [-0.3], [0.1]],
        "M": [
            [1.0, 0.0, 1.0, 1.0],
            [1.0, 1.0, 0.0, 1.0],
            [0.0, 1.0, 1.0, 1.0],
            [1.0, 1.0, 1.0, 0.0],
            [1.0, 0.0, 1.0, 1.0],
        ],
        "keep": 0.75,
        "m": 5,
    },
    """
    dZ2 = Z2 - y
    dW2 = D1.T @ dZ2 / m
    db2 = sum(dZ2, axis=0, keepdims=True) / m
    dD1 = dZ2 @ W2.T
    dA1 = dD1 * M / keep
    dZ1 = dA1 * (1 - A1 ** 2)
    dW1 = X.T @ dZ1 / m
    db1 = sum(dZ1, axis=0, keepdims=True) / m
    """,
    {
        "dZ2": "the 2 of the square and the 1/2 before it are 1 together",
        "dW2": "what went into W2 is D1, after dropout",
        "db2": BIAS + ", divided by m",
        "dD1": "back through the weights: times W2, transposed",
        "dA1": "the same mask and the same division as forward",
        "dZ1": "the derivative of tanh, 1 - A1^2, entry by entry",
        "dW1": WEIGHTS,
        "db1": BIAS + ", divided by m",
    },
    Training(0.3, 200),
)


def _deep(W1, b1, W2, b2, W3, b3, X, y, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = maximum(Z2, 0)
    Z3 = A2 @ W3 + b3
    A3 = 1 / (1 + exp(-Z3))
    J = -sum(y * log(A3) + (1 - y) * log(1 - A3)) / m
    return J


DEEP = Level(
    "deep",
    "Two hidden layers",
    "section 8.3",
    "tanh, then ReLU, then a sigmoid. Each layer repeats the same three lines: back through the weights and the bend, "
    "the weights’ gradient, the bias’.",
    _deep,
    {
        "W1": W1,
        "b1": B1,
        "W2": [[0.5, -0.7, 0.9], [-0.3, 0.8, 0.4], [0.6, 0.2, -0.9], [0.1, -0.5, 0.7]],
        "b2": [[0.2, 0.1, -0.1]],
        "W3": [[0.8], [-0.6], [0.5]],
        "b3": B2,
    },
    {"X": X, "y": Y, "m": 5},
    """
    dZ3 = A3 - y
    dW3 = A2.T @ dZ3 / m
    db3 = sum(dZ3, axis=0, keepdims=True) / m
    dZ2 = (dZ3 @ W3.T) * (Z2 > 0)
    dW2 = A1.T @ dZ2 / m
    db2 = sum(dZ2, axis=0, keepdims=True) / m
    dZ1 = (dZ2 @ W2.T) * (1 - A1 ** 2)
    dW1 = X.T @ dZ1 / m
    db1 = sum(dZ1, axis=0, keepdims=True) / m
    """,
    {
        "dZ3": "the loss and the sigmoid together: a difference",
        "dW3": WEIGHTS,
        "db3": BIAS + ", divided by m",
        "dZ2": "back through the weights, then ReLU's mask: where Z2 is positive",
        "dW2": WEIGHTS,
        "db2": BIAS + ", divided by m",
        "dZ1": TANH,
        "dW1": WEIGHTS,
        "db1": BIAS + ", divided by m",
    },
    Training(1.0, 400, "circle", "A3"),
)

LEVELS = (HIDDEN, SEVERAL, SOFTMAX, DROPOUT, DEEP)
