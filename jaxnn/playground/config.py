"""The set-up of a playground, and the text after a link's `#` that says it: names, defaults, bounds.

A link of TensorFlow Playground gives the same set-up here (tensorflow/playground, `state.ts`). A setting is text, in a
link or in a request of the page, until `parsed` makes it a value that is within its bounds; from there on it is that
value, and nothing that reads a `Config` checks it again. Text that `parsed` refuses leaves the default, or what was
before.
"""

import contextlib
import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from jaxnn.data.playground_sets import CLASSIFICATION, LECTURE, REGRESSION
from jaxnn.errors import InvalidArgument, require
from jaxnn.playground.engine import FEATURES
from jaxnn.playground.optimizers import OPTIMIZERS
from jaxnn.playground.program import ACTIVATIONS, EPOCHS, LAYERS, PENALTIES, WIDTH

Config = dict[str, Any]
OWN = "own"  # the name of the points that the user brings
# Of layers and nodes as many as the program's padding holds; of points as many as `engine.SIZE` takes without a second
# program, and a link (`CHARACTERS`) without being refused.
HIDDEN, NODES, NETWORKS, POINTS = LAYERS - 1, WIDTH, 16, 2000
CHARACTERS = 100_000


class Field(NamedTuple):
    """One setting: its default, how text becomes its value, what a change of it starts anew, and what a link gets.

    `fit` makes a value that is within the bounds of a link's text that `parse` has refused, as the original does or
    nearly so; it refuses what has no such value.
    """

    default: Any
    parse: Callable[[str], Any]
    resets: str = ""  # "data" makes new points and weights, "points" or "network" one of them, "optimizer" its memory
    fit: Callable[[str], Any] | None = None


def choice(*names: str) -> Callable[[str], str]:
    """Return the parser of one of some names."""

    def parse(text):
        require(text in names, "", repr(text), f"one of {', '.join(names)}")
        return text

    return parse


def number(low: float, high: float, whole: bool = False) -> Callable[[str], float]:
    """Return the parser of a number from `low` to `high`."""
    kind = "a whole number" if whole else "a number"

    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = math.nan  # which is not between any bounds
        ok = low <= value <= high and (not whole or value == int(value))
        require(ok, "", repr(text), f"{kind} from {low:g} to {high:g}")
        return int(value) if whole else value

    return parse


finite = number(-sys.float_info.max, sys.float_info.max)


def nearest(low: float, high: float, whole: bool = False) -> Callable[[str], float]:
    """Return what takes a number outside of `low` to `high` to the nearest end, a broken one to the whole above."""

    def fit(text):
        value = min(max(finite(text), low), high)
        return math.ceil(value) if whole else value

    return fit


def noise_of(text: str) -> float:
    """Return the noise that the original makes of a link's: none of what is negative, 50 of what is above 80."""
    return 0.0 if finite(text) < 0 else 50.0


def shape_of(text: str) -> list[int]:
    """Return the layers of a link's that fit: the first of them, each with the nodes that fit, none without a node."""
    sizes = []
    for part in text.split(","):
        with contextlib.suppress(InvalidArgument):  # what is no number is no layer either
            sizes.append(nearest(0, NODES, whole=True)(part))
    require(any(sizes), "", repr(text), "layers of at least one node")
    return [size for size in sizes if size][:HIDDEN]


def batch_of(text: str) -> float:
    """Return the batch that the original makes of a link's: of -3 points, 3, as each third remainder is 0."""
    return nearest(1, POINTS, whole=True)(text.strip().removeprefix("-"))


def listed(what: str, item: Callable[[str], Any], most: int) -> Callable[[str], list]:
    """Return the parser of at most `most` items with commas between; no text is no item."""

    def parse(text):
        texts = [part.strip() for part in text.split(",")] if text.strip() else []
        require(len(texts) <= most, "", f"{len(texts)} {what}", f"at most {most}")
        return [item(part) for part in texts]

    return parse


def flag(text: str) -> bool:
    """Return a truth value, as the original reads it: everything but "false" is true."""
    return text != "false"


