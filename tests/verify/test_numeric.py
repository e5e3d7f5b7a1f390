"""Tests for `jaxnn/verify/numeric.py`: the true gradient of a NumPy function by differences (expected: on paper)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check, check_rule
from jaxnn.verify.check import SHARED
from jaxnn.verify.differences import lines
from jaxnn.verify.evaluation import evaluator, programs
from jaxnn.verify.numeric import by_differences
from jaxnn.verify.problem import pose
from tests.verify.unread import unread

P = {"a": np.array([[0.5, -1.5]]), "b": np.array([0.0])}


def loss(p):
    return float(np.sum(np.exp(np.asarray(p["a"]))) + np.abs(np.asarray(p["b"]))[0])


def compared(a, b):
    def grad(p):
        return {"a": np.asarray(a), "b": np.asarray(b)}

    problem = pose(loss, grad, (P,))
    evaluate = evaluator(problem, lines(problem.leaves), programs(loss, grad, 0))
    assert evaluate.reference is None and evaluate.forward is None and not evaluate.loss_traceable
    return by_differences(evaluate, problem.leaves, evaluate.at(problem.leaves))


def test_every_entry_is_differenced_to_within_its_bar():
    found = compared(np.zeros((1, 2)), [0.0])
    error = np.abs(found.expected[0] - np.exp(P["a"]))
    assert np.all(error <= found.allowed[0]) and np.all(found.allowed[0] < 1e-7)
    assert found.wrong[0].all() and not found.wrong[1].any()  # 0 is a subgradient of |b| at 0


@pytest.mark.parametrize(("b", "wrong"), [(0.9, False), (-0.5, False), (1.5, True)])
def test_at_a_kink_values_between_the_slopes_are_right(b, wrong):
    found = compared(np.exp(P["a"]), [b])
    assert not found.wrong[0].any() and found.wrong[1].tolist() == [wrong]


# Of a covariance: half of log det S + trace(S^-1 C), whose gradient is half of S^-1 - S^-1 C S^-1 (Magnus & Neudecker)

A, B = np.random.default_rng(0).normal(size=(2, 3, 3))
S, C = A @ A.T + np.eye(3), B @ B.T


def likelihood(s, c):
    return np.sum(np.log(np.diag(np.linalg.cholesky(s)))) + 0.5 * np.sum(np.linalg.inv(s) * c)  # of one triangle


def strict_likelihood(s, c):
    assert np.array_equal(s, s.T), "a covariance is symmetric"
    return likelihood(s, c)


def by_hand(s, c, off=0.0):
    inverse = np.linalg.inv(s)
    return 0.5 * (inverse - inverse @ c @ inverse) + off


@pytest.mark.parametrize("loss", [likelihood, strict_likelihood])
@pytest.mark.parametrize(
    ("off", "kind"),
    [(0.0, "PASS"), (np.diag([0, 0.01, 0]), "FAIL"), (0.01 * (1 - np.eye(3)), "FAIL"), (np.eye(3, k=1), "FAIL")],
)
def test_a_gradient_among_symmetric_matrices_is_right(loss, off, kind):
    @unread
    def grad(s, c):
        return by_hand(s, c, off)

    verdict = check(loss, grad, S, C)
    assert verdict.kind == kind
    assert (SHARED in verdict.note) == (kind == "PASS" and loss is likelihood)


def test_a_gradient_that_remembers_the_first_point_is_wrong_at_a_second():
    def cubed(w):
        return float(np.sum(np.asarray(w) ** 3))

    w = np.array([0.5, -2.0, 1.0])
    right = check(cubed, lambda w: 3 * w**2, w)
    assert right and next(r for r in right.witnesses if r.witness == "at a second point").agrees
    there = 3 * w**2
    wrong = check(cubed, unread(lambda w: there.copy()), w)
    assert (wrong.kind, wrong.witness) == ("FAIL", "at a second point") and "second point" in wrong.note


def test_where_the_loss_is_defined_at_one_point_alone_nothing_is_said_of_a_second():
    def only_here(w):
        assert abs(w[0] - 1) < 0.005, "a step in the dark"
        return float(np.sum(np.asarray(w) ** 2))

    found = check(only_here, lambda w: 2 * w, np.array([1.0]))
    assert found and "no point near" in next(r for r in found.witnesses if r.witness == "at a second point").note


@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), (0.99, "FAIL")])
def test_a_solver_that_stops_early_has_its_tolerance_at_every_point_and_order(factor, kind):
    def solve(a, b):
        def body(state):
            return 0.5 * jnp.cos(a * state[0]) + b, state[0]

        return jax.lax.while_loop(lambda s: jnp.max(jnp.abs(s[0] - s[1])) > 1e-6, body, (b, b + 1))[0]

    def backward(residuals, g):
        z, a = residuals
        u = factor * g / (1 + 0.5 * a * jnp.sin(a * z))
        return -0.5 * u * z * jnp.sin(a * z), u

    args = jnp.array([0.5, 0.9, 0.2]), jnp.array([0.1, 0.4, -0.3])
    verdict = check_rule(solve, lambda a, b: (solve(a, b), (solve(a, b), a)), backward, *args, tolerance=1e-4)
    assert verdict.kind == kind
