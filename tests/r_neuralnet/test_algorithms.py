"""Every algorithm takes the steps that neuralnet's rules take in R (`rules.json`), from R's starts."""

import json
from pathlib import Path

import numpy as np
import optax
import pytest

from jaxnn import neuralnet
from jaxnn.r_neuralnet import algorithms

RULES = json.loads((Path(__file__).parent / "rules.json").read_text())["cases"]
KINDS = {
    "circle": ("y ~ x1 + x2", {"hidden": 4, "threshold": 0.1, "linear_output": False}),
    "two layers, tanh": ("z ~ x1 + x2 + x3", {"hidden": (3, 2), "threshold": 0.8, "act_fct": "tanh"}),
    "two responses, softplus, excluded": (
        "y + z ~ x1 + x2",
        {"hidden": 3, "threshold": 0.3, "act_fct": "softplus", "exclude": [12, 2, 5], "constant_weights": [0.5]},
    ),
    "no hidden layer, ce": (
        "y ~ x1 + x2",
        {"hidden": 0, "threshold": 0.05, "err_fct": "ce", "linear_output": False},
    ),
    "limits and factors": (
        "y ~ x1 + x2",
        {"hidden": 5, "threshold": 0.1, "linear_output": False, "learningrate_limit": (1e-6, 5)}
        | {"learningrate_factor": {"minus": 0.3, "plus": 1.5}},
    ),
    "": ("y + z ~ x1 + x2", {"hidden": 2, "threshold": 1, "act_fct": "tanh", "learningrate": 0.002}),
}


# Each algorithm once and each kind of fit once; each of one with each of the other is for `make test-all`.
FAST = (
    "rprop+ two responses, softplus, excluded",
    "sag no hidden layer, ce",
    "backprop",
)


@pytest.mark.filterwarnings("ignore:Algorithm did not converge")
@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=c["name"], marks=() if c["name"] in FAST else pytest.mark.slow) for c in RULES],
)
def test_every_algorithm_takes_rs_steps(case, drawn):
    algorithm, _, kind = case["name"].partition(" ")
    formula, settings = KINDS[kind]
    short = case["steps"] == 60
    stepmax = 60 if short else 20_000
    net = neuralnet(formula, drawn, algorithm=algorithm, stepmax=stepmax, seed=case["seed"], **settings)
    assert net.steps.tolist() == [case["steps"]]
    if short:  # the weights kept are those of the lowest error; the curve has the last
        curve = net.restarts.curves[0]
        np.testing.assert_allclose(curve[np.isfinite(curve)][-1], case["error"], rtol=1e-6)
    else:
        np.testing.assert_allclose(net.error, case["error"], rtol=1e-6)
        np.testing.assert_allclose(net.reached_threshold, case["reached"], rtol=1e-6)
        np.testing.assert_allclose(net.vector(), case["weights"], rtol=1e-6)


def test_excluded_weights_are_reported_as_r_reports_them(drawn):
    formula, settings = KINDS["two responses, softplus, excluded"]
    net = neuralnet(formula, drawn, seed=1, **settings)
    # 12 is constant at 0.5 and keeps its value; 2 and 5 are 0 and shown as missing
    assert net.vector()[[11, 1, 4]].tolist() == [0.5, 0, 0]
    assert np.isnan(net.weights[0][0]).sum() == 2 and np.isnan(net.startweights[0][0]).sum() == 2
    assert net.weights[0][0][1, 0] != net.weights[0][0][1, 0] and net.weights[0][1][2, 0] == 0.5
    assert net.n_parameters == 17 - 2
    assert np.isfinite(net.predict(drawn)).all()


@pytest.mark.parametrize("algorithm", ["lbfgs", optax.adam(0.05)], ids=["lbfgs", "adam"])
def test_other_optimizers_find_the_least_squares(algorithm, drawn):
    net = neuralnet("z ~ x1 + x2 + x3", drawn, hidden=0, algorithm=algorithm, threshold=1e-3, seed=1)
    inputs = np.stack([np.ones(150), drawn["x1"], drawn["x2"], drawn["x3"]], axis=1)
    np.testing.assert_allclose(net.vector(), np.linalg.lstsq(inputs, drawn["z"])[0], atol=1e-4)
    assert net.converged.all()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["lbfgs", optax.adam(0.05)], ids=["lbfgs", "adam"])
def test_other_optimizers_train_hidden_nodes(algorithm, drawn):
    net = neuralnet("z ~ x1 + x2 + x3", drawn, hidden=3, act_fct="tanh", algorithm=algorithm, threshold=1.0, seed=1)
    assert net.converged.all() and net.error[0] < 0.2 * np.var(drawn["z"]) * 75


def test_every_rprop_has_its_name():
    assert list(algorithms.RPROP) == ["rprop+", "rprop-", "sag", "slr"]
