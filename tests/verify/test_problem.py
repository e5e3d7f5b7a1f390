"""Tests for `jaxnn/verify/problem.py`: names of leaves, forms of a gradient's output, and every refusal at the door."""

import re
from collections import OrderedDict
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn.errors import InvalidArgument
from jaxnn.verify import check
from jaxnn.verify.problem import in_float64, pose, widen

W = jnp.array([[1.0, 2.0], [3.0, 4.0]])
B = jnp.array([0.5, -0.5])
X = jnp.ones((3, 2))


class Layer(NamedTuple):
    w: jax.Array
    b: jax.Array


def half_square(tree, *_):
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)) / 2


def same(tree, *_):
    return tree


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"W1": W, "b1": B}, ("W1", "b1")),
        ({"layers": [{"w": W}, {"w": B}]}, ("layers.0.w", "layers.1.w")),
        ([W, (B, B)], ("0", "1.0", "1.1")),
        (Layer(W, B), ("w", "b")),
        ({"hidden": Layer(W, B)}, ("hidden.w", "hidden.b")),
        (W, ("tree",)),
    ],
)
def test_a_leaf_is_named_by_its_path_and_a_lone_one_by_its_argument(params, names):
    assert pose(half_square, same, (params,)).names == names


def test_among_several_arguments_the_argument_stands_in_front():
    problem = pose(lambda w, layer, x: 0.0, lambda w, layer, x: (w, layer), (W, Layer(W, B), X), argnums=(0, 1))
    assert problem.names == ("w", "layer.w", "layer.b")


def test_arguments_without_a_name_are_numbered():
    assert pose(lambda *args: 0.0, lambda *args: args[1], (X, W), argnums=1).names == ("argument 1",)
    assert pose(jnp.sum, jnp.ones_like, (W,)).names == ("a",)  # the name in jnp.sum's signature


def test_negative_argnums_count_from_the_end():
    problem = pose(lambda x, w: jnp.sum(x @ w), lambda x, w: x.T @ jnp.ones((3, 2)), (X, W), argnums=-1)
    assert problem.names == ("w",) and problem.argnums == (1,)


def test_rebuilding_puts_other_leaves_in_and_leaves_the_rest_alone():
    problem = pose(lambda p, x: 0.0, same, ({"w": W, "b": B}, X))
    params, x = problem.rebuild([10 * B, 10 * W])
    np.testing.assert_array_equal(params["b"], [5.0, -5.0])
    np.testing.assert_array_equal(params["w"], [[10.0, 20.0], [30.0, 40.0]])
    assert x is X


@pytest.mark.parametrize(
    ("output", "value", "named"),
    [
        (lambda g: g, None, []),
        (lambda g: (3.0, g), 3.0, []),
        (lambda g: (jnp.asarray(3.0), g), 3.0, []),
        (lambda g: (g, {"dZ": B}), None, ["dZ"]),
        (lambda g: (3.0, g, {"dZ": B}), 3.0, ["dZ"]),
    ],
)
def test_the_forms_that_the_output_of_a_gradient_may_have(output, value, named):
    problem = pose(half_square, lambda p: output({"w": 2 * W, "b": 2 * B}), ({"w": W, "b": B},))
    got, gradient, intermediates = problem.outputs(problem.leaves)
    assert got == value and list(intermediates) == named
    np.testing.assert_array_equal(gradient[problem.names.index("w")], [[2.0, 4.0], [6.0, 8.0]])


def test_a_dict_of_parameters_is_not_taken_for_intermediates():
    params = ({"w": W}, {"w": B})
    problem = pose(half_square, same, (params,))
    _, gradient, named = problem.outputs(problem.leaves)
    assert len(gradient) == 2 and not named


def test_python_and_numpy_numbers_are_parameters():
    for number in (2.0, np.float64(2.0), np.float32(2.0)):
        problem = pose(lambda w: w**2, lambda w: 2 * w, (number,))
        assert float(problem.grad(problem.leaves)[0]) == 4.0


def test_in_float64_every_floating_array_is_float64_and_nothing_else_changes():
    key, labels = jax.random.key(0), np.array([1, 2])
    args = (W.astype(jnp.float32), X.astype(jnp.bfloat16), np.float32([1, 2]), labels, key, "mean", 3)
    exact = in_float64(lambda *args: 0.0, lambda *args: args[0], args)
    assert [arg.dtype for arg in exact.args[:3]] == ["float64"] * 3
    assert isinstance(exact.args[2], np.ndarray)
    assert all(a is b for a, b in zip(exact.args[3:], args[3:], strict=True))


def test_widening_keeps_the_value():
    assert float(widen(jnp.bfloat16(1.5))) == 1.5 and widen(np.float32(0.1)) == np.float64(np.float32(0.1))


