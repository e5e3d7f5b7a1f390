r"""Section 8.1: the lecture's challenge, to learn the spiral from $X_1$ and $X_2$ alone, by what the playground trains.

The points, the start weights and the training are the playground's (`jaxnn.playground`), whose page can be set up the
same. Runs when it is named: `python -m experiments spiral`.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from experiments.record import Options, Result, Table
from jaxnn import draw
from jaxnn.data.playground_sets import shuffled, spiral
from jaxnn.data.seedrandom import SeedRandom
from jaxnn.playground import engine, program
from jaxnn.playground.optimizers import Menu, menu
from jaxnn.playground.program import Network, Params, Points, Settings
from jaxnn.playground.session import SOLVED, grid, start_weights

SECTION = "8.1"
TITLE = "The spiral, from X1 and X2 alone"

FEATURES = ["x", "y"]
# Of 400 seeds that had no part in the choice, 386 solve it.
CONFIG = {
    "problem": "classification",
    "features": FEATURES,
    "hidden": [8, 8, 8, 8, 8],
    "activation": "relu",
    "optimizer": "radam",
    "learningRate": 0.01,
    "batchSize": 15,
    "regularization": "L2",
    "regularizationRate": 0.1,
}
# What the page starts with.
START = {"hidden": [4, 2], "activation": "tanh", "optimizer": "sgd", "learningRate": 0.03, "batchSize": 10}
START |= {"regularization": "none"}
CHANGES = {
    "nothing": {},
    "no penalty": {"regularization": "none"},
    "tanh for ReLU": {"activation": "tanh"},
    "Adam for RAdam": {"optimizer": "adam"},
    "plain descent at 0.03, no penalty": {"optimizer": "sgd", "learningRate": 0.03, "regularization": "none"},
    "all, to what the page starts with": START,
}
QUICK_CHANGES = 3  # those with the same optimizer, which need no other program
SEEDS, SEEDS_OF_SHAPE = 10, 5
EPOCHS, QUICK_EPOCHS = 1000, 100
DEPTHS, QUICK_DEPTHS = (1, 2, 3, 4, 5, 6), (1, 4)
WIDTHS, QUICK_WIDTHS = (2, 3, 4, 5, 6, 7, 8), (2, 8)
# A padding that all of these share, and smaller than the page's: one program, and a faster one.
LAYERS, WIDTH = 7, 8
ARMS = 5000  # points of the arms, ten times as dense as those that a set-up has
ORANGE_TO_BLUE = LinearSegmentedColormap.from_list("playground", ["#f59322", "#e8eaeb", "#0877bd"])
WHITE_TO_BLUE = LinearSegmentedColormap.from_list("accuracy", ["#f2f5f7", "#0877bd"])


class Runs(NamedTuple):
    """Networks trained side by side, as they were when they solved it, or else after the last epoch."""

    params: Params
    test: Float[np.ndarray, "runs epochs"]  # accuracy after each epoch; the training goes on when it is solved
    train: Float[np.ndarray, " runs"]  # accuracy of `params`
    arms: Float[np.ndarray, " runs"]

    @property
    def solved(self) -> Bool[np.ndarray, " runs"]:
        """Whether each run had at least 99 % of the test points on their side after some epoch."""
        return (self.test >= SOLVED).any(1)

    @property
    def epochs(self) -> Int[np.ndarray, " runs"]:
        """The epochs after which `params` were taken: the first with 99 % of the test points on their side, or all."""
        return np.where(self.solved, (self.test >= SOLVED).argmax(1) + 1, self.test.shape[1])

    @property
    def stopped(self) -> Float[np.ndarray, " runs"]:
        """The test accuracy of `params`."""
        return self.test[np.arange(len(self.test)), self.epochs - 1]


def settings_of(config: Mapping[str, Any]) -> Settings:
    """Return a set-up as the playground's program takes it; how many epochs is said elsewhere."""
    return engine.settings_of(engine.checked({"epochs": 0, **config}))


def seeds_of(count: int) -> list[str]:
    """Return seeds of the form that the page draws."""
    return [f"{i / 1e5:.5f}" for i in range(1, count + 1)]


