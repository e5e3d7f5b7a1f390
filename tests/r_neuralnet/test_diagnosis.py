"""What to try is tried: the advice that is given makes the fit better."""

import re

import numpy as np
import optax
import pytest

from jaxnn import neuralnet

X = np.random.default_rng(0).normal(size=(80, 2))
DATA = {"a": X[:, 0], "b": X[:, 1], "y": np.sin(2 * X[:, 0]) + X[:, 1], "medv": 20_000 + 9_000 * np.tanh(X[:, 0])}
DATA |= {"far": 1000 + 300 * X[:, 0]}


def advised(formula, **settings):
    with pytest.warns(UserWarning) as said:
        net = neuralnet(formula, DATA, seed=1, **settings)
    return net, str(said[-1].message).partition("What to try: ")[2]


def share_of_variance(net, response):
    return np.sum((net.predict(DATA)[:, 0] - DATA[response]) ** 2) / np.sum(
        (DATA[response] - DATA[response].mean()) ** 2
    )


@pytest.mark.parametrize(("formula", "response"), [("medv ~ a + b", "medv"), ("y ~ far + b", "y")])
def test_unscaled_columns_are_to_be_scaled(formula, response):
    net, advice = advised(formula, hidden=2, stepmax=10)
    assert advice.startswith("scale=True")
    better = neuralnet(formula, DATA, hidden=2, seed=1, threshold=2.0, scale=True)
    assert better.converged.all() and share_of_variance(better, response) < 0.5 * share_of_variance(net, response)


@pytest.mark.parametrize(("size", "offset"), [(1e6, 0.0), (1.0, 1e9), (1e-4, 5e4)])
def test_of_unscaled_responses_no_threshold_is_advised_for_a_constant_prediction_reaches_any(size, offset):
    data = DATA | {"v": offset + size * DATA["y"]}
    with pytest.warns(UserWarning) as said:
        net = neuralnet("v ~ a + b", data, hidden=2, stepmax=3000, threshold=0.05, seed=1)
    advice = str(said[-1].message).partition("What to try: ")[2]
    assert advice.startswith("scale=True") and "threshold" not in advice
    better = neuralnet("v ~ a + b", data, hidden=2, stepmax=3000, threshold=0.05, seed=1, scale=True)
    left = [np.var(one.predict(data)[:, 0] - data["v"]) for one in (better, net)]
    assert better.converged.all() and left[0] < 0.5 * left[1]


def test_an_error_that_still_falls_asks_for_more_steps():
    net, advice = advised("y ~ a + b", hidden=3, stepmax=60)
    assert advice.startswith("a larger stepmax than 60") and "threshold" not in advice
    more, _ = advised("y ~ a + b", hidden=3, stepmax=240, threshold=1e-6)
    assert more.error[0] < 0.8 * net.error[0]


def test_an_error_that_has_stopped_falling_asks_for_a_larger_threshold_that_is_reached():
    net, advice = advised("y ~ a + b", hidden=0, stepmax=2000, threshold=1e-16)
    (threshold,) = re.findall(r"^a larger threshold, such as (\S+),", advice)
    better = neuralnet("y ~ a + b", DATA, hidden=0, stepmax=2000, threshold=float(threshold), seed=1)
    assert better.converged.all() and better.error[0] <= net.error[0] * (1 + 1e-9)


@pytest.mark.parametrize("learningrate", [0.05, 10.0])
def test_backprop_that_goes_too_far_asks_for_smaller_steps(learningrate):
    net, advice = advised("y ~ a + b", hidden=0, algorithm="backprop", learningrate=learningrate, stepmax=200)
    assert advice.startswith("a smaller learningrate")
    better = neuralnet("y ~ a + b", DATA, hidden=0, algorithm="backprop", learningrate=0.005, stepmax=2000, seed=1)
    assert better.converged.all() and better.error[0] < net.error[0]


def test_optimizers_of_optax_have_no_limits_to_make_smaller():
    settings = {"hidden": 0, "stepmax": 200, "threshold": 0.1}
    net, advice = advised("y ~ a + b", algorithm=optax.sgd(10.0), **settings)
    assert advice.startswith("smaller steps, by a smaller learning rate of the optimizer") and "limit" not in advice
    better = neuralnet("y ~ a + b", DATA, algorithm=optax.sgd(0.005), seed=1, **settings)
    assert better.converged.all() and better.error[0] < net.error[0]


def test_more_restarts_are_never_worse():
    one, advice = advised("y ~ a + b", hidden=3, stepmax=60)
    assert advice.endswith("more restarts (rep).")
    more, _ = advised("y ~ a + b", hidden=3, stepmax=60, rep=3)
    assert more.error.min() <= one.error[0]
