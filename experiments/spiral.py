r"""Section 8.1: the lecture's challenge, to learn the spiral from $X_1$ and $X_2$ alone, by what the playground trains.

The points, the start weights and the training are the playground's (`jaxnn.playground`), whose page can be set up the
same. Runs when it is named: `python -m experiments spiral`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from experiments.record import Options, Result, Table
from jaxnn.data.playground_sets import shuffled, spiral
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.playground import engine, program
from jaxnn.playground.optimizers import menu
from jaxnn.playground.session import SOLVED, grid, start_weights

SECTION = "8.1"
TITLE = "The spiral, from X1 and X2 alone"

FEATURES = ["x", "y"]
HIDDEN = [8, 8, 8, 8]
CONFIG = {
    "problem": "classification",
    "activation": "relu",
    "features": FEATURES,
    "optimizer": "nadam",
    "learningRate": 0.01,
    "batchSize": 15,
    "regularization": "L2",
    "regularizationRate": 0.1,
    "epochs": 1000,
}
SEEDS, EPOCHS, QUICK_EPOCHS = 10, 1000, 100
DEPTHS, WIDTHS, GRID_SEEDS, GRID_EPOCHS = (1, 2, 3, 4, 5, 6), (2, 4, 6, 8), 5, 300
COLOURS = LinearSegmentedColormap.from_list("playground", ["#f59322", "#e8eaeb", "#0877bd"])


class Runs(NamedTuple):
    """Networks trained side by side, one a seed; `history` has the losses and accuracies, train and test, by epoch."""

    networks: program.Network
    history: Float[np.ndarray, "seeds epochs 4"]


def data(seed: str, hidden: list[int]) -> tuple[program.Network, program.Points, program.Points]:
    """Return a network at its start and the 250 training and 250 test points that the playground has for a seed."""
    stream = SeedRandom(seed)
    points = shuffled(stream, spiral(stream, 500, 0.0))
    rows = np.column_stack([points.x, points.y])
    start = start_weights(stream, [len(FEATURES), *hidden, 1], zero=False)
    settings = engine.settings_of(engine.checked(CONFIG | {"hidden": hidden}))
    network = engine.network_of(start, len(FEATURES), hidden, settings.optimizer)
    train, test = (engine.points_of("points", part, FEATURES, program.WIDTH) for part in (rows[:250], rows[250:]))
    return network, train, test


def runs(seeds: list[str], hidden: list[int], epochs: int) -> Runs:
    """Return the networks of all seeds after `epochs` epochs, and how they came there."""
    trials = [data(seed, hidden) for seed in seeds]
    networks, train, test = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trials)
    settings = engine.settings_of(engine.checked(CONFIG | {"hidden": hidden}))
    trained, history = _train(networks, train, test, settings, epochs)
    return Runs(trained, np.asarray(history))


@partial(jax.jit, static_argnames="epochs")
def _train(networks, train, test, settings, epochs: int) -> tuple[Any, Array]:
    def one(network, train, test):
        optimizers = menu(network.params)

        def epoch(network, _):
            network, _ = program.train_epoch(network, settings, train, optimizers)
            ours, theirs = (program.evaluate(network.params, settings, points) for points in (train, test))
            return network, jnp.stack([ours[0], theirs[0], ours[1], theirs[1]])

        return lax.scan(epoch, network, None, length=epochs)

    return jax.vmap(one)(networks, train, test)


def solved_after(history: Float[np.ndarray, "seeds epochs 4"]) -> list[int | None]:
    """Return for each seed the first epoch after which 99 % of the test points are on their side, or None."""
    enough = history[:, :, 3] >= SOLVED
    return [int(row.argmax()) + 1 if row.any() else None for row in enough]


def shapes(options: Options) -> dict[tuple[int, int], Runs]:
    """Return runs of every depth and width, the rest of the set-up the same."""
    seeds = [f"0.{i:05d}" for i in range(1, (2 if options.quick else GRID_SEEDS) + 1)]
    found = {}
    for depth in DEPTHS:
        options.say(f"{depth} hidden layers")
        for width in WIDTHS:
            found[depth, width] = runs(seeds, [width] * depth, 30 if options.quick else GRID_EPOCHS)
    return found


def picture(best: Runs, seed: str, found: dict[tuple[int, int], Runs]) -> Figure:
    """Draw what depth and width change, and the map of one network with its points."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    accuracy = np.array([[np.median(found[d, w].history[:, :, 3].max(1)) for d in DEPTHS] for w in WIDTHS])
    image = left.imshow(accuracy, cmap="Blues", vmin=0.5, vmax=1, origin="lower", aspect="auto")
    for row, width in enumerate(WIDTHS):
        for column, depth in enumerate(DEPTHS):
            after = solved_after(found[depth, width].history)
            text = f"{accuracy[row, column]:.1%}\n{sum(a is not None for a in after)} of {len(after)}"
            left.text(column, row, text, ha="center", va="center", color="w" if accuracy[row, column] > 0.8 else "k")
    left.set(xlabel="hidden layers", ylabel="neurons in each", title="Best test accuracy, median; runs that solve it")
    left.set_xticks(range(len(DEPTHS)), map(str, DEPTHS))
    left.set_yticks(range(len(WIDTHS)), map(str, WIDTHS))
    figure.colorbar(image, ax=left, label="test accuracy")
    _draw_map(right, jax.tree.map(lambda leaf: leaf[0], best.networks), seed)
    return figure