def data(seed: str, config: Mapping[str, Any] = CONFIG) -> tuple[Network, Points, Points]:
    """Return the network at its start and the 250 training and 250 test points that the playground has for a seed."""
    stream = SeedRandom(seed)
    points = shuffled(stream, spiral(stream, 500, 0.0))
    start = start_weights(stream, [len(FEATURES), *config["hidden"], 1], zero=False)
    network = engine.network_of(start, len(FEATURES), config["hidden"])
    params = Params(network.params.W[:LAYERS, :WIDTH, :WIDTH], network.params.b[:LAYERS, :WIDTH])
    network = network._replace(
        params=params,
        alive=network.alive[:LAYERS, :WIDTH, :WIDTH],
        sums=jax.tree.map(jnp.zeros_like, params),
        optimizer=engine.start_of(params, settings_of(config).optimizer),
    )
    return network, padded(points.x[:250], points.y[:250]), padded(points.x[250:], points.y[250:])


def padded(x: Float[np.ndarray, "n 2"], y: Float[np.ndarray, " n"]) -> Points:
    """Return points as the playground's program takes them, padded to `WIDTH`."""
    return engine.points_of("points", np.column_stack([x, y]), FEATURES, WIDTH)


def runs(seeds: Sequence[str], epochs: int, configs: Sequence[Mapping[str, Any]] = (CONFIG,)) -> Runs:
    """Return a run of every seed from each set-up, in this order; the set-ups differ in their layers' widths alone."""
    trials = [data(seed, config) for config in configs for seed in seeds]
    networks, train, test = (_stacked(parts) for parts in zip(*trials, strict=True))
    settings = settings_of(configs[0])
    place = int(settings.optimizer)
    arms = spiral(SeedRandom("arms"), ARMS, 0.0)
    found = _train(networks, train, test, padded(arms.x, arms.y), settings, SOLVED, place, epochs)
    return Runs(found[0], *map(np.asarray, found[1:]))


def _stacked(trees: Sequence[Any]) -> Any:
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
    # The number of points is the same for all: one number, and what depends on it alone is not done once a network.
    return stacked._replace(n=trees[0].n) if isinstance(stacked, Points) else stacked


@partial(jax.jit, static_argnames=("optimizer", "epochs"))
def _train(networks, train, test, arms, settings, enough, optimizer: int, epochs: int):
    settings = settings._replace(optimizer=jnp.int32(0))  # of a menu with one: the others are not compiled

    def one(network, train, test):
        every = menu(network.params)
        only = Menu(every.starts[optimizer, None], [every.branches[optimizer]])

        def epoch(carry, _):
            network, kept, solved = carry
            network, _ = program.train_epoch(network, settings, train, only)
            accuracy = program.evaluate(network.params, settings, test)[1]
            kept = jax.tree.map(lambda old, new: jnp.where(solved, old, new), kept, network.params)
            return (network, kept, solved | (accuracy >= enough)), accuracy

        (_, kept, _), accuracy = lax.scan(epoch, (network, network.params, jnp.bool(False)), length=epochs)
        return kept, accuracy, *(program.evaluate(kept, settings, points)[1] for points in (train, arms))

    points = Points(0, 0, None)  # pyright: ignore[reportArgumentType]  # the axes, in the shape of what they are of
    return jax.vmap(one, in_axes=(0, points, points))(networks, train, test)


def shapes(seeds: Sequence[str], epochs: int, widths: Sequence[int], depth: int) -> dict[int, Runs]:
    """Return the runs of every width for a depth, the rest of the set-up the same."""
    found = runs(seeds, epochs, [CONFIG | {"hidden": [width] * depth} for width in widths])
    parts = [slice(i * len(seeds), (i + 1) * len(seeds)) for i in range(len(widths))]
    return {
        width: jax.tree.map(lambda leaf, part=part: leaf[part], found)
        for width, part in zip(widths, parts, strict=True)
    }


# Pictures and tables


def percent(share: float) -> str:
    """Return a share as it is read: "99.2 %"."""
    return f"{100 * share:.1f} %"


