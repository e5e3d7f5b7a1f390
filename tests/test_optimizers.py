"""RMSprop against Keras' formula, rprop+ against R's rule, one weight at a time, and both beside optax's."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxnn import rmsprop, rprop_plus
from jaxnn.errors import InvalidArgument
from jaxnn.optimizers import rprop_minus


@partial(jax.jit, static_argnums=0)
def run(optimizer, start, gradients):
    """Return the parameters after each of the gradients."""

    def step(state, gradient):
        params, memory = state
        changes, memory = optimizer.update(gradient, memory, params)
        params = optax.apply_updates(params, changes)
        return (params, memory), params

    return jax.lax.scan(step, (start, optimizer.init(start)), gradients)[1]


@pytest.mark.parametrize("settings", [{}, {"learning_rate": 0.1, "rho": 0.5, "epsilon": 1e-2}, {"rho": 0.0}])
def test_rmsprop_is_that_of_keras(settings):
    rate, rho, epsilon = ({"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7} | settings).values()
    gradients = np.random.default_rng(0).normal(size=(6, 4)) * [1e-6, 1e-3, 1, 1e3]
    gradients[2] = 0
    w, v, expected = np.ones(4), np.zeros(4), []
    for g in gradients:  # Keras 3, rmsprop.py: velocity, then increment / sqrt(velocity + epsilon)
        v = rho * v + (1 - rho) * g**2
        w = w - rate * g / np.sqrt(v + epsilon)
        expected.append(w)
    np.testing.assert_allclose(run(rmsprop(**settings), np.ones(4), gradients), expected, rtol=1e-13)


@pytest.mark.parametrize("settings", [{}, {"learning_rate": 0.1, "rho": 0.5, "epsilon": 1e-2}])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rmsprop_is_that_of_optax(settings, dtype):
    rate, rho, epsilon = ({"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7} | settings).values()
    theirs = optax.rmsprop(rate, decay=rho, eps=epsilon, eps_in_sqrt=True, initial_scale=0.0)
    rng = np.random.default_rng(0)
    start = {"a": np.ones(4, dtype), "b": (np.zeros((2, 3), dtype),)}
    gradients = jax.tree.map(lambda p: rng.normal(size=(20, *p.shape)).astype(dtype) ** 5, start)
    ours, expected = (run(optimizer, start, gradients) for optimizer in (rmsprop(**settings), theirs))
    # Each step is rounded once or twice; the steps sum up to less than 20.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=40 * np.finfo(dtype).eps), ours, expected)


def rprop_loop(w, gradients, lr=0.1, factor_minus=0.5, factor_plus=1.2, lr_min=1e-10, lr_max=0.1):
    """Return one weight after each gradient by the rule of R's neuralnet 1.44.2, `plus`."""
    old, after = 0.0, []
    for gradient in gradients:
        sign = np.sign(gradient)
        if old * sign > 0:
            lr = min(lr * factor_plus, lr_max)
            w, old = w - sign * lr, sign
        elif old * sign < 0:
            w = w + old * lr  # with the old step: exactly undone
            lr, old = max(lr * factor_minus, lr_min), 0.0
        else:
            w, old = w - sign * lr, sign
        after.append(w)
    return after


sag, slr = partial(rprop_minus, balanced="sag"), partial(rprop_minus, balanced="slr")
gradients_of_three = arrays(float, (12, 3), elements=st.sampled_from([-2.0, -1e-300, -0.0, 0.0, 1e-9, 3.0]))


