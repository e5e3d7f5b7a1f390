"""A playground written down: as JSON that `engine.run` takes, and as Python code that runs by itself."""

import json
import pprint
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxnn.formatting import null, plain

# The program is to run where there is no jaxnn: so it has the features and the activations written out once more.
CODE = '''"""A network from the playground of jaxnn, after {epochs} epochs. {link}

`python {name}` prints its losses and accuracies; `python {name} 100` first trains it 100 epochs more, with jaxnn.
"""

import sys

import numpy as np

config = {config}

# Weights W[layer][node][input] and biases b[layer][node].
weights = {weights}

# Points [x1, x2, label].
train = np.array({train})
test = np.array({test}).reshape(-1, 3)

FEATURES = {{
    "x": lambda x1, x2: x1,
    "y": lambda x1, x2: x2,
    "xSquared": lambda x1, x2: x1 * x1,
    "ySquared": lambda x1, x2: x2 * x2,
    "xTimesY": lambda x1, x2: x1 * x2,
    "sinX": lambda x1, x2: np.sin(x1),
    "sinY": lambda x1, x2: np.sin(x2),
}}
ACTIVATIONS = {{
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 + 0.5 * np.tanh(z / 2),
    "linear": lambda z: z,
    "softplus": lambda z: np.logaddexp(z, 0),
}}


def predict(x1, x2):
    """The network's output at points of the plane."""
    a = np.stack([FEATURES[name](np.asarray(x1, float), np.asarray(x2, float)) for name in config["features"]], axis=-1)
    hidden = config.get("activations") or [config["activation"]] * len(config["hidden"])
    output = {{"classification": "tanh", "regression": "linear"}}[config["problem"]]
    for W, b, name in zip(weights["W"], weights["b"], [*hidden, output]):
        a = ACTIVATIONS[name](a @ np.array(W).T + np.array(b))
    return a[..., 0]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        from jaxnn.playground import engine

        losses, weights = engine.run(config | {{"epochs": int(sys.argv[1])}}, train, test, weights)
    for name, points in (("train", train), ("test", test)):
        y_hat, y = predict(points[:, 0], points[:, 1]), points[:, 2]
        if len(y):
            loss, accuracy = np.mean((y_hat - y) ** 2) / 2, np.mean((y_hat >= 0) == (y >= 0))
            print(f"{{name}}: loss {{loss:.6f}}, accuracy {{accuracy:.4f}}")
'''


class Run(NamedTuple):
    """A run of the playground: its settings and their link, the points, the first and the last weights, the losses."""

    config: Mapping[str, Any]
    link: str
    train: Float[np.ndarray, "n 3"]
    test: Float[np.ndarray, "m 3"]
    start: Mapping[str, list]
    weights: Mapping[str, list]
    losses: Sequence[Sequence[float]]


def as_python(run: Run) -> str:
    """Return a program that holds the network and its points, needs NumPy, and predicts."""
    values = {"config": dict(run.config), "weights": run.weights, **_points(run)}
    shown = {name: pprint.pformat(value, width=110, compact=True, sort_dicts=False) for name, value in values.items()}
    return CODE.format(epochs=run.config["epochs"], name="playground.py", link=run.link, **shown)


def as_json(run: Run) -> str:
    """Return the run as JSON: `engine.run(config, train, test, init)` gives `loss` and `final` again.

    `loss` are `[train, test]` after the epochs of `lossEpochs`; a long run keeps every second, fourth, ... of them.
    """
    losses = plain([row[1:3] for row in run.losses], null)
    told = {"config": dict(run.config), **_points(run), "init": run.start, "loss": losses}
    told |= {"lossEpochs": [row[0] for row in run.losses], "final": run.weights, "link": run.link}
    return json.dumps(told, allow_nan=False)


def _points(run):
    return {"train": np.asarray(run.train).tolist(), "test": np.asarray(run.test).tolist()}


FORMS = {"python": as_python, "json": as_json}
