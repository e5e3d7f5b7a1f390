"""Tests for `experiments/resilient.py`; the expected values are from R 4.2.2 with neuralnet 1.44.2."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import resilient
from jaxnn.data import RRandom, circle
from jaxnn.networks import hidden_layer
from jaxnn.optimizers import rprop_plus
from jaxnn.restarts import fit_until

CASES = json.loads(Path(__file__).with_name("neuralnet_rprop.json").read_text())["cases"]


def plain(matrices):
    """Neuralnet's matrices, the intercepts in the first row, as our parameters."""
    first, second = map(np.array, matrices)
    return {"W1": first[1:], "b1": first[0], "W2": second[1:], "b2": second[0]}


@pytest.fixture(params=CASES, ids=lambda case: case["name"])
def case(request):
    with jax.enable_x64(True):
        yield request.param


def test_steps_error_and_weights_are_rs(case):
    starts = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(plain, case["startweights"]))
    found = fit_until(
        hidden_layer.half_squared_error_and_grad,
        starts,
        rprop_plus(),
        circle(RRandom(case["seed"]), case["n"]),
        threshold=case["threshold"],
        stepmax=200_000,
    )
    result = {name: np.atleast_1d(value) for name, value in case["result"].items()}
    assert found.steps.tolist() == result["steps"].tolist()
    np.testing.assert_allclose(found.loss, result["error"], rtol=1e-6)
    np.testing.assert_allclose(found.largest_gradient, result["reached.threshold"], rtol=1e-6)
    for rep, weights in enumerate(map(plain, case["weights"])):
        for name in weights:
            np.testing.assert_allclose(found.params[name][rep], weights[name], rtol=1e-6)


def test_start_weights_come_off_the_stream_as_in_r(case):
    rng = RRandom(case["seed"] + 1)  # where R's own run of the case was seeded
    for matrices in case["startweights"]:
        expected, found = plain(matrices), resilient.start_weights(rng)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-14)


def test_layer_matrices_put_the_intercepts_first():
    (matrices, *_) = CASES[0]["startweights"]
    for found, expected in zip(resilient.layer_matrices(plain(matrices)), matrices, strict=True):
        np.testing.assert_array_equal(found, expected)
