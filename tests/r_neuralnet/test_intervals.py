"""Intervals against the formulas of linear and logistic regression, which a network without a hidden layer is."""

import numpy as np
import pytest
from scipy.stats import norm, t

from jaxnn import neuralnet
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet import bootstrap, intervals

RNG = np.random.default_rng(0)
N = 120
X = RNG.normal(size=(N, 2)) * [1, 3] + [0, 1]
Y = 3 + 2 * X[:, 0] - 0.4 * X[:, 1] + 0.5 * RNG.normal(size=N)
DATA = {"a": X[:, 0], "b": X[:, 1], "y": Y}
DATA["v"] = RNG.integers(1, 4, N).astype(float)
ONES = np.column_stack([np.ones(N), X])
NEW = {"a": [0.5, -1.0], "b": [2.0, 0.0]}
AT = np.array([[1, 0.5, 2], [1, -1, 0]])
LINEAR = {"hidden": 0, "threshold": 1e-7, "algorithm": "lbfgs", "seed": 1}


def bounds(table, method):
    return np.stack([table[f"{method}_lower"], table[f"{method}_upper"]])


def around(centre, covariance, rows, critical):
    half = critical * np.sqrt(np.einsum("qi,ij,qj->q", rows, covariance, rows))
    return np.stack([centre - half, centre + half])


def test_a_linear_network_has_least_squares_intervals_by_both_methods():
    """MacKinnon and White 1985 (HC3), and s^2 (X'X)^-1 with Student's t, written out; residuals that are skewed make
    the first uneven (Johnson 1978), by their third moment.
    """
    net = neuralnet("y ~ a + b", DATA, **LINEAR)
    tables = net.intervals(NEW, alpha=0.1)
    inverse = np.linalg.inv(ONES.T @ ONES)
    beta = inverse @ ONES.T @ Y
    residuals = Y - ONES @ beta
    left_out = residuals / (1 - np.einsum("ni,ij,nj->n", ONES, inverse, ONES))
    hc3 = inverse @ (ONES.T * left_out**2) @ ONES @ inverse
    ours, critical = residuals @ residuals / (N - 3) * inverse, t.ppf(0.95, N - 3)
    for name, rows in (("weights", np.eye(3)), ("slopes", np.eye(3)[1:]), ("predictions", AT)):
        expected = around(rows @ beta, ours, rows, critical)
        np.testing.assert_allclose(bounds(tables[name], "likelihood"), expected, rtol=1e-5)
        errors = np.sqrt(np.einsum("qi,ij,qj->q", rows, hc3, rows))
        growth = np.sum((rows @ inverse @ ONES.T * left_out) ** 3, axis=1) / errors**3 / 2
        expected = np.stack([rows @ beta + errors * stabilised(growth, z) for z in (-critical, critical)])
        np.testing.assert_allclose(bounds(tables[name], "sandwich"), expected, rtol=1e-5)
    assert tables["predictions"]["row"].tolist() == [0, 1] and tables["slopes"]["name"].tolist() == ["a", "b"]
    scaled = neuralnet("y ~ a + b", DATA, scale=True, **LINEAR).intervals(NEW, alpha=0.1)
    for name in ("slopes", "predictions"):  # in the user's units
        for column in ("estimate", "sandwich_lower", "likelihood_upper"):
            np.testing.assert_allclose(scaled[name][column], tables[name][column], rtol=1e-4)


def test_a_logistic_network_has_the_inverse_information_on_the_scale_of_the_logit():
    k = (X[:, 0] + np.random.default_rng(1).logistic(size=N) > 0).astype(float)
    net = neuralnet("k ~ a", DATA | {"k": k}, err_fct="ce", linear_output=False, **LINEAR)
    table, rows = net.intervals({"a": [0.5, -1.0]})["predictions"], AT[:, :2]
    p = net.predict(DATA)[:, 0]
    information = np.linalg.inv((ONES[:, :2].T * (p * (1 - p))) @ ONES[:, :2])
    errors = np.sqrt(np.einsum("qi,ij,qj->q", rows, information, rows))
    ends = np.stack([stabilised(growth_of_logits(net.vector(), rows, k), z) for z in norm.ppf([0.025, 0.975])])
    expected = 1 / (1 + np.exp(-(rows @ net.vector() + ends * errors)))
    np.testing.assert_allclose(bounds(table, "likelihood"), expected, rtol=1e-6)


