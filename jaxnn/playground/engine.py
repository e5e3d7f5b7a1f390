"""The playground's training for plain lists: a set-up, points and start weights in, losses and weights out."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnn.errors import Diverged, check_finite, check_positive_int, require
from jaxnn.playground import program
from jaxnn.playground.optimizers import OPTIMIZERS, menu
from jaxnn.playground.program import BLOCK, LAYERS, WIDTH, Network, Params, Points, Settings

SIZE = 1024  # sets are padded to a multiple of it: one program for all of one multiple
# The features of a point, in the original's order.
FEATURES = {
    "x": lambda x, y: x,
    "y": lambda x, y: y,
    "xSquared": lambda x, y: x * x,
    "ySquared": lambda x, y: y * y,
    "xTimesY": lambda x, y: x * y,
    "sinX": lambda x, y: np.sin(x),
    "sinY": lambda x, y: np.sin(y),
}
REQUIRED = ("problem", "activation", "learningRate", "batchSize", "features", "hidden", "epochs")


def run(config: Mapping[str, Any], train: Any, test: Any, init: Mapping[str, Any]) -> tuple[list, dict]:
    """Return the losses `[[train, test], ...]` before the first and after every epoch, and the weights at the end.

    `config` has "problem" ("classification" or "regression"), "activation", "learningRate", "batchSize", "features",
    "hidden" (nodes a layer) and "epochs", and may have "regularization" ("none", "L1" or "L2"), "regularizationRate",
    "optimizer" and "dropout". `train` and `test` are rows `[x1, x2, label]`; `init` and the weights returned are
    `{"W": W[layer][node][input], "b": b[layer][node]}`. Without test points their loss is NaN.

    In the float type that JAX is set up for. With plain descent it is TensorFlow Playground's own training
    (tensorflow/playground, `nn.ts`), as described in `program`. `Diverged` where an error becomes NaN or infinite.
    """
    for name in REQUIRED:
        require(name in config, "config", f"no {name!r}", f"all of {', '.join(REQUIRED)}")
    require(isinstance(config["epochs"], int) and config["epochs"] >= 0, "epochs", repr(config["epochs"]), "0 or more")
    features, hidden = list(config["features"]), list(config["hidden"])
    settings = settings_of(config)
    network = network_of(init, len(features), hidden, settings.optimizer)
    width = network.params.b.shape[1]
    data = [points_of(name, rows, features, width) for name, rows in (("train", train), ("test", test))]
    require(data[0].n > 0, "train", "no points", "at least one [x1, x2, label]")
    grid = jnp.zeros((program.GRID**2, width), data[0].x.dtype)
    losses: list[list[float]] = []
    while True:
        left = config["epochs"] - len(losses[1:])
        network, report = program.advance(network, settings, *data, grid, left, np.inf, 0, 0)
        history = np.asarray(report.history[: int(report.epochs) + 1, :2]).tolist()
        losses += history[1:] if losses else history
        if report.diverged >= 0:
            raise Diverged(
                f"the error is not finite after update {int(report.diverged)}, in epoch {int(network.epoch) + 1}: "
                "lower the learning rate, or the penalty's"
            )
        if len(losses) > config["epochs"]:
            return losses, weights_of(network.params, len(features), hidden)


def settings_of(config: Mapping[str, Any]) -> Settings:
    """Return the program's arguments for a set-up; activations of single layers may be given as "activations"."""
    hidden = list(config["hidden"])
    names = list(config.get("activations") or [config["activation"]] * len(hidden))
    require(len(names) == len(hidden), "activations", f"{len(names)}", f"one for each of {len(hidden)} hidden layers")
    output = {"classification": "tanh", "regression": "linear"}
    require(config["problem"] in output, "problem", repr(config["problem"]), " or ".join(output))
    check_positive_int("batchSize", config["batchSize"])
    places = [_place("activation", name, program.ACTIVATIONS) for name in [*names, output[config["problem"]]]]
    layers = max(LAYERS, len(places))
    rates = {name: config.get(name, 0) for name in ("learningRate", "regularizationRate", "dropout")}
    for name, rate in rates.items():
        require(np.isfinite(rate) and rate >= 0, name, repr(rate), "a finite number of at least 0")
    require(rates["dropout"] < 1, "dropout", repr(rates["dropout"]), "a share in [0, 1)")
    return Settings(
        depth=jnp.int32(len(places)),
        activation=jnp.array(places + [0] * (layers - len(places)), jnp.int32),
        batch=jnp.int32(config["batchSize"]),
        learning_rate=jnp.asarray(rates["learningRate"], float),
        penalty=jnp.int32(_place("regularization", config.get("regularization", "none"), program.PENALTIES)),
        penalty_rate=jnp.asarray(rates["regularizationRate"], float),
        optimizer=jnp.int32(_place("optimizer", config.get("optimizer", "sgd"), OPTIMIZERS)),
        dropout=jnp.asarray(rates["dropout"], float),
    )


