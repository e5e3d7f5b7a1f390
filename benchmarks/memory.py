"""What training on all of MNIST takes of memory, in a process of its own: `python -m benchmarks.memory mlp|cnn`."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxnn
from jaxnn import epochs, networks

ROOT = Path(__file__).parents[1]
BATCH, DIGITS = 128, 60_000


def of_training(network: str) -> dict[str, int]:
    """Return bytes: `peak` of the process, `device` of an accelerator, and what one epoch's program needs.

    The program's `arguments` are the digits and the state, which its outputs take over, `temporaries` all else.
    """
    command = [sys.executable, "-m", "benchmarks.memory", network]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main(name: str) -> None:
    """Train for one epoch and print what it took."""
    network, mnist, key = getattr(networks, name), jaxnn.load_mnist(), jax.random.key(0)
    x = mnist.x_train.reshape(DIGITS, -1) / np.float32(255) if name == "mlp" else mnist.x_train[..., None]
    x, params, optimizer = x.astype(np.float32), network.init(key), jaxnn.rmsprop()
    settings = {"epochs": 1, "batch_size": BATCH, "key": key, "with_key": True}
    jaxnn.fit(network.metrics_and_grad, params, optimizer, (x, mnist.y_train), **settings)
    peak = peak_of_process()
    device = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    x, y = jnp.asarray(x), jnp.asarray(mnist.y_train)
    training = epochs.Training(network.metrics_and_grad, optimizer, BATCH, with_key=True)
    state, keys = (params, optimizer.init(params)), epochs.keys_of_epochs(key, 1)
    compiled = epochs.program(jax.default_backend()).lower(training, 1, state, (x, y), None, keys)
    told = {"peak": peak, "device": device}
    needs = compiled.compile().memory_analysis()
    if needs is not None:  # a backend need not know
        told |= {"arguments": needs.argument_size_in_bytes, "temporaries": needs.temp_size_in_bytes}
    print(json.dumps(told))


def peak_of_process() -> int:
    """Return the largest size in bytes that this process has had; `ru_maxrss` has, on Linux, its parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if "VmHWM" in line)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main(*sys.argv[1:])
