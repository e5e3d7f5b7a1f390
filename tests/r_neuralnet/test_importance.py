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


def test_shuffled_columns_are_those_of_the_data():
    """By prediction and NumPy alone: the error of a row, less that of the data as they are; a factor stays whole."""
    rng = np.random.default_rng(3)
    data = {"a": rng.normal(size=30), "k": ["p", "q", "r"] * 10, "z": rng.normal(size=30)}
    data["y"] = 50 * data["a"] + np.array([0, 10, 20] * 10)
    net = neuralnet("y ~ a * z + k", data, 2, threshold=0.3, seed=1, scale=True)
    new = {name: values[:20] for name, values in data.items()}
    found = net.permutation_importance(new, repeats=3, seed=5)

    def error(of):
        return np.mean((net.predict(of)[:, 0] - new["y"]) ** 2) / 2 / np.var(data["y"], ddof=1)

    orders = np.random.default_rng(5)
    for name in ("a", "z", "k"):  # in the order of the formula: a, z, k and then their products
        grown = [error(new | {name: orders.permutation(new[name])}) - error(new) for _ in range(3)]
        assert found[name] == pytest.approx({"mean": np.mean(grown), "sd": np.std(grown, ddof=1)}, rel=1e-8, abs=1e-12)
    assert len(found) == 3 and found["a"]["mean"] > found["k"]["mean"] > found["z"]["mean"]
    with pytest.raises(InvalidArgument, match="^data: got the column y, which the data lacks"):
        net.permutation_importance({"a": [1.0], "k": ["p"], "z": [0.0]})


def test_pictures_of_importance_show_its_numbers(small, tmp_path):
    bars = small.plot_importance("olden", response="z", file=tmp_path / "olden.png").axes[0]
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["a", "b"]  # the largest size on top
    assert [bar.get_width() for bar in bars.patches] == [-1, 3] and (tmp_path / "olden.png").exists()
    spread = small.plot_importance("permutation", data=DATA, repeats=4).axes[0]
    expected = small.permutation_importance(DATA, repeats=4)
    assert sorted(bar.get_width() for bar in spread.patches) == sorted(part["mean"] for part in expected.values())
    panels = small.plot_importance("lek_profile", response="z", steps=5, groups=[0, 1]).axes
    assert [ax.get_xlabel() for ax in panels] == ["a", "b"] and [len(ax.lines) for ax in panels] == [2, 2]
    np.testing.assert_allclose(panels[0].lines[0].get_ydata(), -np.tanh(np.linspace(0, 2, 5)))
    assert len(small.plot_importance("sensitivities").axes[0].patches) == 2
    with pytest.raises(InvalidArgument, match="^kind: got 'gini', expected garson, olden"):
        small.plot_importance("gini")
    with pytest.raises(InvalidArgument, match="^net: got 2 responses, expected one"):
        small.plot_importance("garson")
