"""Tests for `jaxnn/verify/grids.py`: sizes stay consistent, the values promised are there, the example comes first."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnn.errors import InvalidArgument
from jaxnn.verify import grid

RNG = np.random.default_rng(11)
N, D, H, K = 6, 4, 5, 3
PARAMS = {
    "W1": RNG.normal(size=(D, H)),
    "b1": RNG.normal(size=H),
    "W2": RNG.normal(size=(H, K)),
    "b2": RNG.normal(size=K),
}
X = RNG.normal(size=(N, D))
Y = np.eye(K)[[0, 1, 2, 1, 0, 2]]
DIMS = ({"W1": "d h", "b1": "h", "W2": "h k", "b2": "k"}, "n d", "n k")


@pytest.fixture(scope="module")
def cases():
    return grid((PARAMS, X, Y), DIMS)


def sizes(case):
    params, x, y = case
    (d, h), k = params["W1"].shape, params["b2"].shape[0]
    return len(x), d, h, k


def test_the_example_comes_first_as_it_is(cases):
    params, x, y = cases[0]
    assert cases[0].name == "the example" and x is X and y is Y and params["W1"] is PARAMS["W1"]


def test_every_case_is_a_tuple_with_a_name_of_its_own(cases):
    assert all(isinstance(case, tuple) and len(case) == 3 and case.name for case in cases)
    assert len({case.name for case in cases}) == len(cases)


def test_sizes_are_consistent_in_every_case(cases):
    for case in cases:
        (params, x, y), (n, d, h, k) = case, sizes(case)
        assert x.shape == (n, d) and y.shape == (n, k)
        assert {name: leaf.shape for name, leaf in params.items()} == {
            "W1": (d, h), "b1": (h,), "W2": (h, k), "b2": (k,)
        }  # fmt: skip


def test_every_dimension_is_1_2_and_3_all_are_1_and_all_unequal(cases):
    seen = [sizes(case) for case in cases]
    for axis, usual in enumerate((N, D, H, K)):
        alone = {s[axis] for s in seen if all(s[a] == u for a, u in enumerate((N, D, H, K)) if a != axis)}
        assert {1, 2, 3, usual} <= alone
    assert (1, 1, 1, 1) in seen
    assert any(len(set(s)) == 4 and min(s) > 1 for s in seen)


def test_the_values_that_hide_mistakes_are_there(cases):
    def some(kind):
        return any(kind(*case) for case in cases)

    assert some(lambda p, x, y: np.all(x == 0)), "all data zero"
    assert some(lambda p, x, y: x.shape[1] > 1 and np.all(x[:, 0] == 0) and np.any(x != 0)), "one feature zero"
    assert some(lambda p, x, y: np.all(p["W1"] == 0) and np.all(p["b1"] == 0)), "all parameters zero"
    assert some(lambda p, x, y: np.any(x @ p["W1"] + p["b1"] == 0) and np.any(p["W1"] != 0)), "exactly on a kink"
    assert some(lambda p, x, y: 0 < np.max(np.abs(x @ p["W1"] + p["b1"])) < 1e-2), "close to a kink"
    assert some(lambda p, x, y: x.size > 1 and len(np.unique(x)) == 1 and x[0, 0] != 0), "ties"
    assert some(lambda p, x, y: np.any(x != 0) and np.array_equal(x, np.round(x)) and len(np.unique(x)) > 2), "whole"
    assert some(lambda p, x, y: np.max(np.abs(x)) > 100), "huge data"
    assert some(lambda p, x, y: np.max(np.abs(p["W2"])) > 15 and np.max(np.abs(x)) < 10), "large parameters"
    assert some(lambda p, x, y: not np.allclose(y.sum(1), 1)), "labels that do not sum to 1"


def test_labels_that_are_one_hot_stay_so_in_all_cases_but_their_own(cases):
    other = [case.name for case in cases if not (np.isin(case[2], (0, 1)).all() and np.all(case[2].sum(1) == 1))]
    assert other == [name for name in other if "labels" in name] and len(other) == 1


def test_the_same_seed_gives_the_same_cases_and_another_gives_others(cases):
    again, other = grid((PARAMS, X, Y), DIMS), grid((PARAMS, X, Y), DIMS, seed=1)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(cases, again, strict=True))
    assert not np.array_equal(cases[1][1], other[1][1])


def test_equal_sizes_are_one_dimension_by_default():
    w, x = np.ones((4, 3)), RNG.normal(size=(5, 4))
    cases = grid((w, x))
    assert all(case[1].shape[1] == case[0].shape[0] for case in cases)
    assert {len(case[1]) for case in cases} >= {1, 2, 3, 5}


@pytest.mark.parametrize("dims", [{"n": N, "d": D, "h": H, "k": K}, DIMS])
def test_dimensions_by_size_or_by_axis_give_the_same_shapes(dims, cases):
    assert [sizes(case) for case in grid((PARAMS, X, Y), dims)] == [sizes(case) for case in cases]


def test_products_of_dimensions_follow_their_factors():
    """An LSTM's kernel has four blocks of h columns; a flattened image h*w*c rows; an odd kernel keeps its 3."""
    args = (RNG.normal(size=(2, 20)), RNG.normal(size=(7, 5)), RNG.normal(size=(3, 3, 1, 2)), RNG.normal(size=(10, 6)))
    for kernel, h, k, flat in grid(args, ("d 4*h", "n h", "3 3 c o", "h*d n-1"), argnums=(0, 2)):
        assert kernel.shape[1] == 4 * h.shape[1]
        assert k.shape[:2] == (3, 3)
        assert flat.shape == (h.shape[1] * kernel.shape[0], len(h) - 1)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3), st.lists(st.sampled_from("abc"), min_size=1, max_size=3)
)
def test_any_named_axes_stay_consistent(first, second):
    known = {"a": 4, "b": 6, "c": 9}
    args = tuple(RNG.normal(size=[known[name] for name in names]) for names in (first, second))
    for case in grid(args, (" ".join(first), " ".join(second))):
        seen = {}
        for names, array in zip((first, second), case, strict=True):
            for name, size in zip(names, array.shape, strict=True):
                assert seen.setdefault(name, size) == size and size >= 1


