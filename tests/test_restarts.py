"""Restarts side by side against each of them alone, in a plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import restarts, rprop_plus
from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.networks import hidden_layer
from jaxnn.restarts import curve_steps, fit_until

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


@pytest.mark.slow
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


SMALL_STEPS = optax.sgd(1e-3)


def in_the_bowl(*heights, optimizer=SMALL_STEPS, **settings):
    data = np.ones((1, 1)), np.ones(1)
    return fit_until(bowl, {"w": jnp.array(heights)[:, None]}, optimizer, data, **settings)


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
    np.testing.assert_array_equal(told[1][0], [10_000] * 3)
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


def falls(params, x, y):
    """Return log w, whose steps of 2 lead from 3 to 1 and beyond 0."""
    return jnp.log(params["w"].sum()), {"w": jnp.where(params["w"] > 0, 2.0, jnp.nan)}


def test_one_that_diverges_keeps_its_best_weights_and_the_others_go_on():
    start, data = {"w": jnp.array([[100.0], [3.0]])}, (np.ones((1, 1)), np.ones(1))
    ours = fit_until(falls, start, optax.sgd(1.0), data, stepmax=20)
    np.testing.assert_array_equal(ours.diverged, [False, True])
    np.testing.assert_array_equal(ours.converged, [False, False])
    np.testing.assert_array_equal(ours.steps, [20, 3])
    np.testing.assert_array_equal(ours.params["w"][:, 0], [62, 1])
    np.testing.assert_allclose(ours.loss, np.log([62, 1]))


def test_where_all_diverge_all_keep_their_best():
    start, data = {"w": jnp.array([[3.0], [5.0]])}, (np.ones((1, 1)), np.ones(1))
    ours = fit_until(falls, start, optax.sgd(1.0), data, stepmax=20)
    assert ours.diverged.all() and ours.steps.tolist() == [3, 4]
    np.testing.assert_array_equal(ours.params["w"][:, 0], [1, 1])


@pytest.mark.parametrize(
    ("heights", "said"), [([-3.0], "at the start,"), ([-3.0, -1], "at the start of every restart,")]
)
def test_starts_without_a_finite_loss_are_refused(heights, said):
    start, data = {"w": jnp.array(heights)[:, None]}, (np.ones((1, 1)), np.ones(1))
    with pytest.raises(
        Diverged, match=f"^loss: got nan, with a largest gradient of nan, {said} expected finite numbers"
    ):
        fit_until(falls, start, optax.sgd(1.0), data, stepmax=20)


@pytest.mark.parametrize(
    ("left", "count", "size"), [(100, 100, 100), (65, 100, 100), (64, 100, 64), (3, 100, 4), (1, 9, 1)]
)
def test_batches_are_padded_to_a_power_of_2(left, count, size):
    rows = restarts._padded(np.arange(left) + 5, count)
    assert len(rows) == size and set(rows) == set(range(5, 5 + left))


def test_one_that_does_not_converge_keeps_the_weights_of_its_lowest_loss():
    w, losses = 1.0, []
    for _ in range(7):  # steps of 0.7 to and fro over 0, then to and fro again
        losses.append((w**2 / 2, w))
        w -= 0.7 * np.sign(w)
    ours = in_the_bowl(1.0, threshold=1e-3, stepmax=7, optimizer=optax.sign_sgd(0.7))
    lowest, at = min(losses)
    np.testing.assert_allclose([ours.loss[0], ours.params["w"][0, 0]], [lowest, at])
    np.testing.assert_allclose(ours.largest_gradient, abs(at))
    assert not ours.converged[0] and ours.steps[0] == 7


def test_curves_have_the_loss_at_the_steps_they_name():
    ours = in_the_bowl(1.0, threshold=1e-9, stepmax=100)
    steps, seen = curve_steps(), np.isfinite(ours.curves[0])
    w = 0.999 ** (np.minimum(steps[seen], 100) - 1)
    np.testing.assert_allclose(ours.curves[0][seen], w**2 / 2, rtol=1e-12)
    # all of the first 15, then eight an octave: 17, 19, ..., 31, 35, ...
    assert steps[seen].tolist() == [*range(1, 16), *range(17, 32, 2), *range(35, 64, 4), *range(71, 104, 8)]


def test_every_step_has_its_slot():
    steps = np.unique(np.concatenate([np.arange(1, 3000), 2.0 ** np.arange(12, 31), 2.0 ** np.arange(12, 31) - 1]))
    slots = np.asarray(jax.vmap(restarts._slot)(jnp.asarray(steps, jnp.int32)))
    ends = curve_steps()
    assert (steps <= ends[slots]).all() and (steps > ends[slots - 1]).all() and slots.max() < restarts.SLOTS


@pytest.mark.slow
def test_those_that_have_stopped_leave_the_batch(monkeypatch):
    sizes, real = [], restarts._restarts

    def watched(*settings):
        begin, advance = real(*settings)
        return begin, lambda state, *others: sizes.append(len(state.loss)) or advance(state, *others)

    alone = in_the_bowl(1.0, 0.2, 2.0, 0.1, threshold=0.05, stepmax=4_000, every=100)
    monkeypatch.setattr(restarts, "_restarts", watched)
    for backend, most in (("cpu", [4, 3, 2, 1]), ("gpu", [4, 2, 1])):
        monkeypatch.setattr(jax, "default_backend", lambda backend=backend: backend)
        monkeypatch.setattr(restarts, "compiler_options", lambda backend: None)
        sizes.clear()
        ours = in_the_bowl(1.0, 0.2, 2.0, 0.1, threshold=0.05, stepmax=4_000, every=100)
        assert list(dict.fromkeys(sizes)) == most
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), ours, alone)


@pytest.mark.slow
def test_optimizers_that_search_along_a_line_are_given_the_loss():
    ours = fit_until(OBJECTIVE, starts(2), optax.lbfgs(), (X, Y), threshold=0.05, stepmax=500)
    plain = fit_until(OBJECTIVE, starts(2), rprop_plus(), (X, Y), threshold=0.05, stepmax=5000)
    assert ours.converged.all() and (ours.steps < plain.steps).all()


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
        ("starts", lambda starts: {"starts": starts | {"b1": jnp.zeros((3, 3))}}),
        ("starts", lambda starts: {"starts": jax.tree.map(lambda p: p[:0], starts)}),
        ("starts", {"starts": {"W1": jnp.zeros(())}}),
    ],
)
def test_what_cannot_be_right_is_refused(named, wrong):
    begin = starts(2)
    wrong = wrong(begin) if callable(wrong) else wrong
    given = {"starts": begin, "data": (X, Y)} | wrong
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        fit_until(OBJECTIVE, optimizer=rprop_plus(), **given)


def test_a_gradient_that_is_not_finite_stops_the_run_where_it_happens():
    def turns_bad(params, x, y):
        bad = params["w"] < 0.85  # after two steps of 0.1
        return jnp.sum(params["w"]), {"w": jnp.where(bad, jnp.nan, 1.0)}

    ours = fit_until(turns_bad, {"w": jnp.array([1.0, 9.0])}, rprop_plus(), (X, Y), stepmax=20)
    assert ours.diverged.tolist() == [True, False] and ours.steps.tolist() == [3, 20]
    np.testing.assert_allclose(ours.params["w"], [0.9, 9 - 1.9], rtol=1e-12)


def test_restarts_with_targets_of_their_own_are_those_of_fits_apart():
    targets, begin = np.stack([Y, 1 - Y, Y]), starts(3)
    settings = {"threshold": 0.15, "stepmax": 200}
    ours = fit_until(OBJECTIVE, begin, rprop_plus(), (X, targets), own_targets=True, every=50, **settings)
    for i in range(3):
        one = jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], begin)
        alone = fit_until(OBJECTIVE, one, rprop_plus(), (X, targets[i]), **settings)
        assert ours.steps[i] == alone.steps[0]
        np.testing.assert_allclose(ours.loss[i], alone.loss[0], rtol=1e-9)
        jax.tree.map(lambda a, b, i=i: np.testing.assert_allclose(a[i], b[0], rtol=1e-9), ours.params, alone.params)


def test_patience_ends_a_restart_that_gets_no_better_on_what_is_held_out():
    def objective(params, x, y):  # the loss falls towards 0, that of what is held out is lowest at 0.7
        loss, gradient = bowl(params, x, y)
        return (loss, jnp.sum((params["w"] - 0.7) ** 2)), gradient

    data = np.ones((1, 1)), np.ones(1)
    start = {"w": jnp.array([[1.0], [0.65]])}
    ours = fit_until(objective, start, optax.sgd(0.1), data, threshold=1e-3, stepmax=500, patience=4)
    w = 0.9 ** np.arange(20)  # 1, 0.9, 0.81, 0.729, 0.6561, ...
    np.testing.assert_array_equal(ours.best_steps, [4, 1])
    np.testing.assert_array_equal(ours.steps, [8, 5])
    np.testing.assert_allclose(ours.params["w"][:, 0], [w[3], 0.65])
    np.testing.assert_allclose(ours.held_out, [(w[3] - 0.7) ** 2, 0.05**2])
    assert ours.stopped.all() and ours.converged.all() and not ours.diverged.any()
    with pytest.raises(InvalidArgument, match="^patience: got 0"):
        fit_until(objective, start, optax.sgd(0.1), data, patience=0)
