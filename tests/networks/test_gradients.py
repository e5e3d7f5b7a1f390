"""Every network's gradient by hand against autodiff, finite differences, and the mean over its single examples."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxnn
from jaxnn.networks import cnn, hidden_layer, linear, mlp


def case(network, sizes, n, *, soft=False, rate=None, **options):
    """Return an id and `(network, params, x, y, options)`; all parameters random, so that no bias is 0."""
    rng = np.random.default_rng(sum(np.ravel(sizes[0])) + n)
    key = jax.random.key(n)
    start = network.init(key, *sizes, dtype=jnp.float64, **{k: v for k, v in options.items() if k == "stride"})
    params = jax.tree.map(lambda p: jnp.asarray(p + 0.3 * rng.normal(size=p.shape)), start)
    shape = sizes[0] if network is cnn else sizes[:1]
    x = rng.normal(size=(n, *shape))
    classes = sizes[-1]
    if network in (linear, hidden_layer) or soft:
        y = rng.uniform(size=(n, classes))
    else:
        y = rng.integers(0, classes, n).astype(np.uint8)
    name = "-".join(map(str, [network.__name__.split(".")[-1], sizes, n, *options.values()]))
    dropout = {} if rate is None else {"key": key, "rate": rate}
    name += "-soft" * soft + f"-{rate}" * bool(dropout)
    return pytest.param(network, params, x, y, dropout | options, id=name)


CASES = [
    case(linear, (1, 1), 1),
    case(linear, (3, 1), 7),
    case(linear, (2, 4), 5),
    case(hidden_layer, (1, 1, 1), 1),
    case(hidden_layer, (2, 4, 1), 33),
    case(hidden_layer, (3, 2, 3), 7),
    case(hidden_layer, (2, 17, 1), 32),  # more than 16 terms: the other formulation of the products
    case(hidden_layer, (17, 3, 2), 4),
    case(hidden_layer, (20, 18, 4), 65),
    case(mlp, (1, 1, 1), 1),
    case(mlp, (5, 4, 3), 6),
    case(mlp, (5, 4, 3), 6, soft=True),
    case(mlp, (3, 7, 2), 1, rate=0.5),
    case(mlp, (4, 9, 3), 5, soft=True, rate=0.2),
    case(cnn, ((6, 4, 1), (3, 2), 5, 3), 9),
    case(cnn, ((5, 7, 2), (2, 3), 4, 3), 3, soft=True, rate=0.5),
    case(mlp, (3, (), 2), 4),
    case(mlp, (3, (5,), 2), 4, rate=0.3),
    *(case(mlp, (3, (5, 4), 3), 7, rate=0.3, activation=name) for name in mlp.ACTIVATIONS),
    case(mlp, (4, (3, 1, 6), 1), 5, activation="softplus"),
    case(mlp, (2, (3,) * 9, 2), 3, rate=0.2, activation="tanh"),  # W10 sorts before W2
    case(cnn, ((9, 8, 1), (2, 3), 4, 3), 3, rate=0.5, stride=2),
    case(cnn, ((7, 9, 2), (3, 2), 3, 2), 2, stride=(1, 2), dilation=(2, 1)),
    case(cnn, ((5, 6, 1), (2, 2), 3, 3), 3, dilation=3),
]
ONE_EACH = [CASES[i] for i in (2, 5, 11, 15)]
DIFFERENCED = ONE_EACH + [c for c in CASES if "activation" in c.values[-1] or "dilation" in c.values[-1]]
DENSE = ONE_EACH[:3]  # what the convolutions of many images are made of is tested in test_cnn.py


def assert_same(actual, expected, rtol=1e-12, atol=1e-12):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for (path, a), b in zip(jax.tree.leaves_with_path(actual), jax.tree.leaves(expected), strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), CASES)
def test_value_and_grad_is_that_of_autodiff(network, params, x, y, options):
    by_hand = jax.jit(lambda p: network.value_and_grad(p, x, y, **options))(params)
    assert_same(by_hand, jax.jit(jax.value_and_grad(lambda p: network.loss(p, x, y, **options)))(params))


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), [c for c in CASES if "hidden" in c.id])
def test_half_squared_error_is_that_of_autodiff(network, params, x, y, options):
    by_hand = jax.jit(network.half_squared_error_and_grad)(params, x, y)
    assert_same(by_hand, jax.jit(jax.value_and_grad(network.half_squared_error))(params, x, y))


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), DIFFERENCED)
def test_finite_differences_see_the_same_slope(network, params, x, y, options):
    rng = np.random.default_rng(1)
    direction = jax.tree.map(lambda p: rng.normal(size=p.shape), params)
    _, grads = jax.jit(lambda p: network.value_and_grad(p, x, y, **options))(params)
    slope = sum(jnp.vdot(g, d) for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True))
    along = jax.jit(lambda t: network.loss(jax.tree.map(lambda p, d: p + t * d, params, direction), x, y, **options))
    h = 1e-4
    numeric = (8 * (along(h) - along(-h)) - along(2 * h) + along(-2 * h)) / (12 * h)
    np.testing.assert_allclose(slope, numeric, rtol=1e-8)


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), DENSE)
def test_a_batch_is_the_mean_of_its_examples(network, params, x, y, options):
    whole = jax.jit(network.value_and_grad)(params, x, y)
    single = jax.jit(jax.vmap(network.value_and_grad, in_axes=(None, 0, 0)))(params, x[:, None], y[:, None])
    assert_same(whole, jax.tree.map(lambda values: values.mean(axis=0), single))


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), DENSE)
def test_eager_is_jit_and_arguments_are_not_touched(network, params, x, y, options):
    before = jax.tree.map(np.array, (params, x, y))
    eager = network.value_and_grad(params, x, y, **options)
    assert_same(eager, jax.jit(lambda p, x, y: network.value_and_grad(p, x, y, **options))(params, x, y))
    assert_same(jax.tree.map(np.asarray, (params, x, y)), before, 0, 0)


@pytest.mark.parametrize("sizes_of", [linear, hidden_layer, mlp, cnn])
@pytest.mark.parametrize("dtype", [jnp.float32])
def test_the_precision_of_the_parameters_is_kept(sizes_of, dtype):
    network, params, x, y, _ = next(c for c in CASES if c.values[0] is sizes_of).values
    params, x = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), (params, x))
    y = y.astype(dtype) if y.dtype == float else y
    f = jax.jit(lambda p: (network.value_and_grad(p, x, y), network.loss(p, x, y), network.apply(p, x)))
    (value, grads), loss, prediction = f(params)
    assert value.dtype == loss.dtype == prediction.dtype == dtype
    assert {leaf.dtype for leaf in grads.values()} == {jnp.dtype(dtype)}


@pytest.mark.parametrize(("network", "params", "x", "y", "options"), ONE_EACH)
def test_hand_and_autodiff_train_alike(network, params, x, y, options):
    def curve(value_and_grad):
        settings = {"epochs": 100, "key": jax.random.key(3), "with_key": bool(options)}
        return jaxnn.fit(value_and_grad, params, optax.sgd(0.05), (x, y), **settings)

    by_hand, by_autodiff = curve(network.value_and_grad), curve(jax.value_and_grad(network.loss))
    assert by_hand.history["loss"][-1] < by_hand.history["loss"][0]
    np.testing.assert_allclose(by_hand.history["loss"], by_autodiff.history["loss"], rtol=1e-10)
    assert_same(by_hand.params, by_autodiff.params, 1e-9, 1e-10)