def test_squared_errors_of_a_logistic_output_have_the_covariance_of_rs_nls():
    """R 4.2.2: vcov(nls(y ~ plogis(b0 + b1 * a), start = list(b0 = 0.4, b1 = 1.7)))."""
    a = np.arange(-10, 11) / 5
    y = 1 / (1 + np.exp(-0.4 - 1.7 * a)) + 0.05 * np.sin(7 * np.arange(21))
    beta = np.array([0.405313148312, 1.698210690570])
    line = intervals.Architecture((1, 1), "logistic", "logistic", "sse")
    found = intervals.estimates(beta, a[:, None], y[:, None], a[:1, None], line)
    np.testing.assert_allclose(
        found.likelihood, [[0.00321743407512, 0.00157097287632], [0.00157097287632, 0.00680280426351]], rtol=1e-6
    )


def stabilised(growth, z):
    return -np.log(1 - growth * z) / growth


def growth_of_logits(beta, rows, y):
    """By differences: the standard error of a logit where the weights are, and a bit further the way they go with it.

    The squared residuals, as of a fit without their row, grow as p (1 - p) does.
    """
    x = ONES[:, :2]

    def variance(beta):
        p = 1 / (1 + np.exp(-x @ beta))
        return p, p * (1 - p), np.linalg.inv((x.T * (p * (1 - p))) @ x)

    p, v, inverse = variance(beta)
    squares = ((p - y) / (1 - v * np.einsum("ni,ij,nj->n", x, inverse, x))) ** 2

    def sandwich(beta):
        _, now, inverse = variance(beta)
        return inverse @ ((x.T * (squares * now / v)) @ x) @ inverse

    found = []
    for row in rows:
        of = lambda beta, row=row: np.sqrt(row @ sandwich(beta) @ row)  # noqa: E731
        way = sandwich(beta) @ row / of(beta)
        found.append((np.log(of(beta + 1e-5 * way)) - np.log(of(beta - 1e-5 * way))) / 2e-5)
    return np.array(found)


def test_likelihoods_intervals_are_refused_where_the_noise_differs_between_rows():
    noisy = DATA | {"y": 2 * X[:, 0] + 0.3 * X[:, 0] ** 2 * RNG.normal(size=N)}
    tables = neuralnet("y ~ a", noisy, **LINEAR).intervals()
    for table in tables.values():
        assert np.isnan(bounds(table, "likelihood")).all() and np.isfinite(bounds(table, "sandwich")).all()


