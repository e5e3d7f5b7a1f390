"""Tests for `jaxnn/verify/diagnose.py`: where and why; and where that cannot be found the verdict stands without."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.verify import check

W = np.array([0.4, -1.1, 2.0])


def test_without_source_the_verdict_and_the_cause_stand_alone():
    names = {}
    exec("def grad(w):\n    return -np.cos(np.asarray(w))", {"np": np}, names)
    found = check(lambda w: jnp.sum(jnp.sin(w)), names["grad"], W)
    assert found.kind == "FAIL" and "sign" in found.cause


def test_a_function_that_cannot_be_watched_still_gets_its_verdict():
    def moody(w):
        if sys.gettrace() is not None:
            raise RuntimeError("not while I am watched")
        return -jnp.cos(w)

    found = check(lambda w: jnp.sum(jnp.sin(w)), moody, W)
    assert found.kind == "FAIL" and found.expected == -found.actual


def test_numbers_drawn_while_tracing_make_a_gradient_random():
    rng = np.random.default_rng(0)

    def noisy(w):
        if isinstance(w, jax.core.Tracer):
            return jnp.cos(w) + 1e-3 * rng.normal(size=w.shape)
        return jnp.cos(w)

    found = check(lambda w: jnp.sum(jnp.sin(w)), noisy, W)
    assert found.kind == "RANDOM" and found.leaf == "w"


def test_a_rule_of_its_own_in_the_loss_is_named_where_differences_contradict_autodiff():
    @jax.custom_jvp
    def step(w):
        return jnp.sin(w)

    step.defjvp(lambda primals, tangents: (step(*primals), 3 * tangents[0]))

    def loss(w):
        return jnp.sum(step(w))

    def by_hand(w):
        return 3 * jnp.ones_like(w)

    found = check(loss, by_hand, W)
    assert found.kind == "FAIL" and found.witness == "central differences"
    assert "custom_jvp" in found.cause and "test_diagnose.py" in found.cause


def test_the_first_infinity_is_named_even_where_the_end_is_nan():
    def shifted(z):
        big = jnp.exp(800 + z)
        small = big / (1 + big)
        return small

    found = check(lambda z: jnp.sum(jax.nn.softplus(800 + z)), shifted, W)
    assert found.kind == "NONFINITE" and found.line.startswith("big = jnp.exp(800 + z)")
    assert "infinity" in found.cause and found.index == (0,)


def test_a_gradient_of_another_dtype_is_refused_with_the_line_it_comes_from():
    def cast(w):
        cosine = jnp.cos(w).astype(jnp.float16)
        return cosine

    with pytest.raises(InvalidArgument, match=r"w: got dtype float16, .*float16 first appears in cosine = jnp.cos"):
        check(lambda w: jnp.sum(jnp.sin(w)), cast, W)
