"""Every training step lowers for CPU, CUDA and TPU, wherever the tests run; off the CPU a convolution is `lax.conv`."""

import jax
import jax.numpy as jnp
import pytest
from jax import export

from jaxnn import ensembles, epochs, restarts, rmsprop, rprop_plus
from jaxnn.networks import cnn, hidden_layer, linear, mlp

KEY = jax.random.key(0)
F32 = jnp.float32
LABELS = jnp.zeros(20, int)
POINTS = jnp.zeros((20, 2), F32), jnp.zeros(20, F32)
STEPS = {
    "linear": (linear.value_and_grad, linear.init(KEY, 2, dtype=F32), POINTS, False),
    "hidden_layer": (hidden_layer.value_and_grad, hidden_layer.init(KEY, 2, 4, 1, dtype=F32), POINTS, False),
    "mlp": (mlp.metrics_and_grad, mlp.init(KEY, dtype=F32), (jnp.zeros((20, 784), F32), LABELS), True),
    "cnn": (cnn.metrics_and_grad, cnn.init(KEY, dtype=F32), (jnp.zeros((20, 28, 28, 1), F32), LABELS), True),
}


def lowered(platform, name, optimizer):
    """Return an epoch of `fit`, two batches of 8 and one of 4, as StableHLO for that platform."""
    gradient, params, (x, y), with_key = STEPS[name]
    arrays = (params, optimizer.init(params)), (x, y), None, jax.random.split(KEY, 1)
    training = epochs.Training(gradient, optimizer, 8, with_key)
    exported = export.export(epochs.program(platform), platforms=[platform])(training, 1, *arrays)
    assert exported.platforms == (platform,)
    return exported.mlir_module()


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize("optimizer", [rmsprop(), rprop_plus()], ids=["rmsprop", "rprop+"])
@pytest.mark.parametrize("name", STEPS)
def test_a_training_step_lowers(name, optimizer, platform):
    text = lowered(platform, name, optimizer)
    assert "custom_call" not in text.replace("custom_call @Sharding", "")
    assert ("stablehlo.convolution" in text) == (name == "cnn" and platform != "cpu")


@pytest.mark.parametrize("platform", ["cuda", "tpu"])  # on a CPU they are no program of their own
def test_networks_side_by_side_lower(platform):
    gradient, params, (x, y), _ = STEPS["hidden_layer"]
    starts = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), params)
    begin, advance = restarts._restarts(gradient, rprop_plus(), platform, None)
    export.export(begin, platforms=[platform])(starts, x, y)
    state = jax.eval_shape(begin, starts, x, y)
    assert export.export(advance, platforms=[platform])(state, x, y, 0.01, 100).platforms == (platform,)
    ensemble = ensembles._compiled(platform, None, epochs.Training(gradient, rmsprop(), 8), 2)
    begun = (starts, jax.vmap(rmsprop().init)(starts)), jax.random.split(KEY, (3, 2))
    assert export.export(ensemble, platforms=[platform])(begun, (x, y)).platforms == (platform,)
