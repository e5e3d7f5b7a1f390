"""The training loop against plain Python loops: who is used when, what is averaged how, and what stops it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnn import evaluate, fit, predict, rmsprop
from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.networks import linear, mlp

N = 7
NUMBERED = np.arange(N, dtype=float), np.zeros(N)
FRESH = {"when": np.zeros(N), "t": np.zeros(())}
STEP_BY_STEP = optax.sgd(1.0)


def note(params, x, y):
    """Stand in for a gradient: the loss is the mean of `x`; `when[i]` grows by the step that example i is used in."""
    t = params["t"] + 1
    used = jnp.zeros(N).at[x.astype(int)].add(1)
    return (x.mean(), {"largest": x.max()}), {"when": -t * used, "t": -jnp.ones(())}


def when(**settings):
    return np.asarray(fit(note, FRESH, STEP_BY_STEP, NUMBERED, **settings).params["when"])


def test_without_a_key_the_batches_come_in_order_and_the_last_is_smaller():
    np.testing.assert_array_equal(when(epochs=1, batch_size=3), [1, 1, 1, 2, 2, 2, 3])
    np.testing.assert_array_equal(when(epochs=2, batch_size=3), [5, 5, 5, 7, 7, 7, 9])
    np.testing.assert_array_equal(when(epochs=3, batch_size=None), [6] * 7)
    np.testing.assert_array_equal(when(epochs=3, batch_size=7), [6] * 7)
    np.testing.assert_array_equal(when(epochs=1, batch_size=1), range(1, 8))
    np.testing.assert_array_equal(when(epochs=1, batch_size=4), [1, 1, 1, 1, 2, 2, 2])


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_with_a_key_each_epoch_takes_every_example_once_in_an_order_of_its_own(batch_size, key):
    first = when(epochs=1, batch_size=batch_size, key=key)
    second = when(epochs=2, batch_size=batch_size, key=key) - first  # a longer run begins like a shorter one
    in_order = when(epochs=1, batch_size=batch_size)
    steps = -(-N // batch_size)
    np.testing.assert_array_equal(np.sort(first), in_order)
    np.testing.assert_array_equal(np.sort(second - steps), in_order)
    assert (first != in_order).any() and (second - steps != first).any()
    np.testing.assert_array_equal(when(epochs=1, batch_size=batch_size, key=key), first)
    assert any((when(epochs=1, batch_size=batch_size, key=jax.random.key(s)) != first).any() for s in (1, 2))


@pytest.mark.parametrize(("split", "kept"), [(0.2, 5), (0.5, 3), (0.01, 6), (0.8, 1)])
def test_the_last_share_is_held_out_as_keras_does(split, kept, key):
    assert kept == int(N * (1 - split))  # keras.utils.train_validation_split
    settings = {"validation_split": split, "metrics": lambda p, x, y: {"mean": x.mean(), "t": p["t"]}}
    trained = fit(note, FRESH, STEP_BY_STEP, NUMBERED, epochs=2, batch_size=1, key=key, **settings)
    used = np.asarray(trained.params["when"])
    assert (used[:kept] > 0).all() and not used[kept:].any()
    assert set(trained.history) == {"loss", "largest", "val_mean", "val_t"}
    np.testing.assert_allclose(trained.history["val_mean"], [np.arange(kept, N).mean()] * 2)
    np.testing.assert_array_equal(trained.history["val_t"], [kept, 2 * kept])  # at the end of each epoch


def test_history_is_the_mean_over_the_batches_weighted_by_their_sizes():
    history = fit(note, FRESH, STEP_BY_STEP, NUMBERED, epochs=4, batch_size=3).history
    assert {name: values.shape for name, values in history.items()} == {"loss": (4,), "largest": (4,)}
    assert all(isinstance(values, np.ndarray) for values in history.values())
    np.testing.assert_allclose(history["loss"], [3] * 4, rtol=1e-15)
    np.testing.assert_allclose(history["largest"], [(3 * 2 + 3 * 5 + 6) / 7] * 4, rtol=1e-15)


@pytest.mark.parametrize("batch_size", [None, 3, 4, 11])
def test_training_is_a_plain_loop(batch_size):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(11, 2)), rng.normal(size=11)
    start = {"W1": rng.normal(size=(2, 1)), "b1": rng.normal(size=1)}
    w, b, losses, size = start["W1"][:, 0], start["b1"][0], [], batch_size or 11
    for _ in range(5):
        total = 0
        for i in range(0, 11, size):
            error = x[i : i + size] @ w + b - y[i : i + size]
            total += np.sum(error**2)
            w, b = w - 0.05 * 2 * x[i : i + size].T @ error / len(error), b - 0.05 * 2 * error.mean()
        losses.append(total / 11)
    trained = fit(linear.value_and_grad, start, optax.sgd(0.05), (x, y), epochs=5, batch_size=batch_size)
    np.testing.assert_allclose(trained.history["loss"], losses, rtol=1e-12)
    np.testing.assert_allclose(trained.params["W1"][:, 0], w, rtol=1e-12)
    np.testing.assert_allclose(trained.params["b1"], [b], rtol=1e-12)


def drawn(params, x, y, key):
    used = jnp.zeros(N).at[x.astype(int)].add(1)
    return jax.random.uniform(key), {"when": -jax.random.uniform(key) * used, "t": -jnp.ones(())}


@pytest.mark.parametrize(
    ("batch_size", "different"),
    [
        (None, 1),
        pytest.param(7, 1, marks=pytest.mark.slow),
        pytest.param(3, 3, marks=pytest.mark.slow),
        pytest.param(2, 4, marks=pytest.mark.slow),
        (4, 2),
    ],
)
def test_every_step_draws_from_a_key_of_its_own(batch_size, different, key):
    def draws(key, epochs):
        settings = {"epochs": epochs, "batch_size": batch_size, "key": key, "with_key": True}
        return fit(drawn, FRESH, STEP_BY_STEP, NUMBERED, **settings)

    one, again, other, two = draws(key, 1), draws(key, 1), draws(jax.random.key(1), 1), draws(key, 2)
    assert len(np.unique(one.params["when"])) == different
    jax.tree.map(np.testing.assert_array_equal, one, again)
    assert not np.isin(one.params["when"], other.params["when"]).any()
    assert two.history["loss"][0] == one.history["loss"][0] != two.history["loss"][1]


def test_no_random_key_is_used_twice(key):
    def draw(params, x, y, key):
        return jax.random.uniform(key), params

    with jax.debug_key_reuse(True):
        for batch_size in (None, 2, 3):
            settings = {"epochs": 1, "batch_size": batch_size, "key": key, "with_key": True}
            fit(lambda *given: draw(*given), np.zeros(1), STEP_BY_STEP, (np.ones(6), np.ones(6)), **settings)


def small(key, n=20):
    x = np.random.default_rng(0).normal(size=(n, 3))
    return mlp.init(key, 3, 4, 2, dtype=jnp.float64), (x, np.arange(n) % 2)


@pytest.mark.slow
def test_many_compiled_programs_are_one(key):
    params, data = small(key)
    settings = {"epochs": 7, "batch_size": 8, "key": key, "with_key": True, "metrics": mlp.metrics}
    runs = [
        fit(mlp.metrics_and_grad, params, rmsprop(), data, validation_split=0.2, progress_every=e, **settings)
        for e in (None, 1, 3)
    ]
    assert set(runs[0].history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for run in runs[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), run, runs[0])


def test_progress_is_told_after_each_program_what_the_last_epoch_was_like():
    told = []
    settings = {"epochs": 7, "batch_size": 3, "progress": lambda *seen: told.append(seen), "progress_every": 3}
    history = fit(note, FRESH, STEP_BY_STEP, NUMBERED, **settings).history
    assert told == [(e, {name: values[e - 1] for name, values in history.items()}) for e in (3, 6, 7)]


def test_without_progress_every_a_program_is_of_some_500_updates():
    told = []
    start = {"w": jnp.ones(1)}
    settings = {"epochs": 250, "batch_size": 1, "progress": lambda done, _: told.append(done)}
    fit(lambda p, x, y: (p["w"][0], p), start, optax.sgd(0.0), (np.ones((4, 1)), np.ones(4)), **settings)
    assert told == [125, 250]


def test_what_the_caller_gave_is_still_there(key):
    params, (x, y) = small(key)
    x, y = jnp.asarray(x), jnp.asarray(y)
    before = jax.tree.map(np.array, (params, x, y))
    first = fit(mlp.value_and_grad, params, rmsprop(), (x, y), epochs=2)
    jax.tree.map(np.testing.assert_array_equal, (params, x, y), before)
    jax.tree.map(np.testing.assert_array_equal, fit(mlp.value_and_grad, params, rmsprop(), (x, y), epochs=2), first)


def test_lists_and_whole_numbers_are_data():
    x, y = [[0, 1], [2, 3], [4, 5]], [1, 0, 1]
    start = {"W1": np.ones((2, 1)), "b1": np.ones(1)}
    as_lists = fit(linear.value_and_grad, start, optax.sgd(0.01), [x, y], epochs=2)
    as_arrays = fit(linear.value_and_grad, start, optax.sgd(0.01), (np.array(x, float), np.array(y, float)), epochs=2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-14), as_lists, as_arrays)


@pytest.mark.parametrize("progress_every", [None, 1, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_divergence_names_the_epoch_and_the_step(bad, progress_every):
    def turns_bad(params, x, y):
        (_, others), grads = note(params, x, y)
        return (jnp.where(params["t"] < 8, 1.0, bad), others), grads  # in step 9, the third of the third epoch

    with pytest.raises(Diverged, match=f"^loss: got {bad} at epoch 3, step 3, expected a finite number"):
        fit(turns_bad, FRESH, STEP_BY_STEP, NUMBERED, epochs=5, batch_size=3, progress_every=progress_every)


def test_parameters_that_burst_in_the_last_step_are_seen():
    def bursts(params, x, y):
        value, grads = note(params, x, y)
        return value, grads | {"t": jnp.where(params["t"] < 5, -1, jnp.inf)}

    with pytest.raises(Diverged, match="^params: got NaN or infinity after epoch 2, step 3"):
        fit(bursts, FRESH, STEP_BY_STEP, NUMBERED, epochs=2, batch_size=3)


def test_a_learning_rate_too_large_is_told():
    x = np.arange(1, 6.0)[:, None] * 100
    with pytest.raises(Diverged, match="smaller learning rate"):
        start = {"W1": np.zeros((1, 1)), "b1": np.zeros(1)}
        fit(linear.value_and_grad, start, optax.sgd(1.0), (x, x[:, 0]), epochs=200)


@pytest.mark.parametrize("batch_size", [1, 3, 19, 20, 1000])
def test_evaluate_and_predict_are_what_one_batch_gives(batch_size, key):
    params, (x, y) = small(key)
    expected = mlp.metrics(params, x, y)
    ours = evaluate(mlp.metrics, params, (x, y), batch_size=batch_size)
    assert {name: type(value) for name, value in ours.items()} == {"loss": float, "accuracy": float}
    np.testing.assert_allclose([ours[name] for name in expected], list(expected.values()), rtol=1e-13)
    predicted = predict(mlp.apply, params, x, batch_size=batch_size)
    assert isinstance(predicted, np.ndarray)
    np.testing.assert_allclose(predicted, mlp.apply(params, x), rtol=1e-13)


RIGHT = {"epochs": 1}


@pytest.mark.parametrize(
    ("named", "wrong"),
    [(name, {name: value}) for name in ("epochs", "batch_size", "progress_every") for value in (0, -1, 1.5, True, "3")]
    + [("epochs", {"epochs": None}), ("batch_size", {"batch_size": 21})]
    + [
        ("validation_split", {"validation_split": v, "metrics": mlp.metrics})
        for v in (1.0, -0.1, 2, float("nan"), "0.2", None)
    ]
    + [
        ("metrics", {"validation_split": 0.1}),
        ("key", {"with_key": True}),
        ("batch_size", {"batch_size": 20, "validation_split": 0.1, "metrics": mlp.metrics}),
        ("validation_split", {"validation_split": 0.99, "metrics": mlp.metrics}),
    ],
)
def test_settings_that_cannot_be_right_are_refused(named, wrong, key):
    params, data = small(key)
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        fit(mlp.value_and_grad, params, rmsprop(), data, **RIGHT | wrong)


def put(array, index, value):
    changed = np.array(array)
    changed[index] = value
    return changed


DATA_WRONG = [
    ("data", lambda x, y: x),
    ("data", lambda x, y: (x, y, y)),
    ("data", lambda x, y: None),
    ("data", lambda x, y: {"x": x, "y": y}),
    ("x", lambda x, y: (x[:0], y[:0])),
    ("x", lambda x, y: (1.0, y)),
    ("x", lambda x, y: (put(x, (3, 1), np.nan), y)),
    ("x", lambda x, y: (put(x, (3, 1), -np.inf), y)),
    ("x", lambda x, y: (x.astype(np.float32), y)),
    ("x", lambda x, y: (x[:, :2], y)),
    ("y", lambda x, y: (x, y[:-1])),
    ("y", lambda x, y: (x, 1)),
    ("y", lambda x, y: (x, put(y, 5, 2))),
    ("y", lambda x, y: (x, put(y, 5, -1))),
    ("y", lambda x, y: (x, y.astype(float))),
    ("y", lambda x, y: (x, put(np.eye(2)[y], (2, 0), np.nan))),
]


@pytest.mark.parametrize(("named", "change"), DATA_WRONG)
def test_data_that_cannot_be_right_are_refused(named, change, key):
    params, data = small(key)
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        fit(mlp.value_and_grad, params, rmsprop(), change(*data), **RIGHT)
    with pytest.raises(InvalidArgument, match=f"^{named}: got"):
        evaluate(mlp.metrics, params, change(*data))


def test_labels_in_the_held_out_part_are_looked_at_too(key):
    params, (x, y) = small(key)
    with pytest.raises(InvalidArgument, match="^y: got 2"):
        settings = {"validation_split": 0.2, "metrics": mlp.metrics}
        fit(mlp.value_and_grad, params, rmsprop(), (x, put(y, -1, 2)), **RIGHT, **settings)


def test_targets_of_another_precision_are_refused_like_inputs(key):
    params, (x, y) = small(key)
    params = jax.tree.map(lambda p: p.astype(jnp.float32), params)
    with pytest.raises(InvalidArgument, match="^y: got dtype float64"):
        fit(mlp.value_and_grad, params, rmsprop(), (x.astype(np.float32), np.eye(2)[y]), **RIGHT)


def test_predict_refuses_what_are_no_examples(key):
    params, (x, _) = small(key)
    for wrong in (x[:0], 1.0, put(x, (0, 0), np.nan), x[:, :2], x[0]):
        with pytest.raises(InvalidArgument, match="^x: got"):
            predict(mlp.apply, params, wrong)
    for wrong in (0, 1.5, True, None):
        with pytest.raises(InvalidArgument, match="^batch_size: got"):
            predict(mlp.apply, params, x, batch_size=wrong)
        with pytest.raises(InvalidArgument, match="^batch_size: got"):
            evaluate(mlp.metrics, params, (x, np.zeros(20, int)), batch_size=wrong)


def test_predict_takes_lists(key):
    params, (x, _) = small(key)
    np.testing.assert_allclose(predict(mlp.apply, params, x.tolist()), mlp.apply(params, x), rtol=1e-13)
