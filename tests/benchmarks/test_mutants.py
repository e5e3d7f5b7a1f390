"""Tests for the mutants of `benchmarks.mutants`: each is one line, and wrong where it says (against `jax.grad`)."""

import functools
import importlib.util
from importlib import import_module
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.mutants.mutant import TABLES, Edit, Mutant, assigned, read, replaced
from benchmarks.mutants.targets import TARGETS, Rule, problem

MUTANTS = [mutant for table in TABLES for mutant in read(table)]
# These compile many operations, whose gradients are in other tests anyway.
EXPENSIVE = {  # each takes seconds; the others see that mutants are put in and are wrong
    "convolution",
    "dropout_model",
    "sigmoid_model",
    "conv2d",
    "conv2d, stride 2 x 1, dilation 1 x 2",
    "mlp.value_and_grad, dropout",
    "linear",
    "hidden_layer.value_and_grad",
    "cnn.features_bwd",
    "cnn.value_and_grad",
    "blocks.features_bwd",
}
WRONG_OTHERWISE = {"w05", "w09", "w11", "w12"}  # not in the gradient at a cotangent, see the tests below
SAME, WRONG = 1e-12, 1e-9


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def named(name) -> Mutant:
    return next(mutant for mutant in MUTANTS if mutant.id == name)


def test_all_that_are_listed_are_there_once():
    numbers = {
        "a": [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18],
        "b": [3, 4, 5, 7, 8, 9, 12, 14, 16, 19, 21, 27, 28, 29, 31, 32],
        "c": [1, 2, 3, 5, 6, 8, 9, 11, 13, 15, 18, 20, 21, 23, 26],
        "d": [1, 2, 4, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 22, 23, 24, 25, 27, 28, 29],
        "w": range(1, 14),
    }
    listed = [f"{letter}{number:02d}" for letter, all_of_them in numbers.items() for number in all_of_them]
    names = [mutant.id for mutant in MUTANTS]
    assert len(set(names)) == len(names) and len(listed) == 67 + 13
    assert [name for name in names if name[0] != "r"] == listed and len(names) >= len(listed) + 45


def test_one_line_is_replaced_in_each():
    for mutant in MUTANTS:
        spec = importlib.util.find_spec(TARGETS[mutant.target].module)
        assert spec is not None and spec.origin is not None
        before = source = Path(spec.origin).read_text(encoding="utf-8")
        for edit in mutant.edits:
            source = replaced(source, edit)
        pairs = zip(before.split("\n"), source.split("\n"), strict=True)
        changed = [new.strip() for old, new in pairs if old != new]
        assert changed == sorted((edit.new for edit in mutant.edits), key=source.index), mutant.id
        assert len(changed) == (2 if mutant.id == "w12" else 1), mutant.id


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (name in EXPENSIVE))
        for name in dict.fromkeys(mutant.target for mutant in MUTANTS)
    ],
)
def test_each_mutant_of_a_target_is_wrong_where_it_says(target, tmp_path):
    mutants = [mutant for mutant in MUTANTS if mutant.target == target and mutant.id not in WRONG_OTHERWISE]
    not_so = {mutant.id: said for mutant in mutants if (said := what_is_not_so(mutant, tmp_path))}
    assert not_so == {}


def what_is_not_so(mutant, folder) -> str:
    """Return in words where the mutant is right though it says that it is wrong, or the other way round."""
    wrong = problem(TARGETS[mutant.target], mutant, folder)
    try:
        error = distance(by_hand(wrong, mutant.target, mutant.scenario), by_autodiff(mutant.target, mutant.scenario))
    except TypeError:
        return "" if mutant.id == "d28" else "its shapes do not go together"
    if error < WRONG:
        return f"right at {mutant.scenario}, to {error:.1e}"
    if mutant.where and not distance(by_hand(wrong, mutant.target, "std"), by_autodiff(mutant.target, "std")) < SAME:
        return "wrong at std too"
    return ""


def test_w05_returns_another_value(tmp_path):
    rule, args = problem(TARGETS["rule"], named("w05"), tmp_path), arguments("rule", "std")
    assert abs(rule.f_fwd(*args)[0] - rule.f(*args)) > 0.1


