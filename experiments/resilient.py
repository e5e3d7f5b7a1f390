r"""Section 7: what R's `neuralnet` does, resilient backpropagation on the circle, a hundred restarts side by side.

The lecture's run starts from weights that came from the clock (section 6 re-seeded R so): its 74,792 steps and error of
0.41125 are one draw, shown inside the spread of ours. Everything in float64.
"""

import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from experiments.record import Number, Options, Result, Table
from jaxnn import draw, neuralnet
from jaxnn.data import Points, RRandom, circle
from jaxnn.r_neuralnet import NeuralNet
from jaxnn.r_neuralnet.inference import outputs
from jaxnn.r_neuralnet.network import error_of, objective

SECTION = "7"
TITLE = "R's neuralnet: resilient backpropagation"
SEED = 20240402
RESTARTS, QUICK_RESTARTS = 100, 8
THRESHOLD, STEPMAX, QUICK_STEPMAX = 0.01, 1_000_000, 30_000
LECTURE = {"steps": 74_792, "error": 0.41125}


def run(options: Options) -> Result:
    """Return figures 16 to 18, the lecture's two numbers beside those of all restarts, and the two pictures of them."""
    rng = RRandom(SEED)
    points = circle(rng)
    begin = time.perf_counter()
    net = train(points, rng, options)
    seconds = time.perf_counter() - begin
    count, best = len(net.error), net.best
    numbers = {
        "neuralnet.steps": number(net.steps, best, LECTURE["steps"], "{:,.0f}"),
        "neuralnet.error": number(net.error, best, LECTURE["error"], "{:.3f}"),
    }
    predicted = net.predict_function("best")
    # Its weights are so large that the prediction jumps from 0 to 1: a fine grid, or the boundary would be its steps.
    regions = draw.decision_map(
        lambda x: np.asarray(predicted(jnp.asarray(x)))[:, 0], points.x, points.y, resolution=500
    )
    figures = {
        16: (draw.points(*points), "Simulated circular classification boundary."),
        17: (net.plot(), "The network estimated by resilient backpropagation, the best of the restarts."),
        18: (regions, "Predictions of the network estimated by resilient backpropagation."),
    }
    picture = draw.restarts(net.steps, net.error, net.converged, LECTURE["steps"], LECTURE["error"])
    pictures = {
        "restarts": (picture, f"Steps and error of {count} restarts, and of the lecture's run."),
        "errors": (net.plot_errors(), f"The error of {count} restarts by step."),
    }
    remarks = [
        f"{count} restarts side by side took {seconds:.0f} s, {seconds / net.steps.sum() * 1e6:.0f} µs a step of one; "
        "R's single run in the lecture took 39.35 s.",
        f"{int(net.converged.sum())} of {count} restarts reached the threshold within {net.settings.stepmax:,} steps.",
        f"At the best weights the gradient by hand and that of `jax.grad` differ by at most {same_gradient(net):.1e}.",
    ]
    return Result(numbers, figures, [table(net)], remarks, pictures)


def train(points: Points, rng: RRandom, options: Options) -> NeuralNet:
    """Return what the lecture's call returns, `neuralnet(y~x1+x2, hidden=c(4), linear.output=FALSE, ...)`."""
    count = QUICK_RESTARTS if options.quick else RESTARTS

    def progress(steps, smallest):
        if steps.max() % 100_000 == 0:
            options.say(f"{steps.max():,} steps, {(smallest > THRESHOLD).sum()} of {count} restarts still running")

    with warnings.catch_warnings():  # the table says which restarts did not converge
        warnings.filterwarnings("ignore", "Algorithm did not converge")
        return neuralnet(
            "y ~ x1 + x2",
            {"x1": points.x[:, 0], "x2": points.x[:, 1], "y": points.y},
            hidden=(4,),
            threshold=THRESHOLD,
            stepmax=QUICK_STEPMAX if options.quick else STEPMAX,
            rep=count,
            err_fct="sse",
            act_fct="logistic",
            linear_output=False,
            rng=rng,
            lifesign=progress,
            lifesign_step=10_000,
        )


def number(values: np.ndarray, best: int, lecture: float, form: str) -> Number:
    """Return the best restart's value beside all of them; these lie factors apart, so the note has logarithms too."""
    logarithms = np.log(values)
    low, high = (form.format(v) for v in (values.min(), values.max()))
    note = f"the best of {len(values)} restarts after set.seed({SEED}), which range from {low} to {high}"
    if spread := logarithms.std(ddof=1):  # none where no restart had time to converge
        sds = (np.log(lecture) - logarithms.mean()) / spread
        note += f"; by logarithms the lecture's run lies {sds:+.1f} sd from our mean"
    return Number(values[best], samples=values.tolist(), note=note)


def same_gradient(net: NeuralNet) -> float:
    """Return the largest difference between the gradient by hand and that of `jax.grad` at the best weights."""
    shape = net.architecture
    with jax.enable_x64(True):
        weights, x, y = map(jnp.asarray, (net.vector("best"), net.covariate, net.response))
        by_hand = objective(shape, ())(weights, x, y)[1]
        plain = jax.grad(lambda w: error_of(outputs(w, x, architecture=shape).T, y.T, shape))(weights)
        return float(jnp.abs(by_hand - plain).max())


def table(net: NeuralNet) -> Table:
    """Return the ten best restarts, the quartiles of all, and the lecture's."""
    order = np.argsort(net.error)
    named = {str(rank): i for rank, i in enumerate(order[:10], 1)}
    named |= {str(rank): order[rank - 1] for rank in range(25, len(order) + 1, 25)}
    rows = []
    for rank, i in named.items():
        reached = f"{net.reached_threshold[i]:.5f}" + ("" if net.converged[i] else " (stepmax)")
        rows.append([rank, f"{net.error[i]:.5f}", f"{net.steps[i]:,}", reached])
    rows.append(["lecture", "0.41125", "74,792", "at most 0.01"])
    return Table(f"{len(order)} restarts, by error", ["rank", "error", "steps", "largest gradient reached"], rows)
