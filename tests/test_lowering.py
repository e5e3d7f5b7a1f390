"""Every training step lowers for CPU, CUDA and TPU, wherever the tests run; off the CPU a convolution is `lax.conv`."""

import jax
import jax.numpy as jnp
import pytest
from jax import export

from jaxnn import ensembles, epochs, restarts, rmsprop, rprop_plus
from jaxnn.networks import cnn, hidden_layer, linear, mlp

KEY = jax.random.key(0)
F32 = jnp.float32
LABELS = jax.ShapeDtypeStruct((20,), int)


def floats(*shape):
    return jax.ShapeDtypeStruct(shape, F32)


def begun(init, *sizes):
    """Return the shapes of a network's start: lowering asks for no values."""
    return jax.eval_shape(lambda key: init(key, *sizes, dtype=F32), KEY)


STEPS = {
    "linear": (linear.value_and_grad, begun(linear.init, 2), (floats(20, 2), floats(20)), False),
    "hidden_layer": (
        hidden_layer.value_and_grad,
        begun(hidden_layer.init, 2, 4, 1),
        (floats(20, 2), floats(20)),
        False,
    ),
    "mlp": (mlp.metrics_and_grad, begun(mlp.init), (floats(20, 784), LABELS), True),
    "cnn": (cnn.metrics_and_grad, begun(cnn.init), (floats(20, 28, 28, 1), LABELS), True),
}


def lowered(platform, name, optimizer):
    """Return an epoch of `fit`, two batches of 8 and one of 4, as StableHLO for that platform."""
    gradient, params, (x, y), with_key = STEPS[name]
    state = params, jax.eval_shape(optimizer.init, params)
    training = epochs.Training(gradient, optimizer, 8, with_key)
    exported = export.export(epochs.program(platform), platforms=[platform])(
        training, 1, state, (x, y), None, jax.random.split(KEY, 1)
    )
    assert exported.platforms == (platform,)
    return exported.mlir_module()


OPTIMIZERS = {"rmsprop": rmsprop(), "rprop+": rprop_plus()}
# A second optimizer takes seconds to lower with a large network, and shows little that it does not with a small one.
EXPENSIVE = {("mlp", "rprop+"), ("cnn", "rprop+")}
steps = [
    pytest.param(name, optimizer, id=f"{name}-{title}", marks=[pytest.mark.slow] * ((name, title) in EXPENSIVE))
    for name in STEPS
    for title, optimizer in OPTIMIZERS.items()
]


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize(("name", "optimizer"), steps)
def test_a_training_step_lowers(name, optimizer, platform):
    text = lowered(platform, name, optimizer)
    assert "custom_call" not in text.replace("custom_call @Sharding", "")
    assert ("stablehlo.convolution" in text) == (name == "cnn" and platform != "cpu")


@pytest.mark.parametrize("platform", ["cuda", "tpu"])  # on a CPU they are no program of their own
def test_networks_side_by_side_lower(platform):
    gradient, params, (x, y), _ = STEPS["hidden_layer"]
    starts = jax.tree.map(lambda leaf: floats(3, *leaf.shape), params)
    begin, advance = restarts._restarts(gradient, rprop_plus(), platform, None)
    export.export(begin, platforms=[platform])(starts, x, y)
    state = jax.eval_shape(begin, starts, x, y)
    assert export.export(advance, platforms=[platform])(state, x, y, 0.01, 100).platforms == (platform,)
    ensemble = ensembles._compiled(platform, None, epochs.Training(gradient, rmsprop(), 8), 2)
    state = starts, jax.eval_shape(jax.vmap(rmsprop().init), starts)
    assert export.export(ensemble, platforms=[platform])((state, jax.random.split(KEY, (3, 2))), (x, y)).platforms == (
        platform,
    )
