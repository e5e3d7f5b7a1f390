"""One weight's gradient: by hand, by autodiff, and by finite differences of a NumPy network in float64."""

import math
import re

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
        seen = [*table["adjoints"][-1][3:], *table["mean"]]
        slopes = [difference(play, play.split.train[part], *place) for part in (slice(7, 8), slice(None))]
        np.testing.assert_allclose(seen, np.repeat(slopes, 2), rtol=1e-3, atol=2e-6)


def six_digits(value):
    """Return a number without its sign as the tables write it."""
    return re.sub(r"e-0", "e-", f"{abs(value):.6g}")


def calculated(text):
    """Return what a pocket calculator makes of a row's numbers."""
    if match := re.fullmatch(r"1 if (.*) > 0, else 0", text):
        return float(calculated(match[1]) > 0)
    for shown, typed in (
        ("²", "**2"),
        (" · ", " * "),
        ("e^", "math.e**"),
        ("tanh(", "math.tanh("),
        ("ln(", "math.log("),
    ):
        text = text.replace(shown, typed)
    return eval(text.replace("sin(", "math.sin("), {"math": math, "max": max})


@pytest.mark.parametrize("link", [*LINKS.values(), "#seed=0.5&xSquared=true&xTimesY=true&sinY=true&x=false"])
def test_every_number_of_a_table_is_what_a_pocket_calculator_makes_of_those_before_it(link):
    play = opened(link)
    for place in some_weights(play):
        table = chain(play, *place, 7)
        rows = [row for part in ("values", "slopes", "adjoints") for row in table[part]]
        for name, _, numbers, value, *auto in rows:
            if numbers:
                np.testing.assert_allclose(calculated(numbers), value, rtol=2e-5, atol=5e-6, err_msg=name)
            np.testing.assert_allclose(auto, [value] * len(auto), rtol=1e-4, atol=1e-6)
        assert all(numbers for name, _, numbers, *_ in rows if name not in ("x1", "x2", "y"))
        # All numbers that a row takes are there: those of rows before it, weights and biases.
        weights, _ = in_float64(play)
        known = {six_digits(v) for layer in weights["W"] for node in layer for v in node}
        known |= {six_digits(v) for layer in weights["b"] for v in layer} | {"0", "1", "2"}
        for name, how, numbers, value, *_ in rows:
            for number in re.findall(r"(?<![\w.])\d[\d.]*(?:e-?\d+)?", numbers.replace("e^", "")):
                assert number in known, (name, how, numbers)
            known.add(six_digits(value))


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_a_table_ends_with_the_networks_own_error(link):
    play = opened(link)
    weights, errors = in_float64(play)
    values = {row[0]: row[3] for row in chain(play, 0, 0, 0, 7)["values"]}
    np.testing.assert_allclose(values["J"], errors(weights, play.split.train[7:8])[0], rtol=1e-4)
    np.testing.assert_allclose([values["x1"], values["x2"], values["y"]], play.split.train[7], rtol=1e-6)


def test_a_table_tells_what_its_numbers_are():
    table = chain(opened("#seed=0.5&networkShape=2,2&xSquared=true&activations=relu,sigmoid"), 0, 1, 1, 0)
    assert table["weight"] == "w1.2.2"
    assert [row[:2] for row in table["values"]] == [
        ["x1", "of the point"],
        ["x2", "of the point"],
        ["x1²", "a feature"],
        ["z1.1", "w1.1.1 x1 + w1.1.2 x2 + w1.1.3 x1² + b1.1"],
        ["a1.1", "max(0, z1.1)"],
        ["z1.2", "w1.2.1 x1 + w1.2.2 x2 + w1.2.3 x1² + b1.2"],
        ["a1.2", "max(0, z1.2)"],
        ["z2.1", "w2.1.1 a1.1 + w2.1.2 a1.2 + b2.1"],
        ["a2.1", "1 / (1 + e^-z2.1)"],
        ["z2.2", "w2.2.1 a1.1 + w2.2.2 a1.2 + b2.2"],
        ["a2.2", "1 / (1 + e^-z2.2)"],
        ["z3.1", "w3.1.1 a2.1 + w3.1.2 a2.2 + b3.1"],
        ["ŷ", "tanh(z3.1)"],
        ["y", "of the point, its label"],
        ["J", "(ŷ - y)² / 2"],
    ]
    assert [row[:2] for row in table["slopes"]] == [
        ["∂ŷ/∂z3.1", "1 - ŷ²"],
        ["∂a2.1/∂z2.1", "a2.1 · (1 - a2.1)"],
        ["∂a2.2/∂z2.2", "a2.2 · (1 - a2.2)"],
        ["∂a1.2/∂z1.2", "1 if z1.2 > 0, else 0"],
        ["∂z1.2/∂w1.2.2", "x2"],
    ]
    assert [row[:2] for row in table["adjoints"]] == [
        ["∂J/∂ŷ", "ŷ - y"],
        ["∂J/∂z3.1", "∂J/∂ŷ · ∂ŷ/∂z3.1"],
        ["∂J/∂a2.1", "w3.1.1 ∂J/∂z3.1"],
        ["∂J/∂z2.1", "∂J/∂a2.1 · ∂a2.1/∂z2.1"],
        ["∂J/∂a2.2", "w3.1.2 ∂J/∂z3.1"],
        ["∂J/∂z2.2", "∂J/∂a2.2 · ∂a2.2/∂z2.2"],
        ["∂J/∂a1.2", "w2.1.2 ∂J/∂z2.1 + w2.2.2 ∂J/∂z2.2"],
        ["∂J/∂z1.2", "∂J/∂a1.2 · ∂a1.2/∂z1.2"],
        ["∂J/∂w1.2.2", "∂J/∂z1.2 · x2"],
    ]


def test_a_link_that_l1_killed_has_the_gradient_that_it_would_have():
    play = Session("#seed=0.5&regularization=L1&regularizationRate=10&learningRate=0.1&networkShape=&dataset=gauss")
    while play.networks[0].alive[0, 0, 0]:
        play.frame(1)
        assert play.epoch < 50
    hand, auto = chain(play, 0, 0, 0, 0)["mean"]
    np.testing.assert_allclose([hand, auto], difference(play, play.split.train, 0, 0, 0), rtol=1e-4)
    assert abs(hand) > 1e-3
