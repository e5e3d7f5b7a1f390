"""Tests for `diagnosis/convolutions.py`: a program may be changed, but not run convolutions that it never ran."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxnn.verify.diagnosis.convolutions import convolutions, no_others

X, W = jnp.ones((1, 1, 5, 5)), jnp.ones((1, 1, 2, 2))


def conv(stride):
    return lax.conv(X, W, (stride, stride), "VALID")


def test_the_kinds_that_are_run_are_told_apart_also_inside_of_jit():
    one = convolutions(lambda: conv(1))
    assert len(one) == 1 and convolutions(lambda: jax.jit(conv, static_argnums=0)(1)) == one
    assert convolutions(lambda: (conv(1), conv(2))) > one and convolutions(lambda: X + 1) == frozenset()


def test_what_raises_has_run_what_it_had_until_then():
    def raises():
        conv(1)
        raise ValueError("no more")

    assert convolutions(raises) == convolutions(lambda: conv(1))


def test_another_kind_is_refused_and_afterwards_no_longer():
    with no_others(convolutions(lambda: conv(1))):
        assert conv(1).shape == (1, 1, 4, 4)
        with pytest.raises(ValueError, match="not run before"):
            conv(2)
    assert conv(2).shape == (1, 1, 2, 2)