def test_w09_is_wrong_in_the_second_order(tmp_path):
    rule, args = problem(TARGETS["rule"], named("w09"), tmp_path), arguments("rule", "std")
    f = jax.custom_vjp(rule.f)
    f.defvjp(rule.f_fwd, rule.f_bwd)
    first, second = jax.grad(f)(*args), jax.grad(lambda *a: jnp.sum(jax.grad(f)(*a)))(*args)
    np.testing.assert_allclose(first, jax.grad(rule.f)(*args), rtol=1e-12)
    assert distance([second], [jax.grad(lambda *a: jnp.sum(jax.grad(rule.f)(*a)))(*args)]) > 1e-3


def test_w11_is_wrong_only_when_traced(tmp_path):
    rule, args = problem(TARGETS["rule"], named("w11"), tmp_path), arguments("rule", "std")
    residuals, expected = rule.f_fwd(*args)[1], jax.grad(rule.f)(*args)
    np.testing.assert_allclose(rule.f_bwd(residuals, 1.0)[0], expected, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(rule.f_bwd)(residuals, 1.0)[0], 2 * expected, rtol=1e-12)


def test_w12_fools_autodiff_but_not_differences(tmp_path):
    wrong, (params, x, y) = problem(TARGETS["normalized"], named("w12"), tmp_path), arguments("normalized", "std")
    gradient = wrong.grad(params, x, y)
    assert distance(jax.tree.leaves(gradient), jax.tree.leaves(jax.grad(wrong.loss)(params, x, y))) < SAME
    h = 1e-6
    up, down = ({**params, "W": params["W"].at[0, 0].add(step)} for step in (h, -h))
    assert abs((wrong.loss(up, x, y) - wrong.loss(down, x, y)) / (2 * h) - gradient["W"][0, 0]) > 1e-3


def test_a_line_is_recognised_by_its_text_or_by_what_it_assigns():
    b04, r13 = named("b04"), named("r13")
    assert b04.names_line("dZ1 = dA1  (b04.py:35)") and b04.names_line("dZ1 = anything")
    assert not b04.names_line("dW1 = dZ1 @ X.T  (b04.py:36)") and not b04.names_line("")
    assert r13.names_line(f"{r13.edits[0].new}  (r13.py:30)") and not r13.names_line(r13.edits[0].old)


def test_what_a_line_assigns():
    assert assigned("dx, dW1, db1 = dense_bwd(layer1, dz1)") == ("dx", "dW1", "db1")
    assert assigned("(dz1,) = relu_bwd(positive, da1)") == ("dz1",)
    assert assigned("return g == 1") == () and assigned("if dZ == 0:") == ()


def test_a_line_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match="f: 0 lines are 'y = 2'"):
        replaced("def f():\n    y = 1\n\ndef g():\n    y = 2\n", Edit("f", "y = 2", "y = 3"))


@functools.cache
def cases(target):
    return TARGETS[target].cases()


def arguments(target, scenario):
    return jax.tree.map(jnp.asarray, cases(target)[scenario])


@functools.cache
def by_autodiff(target, scenario):
    right, args = TARGETS[target].build(import_module(TARGETS[target].module)), arguments(target, scenario)
    if not isinstance(right, Rule):
        return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(right.loss))(*args))]
    _, f_vjp = jax.vjp(right.f, *args)
    return [np.asarray(leaf) for leaf in f_vjp(cotangent(jax.eval_shape(right.f, *args)))]


def by_hand(wrong, target, scenario):
    args = arguments(target, scenario)
    if not isinstance(wrong, Rule):
        return jax.tree.leaves(wrong.grad(*args))
    y, residuals = wrong.f_fwd(*args)
    found = wrong.f_bwd(residuals, cotangent(y))
    return [np.zeros(arg.shape) if leaf is None else leaf for leaf, arg in zip(found, args, strict=True)]


def cotangent(y):
    """Return something other than 1, of both signs where there is room, and -2 for a scalar."""
    return jnp.asarray(np.random.default_rng(5).normal(size=y.shape) if y.shape else -2.0)


def distance(found, expected):
    """Return the largest difference, relative to the largest entry of the leaf; NaN where there is one."""
    errors = []
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        errors.append(np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1.0))
    return np.max(errors)
