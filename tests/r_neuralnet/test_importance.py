"""Importance of covariates against NeuralNetTools (`importance.json`), and of a network small enough for a pencil."""

import json
from pathlib import Path

import numpy as np
import pytest

from jaxnn import RRandom, neuralnet
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.clusters import centres

REFERENCE = json.loads((Path(__file__).parent / "importance.json").read_text())["cases"]


@pytest.fixture(scope="module", params=REFERENCE, ids=lambda case: case["name"])
def fitted(request):
    case = request.param
    settings = {name: case[name] for name in ("hidden", "threshold", "seed")} | {"linear_output": case["linear.output"]}
    return case, neuralnet(case["formula"], case["data"], **settings)


def test_garson_and_olden_are_neuralnettools(fitted):
    case, net = fitted
    assert list(net.garson()) == case["garson"]["names"] and net.steps == [case["steps"]]
    np.testing.assert_allclose(list(net.garson().values()), case["garson"]["rel_imp"], rtol=1e-8)
    (expected,) = case["olden"]
    found = net.olden(response=expected["out"])
    assert list(found) == expected["names"] and found == net.olden()
    np.testing.assert_allclose(list(found.values()), expected["importance"], rtol=1e-8)


def test_leks_profiles_are_neuralnettools_with_its_clusters(fitted):
    case, net = fitted
    found = net.lek_profile(steps=20)
    for name, values in case["lek"].items():
        if name in ("explanatory", "response"):
            np.testing.assert_allclose(found[name], values, rtol=1e-10, atol=1e-10)
        else:
            assert found[name].tolist() == values


def test_clusters_are_those_of_rs_kmeans():
    """In R 4.2.2: set.seed(3); x <- matrix(round(rnorm(24), 1), 12); set.seed(5); kmeans(x, 4)$centers."""
    x = RRandom(3).rnorm(24).round(1).reshape(2, 12).T
    expected = [[1 / 30, 17 / 30], [0.1, -0.8], [-1.04, -0.7], [1.2, -0.35]]
    np.testing.assert_allclose(centres(x, 4, RRandom(5)), expected, rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(centres(x, 1, RRandom(5)), [x.mean(axis=0)], rtol=1e-14)
    with pytest.raises(InvalidArgument, match="^groups: got 3 groups of 2 different rows"):
        centres(np.array([[1.0, 2], [1, 2], [3, 4]]), 3, RRandom(1))


# y = 2 tanh(a - 3 b) + 1 tanh(4 a), z = -1 tanh(a - 3 b): importance by hand
STARTS = [[[[0.0, 0], [1, 4], [-3, 0]], [[0.0, 0], [2, -1], [1, 0]]]]
DATA = {"a": [0.0, 1, 2], "b": [1.0, 0, 1], "y": [0.0, 1, 0], "z": [1.0, 0, 1]}


@pytest.fixture(scope="module")
def small():
    with pytest.warns(UserWarning):
        return neuralnet("y + z ~ a + b", DATA, 2, act_fct="tanh", startweights=STARTS, stepmax=1)


def test_olden_of_each_response_by_hand(small):
    assert small.olden() == {"a": 2 * 1 + 1 * 4, "b": 2 * -3.0}
    assert small.olden(response="z") == {"a": -1.0, "b": 3.0}
    with pytest.raises(InvalidArgument, match="^response: got 'w', expected one of y, z"):
        small.olden(response="w")


def test_garson_has_one_hidden_layer_and_one_response(small):
    with pytest.raises(InvalidArgument, match="^net: got 2 responses, expected one"):
        small.garson()
    with pytest.warns(UserWarning):
        deep = neuralnet("y ~ a + b", DATA, (2, 2), stepmax=1, seed=1)
    with pytest.raises(InvalidArgument, match="^net: got 2 hidden layers, expected one"):
        deep.garson()
    first, second, last = (matrix[1:] for matrix in deep.weights[0])
    np.testing.assert_allclose(list(deep.olden().values()), (first @ second @ last)[:, 0], rtol=1e-14)


def test_profiles_of_two_responses_and_of_quantiles(small):
    found = small.lek_profile(steps=3, groups=[0, 1])
    assert {len(column) for column in found.values()} == {2 * 2 * 2 * 3}
    rows = {name: column[:6] for name, column in found.items()}  # a goes from 0 to 2, b is held at its least, 0
    assert rows["name"].tolist() == ["a"] * 6 and rows["group"].tolist() == [1] * 6
    assert rows["response_name"].tolist() == ["y"] * 3 + ["z"] * 3 and rows["explanatory"].tolist() == [0, 1, 2] * 2
    a = np.array([0, 1, 2])
    np.testing.assert_allclose(rows["response"][:3], 2 * np.tanh(a) + np.tanh(4 * a))
    np.testing.assert_allclose(rows["response"][3:], -np.tanh(a))
    with pytest.raises(InvalidArgument, match="^net: got 1 covariate"), pytest.warns(UserWarning):
        neuralnet("y ~ a", DATA, stepmax=1, seed=1).lek_profile()
    with pytest.raises(InvalidArgument, match="^groups: got 7 groups of 3 rows"):
        small.lek_profile(groups=7)


def test_sensitivities_sum_up_the_slopes(small):
    slopes = small.slopes()[:, 1, 0]
    found = small.sensitivities(response="z")["a"]
    np.testing.assert_allclose(slopes, -(1 - np.tanh(np.array(DATA["a"]) - 3 * np.array(DATA["b"])) ** 2))
    expected = {"mean": slopes.mean(), "sd": slopes.std(ddof=1), "mean_square": np.mean(slopes**2)}
    assert found == pytest.approx(expected | {"rms": np.sqrt(np.mean(slopes**2))})
