"""Columns standardised inside the fit, against the same done by hand with NumPy."""

import numpy as np
import pytest

from jaxnn import neuralnet
from jaxnn.r_neuralnet import load

rng = np.random.default_rng(3)
X = rng.normal(size=(60, 2)) * [20, 3] + [1900, -40]
Y = np.stack([30_000 + 8_000 * np.sin(X[:, 0] / 20) + 900 * X[:, 1], 0.001 * X[:, 0] * X[:, 1]], axis=1)
DATA = {"year": X[:, 0], "b": X[:, 1], "g": ["u", "v", "w"] * 20, "y": Y[:, 0], "z": Y[:, 1]}
SETTINGS = {"hidden": 3, "threshold": 1.0, "seed": 2}


def standardised(columns):
    return (columns - columns.mean(axis=0)) / columns.std(axis=0, ddof=1)


@pytest.fixture(scope="module")
def nets():
    year, b = standardised(X).T
    y, z = standardised(Y).T
    by_hand = DATA | {"year": year, "b": b, "y": y, "z": z}
    formula = "y + z ~ year + b + g"
    return neuralnet(formula, DATA, scale=True, **SETTINGS), neuralnet(formula, by_hand, **SETTINGS), by_hand


def test_the_fit_is_that_of_the_standardised_columns(nets):
    net, by_hand, _ = nets
    assert net.steps == by_hand.steps
    np.testing.assert_allclose(net.vector(), by_hand.vector(), rtol=1e-6)
    np.testing.assert_allclose(net.error, by_hand.error, rtol=1e-9)
    for found, expected in zip(net.confidence_interval().lower[0], by_hand.confidence_interval().lower[0], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_outputs_and_slopes_are_in_the_users_units(nets):
    net, by_hand, data = nets
    sd = Y.std(axis=0, ddof=1)
    expected = by_hand.predict(data) * sd + Y.mean(axis=0)
    np.testing.assert_allclose(net.predict(DATA), expected, rtol=1e-6)
    np.testing.assert_allclose(net.net_result[0], expected, rtol=1e-6)
    slopes = by_hand.slopes() * sd[None, :, None] / [*X.std(axis=0, ddof=1), 1, 1]
    np.testing.assert_allclose(net.slopes(), slopes, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(net.covariate[:, :2], X)
    np.testing.assert_array_equal(net.response, Y)
    np.testing.assert_allclose(net.predict_function()(net.covariate), expected, rtol=1e-3)
    np.testing.assert_allclose(net.prediction().data_error, by_hand.prediction().data_error, atol=1e-9)


def test_a_file_keeps_the_units(nets, tmp_path):
    net, _, _ = nets
    net.save(tmp_path / "net.npz")
    again = load(tmp_path / "net.npz")
    np.testing.assert_array_equal(again.predict(DATA), net.predict(DATA))
    assert again.settings.scaling == net.settings.scaling


def test_classes_and_constant_columns_are_left_as_they_are():
    data = {"y": DATA["y"] > 30_000, "year": DATA["year"], "one": [5.0] * 60}
    with pytest.warns(UserWarning, match="column one is constant"):
        net = neuralnet("y ~ year + one", data, hidden=0, threshold=1, linear_output=False, seed=1, scale=True)
    assert net.settings.scaling.y_mean == (0.0,) and net.settings.scaling.y_sd == (1.0,)
    assert net.settings.scaling.x_sd[1] == 1.0 and net.settings.scaling.x_mean[1] == 5.0
    assert ((net.predict(data, type="class")) == data["y"]).mean() > 0.5
