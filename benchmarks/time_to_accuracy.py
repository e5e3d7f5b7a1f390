"""The time until a network has a given accuracy on the 10,000 test digits: each seed a process of its own.

`python -m benchmarks.time_to_accuracy PERCENT SEED` is one, which prints when it was there and how long an epoch took.
99 % is the record of `benchmarks/speedrun`, whose claim is about the mean of many seeds.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

import jax
import numpy as np

import jaxnn
from benchmarks import results
from benchmarks.speedrun import recipe, record
from benchmarks.timing import Timing
from jaxnn.networks import mlp

WHAT = (
    "seconds until the accuracy on the test digits was reached: of a new process with an empty compilation cache, with "
    "a filled one, and of the training alone; 97 and 98 % by the lecture's MLP, an epoch after the other, five seeds; "
    "99 % by benchmarks/speedrun's recipe, without reading the digits' file, its mean over 100 seeds"
)
VARIANTS = ("97 %", "98 %", "99 %")
PEERS = ("torch",)  # for the record alone
SAMPLES = 5
ONLY_NAMED = True  # it takes minutes
EPOCHS = 20  # at most
ROOT = Path(__file__).parents[1]


def measure(variant: str, samples: int, peers: Collection[str]) -> list[dict]:
    """Return a row for each clock, one sample a seed; `NotReached` where a seed does not get there."""
    percent, clocks = variant.split()[0], {"cold": [], "warm cache": [], "training alone": []}
    with tempfile.TemporaryDirectory(prefix="jaxnn-cache-") as warm:
        reached(percent, 0, warm)  # fills the cache
        for seed in range(samples):
            with tempfile.TemporaryDirectory(prefix="jaxnn-cache-") as empty:
                clocks["cold"].append(reached(percent, seed, empty)[0])
            seconds, training = reached(percent, seed, warm)
            clocks["warm cache"].append(seconds)
            clocks["training alone"].append(training)
    rows = []
    for clock, times in clocks.items():
        (row,) = results.rows("accuracy", f"{variant} {clock}", {"jaxnn": Timing(times[0], 1, min(times), times)})
        rows.append(row | {"unit": "s"})
    # One process tells little of the record's training alone, and one seed nothing of its accuracy.
    return [*rows[:2], *record.rows(record.SEEDS_A_PEERS * samples, peers)] if percent == "99" else rows


def reached(percent: str, seed: int, cache: str) -> tuple[float, float]:
    """Return the seconds from the start of a process, and of its epochs alone, to that accuracy."""
    settings = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-m", "benchmarks.time_to_accuracy", percent, str(seed)]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    if told["epochs"] is None:
        raise NotReached(f"seed {seed}: {told['best']:.4f} after {EPOCHS} epochs, expected {percent} %")
    return told["at"] - start, told["epochs"] * told["epoch"]


class NotReached(Exception):
    """A seed whose training ends below the accuracy: there is no time to it."""


class Reached(Exception):
    """There, and one epoch further."""


def main(percent: str, seed: str) -> None:
    """Train until the accuracy is reached and one more epoch, by which the epochs' own time is known; or the record."""
    told = the_record(int(seed)) if percent == "99" else of_epochs(int(percent) / 100, jax.random.key(int(seed)))
    print(json.dumps(told))


def the_record(seed: int) -> dict:
    """Return when the record's training was done, had the digits been there from the start, and its seconds."""
    start = time.monotonic()
    mnist = jaxnn.load_mnist()
    read = time.monotonic()
    params = jax.block_until_ready(recipe.train(mnist.x_train, mnist.y_train, seed))
    end = time.monotonic()
    best = recipe.accuracy(params, mnist.x_test, mnist.y_test)
    return {"epochs": 1, "best": best, "at": end - (read - start), "epoch": end - read}


def of_epochs(wanted: float, key: jax.Array) -> dict:
    """Return after how many epochs the lecture's MLP had the accuracy, when that was, and the seconds of an epoch."""
    mnist, stamps, seen = jaxnn.load_mnist(), [], []
    x, y = np.concatenate([mnist.x_train, mnist.x_test]), np.concatenate([mnist.y_train, mnist.y_test])
    x = x.reshape(len(x), -1).astype(np.float32) / 255

    def progress(epochs, last):
        stamps.append(time.monotonic())
        seen.append(last["val_accuracy"])
        if len(seen) > 1 and max(seen[:-1]) >= wanted:
            raise Reached

    try:
        jaxnn.fit(
            mlp.metrics_and_grad,
            mlp.init(key),
            jaxnn.rmsprop(),
            (x, y),
            epochs=EPOCHS + 1,
            batch_size=128,
            key=key,
            with_key=True,
            validation_split=len(mnist.x_test) / len(x),  # the test digits, which come last
            metrics=mlp.metrics,
            progress=progress,
            progress_every=1,
        )
    except Reached:
        pass
    first = next((number for number, accuracy in enumerate(seen) if accuracy >= wanted), None)
    told = {"epochs": None if first is None else first + 1, "best": max(seen)}
    if first is not None:
        told |= {"at": stamps[first], "epoch": float(np.median(np.diff(stamps)))}
    return told


if __name__ == "__main__":
    main(*sys.argv[1:])