def refused(message, loss, grad, *args, **more):
    with pytest.raises(InvalidArgument, match=message):
        check(loss, grad, *args, **more)


def test_functions_must_be_functions():
    refused(r"loss: got 3, expected a function", 3, same, W)
    refused(r"(?s)grad: got Array.*expected a function that returns the gradient", half_square, W, W)


@pytest.mark.parametrize("argnums", [2, -3, (0, 2), "w", 1.5, None])
def test_argnums_must_be_positions(argnums):
    refused(r"argnums: got .*, expected .*positions among the 2 arguments", half_square, same, W, X, argnums=argnums)


def test_an_argument_cannot_be_named_twice():
    with pytest.raises(InvalidArgument, match="argnums"):
        check(lambda w, x: jnp.sum(w * x), lambda w, x: (x, w, x), W, W, argnums=(0, 1, 0))


def test_argnums_may_be_numbers_of_numpy():
    problem = pose(lambda x, w: jnp.sum(x @ w), lambda x, w: x.T @ jnp.ones((3, 2)), (X, W), argnums=np.int64(1))
    assert problem.names == ("w",) and jax.tree.structure(problem.grad(problem.leaves)) == jax.tree.structure([0])


def test_there_must_be_a_parameter():
    refused("args: got argument .* without any ", half_square, same, {})
    refused("arg.*: got ", half_square, same, W, argnums=())
    refused("argnums: got 0, expected .*positions among the 0", half_square, same)


@pytest.mark.parametrize(
    ("leaf", "seen"),
    [
        (np.array([1, 2]), "dtype int64, which has no gradient, expected a floating-point dtype"),
        (jnp.array([True, False]), "dtype bool"),
        (jnp.array([1 + 2j]), "dtype complex128, expected real numbers"),
        (np.array(["a"]), "dtype <U1"),
        (jax.random.key(0), "dtype key<fry>"),
        ("relu", "str 'relu', expected a floating-point array; leave what is no array out of argnums"),
        (3, "int 3, expected a floating-point array"),
        (1j, "complex 1j"),
        (object(), "object <object"),
    ],
)
def test_a_parameter_that_has_no_gradient_is_refused_by_path(leaf, seen):
    refused(rf"layers\.0\.w: got {seen}", half_square, same, {"layers": [{"w": leaf, "b": B}]})


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_parameter_must_be_finite(bad):
    refused("b: .*finite", half_square, same, {"w": W, "b": np.array([1.0, bad])})


@pytest.mark.parametrize(
    ("returned", "seen"),
    [
        (lambda w: w, r"shape \(2, 2\), expected a scalar: one number, shape \(\)"),
        (lambda w: w[:, 0], r"shape \(2,\)"),
        (lambda w: (w, {"aux": w}), r"a tuple, .*; if it returns \(loss, aux\), give lambda \*args: "),
        (lambda w: None, "a NoneType"),
        (lambda w: {"loss": jnp.sum(w)}, "a dict"),
        (lambda w: "0.5", "a str"),
        (lambda w: jnp.sum(w > 0), "dtype int64, expected a .*floating-point number"),
        (lambda w: jnp.all(w > 0), "dtype bool"),
        (lambda w: jnp.sum(w) * 1j, "dtype complex128, expected a real"),
    ],
)
def test_the_loss_must_be_a_scalar(returned, seen):
    refused(f"loss: got {seen}", returned, same, W)


PARAMS = {"W": W, "b": B}


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        ({"W": W}, r"grad: got the structure .* \(missing b\)"),
        ({"W": W, "b": B, "c": B}, r"grad: got the structure .* \(unexpected \['c'\]\)"),
        ({"W": W, "B": B}, r"\(missing b\) \(unexpected \['B'\]\)"),
        ({"W": W, "b": None}, "grad: got None for b, expected an array; .* an array of zeros"),
        ([W, B], "grad: got the structure .*, expected that of the parameters"),
        (None, "grad: got the structure"),
        (("nonsense", {"W": W}), "grad: got the structure"),
        ({"W": W[:1], "b": B}, r"grad: W: got shape \(1, 2\), expected shape \(2, 2\), the parameter's"),
        ({"W": W, "b": jnp.outer(B, B)}, r"grad: b: got shape \(2, 2\), expected shape \(2,\)"),
        ({"dW": W, "b": B}, r"\(missing W\) \(unexpected \['dW'\]\)"),
        ({"W": W, "b": jnp.sum(B)}, r"grad: b: got shape \(\), expected shape \(2,\)"),
        ({"W": W, "b": B.astype(jnp.float32)}, "grad: b: got dtype float32, expected dtype float64, the parameter's"),
        ({"W": W.astype(complex), "b": B}, "grad: W: got dtype complex128, expected dtype float64"),
    ],
)
def test_a_gradient_of_another_form_is_refused_by_path(gradient, message):
    refused(message, half_square, lambda p: gradient, PARAMS)


