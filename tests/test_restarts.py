"""Restarts side by side against each of them alone, in a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import rprop_plus
from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.networks import hidden_layer
from jaxnn.restarts import fit_until

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(float)
OBJECTIVE = hidden_layer.half_squared_error_and_grad


def starts(n):
    return jax.vmap(lambda k: hidden_layer.init(k, 2, 3, 1))(jax.random.split(jax.random.key(0), n))


def alone(start, optimizer, threshold, stepmax):
    """Return what R leaves: `while (max |gradient| > threshold && step < stepmax)`, the first gradient being step 1."""
    one_step, objective = jax.jit(optimizer.update), jax.jit(OBJECTIVE)
    params, memory, step = start, optimizer.init(start), 1
    value, grads = objective(params, X, Y)
    while max(np.abs(g).max() for g in grads.values()) > threshold and step < stepmax:
        changes, memory = one_step(grads, memory)
        params, step = jax.tree.map(np.add, params, changes), step + 1
        value, grads = objective(params, X, Y)
    return params, value, max(np.abs(g).max() for g in grads.values()), step


def test_each_restart_is_what_it_is_alone():
    begin, settings = starts(5), {"threshold": 0.15, "stepmax": 6}
    ours = fit_until(OBJECTIVE, begin, rprop_plus(), (X, Y), **settings)
    for i in range(5):
        params, value, largest, step = alone(jax.tree.map(lambda p, i=i: p[i], begin), rprop_plus(), **settings)
        assert ours.steps[i] == step and ours.converged[i] == (largest <= 0.15)
        np.testing.assert_allclose([ours.loss[i], ours.largest_gradient[i]], [value, largest], rtol=1e-8)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-8, atol=1e-10), ours.params, params)
    # Some stop early and stand still while the others go on to the last step.
    assert len(np.unique(ours.steps)) > 2 and ours.converged.any() and not ours.converged.all()


def bowl(params, x, y):
    return jnp.sum(params["w"] ** 2) / 2, params


def in_the_bowl(*heights, **settings):
    data = np.ones((1, 1)), np.ones(1)
    return fit_until(bowl, {"w": jnp.array(heights)[:, None]}, optax.sgd(1e-3), data, **settings)


def test_more_steps_than_a_program_has_are_counted_on():
    told = []
    ours = in_the_bowl(1.0, 0.5, 2.0, threshold=0.9995e-4, stepmax=9_850, progress=lambda *seen: told.append(seen))
    w, updates = np.array([1, 0.5, 2.0]), np.zeros(3, int)
    for _ in range(9_849):
        going = w > 0.9995e-4
        w, updates = np.where(going, w - 1e-3 * w, w), updates + going
    np.testing.assert_array_equal(ours.steps, updates + 1)
    np.testing.assert_array_equal(ours.converged, [True, True, False])
    np.testing.assert_allclose(ours.largest_gradient, w, rtol=1e-9)
    assert len(told) == 1
    longer = in_the_bowl(1.0, 0.5, 2.0, threshold=1e-5, stepmax=10_500, progress=lambda *seen: told.append(seen))
    np.testing.assert_array_equal(told[1][0], [10_001] * 3)
    np.testing.assert_array_equal(longer.steps, [10_500] * 3)
    assert len(told) == 3 and not longer.converged.any()
    np.testing.assert_allclose(longer.params["w"][:, 0], 0.999**10_499 * np.array([1, 0.5, 2]), rtol=1e-9)


@pytest.mark.parametrize("stepmax", [1, 2])
def test_the_first_gradient_is_step_1(stepmax):
    ours = in_the_bowl(1.0, 0.5, threshold=0.5, stepmax=stepmax)
    np.testing.assert_array_equal(ours.steps, [stepmax, 1])
    np.testing.assert_array_equal(ours.converged, [False, True])  # at the threshold is enough
    np.testing.assert_allclose(ours.params["w"][:, 0], [0.999 ** (stepmax - 1), 0.5], rtol=1e-14)


def test_what_the_caller_gave_is_still_there():
    begin = starts(2)
    before = jax.tree.map(np.array, begin)
    fit_until(OBJECTIVE, begin, rprop_plus(), (X, Y), stepmax=3)
    jax.tree.map(np.testing.assert_array_equal, begin, before)


def test_divergence_names_the_restart_and_the_step():
    def falls(params, x, y):
        return jnp.log(params["w"].sum()), {"w": jnp.where(params["w"] > 0, 2.0, jnp.nan)}

    with pytest.raises(Diverged, match="^loss: got nan, with .*, in restart 2, step 3, expected finite numbers"):
        start, data = {"w": jnp.array([[100.0], [3.0]])}, (np.ones((1, 1)), np.ones(1))
        fit_until(falls, start, optax.sgd(1.0), data, stepmax=20)


@pytest.mark.parametrize(
    ("named", "wrong"),
    [("threshold", {"threshold": v}) for v in (0, -1.0, float("nan"), float("inf"), None)]
    + [("stepmax", {"stepmax": v}) for v in (0, -5, 1.5, True, None)]
    + [
        ("data", {"data": X}),
        ("x", {"data": (X * np.nan, Y)}),
        ("x", {"data": (X.astype(np.float32), Y)}),
        ("x", {"data": (X[:, :1], Y)}),
        ("y", {"data": (X, Y[:-1])}),
        ("y", {"data": (X, np.ones((30, 2)))}),
        ("starts", {"starts": starts(2) | {"b1": jnp.zeros((3, 3))}}),
        ("starts", {"starts": jax.tree.map(lambda p: p[:0], starts(2))}),
        ("starts", {"starts": {"W1": jnp.zeros(())}}),
    ],
)
def test_what_cannot_be_right_is_refused(named, wrong):
    given = {"starts": starts(2), "data": (X, Y)} | wrong
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        fit_until(OBJECTIVE, optimizer=rprop_plus(), **given)


def test_a_gradient_that_is_not_finite_stops_the_run_where_it_happens():
    def turns_bad(params, x, y):
        bad = params["w"] < 0.85  # after two steps of 0.1
        return jnp.sum(params["w"]), {"w": jnp.where(bad, jnp.nan, 1.0)}

    begin = {"w": jnp.array([1.0, 9.0])}
    with pytest.raises(Diverged, match="restart 1, step 3"):
        fit_until(turns_bad, begin, rprop_plus(), (X, Y), stepmax=20)
