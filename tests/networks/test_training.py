"""Training by hand as by autodiff: every small network, and the lecture's on the real digits, dropout and all."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxnn import fit, load_mnist, rmsprop
from jaxnn.gradients import rows
from jaxnn.networks import cnn, hidden_layer, linear, mlp

SMALL = {"linear": linear, "hidden_layer": hidden_layer, "mlp": mlp, "cnn": cnn}


@pytest.mark.parametrize("name", [*list(SMALL)[:3], pytest.param("cnn", marks=pytest.mark.slow)])
def test_hand_and_autodiff_train_alike(name, key):
    (row,) = [row for row in rows() if row.title == f"{name}.value_and_grad"]
    params, x, y = row.points()["std"]

    def trained(value_and_grad):
        return fit(value_and_grad, params, optax.sgd(0.05), (x, y), epochs=100, key=key)

    ours, expected = trained(SMALL[name].value_and_grad), trained(jax.value_and_grad(SMALL[name].loss))
    assert ours.history["loss"][-1] < ours.history["loss"][0]
    np.testing.assert_allclose(ours.history["loss"], expected.history["loss"], rtol=1e-10)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10), ours.params, expected.params)


networks = pytest.mark.parametrize("network", [mlp, cnn], ids=["mlp", "cnn"])


def digits(network, n, dtype):
    """Return the first digits as the lecture's network takes them: in [0, 1] flat, or raw pixels as images."""
    mnist = load_mnist()
    x = mnist.x_train[:n].astype(dtype)
    x = x.reshape(len(x), -1) / 255 if network is mlp else x[..., None]
    return jnp.asarray(x), jnp.asarray(mnist.y_train[:n].astype(np.int32))


def autodiff(network):
    return jax.value_and_grad(network.loss_and_metrics, has_aux=True)


def one_batch(gradient, size):
    """Return the gradient of a random batch of the data: as one step is an epoch, the history has each step's loss."""

    def of_batch(params, x, y, key):
        key, chosen = jax.random.split(key)
        index = jax.random.randint(chosen, (size,), 0, len(x))
        return gradient(params, x[index], y[index], key)

    return of_batch


# A quarter of the lecture's batch for the CNN: half of it takes 50 ms a step.
@pytest.mark.slow
@pytest.mark.parametrize(("network", "batch"), [(mlp, 128), (cnn, 32)], ids=["mlp", "cnn"])
def test_50_steps_have_the_loss_curve_of_autodiff(network, batch, key):
    params = network.init(key, dtype=float)  # the lecture's sizes

    def trained(gradient):
        data = digits(network, 50 * batch, float)
        return fit(one_batch(gradient, batch), params, rmsprop(), data, epochs=50, key=key, with_key=True)

    ours, expected = trained(network.metrics_and_grad), trained(autodiff(network))
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(ours.history[name], expected.history[name], rtol=1e-9)
    assert ours.history["accuracy"][-10:].mean() > 0.7 and len(ours.history["loss"]) == 50
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-9), ours.params, expected.params)


FIRST = {mlp: 20_000, cnn: 2_560}  # digits of the epoch; each step is also taken in float64
EPOCH = {"epochs": 1, "batch_size": 128, "with_key": True}


@pytest.mark.slow
@networks
def test_in_float32_each_step_of_an_epoch_is_as_near_to_float64_as_autodiffs(network, key):
    def wide(tree):
        return jax.tree.map(lambda leaf: leaf.astype(float), tree)

    def distance(grads, exact):
        return jnp.sqrt(sum(jnp.sum((grads[n] - exact[n]) ** 2) / jnp.sum(exact[n] ** 2) for n in exact))

    def gradient(params, x, y, key):
        (loss, _), by_hand = network.metrics_and_grad(params, x, y, key)
        _, by_autodiff = autodiff(network)(params, x, y, key)
        (exact_loss, _), exact = autodiff(network)(wide(params), wide(x), y, key)
        apart = {"loss_apart": jnp.abs(loss / exact_loss - 1)}
        return (loss, apart | {"hand": distance(by_hand, exact), "autodiff": distance(by_autodiff, exact)}), by_hand

    params, data = network.init(key), digits(network, FIRST[network], np.float32)
    history = fit(gradient, params, rmsprop(), data, key=key, **EPOCH).history
    # Both are rounded in another order, so neither is the nearer one by much; no term is missing in either.
    assert 0 < history["hand"][0] < 1.5 * history["autodiff"][0]
    assert history["loss_apart"][0] < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("network", "runs"), [(mlp, 8), (cnn, 4)], ids=["mlp", "cnn"])
def test_in_float32_the_loss_of_an_epoch_is_within_what_rounding_does(network, runs, key):
    # Where rounding puts one node on the other side of ReLU's kink, two trainings part for good. How far, autodiff
    # says itself, from starts in which each weight is one rounding off: ours is to be like one run more of these.
    params, data = network.init(key), digits(network, FIRST[network], np.float32)

    def after_an_epoch(gradient, start):
        history = fit(gradient, start, rmsprop(), data, key=key, **EPOCH).history
        return np.array([history["loss"][0], history["accuracy"][0]])

    def nudged(seed):
        rng, ends = np.random.default_rng(seed), np.array([-np.inf, np.inf], np.float32)
        return jax.tree.map(lambda p: jnp.asarray(np.nextafter(p, rng.choice(ends, p.shape))), params)

    ours = after_an_epoch(network.metrics_and_grad, params)
    theirs = np.array([after_an_epoch(autodiff(network), nudged(seed)) for seed in range(runs)])
    spread = theirs.std(axis=0, ddof=1) * np.sqrt(1 + 1 / runs)
    assert (np.abs(ours - theirs.mean(axis=0)) <= scipy.stats.t.ppf(0.9995, runs - 1) * spread).all()
