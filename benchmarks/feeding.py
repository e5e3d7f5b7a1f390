"""Training from files that need not fit into memory, block by block, beside the same training from memory.

`python -m benchmarks.feeding FOLDER BLOCK EPOCHS` is one side, a process of its own, which says what it took.
"""

import atexit
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn
from benchmarks.memory import peak_of_process
from benchmarks.timing import Block, Side
from jaxnn.networks import mlp

WHAT = "an update of the MLP on one of 2,000,000 digits, generated, from a memory-mapped file and from memory"
VARIANTS = ("float32",)
PEERS = ()
SAMPLES = 3
ONLY_NAMED = True  # some ten minutes
DIGITS, BATCH, BLOCK = 2_000_000, 128, 128 * 500
ROOT = Path(__file__).parents[1]


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what trains from the file and what trains from memory, each in a process of its own."""
    del variant, peers
    folder = tempfile.mkdtemp(prefix="jaxnn-digits-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    generate(Path(folder), DIGITS)
    return {"jaxnn": partial(side, folder, BLOCK), "from memory": partial(side, folder, 0)}


def generate(folder: Path, count: int) -> None:
    """Write `x.npy`, `(count, 784)` bytes, and `y.npy`: MNIST's digits moved by up to two pixels, noise added."""
    mnist, rng = jaxnn.load_mnist(), np.random.default_rng(0)
    x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.uint8, (count, 784))
    y = np.lib.format.open_memmap(folder / "y.npy", "w+", np.uint8, (count,))
    for start in range(0, count, 10_000):  # 1.6 GB in all, which the memory need not hold
        chosen = rng.integers(0, len(mnist.x_train), min(10_000, count - start))
        moved = np.roll(mnist.x_train[chosen], rng.integers(-2, 3, 2), axis=(1, 2)).reshape(len(chosen), 784)
        noise = rng.integers(0, 20, moved.shape, np.uint8)
        x[start : start + len(chosen)] = np.maximum(moved, noise)
        y[start : start + len(chosen)] = mnist.y_train[chosen]


def side(folder: str, block: int, epochs: int) -> Block:
    """Return the block of a process that trains for an epoch, and then for so many more, which are timed."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.feeding", folder, str(block), str(epochs)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    lead = time.perf_counter() - start - told["seconds"]
    return Block(lead, told["seconds"], epochs * told["updates"], peak=told["peak"])


def main(folder: str, block: str, epochs: str) -> None:
    """Train and print the seconds of all epochs but the first, the updates of one, the process's largest size."""
    x, y = (np.load(Path(folder) / name, mmap_mode="r" if int(block) else None) for name in ("x.npy", "y.npy"))
    stamps, key = [], jax.random.key(0)
    jaxnn.fit(
        pixels_and_grad,
        mlp.init(key),
        jaxnn.rmsprop(),
        (x, y),
        epochs=1 + int(epochs),
        batch_size=BATCH,
        key=key,
        with_key=True,
        progress=lambda done, last: stamps.append(time.perf_counter()),
        block_size=int(block) or None,
    )
    seconds, updates = stamps[-1] - stamps[0], -(-len(x) // BATCH)
    print(json.dumps({"seconds": seconds, "updates": updates, "peak": peak_of_process()}))


def pixels_and_grad(params: mlp.Params, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[Any, mlp.Params]:
    """Return `mlp.metrics_and_grad` of pixels 0 to 255, which are bytes until they are needed."""
    return mlp.metrics_and_grad(params, x.astype(jnp.float32) / 255, y, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
