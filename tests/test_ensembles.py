"""Networks side by side against `fit` of each alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import fit, rmsprop
from jaxnn.ensembles import fit_ensemble
from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.networks import hidden_layer, mlp

rng = np.random.default_rng(0)
X = rng.normal(size=(23, 4)).astype(np.float32)
LABELS = rng.integers(0, 3, 23)
Y = (X[:, 0] > 0).astype(np.float32)
KEY = jax.random.key(3)
DROPOUT = {"batch_size": 5, "key": KEY, "with_key": True}


def mlps(n):
    return jax.vmap(lambda key: mlp.init(key, 4, (6, 5), 3))(jax.random.split(jax.random.key(0), n))


def one(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


@pytest.mark.slow
def test_each_network_is_what_fit_makes_of_it():
    starts, keys = mlps(3), jax.random.split(KEY, 3)
    ours = fit_ensemble(mlp.metrics_and_grad, starts, rmsprop(), (X, LABELS), epochs=120, **DROPOUT)
    for i in range(3):
        alone = fit(
            mlp.metrics_and_grad, one(starts, i), rmsprop(), (X, LABELS), epochs=120, **DROPOUT | {"key": keys[i]}
        )
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-5), ours.params, alone.params
        )
        for name, values in alone.history.items():
            assert ours.history[name].shape == (3, 120)
            np.testing.assert_allclose(ours.history[name][i], values, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_all_examples_at_once_need_no_key():
    starts = jax.vmap(lambda key: hidden_layer.init(key, 4, 3, 1, dtype=np.float32))(jax.random.split(KEY, 2))
    told = []
    ours = fit_ensemble(
        hidden_layer.value_and_grad,
        starts,
        optax.sgd(0.5),
        (X, Y),
        epochs=700,
        progress=lambda epochs, last: told.append((epochs, last["loss"])),
    )
    alone = fit(hidden_layer.value_and_grad, one(starts, 1), optax.sgd(0.5), (X, Y), epochs=700)
    np.testing.assert_allclose(ours.history["loss"][1], alone.history["loss"], rtol=1e-5)
    assert [epochs for epochs, _ in told] == [500, 700]
    np.testing.assert_array_equal(told[1][1], ours.history["loss"][:, -1])


@pytest.mark.slow
def test_the_settings_of_the_caller_reach_every_thread():
    with jax.enable_x64(True):
        starts = jax.vmap(lambda key: hidden_layer.init(key, 4, 3, 1))(jax.random.split(KEY, 3))
        data = X.astype(np.float64), Y.astype(np.float64)
        ours = fit_ensemble(hidden_layer.value_and_grad, starts, optax.sgd(0.5), data, epochs=3)
        alone = fit(hidden_layer.value_and_grad, one(starts, 2), optax.sgd(0.5), data, epochs=3)
    assert {leaf.dtype for leaf in jax.tree.leaves(ours.params)} == {np.dtype("float64")}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[2], b, rtol=1e-13), ours.params, alone.params)


def test_divergence_names_the_network():
    def cliff(params, x, y):
        return jnp.log(params["w"].sum()), {"w": jnp.ones_like(params["w"])}

    starts = {"w": jnp.array([[9.0], [2.5], [9.0]], jnp.float32)}
    with pytest.raises(Diverged, match="^network 2: loss: got nan at epoch 4, step 1, expected a finite number"):
        fit_ensemble(cliff, starts, optax.sgd(1.0), (X, Y), epochs=6)


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        ("starts", lambda starts: {"starts": starts | {"b1": jnp.zeros((3, 6))}}),
        ("starts", lambda starts: {"starts": jax.tree.map(lambda p: p[:0], starts)}),
        ("epochs", {"epochs": 0}),
        ("batch_size", {"batch_size": 24}),
        ("key", {"key": None}),
        ("key", {"key": 0}),
        ("data", {"data": X}),
        ("x", {"data": (X * np.nan, LABELS)}),
        ("mesh", {"mesh": "all"}),
    ],
)
def test_what_cannot_be_right_is_refused(named, wrong):
    starts = mlps(2)
    wrong = wrong(starts) if callable(wrong) else wrong
    given = {"starts": starts, "data": (X, LABELS), "epochs": 1, **DROPOUT} | wrong
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        fit_ensemble(mlp.metrics_and_grad, optimizer=rmsprop(), **given)