def test_long_dimensions_are_shortened_but_in_the_example():
    cases = grid((np.ones(784), RNG.normal(size=(1000, 784))), ("d", "n d"))
    assert cases[0][1].shape == (1000, 784)
    assert max(max(case[1].shape) for case in cases[1:]) < 30


def test_kinds_of_arrays_and_dtypes_stay():
    args = ({"w": jnp.ones((3, 2), jnp.float32)}, np.ones((4, 3), np.float32), np.array([0, 1, 1, 0]), jnp.ones((4,)))
    for params, x, labels, weights in grid(args, ({"w": "d k"}, "n d", "n", "n")):
        assert isinstance(params["w"], jax.Array) and params["w"].dtype == "float32"
        assert isinstance(x, np.ndarray) and x.dtype == "float32"
        assert labels.dtype == args[2].dtype and weights.dtype == args[3].dtype


def test_whole_labels_stay_below_the_number_of_classes():
    args = (RNG.normal(size=(4, 3)), RNG.normal(size=(6, 4)), np.array([0, 1, 2, 2, 1, 0]))
    for w, _, labels in grid(args, ("d k", "n d", "n")):
        assert labels.min() >= 0 and labels.max() < max(w.shape[1], 1)


def test_keys_scalars_and_other_things_stay():
    key, old = jax.random.key(3), jax.random.PRNGKey(3)
    for case in grid((np.ones((4, 2)), key, old, 0.8, "relu", None), ("n d", None, None, None, None, None)):
        assert case[1] is key and case[2] is old and case[3:] == (0.8, "relu", None)
    for case in grid((np.ones((4, 2)), key, old, 0.8, "relu", None)):
        assert case[1] is key and case[2] is old and case[3:] == (0.8, "relu", None)


def test_an_argument_without_dims_stays():
    kept = np.arange(4.0)
    assert all(case[1] is kept for case in grid((np.ones((4, 2)), kept), ("n d", None)))


def test_which_arguments_are_parameters_is_said_by_argnums():
    x, w = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))
    zero = [case for case in grid((x, w), ("n d", "d k"), argnums=1) if case.name == "all parameters zero"]
    assert all(np.all(case[1] == 0) and np.any(case[0] != 0) for case in zero) and zero


@pytest.mark.parametrize(
    ("args", "dims", "message"),
    [
        (X, None, "example_args: got ndarray, expected a tuple"),
        ((X, Y), ("n d",), "dims: got 1 entries, expected one for each of the 2 arguments"),
        ((X, Y), ("n d", "n"), "dims: got n, expected 2 words, one an axis"),
        ((X, Y), ("n d", "m d"), "dims: d: got 4 and 3 in the example, expected one size for each name"),
        ((X,), ("n 2*n",), "dims: n: got 6 and 2 in the example, expected one size for each name"),
        ((X,), ("n d+q",), r"dims: got 'd\+q', expected names of \['n'\]"),
        ((X,), ("n d(",), r"dims: got 'd\(', expected a name, a whole number or a product"),
        ((X,), ("n 3",), "dims: 3: got size 4, expected 3"),
        (({"w": X},), ({"v": "n d"},), "dims: got PyTreeDef.*, expected the structure of the argument"),
        ((X, Y), {"n": 6, "d": 6}, "dims: got equal sizes"),
    ],
)
def test_dims_that_do_not_fit_are_refused(args, dims, message):
    with pytest.raises(InvalidArgument, match=message):
        grid(args, dims)