def draw_shapes(found: Mapping[int, Mapping[int, Runs]]) -> Figure:
    """Return depth by width, each with the median test accuracy and how many runs solved it."""
    depths, widths = list(found), list(found[next(iter(found))])
    accuracy = np.array([[np.median(found[depth][width].stopped) for depth in depths] for width in widths])
    figure = Figure(figsize=(7.4, 5.2), dpi=150, layout="constrained")
    ax = figure.subplots()
    mesh = ax.pcolormesh(accuracy, cmap=WHITE_TO_BLUE, vmin=0.5, vmax=1, edgecolors="white", linewidth=2)
    for column, depth in enumerate(depths):
        for row, width in enumerate(widths):
            solved = found[depth][width].solved
            words = f"{percent(accuracy[row, column])}\n{solved.sum()} of {len(solved)}"
            color = "white" if accuracy[row, column] > 0.95 else draw.INK
            ax.text(column + 0.5, row + 0.5, words, ha="center", va="center", fontsize=9, color=color)
    ax.set(xlabel="hidden layers", ylabel="nodes in each", xticks=np.arange(len(depths)) + 0.5)
    ax.set(yticks=np.arange(len(widths)) + 0.5, xticklabels=depths, yticklabels=widths)
    ax.set_title("test accuracy, median, and how many runs solved it", loc="left", fontsize=11)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=ax, format=lambda share, _: f"{100 * share:.0f} %")
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]  # typed as a property that is called
    return figure


