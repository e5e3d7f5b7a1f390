"""One weight's gradient: by hand, by autodiff, and by finite differences of a NumPy network in float64."""

import jax
import numpy as np
import pytest

from jaxnn.playground import engine
from jaxnn.playground.chain import evidence
from jaxnn.playground.session import Session
from tests.playground.reader import unpacked

LINKS = {
    "no hidden layer": "#seed=0.5&networkShape=&sinX=true",
    "the original's start": "#seed=0.5&dataset=xor",
    "every activation": "#seed=0.5&networkShape=5,4,6,3,2&activations=relu,softplus,sigmoid,linear,tanh&dataset=spiral",
    "regression": "#seed=0.5&problem=regression&regDataset=reg-gauss&networkShape=8,8&activation=sigmoid",
    "the deepest": "#seed=0.5&networkShape=" + ",".join(["16"] * 10) + "&learningRate=0.3",
}
FUNCTIONS = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "linear": lambda z: z,
    "softplus": lambda z: np.log1p(np.exp(z)),
}
INPUTS = {"x": lambda p: p[:, 0], "y": lambda p: p[:, 1], "sinX": lambda p: np.sin(p[:, 0])}


def opened(link):
    """Return a session that has trained an epoch, so that no two weights are alike."""
    play = Session(link)
    play.frame(1)
    return play


def chain(play, *place):
    return unpacked(play.frame(0, chain=list(place)))["chain"]


def some_weights(play):
    """Return `[layer, node, source]` of the first and the last weight of every layer."""
    sizes = [len(play.features), *play.config["networkShape"], 1]
    firsts = [[layer, 0, 0] for layer in range(len(sizes) - 1)]
    return firsts + [[layer, sizes[layer + 1] - 1, sizes[layer] - 1] for layer in range(len(sizes) - 1)]


def in_float64(play):
    """Return the weights, and the error of each of some points as a function of them."""
    config, hidden = play.config, play.config["networkShape"]
    weights = engine.weights_of(play.networks[0].params, len(play.features), hidden)
    names = config["activations"] or [config["activation"]] * len(hidden)
    names = [*names, "tanh" if config["problem"] == "classification" else "linear"]

    def errors(weights, rows):
        a = np.stack([INPUTS[name](rows) for name in play.features], -1)
        for W, b, name in zip(weights["W"], weights["b"], names, strict=True):
            a = FUNCTIONS[name](a @ np.array(W).T + np.array(b))
        return (a[:, 0] - rows[:, 2]) ** 2 / 2

    return weights, errors


def difference(play, rows, layer, node, source, h=1e-5):
    weights, errors = in_float64(play)
    row, value, ends = weights["W"][layer][node], weights["W"][layer][node][source], []
    for row[source] in (value + h, value - h):
        ends.append(errors(weights, rows).mean())
    row[source] = value
    return (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("index", [0, 7])
def test_every_adjoint_by_hand_is_that_of_autodiff(link, index):
    play = opened(link)
    found = evidence(play.networks[0], play.settings, play.data[0], index)
    for hand, auto in ((found.by_hand, found.by_autodiff), (found.mean_by_hand, found.mean_by_autodiff)):
        assert np.any(hand.W)
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6), hand, auto)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_a_weights_gradient_is_the_slope_of_its_error(link):
    play = opened(link)
    for place in some_weights(play):
        table = chain(play, *place, 7)
        seen = [*table["adjoints"][-1][2:], *table["mean"]]
        slopes = [difference(play, play.split.train[part], *place) for part in (slice(7, 8), slice(None))]
        np.testing.assert_allclose(seen, np.repeat(slopes, 2), rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_the_rows_of_a_table_multiply_as_the_chain_rule_says(link):
    play = opened(link)
    for place in some_weights(play):
        table = chain(play, *place, 7)
        (into, z, out, output, error), (by_weight, slope) = [
            [row[2] for row in table[part]] for part in ("values", "local")
        ]
        for column in (2, 3):
            da, dz, dw = (row[column] for row in table["adjoints"])
            np.testing.assert_allclose([dz, dw], [da * slope, dz * by_weight], rtol=1e-4, atol=1e-7)
        weights, errors = in_float64(play)
        assert into == by_weight
        np.testing.assert_allclose(error, errors(weights, play.split.train[7:8])[0], rtol=1e-4)
        np.testing.assert_allclose(error, (output - play.split.train[7, 2]) ** 2 / 2, rtol=1e-4, atol=1e-9)
        if place[0] == len(play.config["networkShape"]):
            assert out == output
        else:
            names = play.config["activations"] or [play.config["activation"]] * 10
            np.testing.assert_allclose(out, FUNCTIONS[names[place[0]]](z), rtol=1e-5, atol=1e-7)


def test_a_table_tells_what_its_numbers_are():
    table = chain(opened("#seed=0.5"), 0, 3, 1, 0)
    assert table["weight"] == "w1.4.2"
    assert [row[:2] for row in table["values"]] == [
        ["y", "a feature"],
        ["z1.4", "w1.4.2 y + …"],
        ["a1.4", "f(z1.4)"],
        ["ŷ", "the output"],
        ["J", "(ŷ - y)² / 2"],
    ]
    assert [row[:2] for row in table["local"]] == [["∂z1.4/∂w1.4.2", "y"], ["∂a1.4/∂z1.4", "f'(z1.4)"]]
    assert [row[:2] for row in table["adjoints"]] == [
        ["∂J/∂a1.4", "w2.1.4 ∂J/∂z2.1 + w2.2.4 ∂J/∂z2.2"],
        ["∂J/∂z1.4", "∂J/∂a1.4 · f'(z1.4)"],
        ["∂J/∂w1.4.2", "∂J/∂z1.4 · y"],
    ]


def test_the_adjoint_of_the_output_is_the_error_itself():
    play = opened("#seed=0.5")
    table = chain(play, 2, 0, 1, 0)
    assert table["weight"] == "w3.1.2" and [row[0] for row in table["values"]] == ["a2.2", "z3.1", "ŷ", "ŷ", "J"]
    name, says, *adjoints = table["adjoints"][0]
    assert (name, says) == ("∂J/∂ŷ", "ŷ - y")
    np.testing.assert_allclose(adjoints, table["values"][3][2] - play.split.train[0, 2], rtol=1e-6)


def test_a_link_that_l1_killed_has_the_gradient_that_it_would_have():
    play = Session("#seed=0.5&regularization=L1&regularizationRate=10&learningRate=0.1&networkShape=&dataset=gauss")
    while play.networks[0].alive[0, 0, 0]:
        play.frame(1)
        assert play.epoch < 50
    hand, auto = chain(play, 0, 0, 0, 0)["mean"]
    np.testing.assert_allclose([hand, auto], difference(play, play.split.train, 0, 0, 0), rtol=1e-4)
    assert abs(hand) > 1e-3
