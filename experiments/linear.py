r"""Sections 2 and 5: the linear network, trained by the lecture's update on two boundaries that no line can draw.

The lecture's update $\beta \leftarrow \beta + \lambda X'(y - \hat y)$ is gradient descent on the mean squared error at
the rate $\lambda n / 2$ (see `jaxnn.networks.linear`). Everything in float64.
"""

from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float
from matplotlib.figure import Figure

from experiments.record import Number, Options, Result, Table
from jaxnn import draw
from jaxnn.data import RRandom, circle_labels, sigmoid_boundary
from jaxnn.networks import linear
from jaxnn.train import fit

SECTION = "2, 5"
TITLE = "A linear network, and two boundaries that are not lines"
SEED = 20240402
LEARNING_RATE = 0.0001
BETA = (0.0, -1.0, 0.0)  # the lecture's starting values
SIGMOID_ITERATIONS = 1, 2, 5, 10, 50, 100
CIRCLE_ITERATIONS = 1, 20, 25, 30, 40, 50


def run(options: Options) -> Result:
    """Return figures 1 and 5 to 8, the lecture's two numbers and where the steps lead, in float64."""
    with jax.enable_x64(True):
        x, curved = sigmoid_boundary(RRandom(SEED))
        round_ = circle_labels(x)
        sigmoid_betas = betas(linear.value_and_grad, x, curved, around(SIGMOID_ITERATIONS))
        circle_betas = betas(linear.value_and_grad, x, round_, around(CIRCLE_ITERATIONS))
        witness = betas(jax.value_and_grad(linear.loss), x, round_, around(CIRCLE_ITERATIONS))
        least_squares = [ordinary_least_squares(x, y) for y in (curved, round_)]
    final = circle_betas[CIRCLE_ITERATIONS[-1]]
    numbers = {
        "linear.circle.mean_y": Number(round_.mean()),
        "linear.circle.beta": Number(final, witness[CIRCLE_ITERATIONS[-1]]),
    }
    figures = {
        1: (linear_network(), "A linear model as a network."),
        5: (draw.points(x, curved, boundary=sigmoid_curve()), "Simulated data with a sigmoid separation boundary."),
        6: (
            panels(x, sigmoid_betas, SIGMOID_ITERATIONS, sigmoid_curve()),
            "Predicted values from the linear perceptron.",
        ),
        7: (draw.points(x, round_), "Simulated circular classification boundary."),
        8: (
            panels(x, circle_betas, CIRCLE_ITERATIONS, unit_circle()),
            "Predicted values from the linear perceptron, circular boundary.",
        ),
    }
    rows = [
        row("sigmoid", SIGMOID_ITERATIONS[-1], sigmoid_betas[SIGMOID_ITERATIONS[-1]], least_squares[0]),
        row("circle", CIRCLE_ITERATIONS[-1], final, least_squares[1]),
    ]
    header = ["boundary", "iterations", "β by gradient descent", "β by ordinary least squares"]
    remark = (
        "The gradient by hand is `-2 X'(y - ŷ)`; the lecture's learning rate of 0.0001 has absorbed the 2. The steps "
        "lead to the ordinary least squares solution, which is the best that a line can do."
    )
    return Result(numbers, figures, [Table("Where the steps lead", header, rows)], [remark])


def betas(
    value_and_grad: Callable, x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, " n"], iterations: Sequence[int]
) -> dict[int, Float[np.ndarray, "3"]]:
    r"""Return the lecture's $\beta$ after each of the given numbers of iterations, which are in order."""
    params = {"W1": jnp.array(BETA[1:])[:, None], "b1": jnp.array(BETA[:1])}
    optimizer = optax.sgd(LEARNING_RATE * len(x) / 2)
    found, done = {}, 0
    for iteration in iterations:
        if iteration > done:
            params, _ = fit(value_and_grad, params, optimizer, (x, y), epochs=iteration - done)
        found[iteration], done = np.concatenate([params["b1"], params["W1"][:, 0]]), iteration
    return found


def around(iterations: Iterable[int]) -> list[int]:
    """Return the given iterations and those before them, in order."""
    return sorted({j for i in iterations for j in (i - 1, i)})


def ordinary_least_squares(x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, "3"]:
    r"""Return the $\beta$ that minimizes $|y - X\beta|^2$, by NumPy."""
    design = np.column_stack([np.ones(len(x)), x])
    return np.linalg.lstsq(design, y, rcond=None)[0]


def row(name: str, iterations: int, beta: np.ndarray, solution: np.ndarray) -> list[str]:
    """Return a line of the table."""
    return [name, str(iterations), *(", ".join(f"{b:.4f}" for b in values) for values in (beta, solution))]


def linear_network() -> Figure:
    """Return figure 1."""
    labels = [[[r"$\hat\beta_0$"], [r"$\hat\beta_1$"], [r"$\hat\beta_2$"]]]
    return draw.network((2, 1), labels=labels, intercept_name="$x_0$")


def panels(
    x: Float[np.ndarray, "n 2"],
    found: dict[int, Float[np.ndarray, "3"]],
    iterations: Sequence[int],
    boundary: Float[np.ndarray, "m 2"],
) -> Figure:
    """Return the predictions of the given iterations, each made, as in the lecture, before its own update."""
    before = {i: found[i - 1] for i in iterations}
    return draw.panels(x, {i: beta[0] + x @ beta[1:] for i, beta in before.items()}, boundary=boundary)


def sigmoid_curve() -> Float[np.ndarray, "m 2"]:
    """Return the boundary of the first set of points."""
    x1 = np.linspace(-3, 3, 100)
    return np.column_stack([x1, 2 * (1 / (1 + np.exp(-4 * x1)) - 0.5)])


def unit_circle() -> Float[np.ndarray, "m 2"]:
    """Return the boundary of the second set of points."""
    angle = np.linspace(0, 2 * np.pi, 100)
    return np.column_stack([np.cos(angle), np.sin(angle)])