def draw_maps(found: Mapping[int, Mapping[int, Runs]], seed: str) -> Figure:
    """Return the output over the plane of the widest network of every depth, from the first seed, with the points."""
    rows = -(-len(found) // 3)
    figure = Figure(figsize=(8.4, 0.6 + 3.2 * rows), dpi=150, layout="constrained")
    for i, (depth, by_width) in enumerate(found.items()):
        width, of_width = max(by_width.items())
        config = CONFIG | {"hidden": [width] * depth}
        ax = figure.add_subplot(rows, min(3, len(found)), i + 1)
        draw_map(ax, jax.tree.map(lambda leaf: leaf[0], of_width.params), seed, config)
        layers = "1 layer" if depth == 1 else f"{depth} layers"
        ax.set_title(
            f"{layers} of {width}: {percent(of_width.stopped[0])}\nafter {of_width.epochs[0]:,} epochs", size=10
        )
        ax.label_outer()
    handles = [
        *(
            ax.plot([], [], "o", color=color, label=name)[0]
            for name, color in (("label 1", "#0877bd"), ("label −1", "#f59322"))
        ),
        ax.plot([], [], "o", color="white", markeredgecolor=draw.INK, label="test point")[0],
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def draw_map(ax: Axes, params: Params, seed: str, config: Mapping[str, Any]) -> None:
    """Draw a network's output over the plane and the points of its seed, those to test with a dark edge."""
    settings = settings_of(config)
    pixels = jnp.asarray(np.pad(grid(FEATURES)[:, : len(FEATURES)], ((0, 0), (0, WIDTH - len(FEATURES)))), float)
    output = program.forward(params, settings, pixels)[settings.depth, :, 0].reshape(program.GRID, program.GRID)
    ax.imshow(output, extent=(-6, 6, -6, 6), cmap=ORANGE_TO_BLUE, vmin=-1, vmax=1, alpha=0.6, interpolation="bilinear")
    _, *sets = data(seed, config)
    for points, edge in zip(sets, ("white", draw.INK), strict=True):
        x, y = np.asarray(points.x)[: int(points.n)], np.asarray(points.y)[: int(points.n)]
        style = {"cmap": ORANGE_TO_BLUE, "vmin": -1, "vmax": 1, "s": 9, "linewidths": 0.4, "rasterized": True}
        ax.scatter(x[:, 0], x[:, 1], c=y, edgecolors=edge, **style)
    ax.set(xlabel="$X_1$", ylabel="$X_2$", aspect="equal", xticks=(-5, 0, 5), yticks=(-5, 0, 5))


def table_of_seeds(seeds: Sequence[str], found: Runs) -> Table:
    """Return for each seed after which epoch it was solved, and the accuracies then and after the last epoch."""
    rows = [
        [seed, f"{epochs:,}" if solved else "–", *map(percent, accuracies)]
        for seed, solved, epochs, *accuracies in zip(
            seeds, found.solved, found.epochs, found.train, found.stopped, found.arms, found.test[:, -1], strict=True
        )
    ]
    header = ["seed", "solved after epoch", "training points then", "test points then", f"{ARMS:,} of the arms then"]
    title = f"Every seed: the share of points on their side, at most {found.test.shape[1]:,} epochs"
    return Table(title, [*header, f"test points after {found.test.shape[1]:,}"], rows)


def table_of_changes(found: Mapping[str, Runs]) -> Table:
    """Return for each change how many seeds solved it, and their accuracies where they stopped."""
    rows = [
        [change, f"{of.solved.sum()} of {len(of.solved)}", percent(np.median(of.stopped)), percent(of.stopped.min())]
        for change, of in found.items()
    ]
    return Table(
        f"Something changed, {len(found['nothing'].solved)} seeds each",
        ["change", "solved", "test accuracy, median", "lowest"],
        rows,
    )


def link(seed: str) -> str:
    """Return the part of the page's address after its `/` that sets up the same there."""
    names = ("activation", "optimizer", "learningRate", "batchSize", "regularization", "regularizationRate")
    parts = {"dataset": "spiral", "networkShape": ",".join(map(str, CONFIG["hidden"]))}
    parts |= {name: CONFIG[name] for name in names} | {"stopSolved": "true", "seed": seed}
    return "#" + "&".join(f"{name}={value}" for name, value in parts.items())


def run(options: Options) -> Result:
    """Train the set-up from every seed, with single things changed, and in every depth and width."""
    seeds = seeds_of(options.seeds or SEEDS)
    few = seeds[:2] if options.quick else seeds[:SEEDS_OF_SHAPE]
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    options.say(f"{len(seeds)} seeds, at most {epochs:,} epochs")
    changed: dict[str, Runs] = {}
    for change, to in list(CHANGES.items())[: QUICK_CHANGES if options.quick else None]:
        changed[change] = runs(seeds, epochs, [CONFIG | to])
        solved = f"solved: {changed[change].solved.sum()} of {len(seeds)}"
        options.say(f"{solved}, with this changed: {change}" if to else solved)
    found: dict[int, dict[int, Runs]] = {}
    for depth in QUICK_DEPTHS if options.quick else DEPTHS:
        found[depth] = shapes(few, epochs, QUICK_WIDTHS if options.quick else WIDTHS, depth)
        solved = [of.solved for of in found[depth].values()]
        options.say(f"solved: {np.sum(solved)} of {np.size(solved)}, hidden layers: {depth}")
    note = "Quick run, at most" if options.quick else "At most"
    pictures = {
        "shapes": (
            draw_shapes(found),
            f"What depth and width change: test accuracy where a run stopped. {note} {epochs:,} epochs.",
        ),
        "maps": (
            draw_maps(found, few[0]),
            f"The output over the plane by depth, from seed {few[0]}, where the run stopped. {note} {epochs:,} epochs.",
        ),
    }
    tables = [table_of_seeds(seeds, changed["nothing"]), table_of_changes(changed)]
    return Result({}, {}, tables, remarks_on(seeds, changed["nothing"], options.quick), pictures)


def remarks_on(seeds: Sequence[str], ours: Runs, quick: bool) -> list[str]:
    """Return what the reader must know beside the tables: what was cut, what counts as solved, what the columns are."""
    epochs = ours.test.shape[1]
    cut = (
        f"This is a quick run: {epochs:,} epochs in place of {EPOCHS:,}, and few changes, shapes and seeds of a shape."
    )
    return [cut] * quick + [
        f"Solved: {ours.solved.sum()} of {len(seeds)}, that is, at least 99 % of the 250 test points on their side "
        f"within {epochs:,} epochs. Five layers of 8 ReLU nodes, RAdam at 0.01, batches of 15, L2 at 0.1, no noise.",
        "A run stops when it is solved, as the page does where it is asked to; so the test points choose the epoch. "
        f"Two columns say what that is worth: the accuracy on {ARMS:,} points of the same arms, which choose nothing, "
        "and that on the test points where the training goes on to the last epoch.",
        f"In `jaxnn play` the first run is `{link(seeds[0])}`, up to rounding, which in time changes the path.",
    ]