def seed(text: str) -> str:
    """Return a seed: of letters that stand in a link, and in the code of an export, as they are."""
    require(bool(re.fullmatch(r"[\w.+-]{1,40}", text, re.ASCII)), "", repr(text), "1 to 40 letters, digits, . + - or _")
    return text


def own_points(text: str) -> list[list[float]]:
    """Return `[[x1, x2, label], ...]` from `x1,x2,label;...`."""
    rows = [row for row in text.split(";") if row]
    require(len(rows) <= POINTS, "", f"{len(rows)} points", f"at most {POINTS}")
    parse = number(-6, 6)
    points = [[parse(part) for part in row.split(",")] for row in rows]
    wrong = next((row for row, point in zip(rows, points, strict=True) if len(point) != 3), None)
    require(wrong is None, "", repr(wrong), "points x1,x2,label;... each of three numbers")
    return points


activations = listed("activations", choice(*ACTIVATIONS), HIDDEN)

FIELDS: dict[str, Field] = {
    "activation": Field("tanh", choice(*ACTIVATIONS), "network"),
    "regularization": Field("none", choice(*PENALTIES)),
    "batchSize": Field(10, number(1, POINTS, whole=True), "network", batch_of),
    "dataset": Field("circle", choice(*CLASSIFICATION, *LECTURE, OWN), "data"),
    "regDataset": Field("reg-plane", choice(*REGRESSION, OWN), "data"),
    "learningRate": Field(0.03, number(0, 1000), fit=nearest(0, 1000)),
    "regularizationRate": Field(0.0, number(-1000, 1000), fit=nearest(-1000, 1000)),  # a negative one drives apart
    "noise": Field(0.0, number(0, 80), "data", noise_of),
    "networkShape": Field([4, 2], listed("layers", number(1, NODES, whole=True), HIDDEN), "network", shape_of),
    "seed": Field("", seed, "data"),
    "showTestData": Field(False, flag),
    "discretize": Field(False, flag),
    "percTrainData": Field(50.0, number(0, 100), "data", nearest(0, 100)),
    **{name: Field(name in ("x", "y"), flag, "network") for name in FEATURES},
    "problem": Field("classification", choice("classification", "regression"), "data"),
    "initZero": Field(False, flag, "network"),
    "hideText": Field(False, flag),
    "optimizer": Field("sgd", choice(*OPTIMIZERS), "optimizer"),
    "dropout": Field(0.0, number(0, 0.9)),
    "activations": Field([], activations, "network", lambda text: activations(",".join(text.split(",")[:HIDDEN]))),
    "networks": Field(1, number(1, NETWORKS, whole=True), "network"),
    "stopEpoch": Field(0, number(0, 1_000_000, whole=True)),
    "stopSolved": Field(False, flag),
    "speed": Field(1, number(1, EPOCHS, whole=True)),
    "points": Field([], own_points, "data"),
    "drawn": Field(0, number(0, POINTS, whole=True), "data"),  # own points that came since the last shuffle and split
    "start": Field("", seed, "network"),  # of start weights that are not the seed's
    "precision": Field("float32", choice("float32", "float64"), "network"),
}
# Settings that `engine.run` takes by the same names.
SHARED = ("problem", "activation", "regularization", "regularizationRate", "learningRate", "batchSize")
SHARED += ("optimizer", "dropout", "activations")
ORIGINAL = list(FIELDS)[: list(FIELDS).index("optimizer")]  # always in the link; ours only where not the default
# What a link may hide of the page, by the original's names.
HIDEABLE = (
    *("showTestData", "discretize", "playButton", "stepButton", "resetButton", "learningRate", "activation"),
    *("regularization", "regularizationRate", "problem", "dataset", "percTrainData", "noise", "batchSize"),
    *(
        "numHiddenLayers",
        *(f"numNodes{layer}" for layer in range(1, HIDDEN + 1)),
        *FEATURES,
        "optimizer",
        "dropout",
        "networks",
        "precision",
        "stop",
        "speed",
    ),
    *("export", "own"),
)


def default() -> Config:
    """Return the set-up of an empty link; its seed is still to be drawn."""
    return {name: field.default for name, field in FIELDS.items()} | {"hide": []}


