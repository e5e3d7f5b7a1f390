r"""Section 6: backpropagation by hand for one hidden layer, on the circle with 2 and 4 nodes and on the flower with 4.

All of R's random stream: `set.seed(20240402)`, 2000 normals for the points, then the start weights, network after
network. Everything in float64; the lecture, with one example a column, prints the transposes of our arrays.
"""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

from experiments.record import Number, Options, Result, Table
from jaxnn import draw
from jaxnn.data import Points, RRandom, circle, flower
from jaxnn.networks import hidden_layer
from jaxnn.train import fit, predict

SECTION = "6"
TITLE = "Backpropagation by hand for a network with a hidden layer"
SEED = 20240402
ITERATIONS, RATE = 50_000, 0.1
DEFAULT_SEEDS = 5
PRINTED = np.arange(10_000, ITERATIONS + 1, 10_000)


class Trained(NamedTuple):
    """A trained network beside the same training with the gradient from `jax.grad`."""

    params: hidden_layer.Params
    costs: np.ndarray  # before each update, by hand
    autodiff: np.ndarray


def run(options: Options) -> Result:
    """Return figures 9 to 15, every number of the section and what stochastic gradient descent adds, in float64."""
    with jax.enable_x64(True):
        rng = RRandom(SEED)
        points = circle(rng)
        start = hidden_layer.init(rng, 2, 4, 1, dtype=float)
        numbers = one_step(start, points)
        # In this order: each draws its start weights from where the one before has left R's stream.
        two, four = (train(rng, points, n_hidden) for n_hidden in (2, 4))
        options.say("circle trained with 2 and with 4 hidden nodes")
        flowers = [train_flower(SEED + i) for i in range(options.seeds or (2 if options.quick else DEFAULT_SEEDS))]
        options.say(f"flower trained from {len(flowers)} random states")
        table = stochastic_beside_full_batch(points, start)
        flower_points, blossom = flowers[0]
        figures = draw_figures(points, two, four, flower_points, blossom)
    numbers |= {
        "hidden.cost.circle2": Number(two.costs[PRINTED - 1], two.autodiff[PRINTED - 1]),
        "hidden.cost.circle4": Number(four.costs[PRINTED - 1], four.autodiff[PRINTED - 1]),
        "hidden.cost.flower4": Number(
            blossom.costs[PRINTED - 1],
            blossom.autodiff[PRINTED - 1],
            samples=[net.costs[PRINTED - 1] for _, net in flowers],
            note=f"ours from set.seed({SEED}) and the {len(flowers) - 1} seeds after it",
        ),
    }
    remark = (
        "The lecture makes the flower after `set.seed(set.seed(20240402))`. In R the inner call returns NULL, and "
        "`set.seed(NULL)` seeds from the clock: its points and costs cannot be had again. Ours come from the seeds "
        "given here, and the lecture's costs are compared with their spread."
    )
    outputs = (
        "The lecture's `db2` adds up the errors of all outputs, right for one output only. Ours has an entry for each."
    )
    return Result(numbers, figures, [table], [remark, outputs])


def one_step(params: hidden_layer.Params, points: Points) -> dict[str, Number]:
    """Return the numbers of the lecture's steps 0 to 4: the start, one pass forward and back, one update."""
    x, y = jnp.asarray(points.x), jnp.asarray(points.y)[:, None]
    values = hidden_layer.forward(params, x)
    cost, grads = hidden_layer.value_and_grad(params, x, y)
    witness = jax.value_and_grad(hidden_layer.loss)(params, x, y)
    after, after_witness = (hidden_layer.update(params, g, 0.01) for g in (grads, witness[1]))
    numbers = {
        "hidden.layer_size": Number(hidden_layer.layer_sizes(x, y, 4)),
        "hidden.Z1": Number(values.Z1[:5].T),
        "hidden.A1": Number(values.A1[:5].T),
        "hidden.Z2": Number(values.Z2[:5, 0]),
        "hidden.A2": Number(values.A2[:5, 0]),
        "hidden.cost": Number(cost, witness[0]),
    }
    for name in params:
        numbers[f"hidden.init.{name}"] = Number(params[name].T)
        numbers[f"hidden.grad.{name}"] = Number(grads[name].T, witness[1][name].T)
        numbers[f"hidden.step.{name}"] = Number(after[name].T, after_witness[name].T)
    return numbers


