"""The playground's training for plain lists: a set-up, points and start weights in, losses and weights out.

`run` is the door for callers from outside, and checks what they bring. The functions after it carry values over to the
padded arrays of `program` and back; the page's session, whose set-up `config.parsed` has checked, uses them directly.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxnn.errors import Diverged, InvalidArgument, check_finite, check_positive_int, require
from jaxnn.playground import program
from jaxnn.playground.optimizers import OPTIMIZERS, menu
from jaxnn.playground.program import ACTIVATIONS, BLOCK, LAYERS, PENALTIES, WIDTH, Network, Params, Points, Settings

SIZE = 2048  # sets are padded to a multiple of it: one program for all that the page can have
OUTPUT = {"classification": "tanh", "regression": "linear"}  # a problem's output activation, as in the original
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
OPTIONAL: dict[str, Any] = {
    "regularization": "none",
    "regularizationRate": 0.0,
    "optimizer": "sgd",
    "dropout": 0.0,
    "activations": [],
}
REQUIRED = ("problem", "activation", "learningRate", "batchSize", "features", "hidden", "epochs")


def run(config: Mapping[str, Any], train: Any, test: Any, init: Mapping[str, Any]) -> tuple[list, dict]:
    """Return the losses `[[train, test], ...]` before the first and after every epoch, and the weights at the end.

    `config` has "problem" ("classification" or "regression"), "activation", "learningRate", "batchSize", "features",
    "hidden" (nodes a layer) and "epochs", and may have "regularization" ("none", "L1" or "L2"), "regularizationRate",
    "optimizer", "dropout" and "activations" (one a hidden layer). `train` and `test` are rows `[x1, x2, label]`;
    `init` and the weights returned are `{"W": W[layer][node][input], "b": b[layer][node]}`. Without test points their
    loss is NaN.

    In the float type that JAX is set up for. With plain descent it is TensorFlow Playground's own training
    (tensorflow/playground, `nn.ts`), as described in `program`. `Diverged` where an error becomes NaN or infinite.
    """
    config = checked(config)
    features, hidden = config["features"], config["hidden"]
    settings = settings_of(config)
    network = network_of(init, len(features), hidden, settings.optimizer)
    width = network.params.b.shape[1]
    data = [points_of(name, rows, features, width) for name, rows in (("train", train), ("test", test))]
    require(len(train) > 0, "train", "no points", "at least one [x1, x2, label]")
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


def checked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the set-up once each of its entries is known to be what `run` takes, with those that may be left out."""
    for name in REQUIRED:
        require(name in config, "config", f"no {name!r}", f"all of {', '.join(REQUIRED)}")
    config = OPTIONAL | dict(config)
    for name in ("features", "hidden", "activations"):
        require(isinstance(config[name], list | tuple), name, repr(config[name]), "a list")
        config[name] = list(config[name])
    require(len(config["features"]) > 0, "features", "none", "at least one")
    for size in config["hidden"]:
        check_positive_int("hidden", size)
    given, layers = len(config["activations"]), len(config["hidden"])
    require(given in (0, layers), "activations", f"{given}", f"one for each of {layers} hidden layers")
    choices = [
        ("problem", OUTPUT),
        ("activation", ACTIVATIONS),
        ("regularization", PENALTIES),
        ("optimizer", OPTIMIZERS),
    ]
    for name, table in [*choices, ("features", FEATURES), ("activations", ACTIVATIONS)]:
        for entry in config[name] if isinstance(config[name], list) else [config[name]]:
            require(isinstance(entry, str) and entry in table, name, repr(entry), f"one of {', '.join(table)}")
    for name, least, most in (("batchSize", 1, 2**31 - 1), ("epochs", 0, 2**31 - 1)):  # what an int32 holds
        whole = isinstance(config[name], int | np.integer) and not isinstance(config[name], bool)
        require(whole and least <= config[name] <= most, name, repr(config[name]), f"a whole number from {least}")
    for name in ("learningRate", "regularizationRate", "dropout"):
        rate = config[name]
        number = isinstance(rate, int | float | np.number) and not isinstance(rate, bool)
        # Dropout divides by 1 - rate; the other rates must not become infinite in the program's float type.
        top = 0.99 if name == "dropout" else float(jnp.finfo(jnp.zeros(()).dtype).max)
        low = -top if name == "regularizationRate" else 0.0  # a negative penalty drives the weights apart, as there
        require(number and low <= rate <= top, name, repr(rate), f"a number from {low:g} to {top:g}")
    return config


def settings_of(config: Mapping[str, Any]) -> Settings:
    """Return the program's arguments for a set-up that is `checked`, or that `config.for_engine` gives."""
    names = config["activations"] or [config["activation"]] * len(config["hidden"])
    places = [_place(name, ACTIVATIONS) for name in [*names, OUTPUT[config["problem"]]]]
    layers = max(LAYERS, len(places))
    return Settings(
        depth=jnp.int32(len(places)),
        activation=jnp.array(places + [0] * (layers - len(places)), jnp.int32),
        batch=jnp.int32(config["batchSize"]),
        learning_rate=jnp.asarray(config["learningRate"], float),
        penalty=jnp.int32(_place(config["regularization"], PENALTIES)),
        penalty_rate=jnp.asarray(config["regularizationRate"], float),
        optimizer=jnp.int32(_place(config["optimizer"], OPTIMIZERS)),
        dropout=jnp.asarray(config["dropout"], float),
    )


