"""The core is tested in float64, with exact matrix products, and no array is stretched to a higher rank by accident.

The data, the neuralnet, the experiments and the benchmarks choose their precision themselves: their tests start as
their users do.
"""

import jax
import pytest

AS_USERS_START = {"data", "experiments", "benchmarks", "r_neuralnet"}

jax.config.update("jax_enable_x64", True)  # for what test modules make while they are collected
jax.config.update("jax_default_matmul_precision", "highest")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True, scope="module")
def precision(request):
    jax.config.update("jax_enable_x64", request.path.parent.name not in AS_USERS_START)
    yield
    jax.config.update("jax_enable_x64", True)


@pytest.fixture
def key():
    return jax.random.key(0)
