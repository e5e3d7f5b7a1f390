"""A run that saves itself after every epoch: run, and killed, by `test_checkpoints.py`; ends in the parameters' digest.

`python killed.py FOLDER`, or without a folder the same run undisturbed.
"""

import hashlib
import sys

import jax
import numpy as np

from jaxnn import checkpoints, fit, rmsprop
from jaxnn.networks import mlp

EPOCHS = 25

if __name__ == "__main__":
    checkpoints.SHARE = 1e9
    rng = np.random.default_rng(0)
    data = rng.normal(size=(600, 20)).astype(np.float32), rng.integers(0, 10, 600)
    found = fit(
        mlp.metrics_and_grad,
        mlp.init(jax.random.key(0), 20, 30),
        rmsprop(),
        data,
        epochs=EPOCHS,
        batch_size=32,
        key=jax.random.key(1),
        with_key=True,
        checkpoint=sys.argv[1] if len(sys.argv) > 1 else None,
        progress=lambda epoch, _: print("epoch", epoch, flush=True),
        progress_every=1,
    )
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((found.params, found.history))]
    assert all(len(values) == EPOCHS for values in found.history.values())
    print(hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest())
