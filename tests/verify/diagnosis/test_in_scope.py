"""Tests for `diagnosis/in_scope.py`: what may be put into a line is what has a name there, and cannot do any harm."""

import ast

import jax
import numpy as np
import pytest

from jaxnn.trace.jaxprs import source_line
from jaxnn.verify.diagnosis.in_scope import is_formula, is_whole, named, no_arrays, own_names, written_into

SCALE = 2.0


def formula(x):
    return np.exp(-SCALE * x) / np.sqrt(2 * np.pi)


def of_a_formula(x):
    return formula(x).sum()


def writes(x):
    x[0] = 1.0
    return x


def saves(x):
    np.save("x.npy", x)
    return x


def asks(x):
    return input(x)


def one(x):
    return other(x)


def other(x):
    return one(x)


def far_and_near(far, near, given):
    total = far + 1.0
    total = 2.0 * total
    product = given * near
    return total + product


def test_a_formula_only_computes():
    assert is_formula(formula) and is_formula(of_a_formula)
    assert not any(map(is_formula, (writes, saves, asks, one, other)))


def test_functions_that_are_not_called_are_named_if_they_only_compute():
    names = {"formula": formula, "saves": saves, "x": np.ones(2)}
    line = source_line(__file__, 1, "nothing")
    assert named(names, ast.parse("x"), line).functions == ["formula"]
    assert named(names, ast.parse("x"), line, called=["saves"]).functions == ["formula", "saves"]


def test_what_is_named_in_the_nearest_lines_comes_first():
    line = source_line(__file__, far_and_near.__code__.co_firstlineno + 3, "far_and_near")
    names = dict.fromkeys(("far", "near", "given"), np.ones(2))
    assert named(names, ast.parse("given"), line).arrays == ["given", "near", "far"]


def test_items_of_lists_are_named_by_the_numbers_there():
    names = {"states": [np.ones(2), np.zeros(2)], "k": 1, "far": 5}
    assert named(names, ast.parse("k"), source_line(__file__, 1, "nothing")).arrays == ["states[k]"]


def test_a_shape_in_a_comprehension_is_no_array():
    tree = ast.parse("{k: np.zeros(v.shape) for k, v in p.items()}", mode="eval").body
    fixed = {ast.unparse(node) for node in no_arrays(tree, {"np": np, "p": {"w": np.ones(2)}})}
    assert "v.shape" in fixed and "v" not in fixed


def test_a_random_key_is_no_number():
    key = jax.random.key(0)
    assert not is_whole(key)
    found = named({"key": key, "labels": np.arange(3)}, ast.parse("key"), source_line(__file__, 1, "nothing"))
    assert found.numbers == ["len(labels)"]


def test_a_vector_is_named_as_it_stretches_along_an_axis_too():
    line = source_line(__file__, 1, "nothing")
    names = {"x": np.ones((4, 3)), "weight": np.ones(4), "bias": np.ones(3), "image": np.ones((5, 7, 2, 2))}
    names["p"] = {"scale": np.ones(7)}
    assert named(names, ast.parse("x"), line).arrays[-1] == "weight[:, None]"
    assert named(names, ast.parse("image"), line).arrays[-1] == "p['scale'][:, None, None]"
    assert named(names, ast.parse("bias"), line).arrays[-1] == "p['scale']"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("a[0] = b", {"a"}),
        ("a.d['W'][0] += b", {"a"}),
        ("c, a[k] = b", {"a"}),
        ("a.append(b)", {"a"}),
        ("b = a.pop()", {"a"}),
        ("np.add.at(a, k, b)", {"a"}),
        ("a = b[0] + np.sum(c)", set()),
    ],
)
def test_what_a_statement_writes_into_is_known(written, names):
    assert written_into(ast.parse(written)) == names


def test_a_functions_own_names_are_its_parameters_and_variables():
    line = source_line(__file__, far_and_near.__code__.co_firstlineno + 1, "far_and_near")
    assert own_names(line) == {"far", "near", "given", "total", "product"}
