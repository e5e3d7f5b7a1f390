"""The NNX modules beside the plain networks: the same numbers, the same shapes, the same training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxnn
from jaxnn import models
from jaxnn.errors import InvalidArgument
from jaxnn.networks import cnn, mlp

# name: the module, its network, the sizes for both, the rate of the lecture
KINDS = {"mlp": (models.MLP, mlp, (3, 5, 4), 0.2), "cnn": (models.CNN, cnn, ((5, 6, 2), (3, 2), 4, 4), 0.5)}
kinds = pytest.mark.parametrize("kind", KINDS)


def blank(module, *sizes, **options):
    """Return a module whose weights are all 0, in float64: drawing a start compiles a program for each shape."""
    graph, weights = nnx.split(nnx.eval_shape(lambda: module(*sizes, rngs=nnx.Rngs(0), **options)))
    return nnx.merge(graph, jax.tree.map(lambda w: jnp.asarray(np.zeros(w.shape)), weights))


def made(kind, **options):
    """Return a module in float64 with no weight 0, its network, and data."""
    module, network, sizes, _ = KINDS[kind]
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(lambda key: network.init(key, *sizes, dtype=float), jax.random.key(1))
    params = {name: jnp.asarray(0.4 * rng.normal(size=p.shape)) for name, p in shapes.items()}
    x = rng.normal(size=(6, *np.atleast_1d(sizes[0])))
    return models.from_params(blank(module, *sizes, **options), params), network, params, (x, np.arange(6) % 4)


def same(a, b, rtol=1e-12):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13), a, b)


@kinds
def test_logits_are_those_of_the_plain_network(kind):
    model, network, params, (x, _) = made(kind)
    same(nnx.jit(lambda model: model(x))(model), jax.jit(network.logits)(params, x))


@kinds
def test_parameters_there_and_back(kind):
    model, _, params, _ = made(kind)
    assert {name: p.shape for name, p in models.to_params(model).items()} == {n: p.shape for n, p in params.items()}
    jax.tree.map(np.testing.assert_array_equal, models.to_params(model), params)
    before = jax.tree.map(np.array, models.to_params(model))
    models.from_params(model, jax.tree.map(lambda p: p + 1, params))
    jax.tree.map(np.testing.assert_array_equal, models.to_params(model), before)  # a copy: the model is as it was


@kinds
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_parameters_of_another_shape_are_refused(kind, name):
    model, _, params, _ = made(kind)
    for wrong in (params[name][..., None], params[name][:1], params[name].T[:1]):
        if wrong.shape != params[name].shape:
            with pytest.raises(InvalidArgument, match=rf"^{name}: got shape .*, expected shape"):
                models.from_params(model, params | {name: wrong})


@kinds
@pytest.mark.parametrize("change", [lambda p: {n: v for n, v in p.items() if n != "b2"}, lambda p: p | {"W9": p["W1"]}])
def test_parameters_that_are_missing_or_too_many_are_refused(kind, change):
    model, _, params, _ = made(kind)
    with pytest.raises(InvalidArgument, match="^params: got"):
        models.from_params(model, change(params))


@kinds
def test_loss_accuracy_and_gradient_are_those_by_hand(kind):
    model, network, params, (x, y) = made(kind)
    weights, objective = models.as_objective(model)
    value, grads = jax.jit(jax.value_and_grad(objective, has_aux=True))(weights, x, y)
    by_hand, expected = jax.jit(network.metrics_and_grad)(params, x, y)
    same(value, by_hand)
    same(models.to_params(nnx.merge(nnx.graphdef(model), grads)), expected)


@kinds
def test_dropout_takes_part_with_a_key_alone_at_the_lectures_rate(kind, key):
    model, _, _, (x, _) = made(kind)
    rate = KINDS[kind][3]
    assert (model.dropout if kind == "mlp" else model.dropout_1).rate == rate
    plain, drawn, again, other = (model(x, *k) for k in ((), (key,), (key,), (jax.random.key(7),)))
    np.testing.assert_array_equal(drawn, again)
    assert (plain != drawn).any() and (drawn != other).any()
    np.testing.assert_array_equal(made(kind, rate=0.0)[0](x, key), plain)


@pytest.mark.parametrize("kind", ["mlp", pytest.param("cnn", marks=pytest.mark.slow)])
def test_as_objective_goes_through_fit_like_the_gradient_by_hand(kind):
    model, network, params, data = made(kind)
    weights, objective = models.as_objective(model)
    settings = {"epochs": 10}
    nnx_way = jaxnn.fit(jax.value_and_grad(objective, has_aux=True), weights, optax.sgd(0.1), data, **settings)
    by_hand = jaxnn.fit(network.metrics_and_grad, params, optax.sgd(0.1), data, **settings)
    same(nnx_way.history, by_hand.history, 1e-10)
    same(models.to_params(nnx.merge(nnx.graphdef(model), nnx_way.params)), by_hand.params, 1e-9)


def test_as_objective_takes_a_key_for_dropout(key):
    model, _, _, data = made("mlp")
    weights, objective = models.as_objective(model)
    fit = jaxnn.fit(
        jax.value_and_grad(objective, has_aux=True), weights, optax.sgd(0.1), data, epochs=2, key=key, with_key=True
    )
    assert np.isfinite(fit.history["loss"]).all()


# Keras' summaries of the lecture's networks, sections 8.3 and 8.5.
MLP_ROWS = [("dense", (512,), 401_920), ("dropout", (512,), 0), ("dense_1", (10,), 5_130)]
CNN_ROWS = [
    ("conv2d", (28, 28, 32), 320),
    ("activation", (28, 28, 32), 0),
    ("conv2d_1", (28, 28, 16), 2_064),
    ("max_pooling2d", (14, 14, 16), 0),
    ("flatten", (3136,), 0),
    ("dense_2", (1000,), 3_137_000),
    ("dropout_1", (1000,), 0),
    ("dense_3", (10,), 10_010),
]


@pytest.mark.parametrize(
    ("module", "shape", "rows"), [(models.MLP, (784,), MLP_ROWS), (models.CNN, (28, 28, 1), CNN_ROWS)]
)
def test_summary_is_that_of_the_lecture(module, shape, rows):
    assert models.summary(blank(module), shape) == rows


@kinds
def test_the_start_is_glorots(kind):
    module, sizes = {"mlp": (models.MLP, (100, 80, 60)), "cnn": (models.CNN, ((4, 4, 16), (48, 64), 30, 20))}[kind]
    key = jax.random.key(0, impl="rbg")  # compiles in half of the time
    params = models.to_params(nnx.jit(lambda: module(*sizes, rngs=nnx.Rngs(key)))())
    for name, w in params.items():
        if name.startswith("W"):
            area = np.prod(w.shape[:-2])
            limit = np.sqrt(6 / (area * sum(w.shape[-2:])))
            assert 0.98 * limit < jnp.abs(w).max() <= limit * (1 + 1e-6) and w.dtype == jnp.float32
        else:
            assert not w.any()
