"""Tests for `jaxnn/verify/linearity.py`: cotangents that are clipped or normalised on purpose (expected: on paper)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.verify import check_rule

V = np.array([0.5, -1.0, 2.0])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda g: jnp.clip(g, -0.5, 0.5), "PASS"),
        pytest.param(lambda g: g / jnp.maximum(1.0, jnp.linalg.norm(g)), "PASS", marks=pytest.mark.slow),
        (lambda g: g / jnp.linalg.norm(g), "PASS"),
        pytest.param(jnp.sign, "PASS", marks=pytest.mark.slow),
        pytest.param(lambda g: jnp.clip(g, 0, 0.5), "FAIL", marks=pytest.mark.slow),
        (lambda g: jnp.clip(2 * g, -0.5, 0.5), "FAIL"),
        (lambda g: -g / jnp.linalg.norm(g), "FAIL"),
    ],
)
def test_a_cotangent_may_be_clipped_or_normalised_on_purpose(change, kind):
    verdict = check_rule(lambda x: x, lambda x: (x, None), lambda _, g: (change(g),), V, linear=False)
    assert verdict.kind == kind and ("intended" in verdict.note) == (kind == "PASS")


@pytest.mark.slow
def test_a_direction_is_judged_of_what_runs_in_float32_alone():
    def total(x):  # the carry stays float32: with a float64 `x` JAX refuses the scan
        return jax.lax.scan(lambda c, v: (c + v, None), jnp.zeros((), jnp.float32), x)[0]

    def bwd(shape, g):
        return (jnp.broadcast_to(jnp.sign(g), shape),)

    x = jnp.arange(3.0, dtype=jnp.float32)
    assert check_rule(total, lambda x: (total(x), x.shape), bwd, x, linear=False).kind == "PASS"
