"""Levels made of mistakes that were really made, in whole networks: means, biases, signs, labels, regularisation.

Each names the report that it was found in, and was written anew in the page's language.
"""

from jax.numpy import exp, log, max, sum, tanh

from jaxnn.backprop.level import Bug, Level, Training
from jaxnn.backprop.levels.networks import B2, HIDDEN, SEVERAL, SOFTMAX, W1, W2, Y3, X

BACK = "back through the weights, then the local derivative, entry by entry"
INTO = "what went into the weights, transposed, times the adjoint of what came out"
OVER = "the bias is added to each example: the sum over them"


def _planar(W1, b1, W2, b2, X, y, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = 1 / (1 + exp(-Z2))
    J = -sum(y * log(A2) + (1 - y) * log(1 - A2)) / m
    return J


TWICE = Level(
    "bug-twice",
    "A mean taken twice",
    "find the bug",
    "The lecture’s network with tanh. It does learn, only far too slowly: half of its gradient is too small.",
    _planar,
    HIDDEN.params,
    HIDDEN.data,
    HIDDEN.solution.replace("A1 * (1 - A1)", "(1 - A1 ** 2)"),
    {**HIDDEN.missing, "dZ1": "the 1/m comes with dW1 and db1: here it is too early"},
    Training(2.0, 400, "circle", "A2"),
    bug=Bug(
        "https://community.deeplearning.ai/t/course-1-week-3-planar-assignment-4-5-exercise-6-backward-propagation-error-for-dw1-values/63071",
        "An exercise of a course, as a student asked about it.",
        "dZ1 = (dZ2 @ W2.T) * (1 - A1 ** 2) / m",
        "dZ1 = (dZ2 @ W2.T) * (1 - A1 ** 2)",
    ),
)

TOTAL = Level(
    "bug-total",
    "One number for all biases",
    "find the bug",
    "Softmax regression, with three biases that all move alike.",
    SOFTMAX.loss,
    SOFTMAX.params,
    SOFTMAX.data,
    SOFTMAX.solution,
    SOFTMAX.missing,
    Training(0.8, 300),
    bug=Bug(
        "https://github.com/rasbt/stat453-deep-learning-ss21/issues/5",
        "A course’s softmax regression from scratch, whose total NumPy stretched over the biases.",
        "db = zeros((1, 3)) + sum(dZ) / m",
        "db = sum(dZ, axis=0, keepdims=True) / m",
    ),
)


def _regression(W1, b1, W2, b2, X, y, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    yhat = A1 @ W2 + b2
    J = sum((yhat - y) ** 2) / m
    return J


MEAN = Level(
    "bug-mean",
    "A mean for a sum",
    "find the bug",
    "A regression whose adjoints have the 1/m in them from the start.",
    _regression,
    HIDDEN.params,
    {"X": X, "y": [[0.9], [0.2], [1.4], [-0.3], [0.1]], "m": 5},
    """
    dyhat = 2 * (yhat - y) / m
    dW2 = A1.T @ dyhat
    db2 = sum(dyhat, axis=0, keepdims=True)
    dZ1 = (dyhat @ W2.T) * (1 - A1 ** 2)
    dW1 = X.T @ dZ1
    db1 = sum(dZ1, axis=0, keepdims=True)
    """,
    {
        "dyhat": "the 2 of the square, and the mean's 1/m",
        "dW2": INTO,
        "db2": OVER,
        "dZ1": BACK,
        "dW1": INTO,
        "db1": OVER + "; the 1/m is in dZ1 already",
    },
    Training(0.1, 200),
    bug=Bug(
        "https://github.com/kvfrans/notes/issues/5",
        "Notes on backpropagation, whose bias got a mean over the batch.",
        "db1 = mean(dZ1, axis=0, keepdims=True)",
        "db1 = sum(dZ1, axis=0, keepdims=True)",
    ),
)


def _mixed(W1, b1, W2, b2, X, y, m):
    Z1 = X @ W1 + b1
    A1 = 1 / (1 + exp(-Z1))
    yhat = A1 @ W2 + b2
    J = sum((yhat - y) ** 2) / (2 * m)
    return J


SIGMOID = {
    "solution": """
    dyhat = (yhat - y) / m
    dW2 = A1.T @ dyhat
    db2 = sum(dyhat, axis=0, keepdims=True)
    dA1 = dyhat @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = X.T @ dZ1
    db1 = sum(dZ1, axis=0, keepdims=True)
    """,
    "missing": {
        "dyhat": "the 2 of the square is taken off by the 1/2; the mean's 1/m stays",
        "dW2": INTO,
        "db2": OVER,
        "dA1": "back through the weights: times W2, transposed",
        "dZ1": "the derivative of the sigmoid is taken at its own value A1, and multiplied by what comes back",
        "dW1": INTO,
        "db1": OVER,
    },
}
DATA = {"X": X, "y": [[0.9], [0.2], [1.4], [-0.3], [0.1]], "m": 5}

OF_DOUT = Level(
    "bug-upstream",
    "A sigmoid of what comes back",
    "find the bug",
    "One hidden layer of sigmoids, and a squared error.",
    _mixed,
    HIDDEN.params,
    DATA,
    SIGMOID["solution"],
    SIGMOID["missing"],
    Training(0.8, 200),
    bug=Bug(
        "https://github.com/wiseodd/hipsternet/commit/c1efe408bc983ab97dc14879a6f347647905e6be",
        "A small library, whose first sigmoid kept nothing of the forward pass.",
        "dZ1 = 1 / (1 + exp(-dA1)) * (1 - 1 / (1 + exp(-dA1)))",
        "dZ1 = dA1 * A1 * (1 - A1)",
    ),
)

OF_ITSELF = Level(
    "bug-itself",
    "The derivative of the wrong one",
    "find the bug",
    "The same network as before, with another mistake in the same place.",
    _mixed,
    HIDDEN.params,
    DATA,
    SIGMOID["solution"],
    SIGMOID["missing"],
    Training(0.8, 200),
    bug=Bug(
        "https://datascience.stackexchange.com/questions/20139/gradients-for-bias-terms-in-backpropagation",
        "A question about biases, in whose code the mistake was elsewhere.",
        "dZ1 = dA1 * (1 - dA1)",
        "dZ1 = dA1 * A1 * (1 - A1)",
    ),
)


def _classes(W1, b1, W2, b2, X, Y, m):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    Z2 = A1 @ W2 + b2
    E = exp(Z2 - max(Z2, axis=1, keepdims=True))
    P = E / sum(E, axis=1, keepdims=True)
    J = -sum(Y * log(P)) / m
    return J


LOGITS = Level(
    "bug-logits",
    "Before the softmax, or after",
    "find the bug",
    "Three classes with a hidden layer, and cross-entropy.",
    _classes,
    SEVERAL.params,
    SEVERAL.data,
    """
    dZ2 = (P - Y) / m
    dW2 = A1.T @ dZ2
    db2 = sum(dZ2, axis=0, keepdims=True)
    dZ1 = (dZ2 @ W2.T) * (1 - A1 ** 2)
    dW1 = X.T @ dZ1
    db1 = sum(dZ1, axis=0, keepdims=True)
    """,
    {
        "dZ2": "probabilities less labels, and the mean's 1/m",
        "dW2": INTO,
        "db2": OVER,
        "dZ1": BACK,
        "dW1": INTO,
        "db1": OVER,
    },
    Training(1.0, 300),
    bug=Bug(
        "https://github.com/borgwang/tinynn/commit/74269e88df32d1783a3a789f32fa06c818780514",
        "A small library, whose cross-entropy took one array for another.",
        "dZ2 = (Z2 - Y) / m",
        "dZ2 = (P - Y) / m",
    ),
)


def _weighted(W, b, X, Y, c, m):
    Z = X @ W + b
    E = exp(Z - max(Z, axis=1, keepdims=True))
    P = E / sum(E, axis=1, keepdims=True)
    w = Y @ c
    J = -sum(w * Y * log(P)) / m
    return J


WEIGHTED = Level(
    "bug-weights",
    "Classes that count more",
    "find the bug",
    "Rare classes get a larger weight c in the loss: w has that of each example.",
    _weighted,
    SOFTMAX.params,
    {"X": X, "Y": Y3, "c": [[0.5], [2.0], [1.3]], "m": 5},
    """
    dZ = w * (P - Y) / m
    dW = X.T @ dZ
    db = sum(dZ, axis=0, keepdims=True)
    """,
    {"dZ": "an example that counts twice in the loss counts twice in the gradient", "dW": INTO, "db": OVER},
    Training(0.8, 200),
    bug=Bug(
        "https://github.com/borgwang/tinynn/commit/cbe1585777dd28f8c78c7d267843a3a6a9677ac0",
        "The same library, in the loss alone.",
        "dZ = (P - Y) / m",
        "dZ = w * (P - Y) / m",
    ),
)


def _regularised(W1, b1, W2, b2, X, y, m, reg):
    Z1 = X @ W1 + b1
    A1 = tanh(Z1)
    yhat = A1 @ W2 + b2
    R = sum(W1**2) + sum(W2**2) + sum(b1**2) + sum(b2**2)
    J = sum((yhat - y) ** 2) / m + reg * R
    return J


REGULARISED = Level(
    "bug-regularised",
    "Biases that are regularised",
    "find the bug",
    "A penalty on all parameters, the biases among them.",
    _regularised,
    {"W1": W1, "b1": [[0.6, -0.9, 0.8, 0.5]], "W2": W2, "b2": B2},
    {**DATA, "reg": 0.07},
    """
    dyhat = 2 * (yhat - y) / m
    dW2 = A1.T @ dyhat + 2 * reg * W2
    db2 = sum(dyhat, axis=0, keepdims=True) + 2 * reg * b2
    dZ1 = (dyhat @ W2.T) * (1 - A1 ** 2)
    dW1 = X.T @ dZ1 + 2 * reg * W1
    db1 = sum(dZ1, axis=0, keepdims=True) + 2 * reg * b1
    """,
    {
        "dyhat": "the 2 of the square, and the mean's 1/m",
        "dW2": INTO + ", and the penalty's derivative",
        "db2": OVER + ", and the penalty's derivative",
        "dZ1": BACK,
        "dW1": INTO + ", and the penalty's derivative",
        "db1": OVER + ", and the penalty's derivative",
    },
    Training(0.1, 300),
    bug=Bug(
        "https://github.com/Burton2000/CS231n-2017/issues/9",
        "A solution to a course’s exercise, whose loss and gradient did not regularise the same.",
        "db1 = sum(dZ1, axis=0, keepdims=True)",
        "db1 = sum(dZ1, axis=0, keepdims=True) + 2 * reg * b1",
    ),
)

LEVELS = (TWICE, TOTAL, MEAN, OF_DOUT, OF_ITSELF, LOGITS, WEIGHTED, REGULARISED)