def parsed(name: str, text: str) -> Any:
    """Return the value that a text gives the setting `name`; `InvalidArgument` says what is wrong with it."""
    require(name in FIELDS, "setting", repr(name), f"one of {', '.join(FIELDS)}")
    require(len(text) <= CHARACTERS, name, f"{len(text)} characters", f"at most {CHARACTERS}")
    try:
        return FIELDS[name].parse(text)
    except InvalidArgument as error:
        raise InvalidArgument(f"{name}{error}") from None


def from_hash(text: str) -> tuple[Config, list[str]]:
    """Return the set-up of a link and a message for each part of it that was left out, or made to fit."""
    require(len(text) <= CHARACTERS, "link", f"{len(text)} characters", f"at most {CHARACTERS}")
    config, messages, hidden = default(), [], {}  # of two parts with one name the last counts, as in the original
    for part in text.removeprefix("#").split("&"):
        name, _, value = part.partition("=")
        value = unquote(value)
        if name.endswith("_hide"):
            hidden[name.removesuffix("_hide")] = value == "true"
        # Without a value the original takes the default, but for the layers, of which there may be none.
        elif name in FIELDS and (value.strip() or name in ("networkShape", "points", "activations")):
            try:
                config[name] = parsed(name, value)
            except InvalidArgument as error:
                fit = FIELDS[name].fit
                with contextlib.suppress(InvalidArgument):  # there may be nothing that fits
                    config[name] = fit(value) if fit else config[name]
                messages.append(f"{error}; {shown(config[name]) or 'none'} is used")
    config["hide"] = sorted(name for name in HIDEABLE if hidden.get(name))
    if not set(FEATURES) - set(config["hide"]):
        messages.append("features: all are hidden, expected at least one to be there; all are shown")
        config["hide"] = sorted(set(config["hide"]) - set(FEATURES))
    config, disagreements = consistent(config)
    return config, messages + disagreements


def changed(config: Config, name: str, text: str) -> Config:
    """Return the set-up with one setting changed to the value of a text, as a link would have it."""
    config = config | {name: parsed(name, text)}
    if config["activations"]:  # a layer more or less: its activation is the general one
        count = len(config["networkShape"])
        config = config | {"activations": (config["activations"] + [config["activation"]] * count)[:count]}
    config, messages = consistent(config)
    if messages:
        raise InvalidArgument(messages[0])
    return config


def consistent(config: Config) -> tuple[Config, list[str]]:
    """Return the set-up with what two settings must agree on, and a message for each that did not agree."""
    messages, count, given = [], len(config["networkShape"]), len(config["activations"])
    if given not in (0, count):
        messages.append(f"activations: got {given}, expected one for each of {count} layers")
        config = config | {"activations": config["activations"][:count] if given > count else []}
    if not features(config):
        messages.append("features: got none, expected at least one")
        shown_ones = [name for name in FEATURES if name not in config["hide"]]
        config = config | dict.fromkeys(shown_ones[:2], True)
    return config, messages


def to_hash(config: Mapping[str, Any]) -> str:
    """Return the text after `#` of a link to this set-up, readable by the original as far as it can do the same."""
    names = [*ORIGINAL, *(name for name in FIELDS if name not in ORIGINAL and config[name] != FIELDS[name].default)]
    parts = [f"{name}={quote(shown(config[name]), safe=',;.+-')}" for name in names]
    return "#" + "&".join(parts + [f"{name}_hide=true" for name in config["hide"]])


def shown(value: Any) -> str:
    """Return a value as text that `parsed` reads."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return (";" if value and isinstance(value[0], list) else ",").join(shown(part) for part in value)
    return f"{value:.10g}" if isinstance(value, int | float) else str(value)


def features(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the features that are fed in: one that a link hides is not, as in the original."""
    return [name for name in FEATURES if config[name] and name not in config["hide"]]


def for_engine(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same set-up by the names that `engine.run` takes, all but the epochs."""
    return {name: config[name] for name in SHARED} | {"features": features(config), "hidden": config["networkShape"]}
