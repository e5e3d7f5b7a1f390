r"""Section 7: what R's `neuralnet` does, resilient backpropagation on the circle, restarts side by side.

The lecture's run starts from weights that came from the clock (section 6 re-seeded R so): its 74,792 steps and error of
0.41125 are one draw, shown inside the spread of ours. Everything in float64.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np

from experiments.record import Number, Options, Result, Table
from jaxnn import draw
from jaxnn.data import RRandom, circle
from jaxnn.networks import hidden_layer
from jaxnn.optimizers import rprop_plus
from jaxnn.restarts import Restarts, fit_until
from jaxnn.train import predict

SECTION = "7"
TITLE = "R's neuralnet: resilient backpropagation"
SEED = 20240402
RESTARTS, N_HIDDEN = 8, 4
THRESHOLD, STEPMAX, QUICK_STEPMAX = 0.01, 1_000_000, 30_000


def run(options: Options) -> Result:
    with jax.enable_x64(True):
        rng = RRandom(SEED)
        points = circle(rng)
        starts = [start_weights(rng) for _ in range(RESTARTS)]
        begin = time.perf_counter()
        restarts = train(starts, points, options)
        seconds = time.perf_counter() - begin
        best = int(np.argmin(restarts.loss))
        params = jax.tree.map(lambda leaf: leaf[best], restarts.params)
        matrices = layer_matrices(params)
        regions = draw.decision_map(lambda x: predict(hidden_layer.apply, params, x)[:, 0], points.x, points.y)
        agreement = same_gradient(params, points)
    numbers = {
        "neuralnet.steps": number(restarts.steps, best, 74_792, "{:,.0f}"),
        "neuralnet.error": number(restarts.loss, best, 0.41125, "{:.3f}"),
    }
    caption = f"Error: {restarts.loss[best]:.6f}   Steps: {restarts.steps[best]}"
    diagram = draw.network((2, N_HIDDEN, 1), matrices, input_names=["x1", "x2"], output_names=["y"], caption=caption)
    figures = {
        16: (draw.points(*points), "Simulated circular classification boundary."),
        17: (diagram, "The network estimated by resilient backpropagation, the best of the restarts."),
        18: (regions, "Predictions of the network estimated by resilient backpropagation."),
    }
    remarks = [
        f"{RESTARTS} restarts side by side took {seconds:.0f} s, {seconds / restarts.steps.max() * 1e6:.0f} µs a step "
        "of all; R's single run in the lecture took 39.35 s.",
        f"At the best weights the gradient by hand and that of `jax.grad` differ by at most {agreement:.1e}.",
    ]
    return Result(numbers, figures, [table(restarts)], remarks)


def number(values: np.ndarray, best: int, lecture: float, form: str) -> Number:
    """Return the best restart's value beside all of them; these lie factors apart, so the note has logarithms too."""
    logarithms = np.log(values)
    sds = (np.log(lecture) - logarithms.mean()) / logarithms.std(ddof=1)
    low, high = (form.format(v) for v in (values.min(), values.max()))
    note = f"the best of {RESTARTS} restarts after set.seed({SEED}), which range from {low} to {high}"
    note += f"; by logarithms the lecture's run lies {sds:+.1f} sd from our mean"
    return Number(values[best], samples=values.tolist(), note=note)


def start_weights(rng: RRandom) -> dict[str, np.ndarray]:
    """Return neuralnet's start: normals for all weights, node by node, each node's intercept first."""
    hidden = rng.rnorm(N_HIDDEN * 3).reshape(N_HIDDEN, 3).T
    output = rng.rnorm(N_HIDDEN + 1)[:, None]
    return {"W1": hidden[1:], "b1": hidden[0], "W2": output[1:], "b2": output[0]}


def train(starts, points, options: Options) -> Restarts:
    def progress(steps, largest):
        if steps.max() % 100_000 < 10_000:
            options.say(f"{steps.max():,} steps, {(largest > THRESHOLD).sum()} of {RESTARTS} restarts still running")

    side_by_side = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts)
    return fit_until(
        hidden_layer.half_squared_error_and_grad,
        side_by_side,
        rprop_plus(),
        points,
        threshold=THRESHOLD,
        stepmax=QUICK_STEPMAX if options.quick else STEPMAX,
        progress=progress,
    )


def same_gradient(params, points) -> float:
    by_hand = hidden_layer.half_squared_error_and_grad(params, *points)[1]
    by_autodiff = jax.grad(hidden_layer.half_squared_error)(params, *points)
    return max(float(jnp.abs(by_hand[name] - by_autodiff[name]).max()) for name in params)


def layer_matrices(params) -> list[np.ndarray]:
    """Return the weights as neuralnet keeps them: a matrix a layer, the intercepts in its first row."""
    return [np.vstack([params[f"b{k}"], params[f"W{k}"]]) for k in (1, 2)]


def table(restarts: Restarts) -> Table:
    rows = []
    for rank, i in enumerate(np.argsort(restarts.loss), 1):
        reached = f"{restarts.largest_gradient[i]:.5f}" + ("" if restarts.converged[i] else " (stepmax)")
        rows.append([str(rank), f"{restarts.loss[i]:.5f}", f"{restarts.steps[i]:,}", reached])
    rows.append(["lecture", "0.41125", "74,792", "at most 0.01"])
    return Table(f"{RESTARTS} restarts, by error", ["rank", "error", "steps", "largest gradient reached"], rows)
