"""One Keras process: a question a line, an answer a line, both JSON; it ends when its input does.

`python -m benchmarks.peers.keras_worker MODEL FOLDER BATCH`, with `KERAS_BACKEND` set. `{"first": n}` gives the mean
loss of an epoch over the first n examples, in order and without dropout; `{"epochs": n}` times n epochs after a first.
"""

import json
import os
import sys
import time
from pathlib import Path

import keras  # pyright: ignore[reportMissingImports] (an optional peer)
import numpy as np

LAYERS = {
    "mlp": lambda dropout: [
        keras.Input((784,)),
        keras.layers.Dense(512, activation="relu"),
        *([keras.layers.Dropout(0.2)] if dropout else []),
        keras.layers.Dense(10),
    ],
    "cnn": lambda dropout: [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(16, 2, padding="same", activation="softplus"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(1000, activation="relu"),
        *([keras.layers.Dropout(0.5)] if dropout else []),
        keras.layers.Dense(10),
    ],
}


def build(model: str, start: list, dropout: bool) -> keras.Model:
    """Return the network as Keras' users write it, with the weights it starts from."""
    network = keras.Sequential(LAYERS[model](dropout))
    network.compile(
        optimizer=keras.optimizers.RMSprop(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.set_weights(start)
    return network


def main(model: str, folder: str, batch: str) -> None:
    """Answer until the input ends; whatever else is printed goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with np.load(Path(folder) / "start.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
        start = [arrays[f"{kind}{n}"] for n in range(1, 5) for kind in ("W", "b") if f"{kind}{n}" in arrays]
    settings = {"batch_size": int(batch), "verbose": 0}
    for line in sys.stdin:
        question, begun = json.loads(line), time.perf_counter()
        if "first" in question:
            n = question["first"]
            history = build(model, start, dropout=False).fit(x[:n], y[:n], shuffle=False, **settings).history
            answer = {"loss": float(history["loss"][0])}
        else:
            network = build(model, start, dropout=True)
            network.fit(x, y, **settings)
            first = time.perf_counter()
            network.fit(x, y, epochs=question["epochs"], **settings)
            end = time.perf_counter()
            steps = question["epochs"] * -(-len(x) // int(batch))
            answer = {"lead": first - begun, "seconds": end - first, "steps": steps}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
