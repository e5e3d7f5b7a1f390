"""What a call of `neuralnet` refuses and warns of before anything is trained."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import neuralnet
from jaxnn.errors import Diverged, InvalidArgument
from jaxnn.r_neuralnet.network import Architecture

SMALL = {"x": [0.0, 1, 2, 3, 4], "z": [1.0, -1, 1, -1, 0], "y": [0.0, 1, 0, 1, 1]}


@pytest.fixture
def untrained(monkeypatch):
    """A fit ends where training would begin: everything before it is as always, and nothing is compiled."""

    def fit_until(*_, **__):
        raise Diverged("not trained here")

    monkeypatch.setattr("jaxnn.r_neuralnet.fit.fit_until", fit_until)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"formula": None}, "Missing 'formula' argument"),
        ({"data": None}, "Missing 'data' argument"),
        ({"formula": "yy ~ xx"}, "formula: got the column yy, which the data lacks; did you mean y?, expected any of"),
        ({"formula": "qqq ~ www"}, "formula: got the column qqq, which the data lacks, expected any of x, z, y"),
        ({"exclude": 99}, "'exclude' must be a vector or matrix, expected places from 1"),
        ({"X": [[1]]}, "X, y: got both arrays and a formula or data"),
        ({"formula": None, "data": None, "X": [[1.0]]}, "y: got none"),
        ({"formula": None, "data": None, "X": [1.0, 2], "y": [1, 2]}, "X: got shape (2,)"),
        (
            {"formula": None, "data": None, "X": np.ma.masked_array([[1.0], [2]], [[0], [1]]), "y": [1.0, 2]},
            "x1: got nan",
        ),
        ({"formula": None, "data": None, "X": {"a": [1.0]}, "y": {"a": [1.0]}}, "y: got the name a, which X has too"),
        ({"hidden": (2, 0)}, "Argument 'hidden' contains at least one 0"),
        ({"hidden": 1.5}, "Argument 'hidden' must be an integer vector or a single integer"),
        ({"hidden": -1}, "Argument 'hidden' must be"),
        ({"hidden": None}, "Argument 'hidden' must be"),
        ({"hidden": "4"}, "Argument 'hidden' must be"),
        ({"hidden": (3, ())}, "Argument 'hidden' must be"),
        ({"hidden": [[2]]}, "Argument 'hidden' must be"),
        ({"hidden": {2}}, "Argument 'hidden' must be"),
        ({"hidden": True}, "Argument 'hidden' must be"),
        ({"hidden": 10**10}, "what fits into the machine's"),
        ({"threshold": -0.01}, "Argument 'threshold' must be a numeric value"),
        ({"threshold": float("nan")}, "threshold: got nan"),
        ({"stepmax": 0}, "stepmax: got 0"),
        ({"stepmax": 1.5}, "stepmax: got 1.5"),
        ({"rep": 0}, "rep: got 0"),
        ({"algorithm": "sgd"}, "Unknown algorithm"),
        ({"algorithm": 3}, "Unknown algorithm"),
        ({"algorithm": "backprop"}, "Argument 'learningrate' must be a numeric value, if the backpropagation"),
        ({"algorithm": "backprop", "learningrate": -1}, "learningrate: got -1"),
        ({"learningrate_limit": 0.1}, "Argument 'learningrate.limit' must consist of two components"),
        ({"learningrate_limit": (0.1, 1e-3)}, "learningrate_limit: got min 0.1 and max 0.001, expected 0 < min <= max"),
        ({"learningrate_limit": {"max": 0.1, "min": -1}}, "learningrate_limit: got min -1 and max 0.1"),
        (
            {"learningrate_factor": (1.2, 0.5)},
            "learningrate_factor: got minus 1.2 and plus 0.5, expected minus in (0, 1)",
        ),
        ({"learningrate_factor": {"minus": 0.5}}, "Argument 'learningrate.factor' must consist of two components"),
        ({"lifesign": "some"}, "Argument 'lifesign' must be one of 'none', 'minimal', 'full'"),
        ({"lifesign_step": 0}, "lifesign_step: got 0"),
        ({"err_fct": "mse"}, "Unknown error function"),
        ({"act_fct": "sin"}, "Unknown activation function"),
        ({"act_fct": None}, "Unknown activation function"),
        ({"err_fct": "ce", "linear_output": False, "formula": "z ~ x"}, "only implemented for binary response"),
        ({"linear_output": 1}, "linear_output: got 1"),
        ({"output_act_fct": "logistic"}, "logistic with linear_output=True"),
        ({"output_act_fct": "softmax", "linear_output": False}, "softmax of one output"),
        ({"startweights": [1.0, 2, 3]}, "startweights: got 3 weights, expected 4 for each of 1 restarts, 4 in all"),
        ({"startweights": [[[[1.0], [2]], [[1], [2]]]], "rep": 2}, "startweights: got 1 networks"),
        ({"startweights": [[[[1.0], [2]], [[1]]]]}, "startweights: got shapes [(2, 1), (1, 1)] in restart 0"),
        ({"startweights": [1.0, 2, 3, float("nan")]}, "startweights: got a number that is not finite"),
        ({"exclude": [0]}, "'exclude' contains at least one invalid weight"),
        ({"exclude": [5]}, "'exclude' contains at least one invalid weight"),
        ({"exclude": [[1, 3, 1]]}, "'exclude' contains at least one invalid weight"),
        ({"exclude": [[1, 1]]}, "'exclude' has wrong dimensions"),
        ({"exclude": [1, 2, 3, 4]}, "all weights are exluded"),
        ({"exclude": [1.5]}, "exclude: got [1.5]"),
        ({"exclude": [1], "constant_weights": [1, 2]}, "constant.weights contains more weights than exclude"),
        ({"rng": "python"}, "rng: got 'python'"),
        ({"rng": jax.random.key(0), "seed": 1}, "seed: got 1 beside a key"),
        ({"seed": "a"}, "seed: got 'a'"),
    ],
)
def test_what_cannot_be_right_is_refused(wrong, message, monkeypatch):
    monkeypatch.setattr("jaxnn.r_neuralnet.fit.fit_until", lambda *_, **__: pytest.fail("compiled too early"))
    with pytest.raises(InvalidArgument) as error, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neuralnet(**({"formula": "y ~ x", "data": SMALL} | wrong))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "the response is 0 or 1 and the output linear: use linear_output=False to classify"),
        ({"linear_output": False, "formula": "y ~ x + c"}, "column c is constant"),
        ({"linear_output": False, "formula": "y ~ w"}, "unscaled: w"),
        ({"linear_output": False, "likelihood": True}, "no negative log-likelihood"),
        (
            {"linear_output": False, "learningrate": 0.1},
            "^learningrate has no effect with rprop.: it takes learningrate_",
        ),
        (
            {"linear_output": False, "algorithm": "backprop", "learningrate": 0.1, "learningrate_limit": (0.1, 1)},
            "^learningrate_limit has no effect with backprop: it takes learningrate$",
        ),
        (
            {"linear_output": False, "algorithm": "lbfgs", "learningrate_factor": (0.1, 2), "learningrate": 1},
            "^learningrate and learningrate_factor have no effect with lbfgs: it takes none",
        ),
        ({"linear_output": False, "startweights": [1.0, 2, 3, 4], "seed": 3}, "^seed has no effect"),
        ({"formula": "z ~ x", "hidden": 0, "act_fct": "tanh"}, "^act_fct has no effect"),
        (
            {"hidden": 0, "act_fct": "tanh", "linear_output": False, "output_act_fct": "softplus"},
            "^act_fct has no effect",
        ),
        ({"linear_output": False, "lifesign_step": 10}, "^lifesign_step has no effect with lifesign='none'"),
        ({"linear_output": False, "patience": 10}, "^patience has no effect"),
        ({"formula": "t ~ x"}, "^unscaled response: t .0 to 4e-05.*scale=True"),
        ({"formula": "z ~ t"}, "^unscaled: t .0 to 4e-05.*scale=True"),
        ({"formula": "w ~ x", "linear_output": False}, "w: logistic outputs reach 0 to 1 only: use linear_output=True"),
        ({"err_fct": "ce"}, 'linear outputs leave .0, 1.: use linear_output=False with output_act_fct="logistic"'),
        (
            {"err_fct": "ce", "linear_output": False, "act_fct": "tanh"},
            'tanh outputs leave .*output_act_fct="logistic"',
        ),
    ],
)
def test_warnings_come_before_anything_is_trained(settings, message, untrained):
    data = SMALL | {"c": [1] * 5, "w": [100, 200, 300, 400, 500], "t": np.arange(5) * 1e-5}
    with pytest.raises(InvalidArgument, match="not trained here"), pytest.warns(UserWarning, match=message):
        neuralnet(**({"formula": "y ~ x", "data": data, "seed": 1} | settings))


def mean_error(output, target):
    return jnp.mean((output - target) ** 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"act_fct": np.tanh}, "act_fct: got tanh, of which JAX makes no program (TracerArrayConversionError"),
        (
            {"act_fct": lambda z: max(0, z)},
            "act_fct: got <lambda>, of which JAX makes no program (ValueError: The truth value",
        ),
        ({"act_fct": lambda z: z.sum()}, "which makes shape () of (2, 3)"),
        (
            {"act_fct": lambda z: z - z.mean()},
            "act_fct: got <lambda>, which makes another number of one value beside others",
        ),
        ({"act_fct": jax.nn.softmax}, "act_fct: got softmax, of which JAX makes no program"),
        ({"act_fct": lambda z: jnp.where(z > 0, 1.0, 0.0)}, "act_fct: got <lambda>, whose slope is 0 at -2, -1.2"),
        ({"act_fct": lambda z: (z > 0).astype(int)}, "act_fct: got <lambda>, which makes int"),
        ({"act_fct": lambda z, a: z}, "missing 1 required positional argument"),
        ({"act_fct": lambda z: jax.lax.while_loop(lambda a: (a > 9).all(), lambda a: a / 2, z)}, "Reverse-mode"),
        ({"output_act_fct": np.exp, "linear_output": False}, "output_act_fct: got exp, of which JAX makes no program"),
        ({"err_fct": lambda o, t: t}, "err_fct: got <lambda>, which does not depend on the output"),
        ({"err_fct": mean_error}, "err_fct: got mean_error, which is"),
        ({"err_fct": lambda o: o}, "takes 1 positional argument but 2 were given"),
        ({"err_fct": lambda o, t: np.abs(o - t)}, "err_fct: got <lambda>, of which JAX makes no program"),
        ({"err_fct": lambda o, t: (o, t)}, "err_fct: got <lambda>, of which JAX makes no program"),
    ],
)
def test_functions_of_the_user_are_tried_first(wrong, message, untrained):
    with pytest.raises(InvalidArgument) as error:
        neuralnet("z ~ x", SMALL, seed=1, **wrong)
    assert message in str(error.value) and "jax.numpy" in str(error.value)


@pytest.mark.parametrize(
    "right",
    [
        {"err_fct": lambda o, t: jnp.abs(o - t).sum()},
        {"err_fct": lambda o, t: jnp.maximum(0, jnp.abs(o - t) - 1)},
        {"err_fct": lambda o, t: jnp.sum((o - t) ** 2, axis=1)},
        {"act_fct": lambda z: jnp.where(z > 0, z, z / 10)},
        {"act_fct": lambda z: 1.7 * z},
    ],
)
def test_functions_that_do_their_work_are_taken(right, untrained):
    with pytest.raises(InvalidArgument, match="not trained here"):
        neuralnet("z ~ x", SMALL, seed=1, **right)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ((1, 1, 1), "logistic", "linear", "sse")),
        ({"hidden": (3, 2), "act_fct": "tanh", "linear_output": False}, ((1, 3, 2, 1), "tanh", "tanh", "sse")),
        ({"linear_output": False, "output_act_fct": "softplus"}, ((1, 1, 1), "logistic", "softplus", "sse")),
        ({"hidden": 0, "linear_output": False, "err_fct": "ce"}, ((1, 1), "logistic", "logistic", "ce")),
        ({"hidden": ()}, ((1, 1), "logistic", "linear", "sse")),
        ({"hidden": []}, ((1, 1), "logistic", "linear", "sse")),
        ({"hidden": ()}, ((1, 1), "logistic", "linear", "sse")),
        ({"hidden": range(2, 4)}, ((1, 2, 3, 1), "logistic", "linear", "sse")),
        ({"hidden": jnp.array([2, 1])}, ((1, 2, 1, 1), "logistic", "linear", "sse")),
    ],
)
@pytest.mark.filterwarnings("ignore:the response is 0 or 1")
def test_what_the_nodes_compute(settings, expected, untrained, monkeypatch):
    seen = []
    monkeypatch.setattr("jaxnn.r_neuralnet.fit.objective", lambda architecture, *_: seen.append(architecture))
    with pytest.raises(InvalidArgument, match="not trained here"):
        neuralnet("y ~ x", SMALL, seed=1, **settings)
    assert seen == [Architecture(*expected)]
