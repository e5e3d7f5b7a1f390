"""The convolutional network of lecture section 8.5: one update on 128 digits."""

from collections.abc import Collection

import jax
import numpy as np

from benchmarks import digits
from benchmarks.memory import of_training
from benchmarks.peers import KERAS
from benchmarks.timing import Side
from benchmarks.work import Work, convolutional
from jaxnn import networks

WHAT = "an update of the convolutional network, 3,149,394 parameters, batch 128, dropout and RMSprop"
VARIANTS = ("float32",)
PEERS = ("torch", "torch-compiled", *KERAS)
SAMPLES = 20
UPDATES = 10  # an epoch


def work(variant: str) -> Work:
    """Return what an update is."""
    del variant
    return convolutional(digits.BATCH)


def program(variant: str) -> tuple:
    """Return what XLA is to count: the gradient of one batch."""
    del variant
    return digits.program(networks.cnn, 28, 28, 1)


def memory(variant: str) -> dict[str, int]:
    """Return what training on all digits takes."""
    del variant
    return of_training("cnn")


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of updates, by name: jaxnn's own and the peers', once they are known to agree."""
    # Elsewhere ten steps take less than the call of their program.
    images, y = digits.first_digits(UPDATES if jax.default_backend() == "cpu" else 15 * UPDATES)
    x = images[..., None].astype(np.dtype(variant))  # 0 to 255, as in the lecture
    return digits.sides(networks.cnn, x, y, "cnn", peers)
