"""The tables of a network without hidden layer against least squares with White's covariance, by NumPy."""

import numpy as np
import pytest
from scipy.stats import chi2, t

from jaxnn import neuralnet
from jaxnn.errors import InvalidArgument

RNG = np.random.default_rng(5)
X = RNG.normal(size=(90, 2)) * [1, 30] + [0, 100]
DATA = {"a": X[:, 0], "b": X[:, 1], "y": 3 * X[:, 0] - 0.1 * X[:, 1] + RNG.normal(size=90)}


@pytest.fixture(scope="module")
def net():
    settings = {"hidden": 0, "threshold": 1e-6, "seed": 1, "algorithm": "lbfgs"}
    return neuralnet("y ~ a + b", DATA, scale=True, **settings)


def test_effects_are_those_of_least_squares_with_robust_errors(net):
    inputs = np.column_stack([np.ones(90), X])
    beta = np.linalg.lstsq(inputs, DATA["y"])[0]
    residuals = DATA["y"] - inputs @ beta
    bread = np.linalg.inv(inputs.T @ inputs)
    cov = bread @ (inputs.T * residuals**2) @ inputs @ bread
    found = net.summary_frame()
    effects, errors = found["effects"], np.sqrt(np.diag(cov))[1:]
    assert effects["name"].tolist() == ["a", "b"] and effects["response"].tolist() == ["y", "y"]
    np.testing.assert_allclose(effects["estimate"], beta[1:], rtol=1e-5)
    np.testing.assert_allclose(effects["std_error"], errors, rtol=1e-5)
    left_out = residuals / (1 - np.einsum("ni,ij,nj->n", inputs, bread, inputs))
    hc3 = bread @ (inputs.T * left_out**2) @ inputs @ bread
    robust = np.sqrt(np.diag(hc3))[1:]
    skewness = np.sum((bread @ inputs.T * left_out)[1:] ** 3, axis=1) / robust**3 / 2
    for side, z in (("lower", t.ppf(0.025, 87)), ("upper", t.ppf(0.975, 87))):
        end = beta[1:] - np.log(1 - skewness * z) / skewness * robust
        np.testing.assert_allclose(effects[side], end, rtol=1e-5)
    np.testing.assert_allclose(found["covariates"]["wald"], (beta[1:] / errors) ** 2, rtol=1e-4)
    np.testing.assert_allclose(found["covariates"]["p"], chi2.sf(found["covariates"]["wald"], 1))
    np.testing.assert_allclose(found["weights"]["p"][1:], found["covariates"]["p"])
    np.testing.assert_allclose(found["residuals"]["median"], np.median(residuals), atol=1e-5)
    (sd,) = found["fit"]["residual_sd"]
    np.testing.assert_allclose(sd, np.sqrt(residuals @ residuals / 87), rtol=1e-6)
    assert found["fit"]["identified"] == found["fit"]["trained"] == 3


def test_what_is_not_identified_has_no_interval():
    """Of two equal columns only the sum of the weights is."""
    data = DATA | {"c": DATA["a"]}
    settings = {"hidden": 0, "threshold": 1e-6, "seed": 1, "algorithm": "lbfgs", "scale": True}
    net = neuralnet("y ~ a + b + c", data, **settings)
    found = net.summary_frame()
    assert np.isnan(found["effects"]["std_error"]).tolist() == [True, False, True]
    assert np.isnan(found["effects"]["lower"]).all() and np.isnan(found["weights"]["upper"]).all()
    assert np.isnan(found["covariates"]["p"]).tolist() == [True, False, True]
    assert found["fit"]["identified"] == 3 and "3 of 4 directions" in net.summary()


def test_weights_without_an_interval_of_their_own_are_left_out_of_it_alone():
    settings = {
        "hidden": 0,
        "threshold": 1e-6,
        "seed": 1,
        "algorithm": "lbfgs",
        "exclude": [2],
        "constant_weights": [3],
    }
    net = neuralnet("y ~ a + b", DATA, scale=True, **settings)
    found, table = net.summary_frame(alpha=0.2)["weights"], net.intervals(alpha=0.2)["weights"]
    assert np.isnan(found["lower"]).tolist() == [False, True, False]
    np.testing.assert_array_equal(found["upper"][[0, 2]], table["sandwich_upper"])
    with pytest.raises(InvalidArgument, match=r"alpha: got 0, expected a share in \(0, 1\)"):
        net.summary(0)
    assert net.not_converged() == ""
