"""Tests for `jaxnn/verify/numeric.py`: the true gradient of a NumPy function by differences (expected: on paper)."""

import numpy as np
import pytest

from jaxnn.verify.differences import lines
from jaxnn.verify.evaluation import evaluator, programs
from jaxnn.verify.numeric import by_differences
from jaxnn.verify.problem import pose

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
