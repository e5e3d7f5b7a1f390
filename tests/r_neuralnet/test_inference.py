"""Slopes, intervals and criteria against differences, a Hessian by differences, and R's number where R is right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnn import RRandom, neuralnet
from jaxnn.data import circle
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet import inference
from jaxnn.r_neuralnet.network import Architecture, objective


def example(sizes, activation, output, error, n=40):
    rng = np.random.default_rng(0)
    shape = Architecture(sizes, activation, output, error)
    w, x = rng.normal(size=shape.n_weights), rng.normal(size=(n, sizes[0]))
    y = np.eye(sizes[-1])[rng.integers(0, sizes[-1], n)] if sizes[-1] > 1 else rng.integers(0, 2, (n, 1)) * 1.0
    return shape, w, x, y


SHAPES = [
    ((2, 2, 1), "logistic", "logistic", "ce"),
    ((2, 3, 3), "softplus", "softmax", "ce"),
    pytest.param(((2, 3, 2, 1), "tanh", "linear", "sse"), marks=pytest.mark.slow),
    pytest.param(((2, 1), "tanh", "logistic", "ce"), marks=pytest.mark.slow),
    pytest.param(((2, 2, 2), "tanh", "linear", "sse"), marks=pytest.mark.slow),
]


@pytest.fixture(params=SHAPES, ids=range(len(SHAPES)))
def case(request):
    with jax.enable_x64(True):
        yield example(*request.param)


def test_slopes_are_those_of_differences(case):
    shape, w, x, _ = case
    found = np.asarray(inference.slopes(w, x, architecture=shape))
    for j in range(x.shape[1]):
        step = 1e-6 * np.eye(x.shape[1])[j]
        up, down = (np.asarray(inference.outputs(w, x + s, architecture=shape)) for s in (step, -step))
        np.testing.assert_allclose(found[:, :, j], (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


def test_generalized_weights_are_the_slopes_of_the_log_odds():
    shape, w, x, _ = example((3, 4, 2), "tanh", "logistic", "ce")
    with jax.enable_x64(True):
        found = inference.generalized_weights(w, x, shape)
        o, slopes = (np.asarray(f(w, x, architecture=shape)) for f in (inference.outputs, inference.slopes))
    np.testing.assert_allclose(found, (slopes / (o * (1 - o))[:, :, None]).reshape(len(x), -1), rtol=1e-9)


def test_generalized_weights_of_saturated_outputs_are_finite():
    shape = Architecture((1, 1), "tanh", "logistic", "sse")
    with jax.enable_x64(True):  # R has 0 / 0 here
        np.testing.assert_array_equal(inference.generalized_weights(np.array([0.0, 3]), np.array([[1e3]]), shape), 3)


def test_the_hessian_and_the_outer_products_are_those_of_differences(case):
    shape, w, x, y = case
    outer, hessian = map(np.asarray, inference.information_matrices(w, x, y, shape, False))
    gradient = jax.jit(lambda w, x, y: objective(shape, ())(w, x, y)[1])
    columns = [(gradient(w + s, x, y) - gradient(w - s, x, y)) / 2e-6 for s in 1e-6 * np.eye(w.size)]
    np.testing.assert_allclose(hessian, np.stack(columns), rtol=1e-5, atol=1e-6)
    each = np.stack([gradient(w, x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(outer, each.T @ each, rtol=1e-9, atol=1e-12)


def test_standard_errors_are_whites(case):
    shape, w, x, y = case
    free = np.delete(np.arange(w.size), 1)
    b, a = (np.asarray(m)[np.ix_(free, free)] / len(x) for m in inference.information_matrices(w, x, y, shape, False))
    inverse = np.linalg.pinv(a, rcond=1e-10)
    errors, penalty = inference.standard_errors(w, x, y, shape, free, False)
    np.testing.assert_allclose(penalty, np.trace(b @ inverse), rtol=1e-6)
    if errors is not None:
        known = np.isfinite(errors)
        np.testing.assert_allclose(errors[known] ** 2 * len(x), np.diag(inverse @ b @ inverse)[known], rtol=1e-6)
        # softmax is the same for outputs that are all larger by the same: no weight of its layer is identified
        assert known.tolist() == [place < 9 or shape.output != "softmax" for place in free]


def logit(n=400):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 2))
    return x, (rng.uniform(size=n) < 1 / (1 + np.exp(-(0.5 + x @ [1.0, -2])))).astype(float)


def test_without_a_hidden_layer_the_interval_is_that_of_a_logistic_regression():
    """The sandwich of the maximum likelihood: with p the probabilities, (X' W X)^-1 X' r r' X (X' W X)^-1."""
    x, y = logit()
    net = neuralnet(X=x, y=y, hidden=0, err_fct="ce", linear_output=False, threshold=1e-6, seed=1)
    design, w = np.column_stack([np.ones(len(x)), x]), net.vector()
    p = 1 / (1 + np.exp(-design @ w))
    bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    meat = design.T @ (design * ((y - p) ** 2)[:, None])
    half = 1.6448536269514722 * np.sqrt(np.diag(bread @ meat @ bread))
    for compat in (None, "R"):  # R is right where there is no hidden layer
        found = net.confidence_interval(0.1, compat)
        np.testing.assert_allclose(found.lower[0][0][:, 0], w - half, rtol=1e-6)
        np.testing.assert_allclose(found.upper[0][0][:, 0], w + half, rtol=1e-6)
        np.testing.assert_allclose(found.nic, net.error + np.trace(meat @ bread), rtol=1e-6)


def test_rs_hessian_is_the_true_one_with_a_block_off_by_a_row():
    """R's loop, written out: the term of output weight r and of hidden node v is added where v == r."""
    shape, w, x, y = example((2, 3, 1), "tanh", "logistic", "ce", n=7)
    h = 3
    with jax.enable_x64(True):
        found = np.asarray(inference.error_of_rs_hessian(w, x, y, shape))
    w1, w2 = w[:9].reshape(h, 3), w[9:]
    ones = np.column_stack([np.ones(len(x)), x])
    hidden = np.tanh(ones @ w1.T)
    o = 1 / (1 + np.exp(-(w2[0] + hidden @ w2[1:])))
    expected = np.zeros((13, 13))
    for r in range(h + 1):
        for v in range(h):
            for u in range(3):
                term = np.sum((o - y[:, 0]) * ones[:, u] * (1 - hidden[:, v] ** 2))
                at = 9 + r, v * 3 + u
                expected[at] = term * ((v == r) - (r == v + 1))
    np.testing.assert_allclose(found, expected + expected.T, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def net():
    x, y = circle(RRandom(2), 200)
    settings = {"hidden": 2, "err_fct": "ce", "linear_output": False, "threshold": 0.01, "seed": 3, "likelihood": True}
    return neuralnet(X=np.asarray(x), y=np.asarray(y).ravel(), **settings)


@pytest.mark.slow
def test_criteria(net):
    assert net.n_parameters == 9
    np.testing.assert_allclose(net.log_likelihood, -net.error)
    np.testing.assert_allclose(net.aic, 2 * net.error + 18)
    np.testing.assert_allclose(net.bic, 2 * net.error + 9 * np.log(200))
    np.testing.assert_allclose(net.nic, net.confidence_interval().nic)
    assert net.confidence_interval(compat="R").nic != pytest.approx(net.nic)


def test_criteria_of_an_error_that_is_no_likelihood_warn():
    net = neuralnet(X=[[0.0], [1], [2]], y=[0.0, 1, 3], hidden=0, threshold=0.1, seed=1)
    for name in ("aic", "bic", "nic", "log_likelihood"):
        with pytest.warns(UserWarning, match="no negative log-likelihood"):
            getattr(net, name)


@pytest.mark.slow
def test_a_superfluous_node_has_no_interval(net):
    vector = net.vector()
    # A node without weights: in the Hessian its input weights meet the output weight alone, one direction of three.
    vector[[0, 1, 2, 7]] = 0
    x, y = net.covariate, net.response
    still = neuralnet(X=x, y=y[:, 0], hidden=2, err_fct="ce", linear_output=False, threshold=1e6, startweights=vector)
    with pytest.warns(UserWarning, match=r"1 of 1 repetition\(s\) could not calculate confidence intervals"):
        found = still.confidence_interval()
    assert np.isnan(found.lower[0][0][:, 0]).all() and np.isfinite(found.lower[0][0][:, 1]).all()
    assert np.isfinite(found.lower[0][1]).all() and np.isfinite(found.nic).all()
    with pytest.warns(UserWarning, match="could not calculate"):
        as_in_r = still.confidence_interval(compat="R")  # R has none of a singular Hessian
    assert np.isnan(as_in_r.lower[0][0]).all() and np.isnan(as_in_r.nic).all()


@pytest.mark.parametrize("noise", [0, 1e-6])
def test_weights_that_the_data_does_not_identify_have_no_interval(noise):
    """A column twice, or nearly: only the sum of its two weights is known; the others are those of the column once."""
    x, y = logit()
    settings = {"hidden": 0, "err_fct": "ce", "linear_output": False, "threshold": 1e-4, "seed": 1}
    once = neuralnet(X=x, y=y, **settings)
    twice = neuralnet(X=np.column_stack([x, x[:, 1] + noise * np.cos(np.arange(len(x)))]), y=y, **settings)
    with pytest.warns(UserWarning, match=r"1 of 1 repetition\(s\) could not calculate"):
        found = twice.confidence_interval().upper[0][0][:, 0]
    np.testing.assert_allclose(found[:2], once.confidence_interval().upper[0][0][:2, 0], rtol=1e-4)
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": 1}, {"alpha": "x"}, {"compat": "r"}, {"compat": True}])
def test_arguments_that_cannot_be_right(net, wrong):
    with pytest.raises(InvalidArgument, match=f"^{next(iter(wrong))}: got"):
        net.confidence_interval(**wrong)


def test_units_are_the_layers(net):
    inputs, hidden, output = net.predict(net.covariate, all_units=True)
    first, second = net.weights[0]
    np.testing.assert_array_equal(inputs, net.covariate)
    np.testing.assert_allclose(hidden, 1 / (1 + np.exp(-(first[0] + inputs @ first[1:]))), rtol=1e-12)
    np.testing.assert_allclose(output, 1 / (1 + np.exp(-(second[0] + hidden @ second[1:]))), rtol=1e-12)
    np.testing.assert_allclose(output, net.predict(net.covariate), rtol=1e-15)


def test_a_function_that_stands_alone(net):
    predicted = net.predict_function()
    with jax.enable_x64(True):
        np.testing.assert_allclose(jax.jit(predicted)(net.covariate), net.net_result[0], rtol=1e-12)
        slopes = jax.vmap(jax.jacrev(lambda row: predicted(row[None])[0]))(jnp.asarray(net.covariate))
        np.testing.assert_allclose(slopes, net.slopes(), rtol=1e-9)
