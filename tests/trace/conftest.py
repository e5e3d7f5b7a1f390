"""What several tests of the explanations look at: two networks, each explained once."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.networks import cnn
from jaxnn.trace import Explanation, explain
from tests.trace.networks import PARAMS, X, network


class ExplainedCNN(NamedTuple):
    params: dict
    x: np.ndarray
    y: np.ndarray
    explanation: Explanation


@pytest.fixture(scope="session")
def explained_network():
    return explain(network, PARAMS, X, jax.random.key(0))


@pytest.fixture(scope="session")
def explained_cnn():
    params = cnn.init(jax.random.key(0), (6, 6, 1), (3, 2), 5, 3, dtype=jnp.float64)
    x, y = np.random.default_rng(0).random((4, 6, 6, 1)), np.array([0, 1, 2, 0])
    return ExplainedCNN(params, x, y, explain(cnn.loss, params, x, y))
