"""The losses by the lecture's formulas in NumPy, at saturation, and with labels that are not one-hot."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxnn import losses
from jaxnn.errors import InvalidArgument

LIKELIHOODS = [losses.bernoulli, losses.softmax_cross_entropy]
rng = np.random.default_rng(0)
Z, Y = rng.normal(size=(5, 3)), rng.uniform(size=(5, 3))  # rows of Y do not sum to 1


def test_sum_squared_error_by_hand():
    assert losses.sum_squared_error(jnp.array([[1.0], [4.0]]), jnp.array([[3.0], [3.0]])) == 5


@pytest.mark.parametrize("y", [Y, np.round(Y), np.zeros_like(Y)])
def test_bernoulli_by_formula(y):
    y_hat = 1 / (1 + np.exp(-Z))
    expected = -np.sum(y * np.log(y_hat) + (1 - y) * np.log(1 - y_hat))
    np.testing.assert_allclose(losses.bernoulli(Z, y), expected, rtol=1e-13)


@pytest.mark.parametrize("y", [Y, np.eye(3)[[0, 2, 1, 1, 0]], np.zeros_like(Y), 3 * Y])
def test_softmax_cross_entropy_by_formula(y):
    y_hat = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(losses.softmax_cross_entropy(Z, y), -np.sum(y * np.log(y_hat)), rtol=1e-13, atol=1e-15)
    residuals = losses.softmax_cross_entropy_fwd(jnp.asarray(Z), jnp.asarray(y))[1]
    dz, _ = losses.softmax_cross_entropy_bwd(residuals, 2.0)
    np.testing.assert_allclose(dz, 2 * (y.sum(axis=1, keepdims=True) * y_hat - y), rtol=1e-12, atol=1e-14)


def test_softmax_cross_entropy_is_that_of_scipy():
    expected = -np.sum(Y * scipy.special.log_softmax(Z, axis=1))
    np.testing.assert_allclose(losses.softmax_cross_entropy(Z, Y), expected, rtol=1e-13)


@pytest.mark.parametrize("loss", LIKELIHOODS)
@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_saturation_costs_what_it_must_and_no_nan(loss, wrong):
    z, y = jnp.array([[1000.0, -1000.0], [-1000.0, 1000.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    per_row = {losses.bernoulli: 2000, losses.softmax_cross_entropy: 2000}[loss]
    labels = jnp.abs(y - wrong)
    assert loss(z, labels) == wrong * 2 * per_row
    by_hand = getattr(losses, f"{loss.__name__}_bwd")(getattr(losses, f"{loss.__name__}_fwd")(z, labels)[1], 1.0)
    by_autodiff = jax.grad(loss, (0, 1))(z, labels)
    np.testing.assert_array_equal(by_hand[0], by_autodiff[0])
    np.testing.assert_array_equal(by_hand[0], y - labels)
    assert jnp.isfinite(by_hand[1]).all()


@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_at_logits_of_zero_autodiff_agrees(loss):
    # A network whose weights start at 0 stands here, and an image's blank margin puts many logits here.
    z, y = jnp.zeros((2, 2)), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(jax.grad(loss)(z, y), 0.5 - y, rtol=1e-14)


@pytest.mark.parametrize("part", ["", "_fwd"])
@pytest.mark.parametrize("name", ["sum_squared_error", "bernoulli", "softmax_cross_entropy"])
@pytest.mark.parametrize("shape", [(1, 3), (5, 1), (5,), (3,), ()])
def test_targets_of_another_shape_are_refused(name, part, shape):
    with pytest.raises(InvalidArgument, match=r"^y: got shape .*expected shape \(5, 3\)"):
        getattr(losses, name + part)(jnp.asarray(Z), jnp.ones(shape))


@pytest.mark.parametrize("labels", [[2, 0, 1], np.array([2, 0, 1], np.uint8), jnp.array([2, 0, 1])])
def test_one_hot_of_labels(labels):
    y = losses.one_hot(labels, 3, jnp.float32)
    assert y.dtype == jnp.float32
    np.testing.assert_array_equal(y, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_one_hot_takes_weights_as_they_are():
    y = losses.one_hot(Y, 3, jnp.float64)
    assert isinstance(y, jax.Array)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize(
    ("y", "seen"),
    [
        (np.array([0, 3]), r"got 3 at index \(1,\), expected whole numbers in 0\.\.2"),
        (np.array([-1, 0]), r"got -1 at index \(0,\)"),
        (np.array([0.0, 1.0]), "got dtype float64"),
        (np.array([True, False]), "got dtype bool"),
        (np.array(["0", "1"]), "got dtype <U1"),
        (np.array([[0], [1]]), r"got shape \(2, 1\), expected shape \(n, 3\)"),
        (np.zeros((2, 3, 1)), r"got shape \(2, 3, 1\)"),
        (np.array(1), r"got shape \(\)"),
        (np.array([[0, np.nan, 1]]), r"got nan at index \(0, 1\)"),
        (np.array([[0, np.inf, 1]]), "got inf"),
    ],
)
def test_one_hot_refuses_what_are_no_labels(y, seen):
    with pytest.raises(InvalidArgument, match=f"^y: {seen}"):
        losses.one_hot(y, 3, jnp.float64)


def test_accuracy_counts_rows():
    z, y = jnp.array([[1.0, 2], [3, 0], [0, 1], [5, 4]]), jnp.array([[0.0, 1], [0, 1], [0, 1], [1, 0]])
    assert losses.accuracy(z, y) == 0.75


def test_accuracy_at_ties_takes_the_first_of_both():
    z = jnp.array([[1.0, 1], [1, 1], [0, 1], [1, 0]])
    y = jnp.array([[1.0, 0], [0, 1], [0.5, 0.5], [0.5, 0.5]])
    assert losses.accuracy(z, y) == 0.5


def test_accuracy_has_the_logits_dtype():
    assert losses.accuracy(jnp.zeros((2, 2), jnp.float32), jnp.zeros((2, 2))).dtype == jnp.float32
