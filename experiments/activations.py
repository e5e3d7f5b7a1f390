"""Section 4: the network with a hidden layer, its activation functions and its loss, each with its derivative by hand.

Figures 3 and 4. The section prints no numbers; the tables set every hand-written derivative beside `jax.grad`, on both
sides of each kink and at it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from matplotlib.figure import Figure

from experiments.record import Options, Result, Table
from jaxnn import draw, losses, ops

SECTION = "4"
TITLE = "Backpropagation for a neural network with a hidden layer"

RULES = {
    "sigmoid": (ops.sigmoid, ops.sigmoid_fwd, ops.sigmoid_bwd),
    "tanh": (ops.tanh, ops.tanh_fwd, ops.tanh_bwd),
    "ReLU": (ops.relu, ops.relu_fwd, ops.relu_bwd),
    "Heaviside": (ops.heaviside, ops.heaviside_fwd, ops.heaviside_bwd),
}
POINTS = (-4.0, -1.0, 0.0, 0.5, 4.0)  # 0 is the kink of ReLU and the jump of Heaviside


def by_hand(name: str, x: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Return the activation `name` at `x` and its derivative there, from the hand-written rule."""
    _, fwd, bwd = RULES[name]
    y, residuals = fwd(x)
    return y, bwd(residuals, jnp.ones_like(y))[0]


def by_autodiff(name: str, x: Float[Array, " n"]) -> Float[Array, " n"]:
    """Return the derivative of the activation `name` at each `x`, from `jax.grad`."""
    return jax.vmap(jax.grad(RULES[name][0]))(x)


def bernoulli(p: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, ""]:
    r"""Return $J = -\sum_i y_i \log p_i + (1 - y_i) \log(1 - p_i)$, the lecture's formula to the letter."""
    return -jnp.sum(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


def bernoulli_slope(p: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, " n"]:
    r"""Return $\partial J / \partial p_i = -(y_i - p_i) / (p_i (1 - p_i))$."""
    return -(y - p) / (p * (1 - p))


def bernoulli_logit_slope(z: Float[Array, " n"], y: Float[Array, " n"]) -> Float[Array, " n"]:
    r"""Return $\partial J / \partial z_i = \hat y_i - y_i$, $\hat y = \sigma(z)$: the denominator has cancelled."""
    _, residuals = losses.bernoulli_fwd(z[:, None], y[:, None])
    return losses.bernoulli_bwd(residuals, jnp.ones(()))[0][:, 0]


def activation_table() -> Table:
    """Return every activation and its derivative at `POINTS`, by hand and by `jax.grad`."""
    x = jnp.asarray(POINTS)
    rows = []
    for name in RULES:
        columns = (x, *by_hand(name, x), by_autodiff(name, x))
        rows += [[name, *(f"{v:.7g}" for v in row)] for row in zip(*map(np.asarray, columns), strict=True)]
    header = ["activation", "x", "value", "derivative by hand", "jax.grad"]
    return Table("Activation functions and their derivatives", header, rows)


def loss_table() -> Table:
    """Return the derivatives of the Bernoulli loss, by the prediction and by the logit, by hand and by `jax.grad`."""
    z, y = map(jnp.ravel, jnp.meshgrid(jnp.array([-3.0, -0.5, 0.0, 2.0]), jnp.array([0.0, 1.0])))
    p = ops.sigmoid(z)
    columns = (
        *(y, z, p),
        *(bernoulli_slope(p, y), jax.grad(bernoulli)(p, y)),
        *(bernoulli_logit_slope(z, y), jax.grad(lambda z: bernoulli(ops.sigmoid(z), y))(z)),
    )
    rows = [[f"{v:.7g}" for v in row] for row in zip(*map(np.asarray, columns), strict=True)]
    header = ["y", "z", "ŷ = σ(z)", "∂J/∂ŷ by hand", "jax.grad", "∂J/∂z = ŷ − y by hand", "jax.grad"]
    return Table("The Bernoulli loss and its derivatives", header, rows)


def hidden_layer_figure() -> Figure:
    """Return figure 3: two inputs, four hidden nodes, one output."""
    hidden = [rf"$a_{j}^{{[1]}}$" for j in range(1, 5)]
    return draw.network((2, 4, 1), hidden_names=[hidden], intercept_name="$x_0$")


def activation_figure() -> Figure:
    """Return figure 4: the activation functions on [-4, 4] and, beside them, their hand-written derivatives.

    As in the lecture tanh is drawn as (1 + tanh x) / 2, so its derivative is halved too.
    """
    x = jnp.linspace(-4, 4, 801)  # 0 is a point of the grid
    lines = (
        ("sigmoid", "sigmoid", 0.0, 1.0, "#222222"),
        ("tanh", "(1 + tanh) / 2", 0.5, 0.5, "#D7191C"),
        ("Heaviside", "Heaviside", 0.0, 1.0, draw.BLUE),
        ("ReLU", "ReLU", 0.0, 1.0, draw.ORANGE),
    )
    curves = [(label, color, shift, scale, *by_hand(name, x)) for name, label, shift, scale, color in lines]
    values = {label: (shift + scale * y, color) for label, color, shift, scale, y, _ in curves}
    slopes = {label: (scale * slope, color) for label, color, _, scale, _, slope in curves}
    return draw.curves(x, {"value": values, "derivative": slopes}, ylim=(-0.05, 1.15))


def run(options: Options) -> Result:
    """Return figures 3 and 4 and the tables of derivatives, in float64."""
    options.say("activation functions and the Bernoulli loss, by hand and by jax.grad")
    with jax.enable_x64(True):
        figures = {
            3: (hidden_layer_figure(), "A neural network with a single hidden layer of 4 nodes and a single output"),
            4: (activation_figure(), "Four common activation functions and their derivatives"),
        }
        tables = [activation_table(), loss_table()]
    remarks = [
        "At its kink ReLU has no derivative, and neither has Heaviside at its jump: there the value 0 is taken for "
        "both, and Heaviside(0) = 0 as the lecture's `x > 0` has it."
    ]
    return Result({}, figures, tables, remarks)