@pytest.mark.slow
@pytest.mark.parametrize(("uneven", "least", "most"), [(False, 0.01, 0.1), (True, 0.95, 1.0)])
def test_noise_that_differs_between_rows_is_told_from_noise_that_does_not(uneven, least, most):
    """The test's level is 5 %: of 300 lines with even noise about so many are refused, with uneven noise nearly all."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 1))
    line, refused = intervals.Architecture((1, 1), "logistic", "linear", "sse"), []
    for _ in range(300):
        y = 1 + 2 * x + (np.abs(x) if uneven else 1) * rng.normal(size=x.shape)
        beta = np.linalg.lstsq(np.column_stack([np.ones(300), x]), y)[0][:, 0]
        refused.append(intervals.estimates(beta, x, y, x[:1], line).likelihood is None)
    assert least <= np.mean(refused) <= most


def test_a_bound_that_the_data_do_not_set_is_infinite():
    """A node that bends little: the larger its output weight, the less it is known, so that may be of any size."""
    curve = intervals.Architecture((1, 1, 1), "tanh", "linear", "sse")
    x = np.linspace(-1, 1, 400)[:, None]
    y = 3 * np.tanh(0.3 + 0.5 * x) + 0.1 * np.random.default_rng(5).normal(size=x.shape)
    (weights,), _ = bootstrap.refits(curve, (), np.array([0.3, 0.5, 0.0, 3.0]), x, y[None], np.ones((1, 400)), 1e-6)
    table = intervals.bounds(intervals.estimates(weights, x, y, x[:1], curve), 0.05)
    assert table["sandwich_lower"][3] < weights[3] and table["sandwich_upper"][3] == np.inf
    assert np.isfinite(bounds(table, "sandwich")[:, 4:]).all()  # the slope and the output are known all the same


def test_weights_alone_have_no_intervals_where_others_make_their_standard_errors_uncertain():
    """Two nodes that hardly bend do nearly the same: 700 rows show that both are needed, and the curve, no more."""
    rng = np.random.default_rng(6)
    x = rng.uniform(-2, 2, 700)
    data = {"x": x, "y": np.tanh(0.3 + 0.9 * x) + 0.6 * np.tanh(2.5 * x - 2) + 0.15 * rng.normal(size=700)}
    start = [np.array([[0.3, -2.0], [0.9, 2.5]]), np.array([[0.0], [1.0], [0.6]])]
    fit = {"act_fct": "tanh", "startweights": [start], "algorithm": "lbfgs", "threshold": 1e-5}
    net = neuralnet("y ~ x", data, 2, **fit)
    with pytest.warns(UserWarning, match="no intervals of weights .* make uncertain by .*% in the mean, over 12.0%"):
        tables = net.bootstrap(20, {"x": [0.5]}).tables
    for method in ("sandwich", "likelihood", "bootstrap"):
        assert np.isnan(bounds(tables["weights"], method)).all()
        assert np.isfinite([bounds(tables[name], method)[:, 0] for name in ("slopes", "predictions")]).all()
    assert "No intervals of weights (nan), but of slopes and predictions" in net.summary()
    assert np.isnan(net.summary_frame()["weights"]["lower"]).all()


def test_the_bootstrap_refits_by_weighted_least_squares():
    net = neuralnet("y ~ a + b", DATA, weights="v", exclude=[3], constant_weights=[-0.4], **LINEAR)
    found = net.bootstrap(40, NEW, seed=3, alpha=0.2)
    counts = np.random.default_rng(3).multinomial(N, np.full(N, 1 / N), size=40) * DATA["v"]
    betas = []
    for count in counts:
        root = np.sqrt(count)[:, None]
        betas.append(np.linalg.lstsq(root * ONES[:, :2], root[:, 0] * (Y + 0.4 * X[:, 1]))[0])
    betas = np.column_stack([betas, np.full(40, -0.4)])
    np.testing.assert_allclose(found.weights, betas, rtol=1e-6)
    expected = np.quantile(betas @ AT.T, [0.1, 0.9], axis=0)
    np.testing.assert_allclose(bounds(found.tables["predictions"], "bootstrap"), expected, rtol=1e-6)
    assert found.asked == 40 and found.tables["weights"]["name"].tolist() == ["Intercept.to.y", "a.to.y"]


@pytest.mark.slow
def test_the_three_methods_agree_where_a_network_is_identified():
    x = np.linspace(-2, 2, 4000)
    data = {"x": x, "y": np.tanh(1 + 2 * x) + 0.2 * np.random.default_rng(1).normal(size=4000)}
    net = neuralnet("y ~ x", data, 1, 1e-4, act_fct="tanh", seed=2)
    for table in net.bootstrap(400, {"x": [-1.0, 0.3]}).tables.values():
        widths = [np.diff(bounds(table, method), axis=0)[0] for method in ("sandwich", "likelihood", "bootstrap")]
        np.testing.assert_allclose(widths[2], widths[0], rtol=0.25)
        np.testing.assert_allclose(widths[1], widths[0], rtol=0.1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"hidden": 0, "subset": range(60)}, "60 rows and responses for 3 weights, fewer than 25 a weight"),
        ({"hidden": 1, "stepmax": 30}, "standard errors from the minimum: fit with a smaller threshold"),
        ({"hidden": 0, "decay": 1.0}, "decay = 1, expected decay=0"),
        ({"hidden": 0, "validation": 0.2}, "one whose rows held out chose the step"),
        ({"hidden": 0, "formula": "y ~ a + a2"}, "a direction of the weights along which the error is flat"),
    ],
)
def test_intervals_that_do_not_hold_are_refused(settings, reason):
    data = DATA | {"a2": 2 * DATA["a"]}
    net = neuralnet(**({"formula": "y ~ a + b", "data": data, "threshold": 1e-3, "seed": 1} | settings))
    assert "validation" in settings or "No intervals (nan), and the tests need not hold: " in net.summary()
    for asked in (net.intervals, net.bootstrap):
        with pytest.raises(InvalidArgument, match=f"^net: got .*{reason}"):
            asked()


def test_nodes_without_output_are_found_superfluous():
    arch = intervals.Architecture((1, 2, 1), "tanh", "linear", "sse")
    weights = np.array([0.3, 1.0, -1.5, 3.0, 0.1, 2.0, 0.1])
    x = np.linspace(-2, 2, 300)[:, None]
    y = 0.1 + 2 * np.tanh(0.3 + x) + 0.1 * np.tanh(-1.5 + 3 * x) + 0.5 * np.random.default_rng(7).normal(size=x.shape)
    (weights,), _ = bootstrap.refits(arch, (), weights, x, y[None], np.ones((1, 300)), 1e-6)
    found = intervals.estimates(weights, x, y, x[:2], arch)
    assert any("superfluous" in reason and reason.endswith(": 1layhid2") for reason in found.hindrances)