def _place(name: str, table: Mapping[str, Any]) -> int:
    return list(table).index(name)


def network_of(
    init: Mapping[str, Any], inputs: int, hidden: Sequence[int], optimizer: int | Int[Array, ""] = 0, seed: int = 0
) -> Network:
    """Return a network at its start from plain lists `{"W": W[layer][node][input], "b": b[layer][node]}`.

    `optimizer` is its place in the menu; of the `seed` come dropout's masks. Raises `InvalidArgument` where the lists
    are not of the sizes that `inputs` and `hidden` say.
    """
    sizes = [inputs, *hidden, 1]
    layers, width = max(LAYERS, len(sizes) - 1), max(WIDTH, *sizes)
    W, b, alive = np.zeros((layers, width, width)), np.zeros((layers, width)), np.zeros((layers, width, width), bool)
    for name in ("W", "b"):
        require(name in init, "init", f"no {name!r}", "W[layer][node][input] and b[layer][node]")
        seen = f"{len(init[name])} layers"
        require(len(init[name]) == len(sizes) - 1, f"init[{name!r}]", seen, f"{len(sizes) - 1}")
    for layer, (before, after) in enumerate(itertools.pairwise(sizes)):
        W[layer, :before, :after] = _array(
            f"init['W'][{layer}]", init["W"][layer], (after, before), "(nodes, inputs)"
        ).T
        b[layer, :after] = _array(f"init['b'][{layer}]", init["b"][layer], (after,), "one for each node")
        alive[layer, :before, :after] = True
    params = Params(jnp.asarray(W, float), jnp.asarray(b, float))
    start = start_of(params, optimizer)
    zeros = jax.tree.map(jnp.zeros_like, params)
    none = jnp.int32(0)
    return Network(params, jnp.asarray(alive), zeros, none, start, jax.random.key(seed), none, none)


def start_of(params: Params, optimizer: int | Int[Array, ""]) -> Float[Array, " s"]:
    """Return an optimizer's start state; `optimizer` is its place in the menu."""
    return _starts(params.b.shape, params.b.dtype)[optimizer]


# No optimizer's state starts from the parameters' values, only from their shape: so the menu is made up once, and not
# for each network of each tab.
@cache
def _starts(shape: tuple[int, int], dtype: np.dtype) -> Float[Array, "optimizers s"]:
    return menu(Params(jnp.zeros((*shape, shape[1]), dtype), jnp.zeros(shape, dtype))).starts


def weights_of(params: Params, inputs: int, hidden: Sequence[int]) -> dict[str, list]:
    """Return the weights as plain lists, `{"W": W[layer][node][input], "b": b[layer][node]}`."""
    W, b = np.asarray(params.W), np.asarray(params.b)
    sizes = list(enumerate(itertools.pairwise([inputs, *hidden, 1])))
    return {
        "W": [W[layer, :before, :after].T.tolist() for layer, (before, after) in sizes],
        "b": [b[layer, :after].tolist() for layer, (_, after) in sizes],
    }


def points_of(name: str, rows: Any, features: Sequence[str], width: int) -> Points:
    """Return rows `[x1, x2, label]` as features and targets, padded to a size that many sets share.

    `name` is what `InvalidArgument` calls the rows where they are not that.
    """
    table = _array(name, rows if rows is None or len(rows) else np.zeros((0, 3)), ("n", 3), "rows of [x1, x2, label]")
    # A block more than the points fill: a slice that would reach over the end is moved back, to other rows.
    size = max(1, -(-len(table) // SIZE)) * SIZE + BLOCK
    x, y = np.zeros((size, width)), np.zeros(size)
    x[: len(table), : len(features)], y[: len(table)] = features_of(table[:, 0], table[:, 1], features), table[:, 2]
    return Points(jnp.asarray(x, float), jnp.asarray(y, float), jnp.int32(len(table)))


def features_of(
    x1: Float[np.ndarray, " n"], x2: Float[np.ndarray, " n"], features: Sequence[str]
) -> Float[np.ndarray, "n d"]:
    """Return the named features of the points, one a column."""
    return np.stack([FEATURES[name](x1, x2) for name in features], axis=-1)


def _array(name: str, values: Any, shape: tuple, meaning: str) -> np.ndarray:
    """Return the values as finite numbers of a shape; a size given as a letter may be anything."""
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        raise InvalidArgument(f"{name}: got {values!r:.80}, expected numbers, {meaning}") from None
    same = array.ndim == len(shape) and all(
        isinstance(size, str) or n == size for n, size in zip(array.shape, shape, strict=True)
    )
    wanted = ", ".join(map(str, shape)) + "," * (len(shape) == 1)
    require(same, name, f"shape {array.shape}", f"shape ({wanted}), {meaning}")
    check_finite(name, array)
    return array