class Weights(NamedTuple):
    W: Any
    b: Any


class Gradients(NamedTuple):
    W: Any
    b: Any


class OtherFields(NamedTuple):
    b: Any
    W: Any


@pytest.mark.parametrize(
    ("params", "gradient", "note"),
    [
        (PARAMS, {"dW": 2 * W, "db": 2 * B}, "names of the gradient"),
        (PARAMS, {"W_grad": 2 * W, "b_grad": 2 * B}, "names of the gradient"),
        ([W, B], (2 * W, 2 * B), "a sequence of another kind"),
        (Weights(W, B), Gradients(2 * W, 2 * B), "a sequence of another kind"),
        ({"layers": [W, (B,)]}, {"layers": (2 * W, [2 * B])}, "a sequence of another kind"),
        (PARAMS, {"W": 2 * W, "b": 2 * B[:, None]}, r"of shape \(2, 1\) is taken for one of .* shape \(2,\)"),
        (PARAMS, (3.0, {"dW": 2 * W, "db": 2 * B}), "names of the gradient"),
    ],
)
def test_what_can_be_read_in_one_way_only_is_read_so_and_said(params, gradient, note):
    problem = pose(half_square, lambda p: gradient, (params,))
    for got, leaf in zip(problem.grad(problem.leaves), problem.leaves, strict=True):
        np.testing.assert_array_equal(got, 2 * leaf)
    (said,) = problem.said
    assert re.search(note, said)


def test_named_tuples_of_other_fields_are_no_gradient():
    refused("grad: got the structure", half_square, lambda p: OtherFields(B, W), Weights(W, B))


@pytest.mark.parametrize("wrap", [lambda v: v.reshape(1), lambda v: v.reshape(1, 1), lambda v: (v, {"aux": W})])
def test_a_loss_in_an_array_of_one_number_or_before_other_things_is_taken_and_said(wrap):
    problem = pose(lambda w: wrap(jnp.sum(w)), same, (W,))
    assert np.shape(problem.loss(problem.leaves)) == () and float(problem.loss(problem.leaves)) == float(jnp.sum(W))
    (said,) = problem.said
    assert said.startswith("the loss is the ")


def test_several_argnums_want_a_tuple_of_gradients():
    def loss(w, b):
        return jnp.sum(w**2) + jnp.sum(b**2)

    refused("grad: got the structure", loss, lambda w, b: {"w": 2 * w, "b": 2 * b}, W, B, argnums=(0, 1))
    refused("grad: got the structure", loss, lambda w, b: 2 * w, W, B, argnums=(0,))
    refused(r"grad: b: got shape \(\), expected shape \(2,\)", loss, lambda w, b: (2 * w, 0.0), W, B, argnums=(0, 1))


def test_an_ordered_dict_is_read_by_its_names():
    given = OrderedDict(b=2 * B, W=2 * W)  # as a backward pass fills it, the last layer first
    problem = pose(half_square, lambda p: given, (PARAMS,))
    for got, leaf in zip(problem.grad(problem.leaves), problem.leaves, strict=True):
        np.testing.assert_array_equal(got, 2 * leaf)


def test_keys_that_cannot_be_sorted_are_taken_as_they_are():
    def loss(p):
        return p["layers"][0][0] ** 2 + p["layers"][0]["b"] ** 3

    def gradient(p, factor=1.0):  # in another order than the parameters
        inner = p["layers"][0]
        return {"layers": [{"b": factor * 3 * inner["b"] ** 2, 0: 2 * inner[0]}]}

    params = {"layers": [{0: 1.0, "b": 2.0}]}
    assert check(loss, gradient, params).kind == "PASS"
    wrong = check(loss, lambda p: gradient(p, 1.5), params)
    assert wrong.kind == "FAIL" and "b" in wrong.leaf


@pytest.mark.parametrize(
    "given",
    [[{"dw": W, "db": B}], [{"w_grad": W, "b_grad": B}]],
)
def test_names_of_a_gradient_are_read_in_every_layer(given):
    problem = pose(lambda p: 0.0, lambda p: given, ([{"w": W, "b": B}],))
    b, w = problem.grad(problem.leaves)
    np.testing.assert_array_equal(w, W)
    np.testing.assert_array_equal(b, B)


def test_names_that_are_not_all_marked_alike_are_refused():
    problem = pose(lambda p: 0.0, lambda p: [{"dw": W, "grad_b": B}], ([{"w": W, "b": B}],))
    with pytest.raises(InvalidArgument, match="structure"):
        problem.grad(problem.leaves)
