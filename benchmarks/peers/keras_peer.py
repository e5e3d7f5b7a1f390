"""Keras in a process of its own for each backend, since it chooses the backend when it is imported."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import jaxnn
from benchmarks.agreement import agree
from benchmarks.timing import Block, Side
from jaxnn.networks import cnn, mlp

ROOT = Path(__file__).parents[2]
NETWORKS = {"mlp": mlp, "cnn": cnn}


def training_side(
    backend: str, model: str, params: dict[str, Any], x: np.ndarray, y: np.ndarray, batch: int, checked: int
) -> Side:
    """Return what runs a block of epochs by `Model.fit`, shuffled, with dropout, from the same start.

    Raises `Different` unless the mean loss over the first `checked` batches agrees, in order and without dropout.
    """
    folder = tempfile.TemporaryDirectory(prefix="jaxnn-keras-")
    atexit.register(folder.cleanup)
    arrays = {"x": x, "y": y} | {name: np.asarray(leaf) for name, leaf in params.items()}
    np.savez(Path(folder.name) / "start.npz", allow_pickle=False, **arrays)
    command = [sys.executable, "-m", "benchmarks.peers.keras_worker", model, folder.name, str(batch)]
    quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"}
    worker = subprocess.Popen(
        command, cwd=ROOT, env=os.environ | quiet, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(worker.kill)

    def ask(**question):
        if worker.stdin is None or worker.stdout is None:
            raise RuntimeError("the worker has no pipes")
        worker.stdin.write(json.dumps(question) + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            raise RuntimeError(f"Keras on {backend} ended with exit status {worker.wait()}: see its messages above")
        return json.loads(answer)

    some = x[: checked * batch], y[: checked * batch]
    done = jaxnn.fit(NETWORKS[model].metrics_and_grad, params, jaxnn.rmsprop(), some, epochs=1, batch_size=batch)
    theirs = ask(first=len(some[0]))["loss"]
    agree(f"the mean loss of the first steps of Keras on {backend}", done.history["loss"][0], theirs, 1e-3)

    def side(units: int) -> Block:
        return Block(**ask(epochs=units))

    return side
