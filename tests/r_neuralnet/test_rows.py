"""Which rows a fit takes and what they weigh: against the same data written out by hand."""

import jax
import numpy as np
import pytest

from jaxnn import RRandom, neuralnet
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet import load
from jaxnn.r_neuralnet.formulas.columns import columns_of
from jaxnn.r_neuralnet.network import Architecture
from jaxnn.r_neuralnet.rows import padded_size, row_weights, rows_of, weighed

RNG = np.random.default_rng(0)
X = RNG.normal(size=24)
DATA = {"x": X, "y": np.tanh(X) + 0.1 * RNG.normal(size=24), "g": ["a", "b", "c"] * 8, "w": np.arange(24) % 3.0}
COLUMNS = columns_of("data", DATA | {"gap": [None, 1.0] * 12})
SETTINGS = {"hidden": 1, "threshold": 0.01, "seed": 1, "act_fct": "tanh"}


@pytest.mark.parametrize(
    ("subset", "expected"),
    [
        ('g == "a"', range(0, 24, 3)),
        ("w > 0 & gap == 1", [i for i in range(1, 24, 2) if i % 3]),
        (np.arange(24) < 3, [0, 1, 2]),
        ([0, 5, -1], [0, 5, 23]),
        (None, range(24)),
    ],
)
def test_the_subset(subset, expected):
    assert rows_of(COLUMNS, set(), subset, "fail").tolist() == list(expected)


def test_rows_with_gaps_in_columns_that_are_used_are_left_out():
    assert rows_of(COLUMNS, {"x", "y"}, None, "omit").tolist() == list(range(24))
    assert rows_of(COLUMNS, {"x", "gap"}, "w > 0", "omit").tolist() == [i for i in range(1, 24, 2) if i % 3]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"subset": "z > 1"}, "subset: got the column z, which the data lacks"),
        ({"subset": [True, False]}, "subset: got 2 truth values for 24 rows"),
        ({"subset": [24]}, "subset: got [24], expected a condition"),
        ({"subset": "x > 99"}, "data: got no rows"),
        ({"na_action": "exclude"}, "na_action: got 'exclude'"),
        ({"weights": [1, 2]}, "weights: got shape (2,), expected (24,)"),
        ({"weights": "v"}, "weights: got 'v', expected a column of the data"),
        ({"weights": -DATA["w"]}, "weights: got a number below 0"),
        ({"decay": -1}, "decay: got -1"),
    ],
)
def test_what_cannot_be_right_is_named(settings, message):
    with pytest.raises(InvalidArgument) as error:
        neuralnet("y ~ x", DATA, **SETTINGS, **settings)
    assert message in str(error.value)


def test_a_weight_is_so_many_rows():
    weighted = neuralnet("y ~ x", DATA, weights="w", **SETTINGS)
    rows = np.repeat(np.arange(24), DATA["w"].astype(int))
    repeated = neuralnet("y ~ x", {name: np.asarray(DATA[name])[rows] for name in ("x", "y")}, **SETTINGS)
    assert weighted.steps == repeated.steps
    np.testing.assert_allclose(weighted.vector(), repeated.vector(), rtol=1e-7)
    np.testing.assert_allclose(weighted.error, repeated.error, rtol=1e-9)
    assert row_weights(None, COLUMNS, 24) is None


def test_decay_adds_half_of_the_squares_and_shrinks():
    """Ridge regression by its normal equations, the intercept shrunk too."""
    net = neuralnet("y ~ x", DATA, hidden=0, threshold=1e-8, seed=1, decay=3.0, algorithm="lbfgs")
    inputs = np.stack([np.ones(24), X], axis=1)
    expected = np.linalg.solve(inputs.T @ inputs + 3 * np.eye(2), inputs.T @ DATA["y"])
    np.testing.assert_allclose(net.vector(), expected, rtol=1e-6)
    residual = DATA["y"] - inputs @ expected
    np.testing.assert_allclose(net.error, (residual @ residual + 3 * expected @ expected) / 2, rtol=1e-9)


