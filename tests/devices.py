"""What several devices make of a training run beside one: run by `test_devices.py`, prints JSON.

`python devices.py` simulates eight devices; `python devices.py RANK PROCESSES PORT FOLDER` is one of several processes,
which saves itself in the folder and goes on from there, or trains for ever if the folder is called `forever`.
"""

import json
import re
import sys
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnn import fit, rmsprop, rprop_plus
from jaxnn.ensembles import fit_ensemble
from jaxnn.epochs import Training, program
from jaxnn.networks import cnn, hidden_layer, mlp
from jaxnn.restarts import fit_until

RANK, PROCESSES, PORT = map(int, sys.argv[1:4]) if len(sys.argv) > 1 else (0, 1, 0)
if PROCESSES == 1:
    jax.config.update("jax_num_cpu_devices", 8)
else:
    jax.distributed.initialize(f"127.0.0.1:{PORT}", PROCESSES, RANK, heartbeat_timeout_seconds=15)
KEY = jax.random.key(3)


def difference(one, other):
    """Return the largest difference between two trees."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)


def digits(n, shape, dtype):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, *shape)).astype(dtype), rng.integers(0, 10, n)


def runs(dtype):
    """Return what is trained: the gradient, the start, the optimizer, the data, the settings."""
    dense, conv = mlp.init(KEY, 6, 5, dtype=dtype), cnn.init(KEY, (4, 6, 2), (3, 2), 5, dtype=dtype)
    held_out = {"validation_split": 0.2, "metrics": mlp.metrics}
    return {
        "mlp, 24": (mlp.metrics_and_grad, dense, rmsprop(1e-3), digits(600, (6,), dtype), 24, 2, {}),
        "mlp, 13": (mlp.metrics_and_grad, dense, optax.sgd(0.1), digits(650, (6,), dtype), 13, 1, {}),
        "mlp, last batch of 2, held out": (
            mlp.metrics_and_grad,
            dense,
            optax.adam(1e-3),
            digits(190, (6,), dtype),
            15,
            5,
            held_out,
        ),
        "mlp, whole batch of 21": (mlp.metrics_and_grad, dense, rmsprop(1e-3), digits(21, (6,), dtype), None, 50, {}),
        "mlp, 13, in blocks, held out": (
            mlp.metrics_and_grad,
            dense,
            rmsprop(1e-3),
            digits(200, (6,), dtype),
            13,
            3,
            {**held_out, "block_size": 65},
        ),
        "cnn, 20": (cnn.metrics_and_grad, conv, rmsprop(1e-3), digits(500, (4, 6, 2), dtype), 20, 2, {}),
    }


def beside_one(dtype, mesh, *names):
    """Return for each run of these names, or each, how far the parameters and the history are from one device's."""
    found = {}
    for name, (gradient, params, optimizer, data, batch, epochs, others) in runs(dtype).items():
        if names and name not in names:
            continue
        settings = {"epochs": epochs, "batch_size": batch, "key": KEY, **others}
        one = fit(gradient, params, optimizer, data, **settings)
        several = fit(gradient, params, optimizer, data, mesh=mesh, **settings)
        found[name] = [difference(one.params, several.params), difference(one.history, several.history)]
    return found


def collectives(mesh):
    """Return the collectives of the compiled program by name and by what they are over, in the order of the text."""
    gradient, params, optimizer, (x, y), batch, _, _ = runs(jnp.float32)["cnn, 20"]
    arrays = (params, optimizer.init(params)), (x, y), None, jax.random.split(KEY, 1)
    lowered = program("cpu", mesh).lower(Training(gradient, optimizer, batch), 1, *arrays)
    names = "all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter"
    return re.findall(rf"= \w+\[([\d,]*)\]\S* ({names})\(", lowered.compile().as_text())


def restarts(mesh):
    """Return the steps of 11 restarts on one device and on several, and the difference of where they stop."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    y = (x[:, 0] * x[:, 1] > 0).astype(float)
    starts = jax.vmap(lambda k: hidden_layer.init(k, 2, 3, 1))(jax.random.split(KEY, 11))
    asked = (hidden_layer.half_squared_error_and_grad, starts, rprop_plus(), (x, y))
    one, several = (run(*asked) for run in (fit_until, partial(fit_until, mesh=mesh)))
    return one.steps.tolist(), several.steps.tolist(), difference(one.params, several.params)


def ensemble(mesh):
    """Return how far 11 networks, trained with dropout on several devices, are from one device's."""
    starts = jax.vmap(lambda k: mlp.init(k, 6, 5, dtype=jnp.float32))(jax.random.split(KEY, 11))
    settings = {"epochs": 3, "batch_size": 8, "key": KEY, "with_key": True}
    asked = mlp.metrics_and_grad, starts, rmsprop(1e-3), digits(50, (6,), np.float32)
    return difference(fit_ensemble(*asked, **settings), fit_ensemble(*asked, **settings, mesh=mesh))


def noise(mesh):
    """Return the mean over the devices of what each draws from a key, and what one draws."""

    def drawn(params, x, y, key):
        return jax.random.uniform(key)

    def gradient(params, x, y, key):
        return drawn(params, x, y, key), params

    run = {"epochs": 1, "key": KEY, "with_key": True}
    data = digits(8, (1,), np.float32)
    one, several = (fit(gradient, {"W": jnp.zeros(1)}, optax.sgd(0.0), data, mesh=m, **run) for m in (None, mesh))
    return float(one.history["loss"][0]), float(several.history["loss"][0])


def on_eight_devices():
    mesh = jax.make_mesh((8,), ("batch",))
    # How the parts are cut does not depend on the precision: one network each shows what float32 and two axes change.
    found = {"devices": jax.device_count(), "collectives": collectives(mesh)}
    found["float32"] = beside_one(jnp.float32, mesh, "mlp, last batch of 2, held out", "cnn, 20")
    two_axes = jax.make_mesh((4, 2), ("host", "chip"))
    found["two axes"] = beside_one(jnp.float32, two_axes, "mlp, last batch of 2, held out", "cnn, 20")
    found["noise"], found["ensemble"] = noise(mesh), ensemble(mesh)
    jax.config.update("jax_enable_x64", True)
    return found | {"float64": beside_one(jnp.float64, mesh), "restarts": restarts(mesh)}


def in_several_processes():
    mesh = jax.make_mesh((jax.device_count(),), ("batch",))
    forever = "forever" in sys.argv

    def progress(epoch, _):
        if forever:
            print("epoch", epoch, flush=True)
            time.sleep(0.1)

    gradient, params, optimizer, data, batch, epochs, others = runs(jnp.float32)["mlp, last batch of 2, held out"]
    settings = {"epochs": 1_000_000 if forever else epochs, "batch_size": batch, "key": KEY, **others}
    several = fit(gradient, params, optimizer, data, mesh=mesh, progress=progress, progress_every=1, **settings)
    one = fit(gradient, params, optimizer, data, **settings)
    for epochs in (2, settings["epochs"]):
        resumed = fit(
            gradient, params, optimizer, data, mesh=mesh, checkpoint=sys.argv[4], **(settings | {"epochs": epochs})
        )
    return {
        "devices": jax.device_count(),
        "resumed": difference(resumed, several),
        "differences": [difference(one.params, several.params), difference(one.history, several.history)],
        "sum": float(sum(jnp.abs(leaf).sum() for leaf in jax.tree.leaves(several.params))),
    }


if __name__ == "__main__":
    print(json.dumps(on_eight_devices() if PROCESSES == 1 else in_several_processes()))
