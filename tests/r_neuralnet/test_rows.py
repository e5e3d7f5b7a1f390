"""Which rows a fit takes and what they weigh: against the same data written out by hand."""

import jax
import numpy as np
import pytest

from jaxnn import neuralnet
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet import load
from jaxnn.r_neuralnet.columns import columns_of
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
        ({"subset": "z > 1"}, "subset: got 'z > 1', expected a condition on columns of the data"),
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
            net = neuralnet("y ~ x", {name: values[:n] for name, values in DATA.items()}, rep=rep, **(SETTINGS | {"hidden": 5}))
            net.predict(DATA)
            compiled = [record for record in caplog.records if "Compiling" in record.getMessage()]
            assert bool(compiled) == (n == 24), [record.getMessage()[:80] for record in compiled]


def test_padding_weighs_nothing_and_large_data_have_none():
    x, y, small = X[:, None], DATA["y"][:, None], Architecture((1, 2, 1), "tanh", "linear", "sse")
    inputs, targets = weighed(x, y, None, small)
    assert len(inputs) == len(targets) == padded_size(24) > 24
    np.testing.assert_array_equal(np.column_stack([inputs, targets])[:24], np.column_stack([x, y, np.ones(24)]))
    assert (targets[24:, -1] == 0).all() and weighed(x, y, None, small._replace(sizes=(1, 900, 1)))[1] is y
    # the folds of data sets that people have: of 5, 7 and 10 folds, the parts to train on
    for n in (32, 100, 150, 248, 442, 506, 569):
        for folds in (5, 7, 10):
            assert padded_size(n - n // folds) == padded_size(n - -(-n // folds))
