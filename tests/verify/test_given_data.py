"""Tests for `jaxnn/verify/given_data.py`: what rounding the data explains is no mistake (expected: on paper)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check
from jaxnn.verify.given_data import WITHIN
from tests.verify.unread import unread

rng = np.random.default_rng(0)
X, W = rng.normal(size=(4, 3)), rng.normal(size=(3, 5))
SMOOTH = np.float32(0.9) * np.eye(5, dtype=np.float32)[[0, 2, 1, 4]] + np.float32(0.02)  # rows add up to 1 to 1e-7


def loss(w, x, y):
    return -jnp.sum(y * jax.nn.log_softmax(x @ w)) / len(x)


@unread  # its line is not asked for
def grad(w, x, y, factor=1.0):
    return factor * x.T @ (jax.nn.softmax(x @ w) - y) / len(x)  # of shares that add up to 1


def test_labels_that_add_up_to_1_in_their_own_digits_are_a_note():
    assert np.max(np.abs(SMOOTH.astype(float).sum(1) - 1)) > 1e-9
    verdict = check(loss, grad, W, X, SMOOTH)
    assert verdict.kind == "PASS" and WITHIN in verdict.note


def test_the_same_in_float64_is_a_mistake():
    assert check(loss, grad, W, X, SMOOTH.astype(float)).kind == "FAIL"


@pytest.mark.parametrize("factor", [1 + 1e-6, -1.0, 1.5])
def test_mistakes_are_seen_beside_it(factor):
    assert check(loss, unread(lambda w, x, y: grad(w, x, y, factor)), W, X, SMOOTH).kind == "FAIL"
