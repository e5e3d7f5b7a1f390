"""Tests for `jaxnn/verify/compare.py`: which entries are wrong, which is the worst, what a kink allows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxnn.verify import check
from jaxnn.verify.compare import Comparison, Entry, compare, resolution, rule, slopes_at, worst_entry
from jaxnn.verify.differences import lines, step_scale
from jaxnn.verify.evaluation import evaluator, programs
from jaxnn.verify.problem import pose
from jaxnn.verify.rounding import EPSILON
from tests.verify.unread import unread


def side_by_side(expected, actual, allowed=1e-10):
    expected, actual = ([np.asarray(v, float) for v in side] for side in (expected, actual))
    return Comparison(expected, actual, [np.full(v.shape, allowed) for v in expected])


@pytest.mark.parametrize(
    ("actual", "wrong"),
    [(1.0, False), (1 + 1e-11, False), (1 + 1e-9, True), (np.nan, True), (np.inf, True), (-1.0, True)],
)
def test_an_entry_is_wrong_where_it_differs_by_more_than_is_allowed(actual, wrong):
    (found,) = side_by_side([[1.0]], [[actual]]).wrong
    assert found.tolist() == [wrong]


def test_infinity_equals_itself_and_nan_nothing():
    (found,) = side_by_side([[np.inf, np.nan]], [[np.inf, np.nan]]).wrong
    assert found.tolist() == [False, True]


def test_the_worst_entry_is_the_furthest_off_beside_the_largest_of_its_leaf():
    found = worst_entry(side_by_side([[1000.0, 1.0], [[1e-3, 0.0]]], [[1001.0, 1.0], [[1e-3, 5e-4]]]))
    assert found == Entry(1, (0, 1))  # half of its leaf's largest entry; the other a thousandth


def test_nan_is_the_worst():
    assert worst_entry(side_by_side([[1.0, 1.0]], [[7.0, np.nan]])) == Entry(0, (1,))


def test_nothing_wrong_has_no_worst_entry():
    assert worst_entry(side_by_side([[1.0], [2.0]], [[1.0], [2.0]])) is None
    assert worst_entry(side_by_side([[1.0]], [[2.0]]), [np.array([False])]) is None


def test_the_resolution_is_the_largest_share_of_a_leaf_that_would_pass():
    assert resolution(side_by_side([[1e-4], [1.0, 0.0]], [[1e-4], [1.0, 0.0]])) == pytest.approx(1e-6)
    assert resolution(side_by_side([[0.0]], [[0.0]])) == 0.0


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5))
def test_a_step_suits_the_typical_entry_and_is_never_0(values):
    leaf = np.array(values)
    scale = step_scale(leaf)
    assert scale > 0
    if leaf.any():
        assert np.min(np.abs(leaf)) * 0.999 <= scale <= np.max(np.abs(leaf)) * 1.001
    else:
        assert scale == 1.0


# At a kink: loss 2 relu(u) + relu(-u) + v^3 at u = 0, whose slopes along u are -1 and 2


def bent(p):
    return jnp.sum(2 * jax.nn.relu(p["u"]) + jax.nn.relu(-p["u"])) + jnp.sum(p["v"] ** 3)


P = {"u": np.array([0.0, 1.0]), "v": np.array([0.7])}


@pytest.fixture(scope="module")
def machine():
    def grad(p):
        return {"u": 0 * p["u"], "v": 3 * p["v"] ** 2}

    problem = pose(bent, grad, (P,))
    evaluate = evaluator(problem, lines(problem.leaves), programs(bent, grad, 0))
    return evaluate, problem.leaves, evaluate.at(problem.leaves)


def ruling(machine, u):
    evaluate, leaves, here = machine
    comparison = compare(here._replace(hand=[np.array([u, 2.0]), np.array([3 * 0.49])]))
    return rule(evaluate, leaves, comparison, 4 * EPSILON)


def test_the_slopes_along_one_entry_are_those_on_paper(machine):
    evaluate, leaves, _ = machine
    at_kink = slopes_at(evaluate, leaves, Entry(0, (0,)), 4 * EPSILON)
    assert at_kink.kink and at_kink.left.value == pytest.approx(-1) and at_kink.right.value == pytest.approx(2)
    smooth = slopes_at(evaluate, leaves, Entry(1, (0,)), 4 * EPSILON)
    assert not smooth.kink and abs(smooth.central.value - 3 * 0.49) <= smooth.central.error < 1e-8


@pytest.mark.parametrize("u", [-1.0, -0.5, 1.0, 2.0])
def test_any_value_between_the_one_sided_slopes_is_a_kink(machine, u):
    found = ruling(machine, u)
    assert found.kink and not any(guilty.any() for guilty in found.guilty) and not found.autodiff_wrong


@pytest.mark.parametrize("u", [-1.1, 2.1, 30.0])
def test_a_value_outside_of_them_is_guilty(machine, u):
    found = ruling(machine, u)
    assert found.guilty[0].tolist() == [True, False] and not found.guilty[1].any()


def test_where_autodiff_is_wrong_differences_put_it_right(machine):
    """A derivative rule that is wrong on purpose, in the loss."""

    @jax.custom_jvp
    def cube(v):
        return v**3

    cube.defjvp(lambda primals, tangents: (primals[0] ** 3, 7 * tangents[0]))

    def loss(v):
        return jnp.sum(cube(v))

    def grad(v):
        return 3 * v**2

    problem = pose(loss, grad, (np.array([0.7]),))
    evaluate = evaluator(problem, lines(problem.leaves), programs(loss, grad, 0))
    found = rule(evaluate, problem.leaves, compare(evaluate.at(problem.leaves)), 4 * EPSILON)
    assert found.autodiff_wrong and not found.guilty[0].any()
    assert found.corrected[0] == pytest.approx(3 * 0.49, abs=1e-8)


def bisected(a):
    """Return the root of y^2 = a, of which autodiff sees the brackets alone."""

    def halve(_, ends):
        middle = (ends[0] + ends[1]) / 2
        low = middle**2 < a
        return jnp.where(low, middle, ends[0]), jnp.where(low, ends[1], middle)

    return sum(jax.lax.fori_loop(0, 60, halve, (0 * a, 1 + a))) / 2


@pytest.mark.parametrize(("factor", "kind"), [(0.5, "PASS"), (0.51, "FAIL")])
def test_where_autodiff_is_wrong_a_parameter_that_is_one_number_is_judged_by_differences(factor, kind):
    assert check(bisected, unread(lambda a: factor / jnp.sqrt(a)), jnp.array(2.0)).kind == kind


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "kind"), [(1.0, "PASS"), (1.1, "FAIL")])
def test_a_loss_of_jax_may_read_one_triangle(factor, kind):
    a = jax.random.normal(jax.random.key(0), (3, 3))

    def loss(s):  # half of the log of the determinant, whose gradient is half of the inverse
        return jnp.sum(jnp.log(jnp.diag(jnp.linalg.cholesky(s, symmetrize_input=False))))

    verdict = check(loss, unread(lambda s: factor * jnp.linalg.inv(s) / 2), a @ a.T + jnp.eye(3))
    assert verdict.kind == kind