def _place(what: str, name: object, table: Mapping[str, Any]) -> int:
    require(name in table, what, repr(name), f"one of {', '.join(table)}")
    return list(table).index(str(name))


def network_of(
    init: Mapping[str, Any], inputs: int, hidden: Sequence[int], optimizer: Any = 0, seed: int = 0
) -> Network:
    """Return a network at its start from plain lists `{"W": W[layer][node][input], "b": b[layer][node]}`."""
    sizes = [inputs, *hidden, 1]
    require(inputs >= 1, "features", "none", "at least one")
    for size in hidden:
        check_positive_int("hidden", size)
    layers, width = max(LAYERS, len(sizes) - 1), max(WIDTH, *sizes)
    W, b, alive = np.zeros((layers, width, width)), np.zeros((layers, width)), np.zeros((layers, width, width), bool)
    for name, values in (("W", init["W"]), ("b", init["b"])):
        require(len(values) == len(sizes) - 1, f"init[{name!r}]", f"{len(values)} layers", f"{len(sizes) - 1}")
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        weights, biases = np.asarray(init["W"][layer], float), np.asarray(init["b"][layer], float)
        for name, values, shape in (("W", weights, (after, before)), ("b", biases, (after,))):
            seen = f"shape {values.shape}"
            require(values.shape == shape, f"init[{name!r}][{layer}]", seen, f"shape {shape}, (nodes, inputs)")
            check_finite(f"init[{name!r}][{layer}]", values)
        W[layer, :before, :after], b[layer, :after], alive[layer, :before, :after] = weights.T, biases, True
    params = Params(jnp.asarray(W, float), jnp.asarray(b, float))
    start = start_of(params, optimizer)
    zeros = jax.tree.map(jnp.zeros_like, params)
    none = jnp.int32(0)
    return Network(params, jnp.asarray(alive), zeros, none, start, jax.random.key(seed), none, none)


def start_of(params: Params, optimizer: Any) -> jax.Array:
    """Return an optimizer's start state; `optimizer` is its place in the menu."""
    return menu(params).starts[optimizer]


def weights_of(params: Params, inputs: int, hidden: Sequence[int]) -> dict[str, list]:
    """Return the weights as plain lists, `{"W": W[layer][node][input], "b": b[layer][node]}`."""
    W, b = np.asarray(params.W), np.asarray(params.b)
    sizes = list(enumerate(itertools.pairwise([inputs, *hidden, 1])))
    return {
        "W": [W[layer, :before, :after].T.tolist() for layer, (before, after) in sizes],
        "b": [b[layer, :after].tolist() for layer, (_, after) in sizes],
    }


def points_of(name: str, rows: Any, features: Sequence[str], width: int) -> Points:
    """Return rows `[x1, x2, label]` as features and targets, padded to a size that many sets share."""
    table = np.asarray(rows, float).reshape(-1, 3) if len(rows) == 0 else np.asarray(rows, float)
    require(table.ndim == 2 and table.shape[1] == 3, name, f"shape {table.shape}", "rows of [x1, x2, label]")
    check_finite(name, table)
    size = -(-len(table) // SIZE) * SIZE + BLOCK
    x, y = np.zeros((size, width)), np.zeros(size)
    x[: len(table), : len(features)], y[: len(table)] = features_of(table[:, 0], table[:, 1], features), table[:, 2]
    return Points(jnp.asarray(x, float), jnp.asarray(y, float), jnp.int32(len(table)))


def features_of(x1: np.ndarray, x2: np.ndarray, features: Sequence[str]) -> np.ndarray:
    """Return the named features of the points, one a column."""
    for name in features:
        _place("features", name, FEATURES)
    return np.stack([FEATURES[name](x1, x2) for name in features], axis=-1)
