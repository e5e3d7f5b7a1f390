"""Tests for `jaxnn/verify/evaluation.py`: values, autodiff's gradient and directions at any point, traced or not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify.differences import lines
from jaxnn.verify.evaluation import can_trace, evaluator, programs, split
from jaxnn.verify.problem import pose

W, X = np.array([0.3, -0.7]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def loss(w, x, kind):
    return jnp.sum(jnp.sin(x @ w)) if kind == "sine" else jnp.sum(x @ w)


def grad(w, x, kind):
    return x.T @ jnp.cos(x @ w)


def numpy_grad(w, x, kind):
    return np.asarray(x).T @ np.cos(np.asarray(x) @ np.asarray(w))


def made(grad):
    problem = pose(loss, grad, (W, X, "sine"))
    return problem, evaluator(problem, lines(problem.leaves), programs(loss, grad, 0))


@pytest.fixture(scope="module")
def traced():
    return made(grad)


def true(w):
    return X.T @ np.cos(X @ w)


@pytest.mark.parametrize("w", [W, np.array([2.0, 0.1])])
def test_all_values_are_those_at_the_point_asked_for(traced, w):
    _, evaluate = traced
    found = evaluate.at([w])
    assert found.value == pytest.approx(np.sum(np.sin(X @ w)), rel=1e-14)
    assert evaluate.loss([w]) == pytest.approx(found.value, rel=1e-14)
    for gradient in (found.hand, found.reference, evaluate.reference([w])):
        np.testing.assert_allclose(gradient[0], true(w), rtol=1e-13)
    np.testing.assert_allclose(evaluate.forward([w]), [d[0] @ true(w) for d in evaluate.directions], rtol=1e-13)


def test_noise_is_given_for_every_entry(traced):
    _, evaluate = traced
    found = evaluate.at([W])
    assert found.value_noise > 0
    for noise in (*found.hand_noise, *found.reference_noise):
        assert noise.shape == W.shape and np.all(noise > 0) and np.all(noise < 1e3)


def test_a_numpy_gradient_is_called_as_it_is():
    _, evaluate = made(numpy_grad)
    assert evaluate.loss_traceable and not evaluate.grad_traceable
    np.testing.assert_allclose(evaluate.at([W]).hand[0], true(W), rtol=1e-13)


def test_what_jax_can_trace_is_seen():
    problem, _ = made(grad)
    assert can_trace(loss, problem, data_too=True) and can_trace(grad, problem, data_too=False)
    assert not can_trace(numpy_grad, problem, data_too=False)
    assert not can_trace(lambda w, x, kind: jnp.sum(w) if w[0] > 0 else jnp.sum(x), problem, data_too=False)


def test_a_branch_on_the_data_alone_can_be_traced_with_the_data_held():
    def branches(w, x, kind):
        return jnp.sum(w) if x[0, 0] > 0 else -jnp.sum(w)

    problem = pose(branches, lambda w, x, kind: jnp.ones(2), (W, X, "sine"))
    assert not can_trace(branches, problem, data_too=True) and can_trace(branches, problem, data_too=False)


def test_an_error_of_the_functions_own_is_raised():
    problem, _ = made(grad)
    with pytest.raises(KeyError, match="mine"):
        can_trace(lambda w, x, kind: {}["mine"], problem, data_too=True)


def test_frames_are_equal_where_all_but_the_arrays_is_the_same(traced):
    problem, _ = traced
    (arrays, frame), (others, same) = (split(problem, [w], True) for w in (W, 2 * W))
    assert frame == same and hash(frame) == hash(same)
    assert jax.tree.all(jax.tree.map(np.array_equal, frame.fill(arrays), (W, X, "sine")))
    np.testing.assert_array_equal(same.fill(others)[0], 2 * W)
    assert split(problem, [W], False)[1] != frame
