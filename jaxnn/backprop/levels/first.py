"""The levels of the lecture's sections 2 to 4: f(x), the linear network, the activations."""

from jax.numpy import cos, exp, maximum, sqrt, sum, tanh, where

from jaxnn.backprop.level import Level, Training


def _chain(x):
    a = x**2
    b = exp(a)
    c = a + b
    d = sqrt(c)
    e = cos(c)
    f = d + e
    return f


CHAIN = Level(
    "chain",
    "The chain rule: f(x)",
    "section 3",
    "The lecture’s table of 18 values: six forward, which are given, the derivative of each step by what stands in it, "
    "and the four adjoints backward, from f to x. Here dadx is ∂a/∂x, and dfdc is ∂f/∂c.",
    _chain,
    {"x": 2.0},
    {},
    """
    dadx = 2 * x
    dbda = exp(a)
    dcda = 1
    dcdb = 1
    dddc = 1 / (2 * sqrt(c))
    dedc = -sin(c)
    dfdd = 1
    dfde = 1
    dfdc = dfdd * dddc + dfde * dedc
    dfdb = dfdc * dcdb
    dfda = dfdb * dbda + dfdc * dcda
    dfdx = dfda * dadx
    """,
    {
        "dadx": "the power comes down as a factor, and is one less",
        "dbda": "the exponential is its own derivative",
        "dcda": "a sum grows as fast as its term",
        "dcdb": "a sum grows as fast as its term",
        "dddc": "a square root is the power 1/2: the half comes down, and the root below the line",
        "dedc": "the derivative of the cosine is minus the sine",
        "dfdd": "a sum grows as fast as its term",
        "dfde": "a sum grows as fast as its term",
        "dfdc": "two paths lead from c to f, by d and by e: a product of derivatives along each, and their sum",
        "dfdb": "one path leads from b to f, by c",
        "dfda": "two paths lead from a to f, by b and by c directly",
        "dfdx": "one path leads from x to f, by a",
    },
    Training(0.0004, 60),
)


def _linear(beta, beta0, X, y):
    yhat = X @ beta + beta0
    J = sum((y - yhat) ** 2)
    return J


LINEAR = Level(
    "linear",
    "The linear network",
    "section 2",
    "Least squares as a network: two inputs, one output, no bend. J is a sum over the examples, not a mean, so no 1/m "
    "appears anywhere. One example is a row of X.",
    _linear,
    {"beta": [[0.3], [-0.5]], "beta0": [[0.2]]},
    {"X": [[0.5, -1.2], [1.1, 0.3], [-0.7, 0.8], [0.2, 1.5], [-1.4, -0.6]], "y": [[1.9], [0.4], [-1.1], [-1.6], [0.8]]},
    """
    dyhat = -2 * (y - yhat)
    dbeta = X.T @ dyhat
    dbeta0 = sum(dyhat, axis=0, keepdims=True)
    """,
    {
        "dyhat": "the square gives a factor 2, and yhat stands behind a minus",
        "dbeta": "for each input, the sum over the examples of that input times the adjoint: a product of matrices",
        "dbeta0": "it is added to each example, so what comes back from each of them is summed",
    },
    Training(0.03, 80),
)


def _activations(Z1, Z2, Z3, Z4, Y):
    S = 1 / (1 + exp(-Z1))
    T = tanh(Z2)
    R = maximum(Z3, 0)
    H = where(Z4 > 0, 1.0, 0.0)
    P = S + T + R + H
    J = sum((P - Y) ** 2) / 2
    return J


ACTIVATIONS = Level(
    "activations",
    "Four activations",
    "section 4, figure 4",
    "Sigmoid, hyperbolic tangent, ReLU and Heaviside, each by itself. One entry of Z3 is exactly 0, where ReLU bends: "
    "there any slope between those of the two sides is right.",
    _activations,
    {
        "Z1": [[0.4, -1.3, 2.0], [-0.2, 0.9, -2.2]],
        "Z2": [[0.7, -0.5, 1.4], [-1.1, 0.3, 0.1]],
        "Z3": [[1.2, -0.8, 0.0], [-0.4, 0.6, 2.1]],
        "Z4": [[0.5, -0.7, 1.3], [-1.6, 0.2, -0.9]],
    },
    {"Y": [[2.0, 0.5, 3.1], [-0.4, 1.5, 0.8]]},
    """
    dP = P - Y
    dZ1 = dP * S * (1 - S)
    dZ2 = dP * (1 - T ** 2)
    dZ3 = dP * (Z3 > 0)
    dZ4 = 0 * dP
    """,
    {
        "dP": "the 2 of the square and the 1/2 before it are 1 together",
        "dZ1": "the derivative of the sigmoid, written with its value S, is S (1 - S), entry by entry",
        "dZ2": "the derivative of tanh, written with its value T, is 1 - T^2",
        "dZ3": "where Z3 is positive the adjoint passes through, elsewhere it is 0: a comparison makes the mask",
        "dZ4": "a step is flat on both sides: nothing passes through it",
    },
    Training(0.3, 60),
)

LEVELS = (CHAIN, LINEAR, ACTIVATIONS)
