"""The playground's training against the original's (reference.json: tensorflow/playground 02469bd run under Node).

Points, start weights, losses and final weights: the first five cases are the original's own, those with a note come
from a JavaScript port of it that gives the first five too, to the bit but for how d3 rounds reg-plane's labels.
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.playground import engine, program
from jaxnn.playground.engine import run

CASES = json.loads((Path(__file__).parent / "reference.json").read_text())["cases"]
INIT = {"W": [[[0.2, -0.1], [0.3, 0.4]], [[-0.4, 0.1]]], "b": [[0.1, 0.1], [0.1]]}
TRAIN = [[1.0, 2.0, 1.0], [-1.0, 0.5, -1.0], [0.5, -2.0, -1.0]]
CONFIG = {
    "problem": "classification",
    "activation": "tanh",
    "learningRate": 0.1,
    "batchSize": 2,
    "features": ["x", "y"],
    "hidden": [2],
    "epochs": 3,
}
LINE = CONFIG | {"problem": "regression", "features": ["x"], "hidden": [], "batchSize": 1}  # y = w x + b
LINE_INIT = {"W": [[[0.0]]], "b": [[0.0]]}


def assert_close(seen, expected, tolerance):
    assert jax.tree.structure(seen) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(seen), jax.tree.leaves(expected), strict=True):
        assert one == pytest.approx(other, rel=tolerance, abs=tolerance, nan_ok=True)


def precisions():
    """Every case in both precisions; before each change in float64, but for the widest, which takes programs alone."""
    for i, case in enumerate(CASES):
        for double in (True, False):
            wide = max([0, *case["config"]["hidden"]]) > program.WIDTH
            marks = pytest.mark.slow if wide or not (double or i == 0) else ()
            yield pytest.param(case, double, id=f"{i}-{'float64' if double else 'float32'}", marks=marks)


@pytest.mark.parametrize("case, double", list(precisions()))
def test_losses_and_weights_are_the_originals(case, double):
    with jax.enable_x64(double):
        losses, weights = run(case["config"], case["train"], case["test"], case["init"])
    assert_close([losses, weights], [case["loss"], case["final"]], 1e-9 if double else 1e-4)


@pytest.mark.parametrize("case", [c for c in CASES if "L1" in c.get("note", "")], ids=lambda case: case["note"])
def test_weights_that_l1_kills_are_0_to_the_bit(case):
    _, weights = run(case["config"], case["train"], case["test"], case["init"])
    dead = [np.asarray(layer) == 0 for layer in weights["W"]]
    expected = [np.asarray(layer) == 0 for layer in case["final"]["W"]]
    assert all(map(np.array_equal, dead, expected)) and any(map(np.any, dead))


def test_a_network_wider_than_the_pages_is_laid_out_whole():
    hidden = [3, program.WIDTH + 4]
    random = np.random.default_rng(0)
    init = {
        "W": [random.normal(size=(after, before)).tolist() for before, after in ((2, 3), (3, 20), (20, 1))],
        "b": [random.normal(size=after).tolist() for after in (3, 20, 1)],
    }
    network = engine.network_of(init, 2, hidden)
    assert network.params.W.shape == (program.LAYERS, 20, 20) and int(network.alive.sum()) == 2 * 3 + 3 * 20 + 20
    assert engine.weights_of(network.params, 2, hidden) == init


def test_no_epochs_give_the_loss_at_the_start_and_the_start_weights():
    losses, weights = run(CONFIG | {"epochs": 0}, TRAIN, TRAIN[:1], INIT)
    assert weights == INIT
    hidden = np.tanh(np.array(TRAIN)[:, :2] @ np.array(INIT["W"][0]).T + 0.1)
    output = np.tanh(hidden @ INIT["W"][1][0] + 0.1)
    errors = (output - np.array(TRAIN)[:, 2]) ** 2 / 2
    np.testing.assert_allclose(losses, [[errors.mean(), errors[0]]], rtol=1e-14)


def test_one_update_of_a_line_by_hand():
    losses, weights = run(LINE | {"epochs": 1}, [[2.0, 0.0, 3.0]], [], LINE_INIT)  # w = 0.1 * 3 * 2, b = 0.1 * 3
    np.testing.assert_allclose([weights["W"][0][0][0], weights["b"][0][0]], [0.6, 0.3], rtol=1e-14)
    np.testing.assert_allclose(np.array(losses)[:, 0], [4.5, 1.125], rtol=1e-14)


def test_without_test_points_their_loss_is_nan_and_the_rest_the_same():
    losses, weights = run(CONFIG, TRAIN, [], INIT)
    expected, same = run(CONFIG, TRAIN, TRAIN, INIT)
    assert weights == same
    np.testing.assert_array_equal(np.array(losses)[:, 0], np.array(expected)[:, 0])
    assert np.isnan(np.array(losses)[:, 1]).all()


def test_the_first_epochs_of_a_long_run_are_a_short_one():
    long, _ = run(CONFIG | {"epochs": 130}, TRAIN, TRAIN, INIT)
    short, _ = run(CONFIG | {"epochs": 64}, TRAIN, TRAIN, INIT)
    assert len(long) == 131 and long[:65] == short


# The error of the point [1, 0, 1] is (1 - 2 rate)^k after k updates; its square is too large from 1e154 on.
@pytest.mark.parametrize(
    "rate, points, update, epoch", [(1e200, 1, 1, 1), (1e100, 1, 2, 2), (1e60, 1, 3, 3), (1e60, 2, 3, 2)]
)
def test_a_run_that_diverges_says_after_which_update_and_epoch(rate, points, update, epoch):
    config = LINE | {"learningRate": rate, "epochs": 9}
    with pytest.raises(Diverged, match=f"^the error is not finite after update {update}, in epoch {epoch}: lower the"):
        run(config, [[1.0, 0.0, 1.0]] * points, [], LINE_INIT)


@pytest.mark.parametrize("name", ["problem", "activation", "learningRate", "batchSize", "features", "hidden", "epochs"])
def test_a_missing_setting_is_named(name):
    config = {key: value for key, value in CONFIG.items() if key != name}
    with pytest.raises(InvalidArgument, match=f"^config: got no '{name}', expected all of problem, "):
        run(config, TRAIN, [], INIT)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"problem": "ranking"}, "problem: got 'ranking', expected one of classification, regression"),
        ({"activation": "swish"}, "activation: got 'swish', expected one of relu, tanh"),
        ({"activations": ["tanh", "relu"]}, "activations: got 2, expected one for each of 1 hidden"),
        ({"regularization": "L3"}, "regularization: got 'L3', expected one of none, L1, L2"),
        ({"optimizer": "newton"}, "optimizer: got 'newton', expected one of sgd"),
        ({"features": ["x", "z"]}, "features: got 'z', expected one of x, y, xSquared"),
        ({"features": []}, "features: got none"),
        ({"hidden": [0]}, "hidden: got 0"),
        ({"epochs": -1}, "epochs: got -1"),
        ({"epochs": 2.5}, "epochs: got 2.5"),
        ({"batchSize": 0}, "batchSize: got 0"),
        ({"learningRate": -0.1}, "learningRate: got -0.1"),
        ({"learningRate": float("nan")}, "learningRate: got nan"),
        ({"regularizationRate": float("inf")}, "regularizationRate: got inf"),
        ({"dropout": 1.0}, "dropout: got 1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_setting_is_named(change, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        run(CONFIG | change, TRAIN, [], INIT)


@pytest.mark.parametrize(
    "init, message",
    [
        (INIT | {"W": INIT["W"][:1]}, r"init\['W'\]: got 1 layers, expected 2"),
        (INIT | {"b": [[0.1, 0.1]]}, r"init\['b'\]: got 1 layers, expected 2"),
        (INIT | {"W": [[[1.0, 2.0]], [[1.0, 2.0]]]}, r"init\['W'\]\[0\]: got shape \(1, 2\), expected shape \(2, 2\)"),
        (INIT | {"b": [[0.1, 0.1], [0.1, 0.1]]}, r"init\['b'\]\[1\]: got shape \(2,\), expected shape \(1,\)"),
        (INIT | {"W": [INIT["W"][0], [[0.1, float("nan")]]]}, r"init\['W'\]\[1\]: got nan at index \(0, 1\)"),
    ],
    ids=["layers of W", "layers of b", "shape of W", "shape of b", "NaN"],
)
def test_bad_start_weights_are_named(init, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        run(CONFIG, TRAIN, [], init)


@pytest.mark.parametrize(
    "train, test, message",
    [
        ([], TRAIN, "train: got no points"),
        ([[1.0, 2.0]], [], r"train: got shape \(1, 2\), expected shape \(n, 3\), rows of \[x1, x2, label\]"),
        (TRAIN, [[1.0, 2.0, 1.0, 0.0]], r"test: got shape \(1, 4\)"),
        ([[1.0, float("inf"), 1.0]], [], r"train: got inf at index \(0, 1\)"),
        (TRAIN, [[1.0, 2.0, float("nan")]], r"test: got nan at index \(0, 2\)"),
    ],
    ids=["no points", "no label", "too wide", "infinite", "NaN"],
)
def test_bad_points_are_named(train, test, message):
    with pytest.raises(InvalidArgument, match=f"^{message}"):
        run(CONFIG, train, test, INIT)
