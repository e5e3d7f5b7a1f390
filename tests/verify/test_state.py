"""Tests for `jaxnn/verify/state.py`: state is told from chance, named, and gone with a factory (expected: on paper)."""

import numpy as np
import pytest

from jaxnn.verify import check

W, X, Y = np.array([[0.3, -0.4], [0.5, 0.1]]), np.array([[1.0, 2.0], [0.5, -1.0]]), np.zeros((2, 2))


class Layer:
    """A layer that adds its gradients up, as one does whose `zero_grad` was forgotten."""

    def __init__(self):
        self.total = np.zeros((2, 2))
        self.seen = None

    def forward(self, w, x):
        self.seen = x
        return x @ w

    def backward(self, dy):
        self.total += self.seen.T @ dy
        return self.total.copy()


def loss_of(layer, w, x, y):
    return 0.5 * np.sum((layer.forward(w, x) - y) ** 2)


def grad_of(layer, w, x, y):
    return layer.backward(layer.forward(w, x) - y)


@pytest.fixture
def layer():
    return Layer()


def test_what_is_carried_over_is_named_and_is_no_chance(layer):
    verdict = check(lambda *a: loss_of(layer, *a), lambda *a: grad_of(layer, *a), W, X, Y)
    assert (
        verdict.kind == "FAIL" and "layer.total" in verdict.cause and "random" not in verdict.cause.split("nothing")[0]
    )
    assert verdict.line.startswith("self.total += self.seen.T @ dy") and "Layer.backward" in verdict.line


def test_the_objects_are_left_as_they_were(layer):
    check(lambda *a: loss_of(layer, *a), lambda *a: grad_of(layer, *a), W, X, Y)
    calls = 4  # two runs, and two that are watched for the first line that differs; all others are taken back
    np.testing.assert_allclose(layer.total, calls * X.T @ (X @ W))


def test_a_fresh_object_for_each_call_or_a_reset_is_right(layer):
    assert check(loss_of, grad_of, W, X, Y, factory=Layer).kind == "PASS"

    def reset():
        layer.total = np.zeros((2, 2))

    found = check(lambda *a: loss_of(layer, *a), lambda *a: grad_of(layer, *a), W, X, Y, factory=reset)
    assert found.kind == "PASS"


def test_chance_stays_chance_though_an_object_changes(layer):
    def noisy(w, x, y):
        return loss_of(layer, w, x, y) + np.random.default_rng().normal()

    verdict = check(noisy, lambda *a: grad_of(Layer(), *a), W, X, Y)
    assert verdict.kind == "RANDOM" and "key" in verdict.cause
