"""What every network takes and what it refuses, by the name of the argument."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.networks import cnn, hidden_layer, linear, mlp

# Three inputs or 4 x 4 pixels, three outputs, five examples.
SIZES = {linear: (3, 3), hidden_layer: (3, 2, 3), mlp: (3, 2, 3), cnn: ((4, 4, 1), (2, 1), 2, 3)}
networks = pytest.mark.parametrize("network", SIZES, ids=lambda network: network.__name__.split(".")[-1])
functions = pytest.mark.parametrize("function", ["value_and_grad", "loss"])


def right(network):
    params = network.init(jax.random.key(0), *SIZES[network], dtype=jnp.float64)
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 1) if network is cnn else (5, 3))
    return params, x, np.eye(3)[[0, 2, 1, 1, 0]]


def same(a, b):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13), a, b)


@pytest.mark.parametrize("network", [*list(SIZES)[:-1], pytest.param(cnn, marks=pytest.mark.slow)])
def test_arrays_of_numpy_and_jax_and_whole_numbers_are_taken(network):
    params, x, y = right(network)
    x, run = np.round(3 * x), jax.jit(network.value_and_grad)
    expected = run(params, x, y)
    same(run(params, jnp.asarray(x), jnp.asarray(y)), expected)
    same(run(jax.tree.map(np.asarray, params), x.astype(np.int16), y.astype(np.uint8)), expected)


@pytest.mark.parametrize("network", [mlp, cnn])
def test_labels_are_their_one_hot_rows(network):
    params, x, y = right(network)
    loss, labels = jax.jit(network.loss), y.argmax(axis=1)
    for given in (labels, labels.astype(np.uint8)):
        same(loss(params, x, given), loss(params, x, y))


@networks
@functions
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused(network, function, bad):
    params, x, y = right(network)
    x[2, 1, ...] = bad
    with pytest.raises(InvalidArgument, match=rf"^x: got {bad} at index \(2, 1"):
        getattr(network, function)(params, x, y)
    with pytest.raises(InvalidArgument, match=rf"^x: got {bad} at index \(2, 1"):
        network.apply(params, x)


@networks
@functions
@pytest.mark.parametrize(
    "wrong",
    [lambda x: x[:0], lambda x: x[0], lambda x: x[:, :2], lambda x: x[None], lambda x: x[..., None], lambda x: x[0, 0]],
)
def test_inputs_of_another_shape_are_refused(network, function, wrong):
    params, x, y = right(network)
    with pytest.raises(InvalidArgument, match="^x: got"):
        getattr(network, function)(params, wrong(x), y)
    with pytest.raises(InvalidArgument, match="^x: got"):
        network.apply(params, wrong(x))


@networks
@functions
@pytest.mark.parametrize(
    "wrong",
    [
        lambda y: y[:4],
        lambda y: y[:1],
        lambda y: y[:, :2],
        lambda y: y[:, :1],
        lambda y: y[:0],
        lambda y: y[None],
        lambda y: y[:, 0],
        lambda y: 0.0,
        lambda y: y + np.nan,
    ],
)
def test_targets_that_cannot_be_right_are_refused(network, function, wrong):
    params, x, y = right(network)
    with pytest.raises(InvalidArgument, match="^y: got"):
        getattr(network, function)(params, x, wrong(y))


@pytest.mark.parametrize("network", [mlp, cnn])
@functions
@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 0], [0, 1, -1, 2, 0], [0.0, 1, 2, 0, 0], [0, 1, 2], [1], [True] * 5])
def test_labels_that_cannot_be_right_are_refused(network, function, labels):
    params, x, _ = right(network)
    with pytest.raises(InvalidArgument, match="^y: got"):
        getattr(network, function)(params, x, np.array(labels))


NAMES = {
    linear: ["n_inputs", "n_outputs"],
    hidden_layer: ["n_inputs", "n_hidden", "n_outputs"],
    mlp: ["n_inputs", "n_hidden", "n_outputs"],
    cnn: [None, None, "n_hidden", "n_outputs"],
}


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "3"])
@networks
def test_sizes_that_cannot_be_right_are_refused(network, size, key):
    for i, name in enumerate(NAMES[network]):
        sizes = list(SIZES[network])
        sizes[i] = size
        if name is not None:
            with pytest.raises(InvalidArgument, match=f"^{name}: got"):
                network.init(key, *sizes)


@networks
def test_float64_is_refused_where_jax_would_make_float32_of_it(network):
    with jax.enable_x64(False), pytest.raises(InvalidArgument, match="^dtype: got float64"):
        network.init(jax.random.key(0), *SIZES[network], dtype=np.float64)


@networks
def test_the_same_key_gives_the_same_start_and_another_another(network, key):
    first, again, other = (network.init(k, *SIZES[network]) for k in (key, key, jax.random.key(1)))
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert all((first[name] != other[name]).any() for name in first if name.startswith("W"))