def test_a_net_saved_without_its_data_predicts(tmp_path):
    gap = DATA | {"x": [None, *X[1:]]}
    net = neuralnet("y ~ x", gap, subset='g != "c"', na_action="omit", **SETTINGS)
    assert len(net.covariate) == 15 and net.settings.omitted == 1
    net.save(tmp_path / "net.npz", data=False)
    with np.load(tmp_path / "net.npz") as file:
        assert not {"covariate", "response"} & set(file.files)
    again = load(tmp_path / "net.npz")
    np.testing.assert_array_equal(again.predict(DATA), net.predict(DATA))
    assert str(again) == str(net) and again.fitted.bic == net.fitted.bic
    for needs in (lambda: again.covariate, again.confidence_interval, again.slopes, again.lek_profile):
        with pytest.raises(InvalidArgument, match="^net: got one that was saved without the data"):
            needs()
    again.save(tmp_path / "again.npz", data=False)


def test_another_number_of_rows_or_restarts_compiles_nothing(caplog):
    with jax.log_compiles():
        for n, rep in ((24, 1), (23, 1), (23, 3)):
            caplog.clear()
            net = neuralnet(
                "y ~ x", {name: values[:n] for name, values in DATA.items()}, rep=rep, **(SETTINGS | {"hidden": 5})
            )
            net.predict(DATA)
            compiled = [record for record in caplog.records if "Compiling" in record.getMessage()]
            assert bool(compiled) == (n == 24), [record.getMessage()[:80] for record in compiled]


def test_padding_weighs_nothing_and_large_data_have_none():
    x, y, small = X[:, None], DATA["y"][:, None], Architecture((1, 2, 1), "tanh", "linear", "sse")
    inputs, targets, _ = weighed(x, y, None, small)
    assert len(inputs) == len(targets) == padded_size(24) > 24
    np.testing.assert_array_equal(np.column_stack([inputs, targets])[:24], np.column_stack([x, y, np.ones(24)]))
    assert (targets[24:, -1] == 0).all() and weighed(x, y, None, small._replace(sizes=(1, 900, 1)))[1] is y
    # the folds of data sets that people have: of 5, 7 and 10 folds, the parts to train on
    for n in (32, 100, 150, 248, 442, 506, 569):
        for folds in (5, 7, 10):
            assert padded_size(n - n // folds) == padded_size(n - -(-n // folds))


def test_early_stopping_keeps_the_step_at_which_the_rows_held_out_have_their_lowest_error(tmp_path):
    """The same steps without these rows, one fit for each last step: backprop's error falls, so each keeps its last."""
    settings = {"hidden": 3, "seed": 2, "algorithm": "backprop", "learningrate": 0.03, "threshold": 1e-6}
    rng = np.random.default_rng(7)
    data = {"x": X, "y": np.tanh(X) + rng.normal(size=24), "v": rng.integers(1, 4, 24)}
    stopped = neuralnet("y ~ x", data, validation=0.25, patience=10, weights="v", rep=2, **settings)
    held = np.sort(RRandom(2).sample(24, 6) - 1)  # R: set.seed(2); sample(24, 6)
    assert stopped.fitted.held_out.nonzero()[0].tolist() == held.tolist() and stopped.converged.all()
    rest = {name: np.delete(values, held) for name, values in data.items()}
    steps, errors = int(stopped.restarts.best_steps[0]), {}
    assert stopped.steps[0] == steps + 10 and stopped.restarts.stopped.all() and steps > 2
    for step in (steps - 1, steps, steps + 1, steps + 9):
        with pytest.warns(UserWarning, match="did not converge"):
            net = neuralnet("y ~ x", rest, weights="v", stepmax=step, **settings)
        errors[step] = np.sum(data["v"][held] * (net.predict(data)[held, 0] - data["y"][held]) ** 2) / 2
        if step == steps:
            np.testing.assert_allclose(stopped.vector(0), net.vector(), rtol=1e-9)
            np.testing.assert_allclose([stopped.error[0], stopped.restarts.held_out[0]], [net.error[0], errors[step]])
    assert min(errors, key=errors.__getitem__) == steps
    assert stopped.best == np.argmin(stopped.restarts.held_out)
    assert f"stopped early, weights of step {steps}" in str(stopped) and "6 rows were held out" in stopped.summary()
    with pytest.raises(InvalidArgument, match="^net: got one whose rows held out chose the step"):
        stopped.confidence_interval()
    stopped.save(tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").summary() == stopped.summary()


@pytest.mark.parametrize("wrong", [0, 1.0, 1, True, "x", [True] * 24, [False] * 24, [24], [0.5]])
def test_rows_to_hold_out_that_cannot_be_right(wrong):
    with pytest.raises(InvalidArgument, match="^validation: got"):
        neuralnet("y ~ x", DATA, validation=wrong, **SETTINGS)
