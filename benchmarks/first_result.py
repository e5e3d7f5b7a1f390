"""The time from starting Python to the first finished epoch of the MNIST MLP, in a process of its own."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from benchmarks.timing import Block, Side

WHAT = "a new process up to the first finished epoch of the MNIST MLP, 60,000 digits, imports and compilation included"
VARIANTS = ("empty cache", "warm cache")
PEERS = ("torch",)
SAMPLES = 20
ROOT = Path(__file__).parents[1]
OURS = """
import json, time
start = time.perf_counter()
import jax, numpy as np, jaxnn
from jaxnn.networks import mlp
imported = time.perf_counter()
mnist = jaxnn.load_mnist()
x = mnist.x_train.reshape(60000, -1) / np.float32(255)
unpacked = time.perf_counter()
data = jax.block_until_ready(jax.device_put((x, mnist.y_train)))
placed = time.perf_counter()
from benchmarks.timing import compiling
key = jax.random.key(0)
with compiling() as phases:
    done = jaxnn.fit(mlp.metrics_and_grad, mlp.init(key), jaxnn.rmsprop(), data, epochs=1, batch_size=128, key=key,
                     with_key=True)
assert done.history["accuracy"][0] > 0.9
rest = time.perf_counter() - placed - sum(phases.values())
before = {"import": imported - start, "unpack": unpacked - imported, "data to device": placed - unpacked}
print(json.dumps({**before, **phases, "first run": rest}))
"""
TORCH = """
import jax, numpy as np, torch, jaxnn
from benchmarks.peers import torch_peer
from jaxnn.networks import mlp
mnist = jaxnn.load_mnist()
x = mnist.x_train.reshape(60000, -1) / np.float32(255)
model = torch_peer.MODELS["mlp"].build()
order = torch.randperm(60000)
done = torch_peer.epoch(model, torch_peer.rmsprop(model), torch.tensor(x), torch_peer.labels(mnist.y_train), order, 128)
assert done[1] > 0.9
print("{}")
"""


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what starts a process that trains for an epoch, which checks that it learned."""
    folder = tempfile.mkdtemp(prefix="jaxnn-cache-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    found = {"jaxnn": side(OURS, folder, keep=variant == "warm cache")}
    if "torch" in peers:
        found["torch"] = side(TORCH, folder, keep=True)
    return found


def side(program: str, cache: str, keep: bool) -> Side:
    """Return what runs the program anew for each unit, with an empty compilation cache or the one of the run before."""
    # By default JAX keeps only what takes a second to compile.
    settings = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}

    def once() -> tuple[float, dict[str, float]]:
        if not keep:
            settings["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(dir=cache)
        start, environment = time.perf_counter(), os.environ | settings
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return time.perf_counter() - start, json.loads(done.stdout)

    def run(units: int) -> Block:
        lead, phases = once()
        return Block(lead, sum(once()[0] for _ in range(units)), units, phases)

    return run
