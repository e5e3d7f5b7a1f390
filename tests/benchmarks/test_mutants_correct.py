"""Tests for the correct cases: each agrees with `jax.grad` in float64, or is another subgradient there."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.mutants import correct
from benchmarks.mutants.functions import functions
from benchmarks.mutants.peers import gradient_of
from benchmarks.mutants.targets import Problem, Rule

OTHER_SUBGRADIENTS = ("at 0:", "bound:", "ties:", "relu_slope_", "of_ties tie", "ties_split tie")
TAILS = ("both_sides sat2", "through_tanh sat2", "both sides")  # where the derivative all but vanishes
ELSEWHERE = (*correct.NETWORKS, "conv2d")  # slow to compile, in other tests anyway


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_at_least_200_each_with_its_own_name(tmp_path):
    names = [case.id for case in correct.cases(tmp_path)]
    assert len(names) >= 200 and len(set(names)) == len(names) and not any("," in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("group", ["as_written", "in_precision", "rewritten", "small"])
def test_each_agrees_with_autodiff(group, tmp_path):
    cases = correct.rewritten(tmp_path) if group == "rewritten" else getattr(correct, group)()
    chosen = [case for case in cases if chosen_for_a_test(case)]
    # As one program, where step by step JAX compiles a dozen. The rewritten ones share their steps, and may compare
    # what they compute twice, which is rounded in two ways within one program.
    run = {} if group == "rewritten" else {"run": jax.jit}
    errors = {case.id: (error(case, **run), allowed(case)) for case in chosen}
    assert len(chosen) > 20 and {name: seen for name, seen in errors.items() if not seen[0] <= seen[1]} == {}


@pytest.mark.slow
def test_subgradients_lie_between_the_slopes_to_both_sides():
    at_kinks = [given for given in functions() if any(word in given[0] for word in OTHER_SUBGRADIENTS)]
    for name, loss, grad, (x,), _ in at_kinks:
        found, h = grad(jnp.asarray(x)), 1e-7
        for k, at in enumerate(np.eye(len(x))):
            slopes = [float(loss(jnp.asarray(x + s * h * at)) - loss(jnp.asarray(x))) / (s * h) for s in (-1, 1)]
            assert min(slopes) - 1e-6 <= found[k] <= max(slopes) + 1e-6, name
    assert len(at_kinks) > 10


@pytest.mark.slow
def test_rewritten_models_that_differ_at_kinks_agree_elsewhere(tmp_path):
    named = {case.id: case for case in correct.rewritten(tmp_path)}
    for name in (
        "dropout_model relu_slope_1",
        "dropout_model relu_slope_half",
        "convolution last_of_ties",
        "convolution ties_split",
    ):
        assert error(named[f"{name} std"]) < 1e-12
    assert error(named["dropout_model relu_slope_1 kink"]) > 1e-3 and error(named["convolution ties_split tie2"]) > 1e-3


def chosen_for_a_test(case):
    """Return whether the case is compared with autodiff here."""
    other = any(word in case.id for word in OTHER_SUBGRADIENTS)
    repeats = case.id.endswith("without x64") or case.id == "convolution float32"
    return not (other or repeats or case.id.split()[0] in ELSEWHERE)


def error(case, run=lambda both: both):
    """Return the largest difference from autodiff in float64, relative to the largest entry of the leaf."""
    args, exact = on_device(case.args), on_device(correct.cast(case.args, np.float64))
    if isinstance(case.problem, Problem):
        autodiff = jax.grad(case.problem.loss, argnums=case.argnums)
        both = lambda args, exact: (gradient_of(case.problem, args, case.argnums), autodiff(*exact))  # noqa: E731
    else:
        both = lambda args, exact: cotangents(case.problem, args, exact, case.id)  # noqa: E731
    found, expected = run(both)(args, exact)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True)
    return max(relative(np.asarray(a, np.float64), np.asarray(b)) for a, b in pairs)


def cotangents(rule: Rule, args, exact, name):
    """Return those of the rule and those of autodiff, for some cotangent."""
    y, residuals = rule.f_fwd(*args)
    g = np.random.default_rng(zlib.crc32(name.encode())).normal(size=y.shape)
    return rule.f_bwd(residuals, jnp.asarray(g, y.dtype)), jax.vjp(rule.f, *exact)[1](jnp.asarray(g))


def relative(a, b):
    return np.max(np.abs(a - b), initial=0.0) / (np.max(np.abs(b), initial=0.0) or 1.0)


def allowed(case):
    """Return what rounding may do; far out, where the derivative is about as small as it can be, anything."""
    if any(word in case.id for word in TAILS):
        return np.inf
    return {"float32": 1e-5, "bfloat16": 0.05}.get(case.id.split()[-1], 1e-8)


def on_device(args):
    return jax.tree.map(jnp.asarray, args)