def _draw_map(axes, network: program.Network, seed: str) -> None:
    settings = engine.settings_of(engine.checked(CONFIG | {"hidden": HIDDEN}))
    pixels = jnp.asarray(grid(FEATURES), float)
    output = program.forward(network.params, settings, pixels)[settings.depth, :, 0]
    shade = np.asarray(output).reshape(program.GRID, program.GRID)
    axes.imshow(shade, extent=(-6, 6, -6, 6), cmap=COLOURS, vmin=-1, vmax=1, alpha=0.65)
    _, train, test = data(seed, HIDDEN)
    for points, edge in ((train, "w"), (test, "k")):
        x, y = np.asarray(points.x)[: int(points.n)], np.asarray(points.y)[: int(points.n)]
        axes.scatter(x[:, 0], x[:, 1], c=y, cmap=COLOURS, vmin=-1, vmax=1, s=14, edgecolors=edge, linewidths=0.5)
    axes.set(xlabel="$X_1$", ylabel="$X_2$", title=f"Seed {seed}: test points have a dark edge", aspect="equal")


def run(options: Options) -> Result:
    """Train the networks of all seeds, then those of every depth and width."""
    count = options.seeds or SEEDS
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    seeds = [f"0.{i:05d}" for i in range(1, count + 1)]
    options.say(f"{count} seeds, {epochs} epochs each")
    best = runs(seeds, HIDDEN, epochs)
    after = solved_after(best.history)
    solved = sum(epoch is not None for epoch in after)
    options.say(f"solved: {solved} of {count}")
    rows = [
        [
            seed,
            *(["–", "–"] if epoch is None else [str(epoch), f"{history[epoch - 1, 3]:.1%}"]),
            f"{history[-1, 3]:.1%}",
        ]
        for seed, epoch, history in zip(seeds, after, best.history, strict=True)
    ]
    header = ["seed", "solved after epoch", "test accuracy then", f"after all {epochs}"]
    short = f" This is a quick run: {epochs} epochs in place of {EPOCHS}." if options.quick else ""
    remarks = [
        f"Solved, at least 99 % of the 250 test points on their side, by {solved} of {count} seeds.{short} Four layers "
        "of 8 ReLU nodes, Nadam at 0.01, batches of 15, L2 at 0.1, no noise; a run stops when it is solved, as in the "
        "playground where it is asked to. Such a stop looks at the test points. The last column does not, and may "
        "be lower: the accuracy goes up and down by some points from epoch to epoch."
    ]
    caption = "The spiral from X1 and X2 alone: what depth and width change, and one network's map."
    figure = picture(best, seeds[0], shapes(options))
    return Result({}, {}, [Table("Every seed", header, rows)], remarks, {"spiral": (figure, caption)})
