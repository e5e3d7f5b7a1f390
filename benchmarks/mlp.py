"""The dense network of lecture section 8.3: one update on 128 digits."""

from collections.abc import Collection

import numpy as np

from benchmarks import digits
from benchmarks.memory import of_training
from benchmarks.peers import KERAS
from benchmarks.timing import Side
from benchmarks.work import Work, dense_mlp
from jaxnn import networks

WHAT = "an update of the 784-512-10 network, batch 128, dropout and RMSprop"
VARIANTS = ("float32",)
PEERS = ("torch", "torch-compiled", *KERAS, "sklearn")
SAMPLES = 20
UPDATES = 150  # an epoch: 60 MB of digits, too many for the caches, as all of MNIST is


def work(variant: str) -> Work:
    """Return what an update is."""
    del variant
    return dense_mlp(digits.BATCH)


def program(variant: str) -> tuple:
    """Return what XLA is to count: the gradient of one batch."""
    del variant
    return digits.program(networks.mlp, 784)


def memory(variant: str) -> dict[str, int]:
    """Return what training on all digits takes."""
    del variant
    return of_training("mlp")


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what runs a block of updates, by name: jaxnn's own and the peers', once they are known to agree."""
    images, y = digits.first_digits(UPDATES)
    x = images.reshape(len(images), -1).astype(np.dtype(variant)) / 255
    return digits.sides(networks.mlp, x, y, "mlp", peers)
