"""Fits against real ones of R 4.2.2 with neuralnet 1.44.2 (`reference.json`), and what a call takes and refuses."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import RRandom, neuralnet
from jaxnn.data import circle
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet.fit import _steps_per_program
from jaxnn.r_neuralnet.network import Architecture

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())["cases"]
CIRCLE = {"hidden": 4, "threshold": 0.1, "linear_output": False}


def data_of(case):
    if "data" in case:
        return {name: [row[name] for row in case["data"]] for name in case["data"][0]}
    x, y = circle(RRandom(case["seed"]), case["n"])
    return {"x1": x[:, 0], "x2": x[:, 1], "y": np.asarray(y).ravel()}


def fit(case, **starts):
    settings = {name: case[name] for name in ("hidden", "threshold", "stepmax", "rep", "algorithm", "likelihood")}
    settings |= {"err_fct": case["err.fct"], "act_fct": case["act.fct"], "linear_output": case["linear.output"]}
    return neuralnet(case["formula"], data_of(case), learningrate=case["learningrate"], **settings, **starts)


# rprop- and backprop are compared with R in `test_algorithms.py` as well, the cross-entropy by the data set infert.
SLOW = ("circle rprop- sse", "circle backprop", "circle rprop+ ce likelihood")
REFERENCE_CASES = [
    pytest.param(case, id=case["name"], marks=pytest.mark.slow if case["name"] in SLOW else ()) for case in REFERENCE
]


@pytest.fixture(scope="module", params=REFERENCE_CASES)
def fitted(request):
    return request.param, fit(request.param, startweights=request.param["startweights"])


def close(found, expected, rtol=1e-6):
    for some, others in zip(found, expected, strict=True):
        np.testing.assert_allclose(some, others, rtol=rtol)


def test_steps_are_rs(fitted):
    case, net = fitted
    assert net.steps.tolist() == np.atleast_1d(case["result"]["steps"]).tolist() and net.converged.all()


def test_the_result_matrix_is_rs(fitted):
    case, net = fitted
    assert list(net.result_matrix) == list(case["rows"])
    for name, values in net.result_matrix.items():
        np.testing.assert_allclose(values, np.atleast_1d(case["result"][name]), rtol=1e-6, err_msg=name)


def test_weights_predictions_and_generalized_weights_are_rs(fitted):
    case, net = fitted
    for rep in range(case["rep"]):
        close(net.weights[rep], case["weights"][rep])
        close(net.predict(data_of(case), rep=rep)[:5], case["prediction_first5"][rep])
        close(net.net_result[rep][:5], case["prediction_first5"][rep])
        close(net.generalized_weights[rep][:5], case["generalized_weights_first5"][rep])


def test_confidence_intervals_are_rs_where_r_has_them(fitted):
    case, net = fitted
    expected = case["confidence_interval"]
    if len(net.weights[0]) > 2:
        with pytest.raises(InvalidArgument, match="will not be calculated for more than one hidden layer of neurons"):
            net.confidence_interval(compat="R")
    elif "lower" in expected:
        found = net.confidence_interval(compat="R")
        close(found.lower[0], expected["lower"][0])
        close(found.upper[0], expected["upper"][0])
        np.testing.assert_allclose(found.nic, expected["nic"], rtol=1e-6)


@pytest.mark.parametrize("case", REFERENCE_CASES)
def test_start_weights_are_rs_after_set_seed(case):
    for found, expected in zip(fit(case, seed=case["seed"] + 1).startweights, case["startweights"], strict=True):
        close(found, expected, rtol=1e-14)


SMALL = {"x": [0.0, 1, 2, 3, 4], "z": [1.0, -1, 1, -1, 0], "y": [0.0, 1, 0, 1, 1]}


def test_functions_of_the_user(drawn):
    """The logistic function and the squared error by name and as functions give the same."""
    settings = {"hidden": 2, "threshold": 1.0, "seed": 3}
    named = neuralnet("z ~ x1 + x2", drawn, **settings)
    own = neuralnet("z ~ x1 + x2", drawn, act_fct=jax.nn.sigmoid, err_fct=lambda o, y: (o - y) ** 2 / 2, **settings)
    assert own.steps == named.steps
    np.testing.assert_allclose(own.error, named.error, rtol=1e-9)


def test_classes_by_softmax(drawn):
    kinds = np.where(drawn["y"] == 0, "in", np.where(drawn["x1"] > 0, "right", "left"))
    net = neuralnet(
        "kind ~ x1 + x2",
        drawn | {"kind": kinds},
        hidden=5,
        err_fct="ce",
        linear_output=False,
        output_act_fct="softmax",
        threshold=0.5,
        seed=2,
    )
    assert net.responses == ["in", "left", "right"]
    np.testing.assert_allclose(net.predict(drawn).sum(axis=1), 1)
    assert (net.predict(drawn, type="class") == kinds).mean() > 0.97


def test_arrays_in_place_of_a_formula(drawn):
    settings = {"hidden": 2, "threshold": 1.0, "seed": 3}
    by_name = neuralnet("z ~ x1 + x2", drawn, **settings)
    x = np.stack([drawn["x1"], drawn["x2"]], axis=1)
    by_place = neuralnet(X=x, y=drawn["z"], **settings)
    np.testing.assert_array_equal(by_place.vector(), by_name.vector())
    assert by_place.variables == ["x1", "x2"] and by_place.responses == ["y"]
    two = neuralnet(X={"a": x[:, 0]}, y=np.stack([x[:, 1]] * 2, 1), hidden=0, threshold=20, seed=1)
    assert two.variables == ["a"] and two.responses == ["y1", "y2"]


def test_columns_that_the_formula_leaves_out_may_hold_anything(drawn):
    odd = drawn | {"when": np.array(["2020-01-01"] * 150, "datetime64[D]"), "why": [None] * 150}
    for formula in ("z ~ x1 + x2", "z ~ . - when - why - y - x3"):
        net = neuralnet(formula, odd, hidden=2, threshold=20, seed=1)
        assert net.variables == ["x1", "x2"] and net.predict(odd).shape == (150, 1)


@pytest.mark.slow
def test_restarts_keep_their_places_converged_or_not(drawn):
    with pytest.warns(
        UserWarning, match=r"Algorithm did not converge in [1-3] of 4 repetition\(s\) within the stepmax"
    ):
        net = neuralnet("y ~ x1 + x2", drawn, rep=4, stepmax=110, seed=5, **CIRCLE)
    assert len(net.weights) == len(net.error) == len(net.net_result) == 4
    for rep in np.flatnonzero(~net.converged):
        assert np.isfinite(net.error[rep]) and net.steps[rep] == 110
        # what it keeps is its lowest error, and the error is that of the weights
        errors = net.restarts.curves[rep]
        assert net.error[rep] <= np.nanmin(errors)
        shown = np.sum((net.predict(drawn, rep=rep)[:, 0] - drawn["y"]) ** 2) / 2
        np.testing.assert_allclose(net.error[rep], shown, rtol=1e-9)
    alone = neuralnet("y ~ x1 + x2", drawn, startweights=[net.startweights[net.best]], stepmax=110, **CIRCLE)
    np.testing.assert_array_equal(alone.vector(), net.vector("best"))


def test_results_do_not_depend_on_the_callers_precision(drawn):
    settings = {"hidden": 2, "threshold": 1.0, "seed": 3}
    plain = neuralnet("z ~ x1 + x2", drawn, **settings)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(neuralnet("z ~ x1 + x2", drawn, **settings).vector(), plain.vector())
    assert plain.vector().dtype == float and jnp.ones(1).dtype == jnp.float32


def test_the_running_stream_and_keys_give_starts(drawn):
    def starts(**settings):
        net = neuralnet("z ~ x1 + x2", drawn, hidden=2, threshold=50, **settings)
        return net.starts[0], net.settings.seed

    rng = RRandom(9)
    (first, _), (second, _) = starts(rng=rng), starts(rng=rng)
    np.testing.assert_array_equal([*first, *second], RRandom(9).rnorm(18))
    by_key, _ = starts(rng=jax.random.key(0))
    np.testing.assert_array_equal(by_key, starts(rng=jax.random.key(0))[0])
    assert (by_key != starts(rng=jax.random.key(1))[0]).all()
    unseeded, seed = starts()
    np.testing.assert_array_equal(unseeded, starts(seed=seed)[0])
    assert (unseeded != starts()[0]).all()


def test_an_error_that_is_no_number_is_said_in_rs_words():
    with pytest.raises(InvalidArgument, match="'err.fct' does not fit 'data' or 'act.fct'"):
        neuralnet("z ~ x", SMALL, hidden=0, err_fct=lambda o, y: jnp.log(-jnp.abs(o)), seed=1)


def test_a_restart_without_a_finite_start_is_said_and_the_others_are_kept():
    def error(output, y):  # a number only where the output is positive
        return jnp.log(output) ** 2

    starts = [-1, 0, 2, 0.5]  # outputs of -1 and of 2 to 4
    with pytest.warns(UserWarning, match="did not converge"):
        net = neuralnet("z ~ x", SMALL, 0, err_fct=error, startweights=starts, rep=2, stepmax=3, threshold=1e-9)
    assert net.diverged.tolist() == [True, False] and net.best == 1 and np.isnan(net.error[0])
    assert net.why(0) == ["the error or its gradient is no finite number at the start"]
    assert "Why in repetition 1: the largest gradient" in net.not_converged()
    net.summary()


def test_a_fit_that_diverges_keeps_its_best_weights_and_says_so(drawn):
    with pytest.warns(UserWarning, match="the error was no finite number at step"):
        net = neuralnet("z ~ x1 + x2", drawn, 0, algorithm="backprop", learningrate=10.0, seed=1)
    assert net.diverged.tolist() == [True] and not net.converged[0] and np.isfinite(net.vector()).all()
    shown = np.sum((net.predict(drawn)[:, 0] - drawn["z"]) ** 2) / 2
    np.testing.assert_allclose(net.error, shown, rtol=1e-9)


def test_a_threshold_of_0_takes_all_steps():
    with pytest.warns(UserWarning, match="did not converge"):
        net = neuralnet("y ~ x", SMALL, hidden=0, threshold=0, stepmax=30, linear_output=False, seed=1)
    assert net.steps == [30] and net.settings.threshold == 0


def test_large_fits_are_cut_into_programs_of_seconds():
    small, large = (
        _steps_per_program(Architecture((2, h, 1), "tanh", "linear", "sse"), n) for h, n in ((4, 1000), (1000, 10**5))
    )
    assert (small, large) == (10_000, 4)
