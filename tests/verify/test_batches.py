"""Tests for `jaxnn/verify/batches.py`: how a loss adds up over examples is seen from its values alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify.batches import disagreement, examples, split
from jaxnn.verify.evaluation import STRICT
from jaxnn.verify.problem import pose

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=5)
W = RNG.normal(size=3)


def total(w, x, y):
    return jnp.sum((x @ w - y) ** 2)


def total_grad(w, x, y):
    return 2 * x.T @ (x @ w - y)


def splitted(posed):
    return split(posed, lambda args: float(posed.whole_loss(*args)))


def problem(loss, grad=total_grad, *args):
    return pose(loss, grad, args or (W, X, Y))


@pytest.mark.parametrize(
    ("loss", "weights"),
    [(total, (1.0, 1.0)), (lambda w, x, y: total(w, x, y) / len(x), (1 / 5, 4 / 5))],
)
def test_a_sum_and_a_mean_are_told_apart(loss, weights):
    found = splitted(problem(loss))
    assert found is not None and found.size == 5 and found.axis == 0 and found.places == (1, 2)
    assert found.weights == pytest.approx(weights)


def test_the_parts_are_the_first_example_and_the_others():
    (_, x1, y1), (_, x2, y2) = splitted(problem(total)).parts
    np.testing.assert_array_equal(np.concatenate([x1, x2]), X)
    np.testing.assert_array_equal(np.concatenate([y1, y2]), Y)
    assert x1.shape == (1, 3)


def test_examples_in_columns_as_in_the_lecture_are_seen():
    def columns(w, x, y):
        return jnp.mean((w @ x - y) ** 2)

    found = splitted(problem(columns, total_grad, W, X.T, Y[None]))
    assert found is not None and (found.size, found.axis) == (5, -1)


@pytest.mark.parametrize(
    "loss",
    [
        lambda w, x, y: jnp.sqrt(jnp.sum((x @ w - y) ** 2)),
        lambda w, x, y: jnp.max((x @ w - y) ** 2),
        lambda w, x, y: jnp.sum((x @ w - y) ** 2) + jnp.sum(w**2),  # the penalty is no sum over examples
        lambda w, x, y: jnp.sum((x @ w - jnp.mean(y)) ** 2),
    ],
)
def test_a_loss_that_does_not_add_up_has_no_split(loss):
    assert splitted(problem(loss)) is None


def test_one_example_and_no_data_have_no_split():
    assert splitted(problem(total, total_grad, W, X[:1], Y[:1])) is None
    assert splitted(problem(lambda w: jnp.sum(w**2), lambda w: 2 * w, W)) is None


def test_a_random_key_is_no_data():
    def noisy(w, x, y, key):
        return total(w, x, y)

    found = splitted(problem(noisy, lambda w, x, y, key: total_grad(w, x, y), W, X, Y, jax.random.key(0)))
    assert found is not None and found.places == (1, 2)


@pytest.mark.parametrize(
    "grad", [total_grad, lambda w, x, y: 2 * np.asarray(x).T @ (np.asarray(x) @ np.asarray(w) - y)]
)
def test_the_gradients_of_the_parts_add_up_to_that_of_the_whole(grad):
    posed = problem(total, grad)
    parts = [(weight, gradient) for _, weight, gradient in examples(splitted(posed), posed, 0, STRICT)]
    whole = [np.asarray(total_grad(W, X, Y))]
    gap, bar = disagreement(parts, whole, [np.abs(whole[0])])
    assert gap <= bar
    gap, bar = disagreement(parts, [1.001 * whole[0]], [np.abs(whole[0])])
    assert gap > bar and gap == pytest.approx(0.001 * np.max(np.abs(whole[0])), rel=0.9)


def test_nan_in_a_part_is_a_disagreement():
    gap, _ = disagreement([(1.0, [np.array([np.nan])])], [np.ones(1)], [np.ones(1)])
    assert np.isinf(gap)


def test_examples_in_a_list_are_seen():
    def loss(w, examples):
        return sum(jnp.sum((w * x - y) ** 2) for x, y in examples) / len(examples)

    examples = [(X[k], Y[k]) for k in range(len(X))]
    found = splitted(problem(loss, jax.grad(loss), X[0], examples))
    assert found.size == len(X) and [len(part[1]) for part in found.parts] == [1, len(X) - 1]