@settings(max_examples=40, deadline=None)
@given(gradients_of_three)
@pytest.mark.parametrize(
    ("ours", "as_in_r"),
    [
        (rprop_plus(), {}),
        (rprop_plus(initial_step=0.01, largest=0.02), {"lr": 0.01, "lr_max": 0.02}),
        (
            rprop_plus(smallest=0.04, decrease=0.3, increase=1.5, largest=0.3),
            {"lr_min": 0.04, "factor_minus": 0.3, "factor_plus": 1.5, "lr_max": 0.3},
        ),
    ],
)
def test_rprop_plus_is_that_of_r(ours, as_in_r, gradients):
    expected = np.transpose([rprop_loop(0.5, column, **as_in_r) for column in gradients.T])
    np.testing.assert_allclose(run(ours, np.full(3, 0.5), gradients), expected, rtol=1e-13, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(arrays(float, (12, 3), elements=st.sampled_from([-2.0, -1e-9, 0.0, 0.5, 3.0])))
def test_rprop_plus_is_that_of_optax_a_step_ahead(gradients):
    # optax.rprop holds each step back until the next gradient agrees, and drops it where that has turned: rprop+ has
    # taken it already, and takes it back. So ours stand where optax's will, with the step in its state.
    theirs = optax.rprop(0.1, min_step_size=1e-10, max_step_size=0.1)
    behind, memory = np.full(3, 0.5), theirs.init(jnp.full(3, 0.5))
    for gradient, ours in zip(gradients, run(rprop_plus(), np.full(3, 0.5), gradients), strict=True):
        change, memory = theirs.update(jnp.asarray(gradient), memory)
        behind = behind + change
        np.testing.assert_allclose(ours, behind - memory[0].prev_updates, rtol=1e-13, atol=1e-15)


def minus_loop(w, gradients, kind, lr_min=1e-10, lr_max=0.1, factor_minus=0.5, factor_plus=1.2):
    """Return the weights after each row of gradients by R's `minus`, for rprop-, sag and slr."""
    w, old, lr, after = w.copy(), np.zeros(w.size), np.full(w.size, 0.1), []
    for g in gradients:
        lr = np.where(old * g > 0, np.minimum(lr * factor_plus, lr_max), lr)
        lr = np.where(old * g < 0, np.maximum(lr * factor_minus, lr_min), lr)
        some = np.flatnonzero(g)
        if kind != "rprop-" and some.size:
            i = some[np.argmin(np.abs(g[some]) if kind == "sag" else lr[some])]
            others = sum(lr[j] * g[j] for j in some if j != i)
            lr[i] = min(max(-(others + 1e-6) / g[i], lr_min), lr_max)
        w, old = w - np.sign(g) * lr, g
        after.append(w)
    return after


@settings(max_examples=40, deadline=None)
@given(arrays(float, (8, 3), elements=st.sampled_from([-2.0, -0.5, 0.0, 1e-3, 0.5, 3.0])))
@pytest.mark.parametrize(("make", "kind"), [(rprop_minus, "rprop-"), (sag, "sag"), (slr, "slr")])
def test_the_rest_of_the_family_is_that_of_r(make, kind, gradients):
    start = np.array([0.5, -1.0, 2.0])
    np.testing.assert_allclose(
        run(make(), start, gradients), minus_loop(start, gradients, kind), rtol=1e-10, atol=1e-12
    )
    limits = {"smallest": 1e-3, "largest": 0.5, "decrease": 0.3, "increase": 1.5}
    as_in_r = {"lr_min": 1e-3, "lr_max": 0.5, "factor_minus": 0.3, "factor_plus": 1.5}
    ours = run(make(**limits), start, gradients)
    np.testing.assert_allclose(ours, minus_loop(start, gradients, kind, **as_in_r), rtol=1e-10, atol=1e-12)


def test_one_weight_of_all_leaves_is_balanced():
    leaves = {"a": np.array([1.0, 2.0]), "b": np.array([[3.0]])}
    gradients = {"a": np.array([[1.0, -0.5]]), "b": np.array([[[4.0]]])}
    after = run(sag(), leaves, gradients)
    # the smallest gradient is -0.5: its step is (0.1 * 1 + 0.1 * 4 + 1e-6) / 0.5, cut at 0.1
    np.testing.assert_allclose(after["a"][0], [0.9, 2.1], rtol=1e-14)
    np.testing.assert_allclose(after["b"][0], [[2.9]], rtol=1e-14)


def test_rprop_plus_takes_a_step_back_exactly_and_treats_leaves_alike():
    start = {"a": np.array([1.0, 2.0]), "b": (np.array([[3.0]]),)}
    signs = np.array([1.0, -1.0, 5.0, 5.0])
    after = run(rprop_plus(), start, {"a": np.stack([signs, -signs], axis=1), "b": (signs.reshape(4, 1, 1),)})
    # down by 0.1, back, then by 0.05 (halved), then by 0.06 (grown): the same for all, whatever the size of g
    path = np.array([-0.1, 0, -0.05, -0.11])
    np.testing.assert_allclose(after["a"], np.stack([1 + path, 2 - path], axis=1), rtol=1e-14)
    np.testing.assert_allclose(after["b"][0][:, 0, 0], 3 + path, rtol=1e-14)


@pytest.mark.parametrize("make", [rmsprop, rprop_plus, rprop_minus, sag, slr])
def test_float32_stays_float32(make):
    after = run(make(), jnp.ones(2, jnp.float32), jnp.ones((3, 2), jnp.float32))
    assert after.dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(rmsprop, "learning_rate", v) for v in (0, -1, float("nan"), float("inf"), "1", None, True)]
    + [(rmsprop, "rho", v) for v in (1.0, -0.1, float("nan"), True)]
    + [(rmsprop, "epsilon", v) for v in (0, -1e-7)]
    + [(rprop_plus, name, v) for name in ("initial_step", "smallest", "largest") for v in (0, -1.0, float("nan"))]
    + [(rprop_plus, "decrease", v) for v in (0, 1, 1.5, float("nan"))]
    + [(rprop_plus, "increase", v) for v in (1, 0.5, float("nan"))]
    + [(rprop_minus, "balanced", "rprop+")]
    + [(make, "smallest", 0.2) for make in (rprop_plus, rprop_minus, sag, slr)],
)
def test_settings_that_cannot_be_right_are_refused(make, name, value):
    with pytest.raises(InvalidArgument, match=f"^{name}: got"):
        make(**{name: value})