def train(rng: RRandom, points: Points, n_hidden: int) -> Trained:
    """Return the lecture's `trainModel`: start weights from the stream, then full-batch gradient descent."""
    params = hidden_layer.init(rng, 2, n_hidden, 1, dtype=float)
    by_hand, by_autodiff = (
        fit(gradient, params, optax.sgd(RATE), points, epochs=ITERATIONS)
        for gradient in (hidden_layer.value_and_grad, jax.value_and_grad(hidden_layer.loss))
    )
    return Trained(by_hand.params, by_hand.history["loss"], by_autodiff.history["loss"])


def train_flower(seed: int) -> tuple[Points, Trained]:
    """Return a flower's points and the network with 4 hidden nodes trained on them."""
    rng = RRandom(seed)
    points = flower(rng)
    return points, train(rng, points, 4)


def stochastic_beside_full_batch(points: Points, params: hidden_layer.Params) -> Table:
    """Return what the same number of passes over the circle costs and brings, by batch size."""
    epochs, rows = 1000, []
    for batch_size in (None, 100, 10):
        start = time.perf_counter()
        fitted = fit(
            hidden_layer.value_and_grad,
            params,
            optax.sgd(RATE),
            points,
            epochs=epochs,
            batch_size=batch_size,
            key=jax.random.key(SEED),
        )
        seconds = time.perf_counter() - start
        cost = float(hidden_layer.loss(fitted.params, *map(jnp.asarray, points)))
        name = "all 1000 (full batch)" if batch_size is None else str(batch_size)
        rows.append([name, f"{epochs * 1000 // (batch_size or 1000):,}", f"{cost:.4f}", f"{seconds:.1f} s"])
    header = ["points a step", "steps", "cost afterwards", "time, with compiling"]
    title = (
        f"Stochastic gradient descent beside full batch: {epochs:,} passes over the circle, 4 hidden nodes, rate {RATE}"
    )
    return Table(title, header, rows)


def draw_figures(
    points: Points, two: Trained, four: Trained, flower_points: Points, blossom: Trained
) -> dict[int, tuple[Figure, str]]:
    """Return figures 9 to 15 with their captions: the circle learned by 2 and by 4 nodes, and the flower."""
    prediction = predict(hidden_layer.apply, two.params, points.x)[:, 0]
    angle = np.linspace(0, 2 * np.pi, 100)
    names = ("prediction ≤ 0.5", "prediction > 0.5")
    ring = np.column_stack([np.cos(angle), np.sin(angle)])
    return {
        9: (draw.cost_curve(two.costs), "Negative Bernoulli log likelihood by iteration, 2 hidden nodes, circle."),
        10: (draw.points(points.x, prediction, boundary=ring, names=names), "Predictions with 2 hidden nodes."),
        11: (draw.cost_curve(four.costs), "Negative Bernoulli log likelihood by iteration, 4 hidden nodes, circle."),
        12: (regions(four, points), "Predictions with 4 hidden nodes: the circle is learned."),
        13: (draw.points(*flower_points), f"Simulated data with a complex boundary, from set.seed({SEED})."),
        14: (draw.cost_curve(blossom.costs), "Negative Bernoulli log likelihood by iteration, 4 hidden nodes, flower."),
        15: (regions(blossom, flower_points), "Predictions with 4 hidden nodes, flower."),
    }


def regions(trained: Trained, points: Points) -> Figure:
    """Return the prediction over the plane."""
    return draw.decision_map(lambda x: predict(hidden_layer.apply, trained.params, x)[:, 0], points.x, points.y)
