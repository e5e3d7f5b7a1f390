"""Many networks side by side: the cost of a step of one of them, beside the step of a network alone."""

from collections.abc import Collection

import jax
import numpy as np
import optax

import jaxnn
from benchmarks import hidden
from benchmarks.agreement import agree
from benchmarks.timing import Side, fit_side
from jaxnn.ensembles import fit_ensemble
from jaxnn.networks import hidden_layer

WHAT = "a step of one of 256 networks of the hidden-layer loop, trained side by side from different starts"
VARIANTS = ("float32", "float64")
PEERS = ()
SAMPLES = 20
NETWORKS = 256
STEPS = 500  # one unit: what `fit_ensemble` runs as one program
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


def sides(variant: str, peers: Collection[str]) -> dict[str, Side]:
    """Return what trains all networks and what trains one, once the first of the many is known to be that one."""
    del peers
    with jax.enable_x64(variant == "float64"):
        _, data = hidden.start(variant)
        keys = jax.random.split(jax.random.key(0), NETWORKS)
        starts = jax.vmap(lambda key: hidden_layer.init(key, 2, 4, 1, dtype=np.dtype(variant)))(keys)
        first = jax.tree.map(lambda leaf: leaf[0], starts)
        many = fit_ensemble(
            hidden_layer.value_and_grad, starts, optax.sgd(hidden.RATE), data, epochs=hidden.CHECKED
        ).params
        one = jaxnn.fit(hidden_layer.value_and_grad, first, optax.sgd(hidden.RATE), data, epochs=hidden.CHECKED).params
    for name in one:
        agree(f"{name} of the first network", many[name][0], one[name], TOLERANCE[variant])
    together, alone = (
        fit_side(
            hidden_layer.value_and_grad, params, optax.sgd(hidden.RATE), data, epochs=STEPS, updates=networks, fit=fit
        )
        for params, networks, fit in ((starts, NETWORKS, fit_ensemble), (first, 1, jaxnn.fit))
    )
    return {"jaxnn": together, "one alone": alone}
