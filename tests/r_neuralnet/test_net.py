"""What a fitted network says and draws."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from jaxnn import draw, neuralnet
from jaxnn.errors import InvalidArgument
from jaxnn.r_neuralnet import load

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 2))
DATA = {"a": X[:, 0], "b": X[:, 1], "y": (X[:, 0] * X[:, 1] > 0).astype(float), "s": np.where(X[:, 0] > 0, "up", "dn")}


@pytest.fixture(scope="module")
def net():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return neuralnet("y ~ a + b", DATA, hidden=3, rep=3, threshold=0.05, stepmax=230, linear_output=False, seed=2)


def test_printed_as_in_r_sorted_by_error(net):
    head, _, count, _, columns, *rows = str(net).splitlines()
    settings = "hidden=3, threshold=0.05, stepmax=230, rep=3, linear_output=False, seed=2"
    assert head == f"Call: neuralnet('y ~ a + b', data=..., {settings})"
    assert count == "3 repetitions were calculated." and columns.split() == ["Error", "Reached", "Threshold", "Steps"]
    cells = [row.split() for row in rows]
    assert [int(row[0]) for row in cells] == np.argsort(net.error).tolist()
    np.testing.assert_allclose([float(row[1]) for row in cells], np.sort(net.error), rtol=1e-6)
    assert [row[4:] == ["did", "not", "converge"] for row in cells] == (~net.converged[np.argsort(net.error)]).tolist()
    assert repr(net) == str(net)


def test_weight_names_are_rs(net):
    assert net.weight_names[:4] == ["Intercept.to.1layhid1", "a.to.1layhid1", "b.to.1layhid1", "Intercept.to.1layhid2"]
    assert net.weight_names[-4:] == ["Intercept.to.y", "1layhid1.to.y", "1layhid2.to.y", "1layhid3.to.y"]


def test_summary_has_the_shape_the_seed_and_every_weight(net):
    said = str(net.summary())
    assert "2-3-1 nodes, 13 parameters, 60 rows; rprop+, threshold 0.05, at most 230 steps, seed 2" in said
    assert "y ~ a + b" in said and all(name in said for name in net.weight_names)
    assert repr(net.summary()) == said and "Wald tests that all weights of a covariate are 0:" in said


def test_why_names_the_largest_gradient_flat_nodes_and_unscaled_columns():
    data = {"far": 1000 + 300 * X[:, 0], "y": X[:, 1]}
    with pytest.warns(UserWarning) as said:
        net = neuralnet("y ~ far", data, hidden=2, stepmax=5, seed=1)
    message = str(said[-1].message)
    assert message.startswith("Algorithm did not converge in 1 of 1 repetition(s) within the stepmax.")
    for part in (
        "the largest gradient is",
        "saturated, alike in nearly every row: 1layhid1, 1layhid2",
        "unscaled columns",
    ):
        assert part in message
    assert "What to try: scale=True, " in message
    assert len(net.why()) == 3 and "1layhid" in net.why()[1]


def test_why_has_the_largest_gradient_by_its_size():
    data = {"x": [0.0, 1, 2], "y": [10.0, 20, 30]}
    with pytest.warns(UserWarning):
        net = neuralnet("y ~ x", data, hidden=0, startweights=[0.0, 0.0], stepmax=1)
    # at 0 they are -(10 + 20 + 30) and -(0 + 20 + 60)
    expected = "the largest gradient is -80, of x.to.y; the threshold is 0.01, of gradients that are sums over 3 rows"
    assert net.why() == [expected, "unscaled columns: y (10 to 30)"]


def test_nothing_to_explain_where_it_converged(net):
    assert net.why("best") == [] or not net.converged[net.best]


def test_best_is_the_lowest_error_among_the_converged(net):
    converged = np.flatnonzero(net.converged)
    assert 0 < len(converged) < 3
    assert net.best == converged[np.argmin(net.error[converged])]
    np.testing.assert_array_equal(net.predict(DATA, rep="best"), net.predict(DATA, rep=net.best))
    np.testing.assert_array_equal(net.predict(DATA, rep=-1), net.predict(DATA, rep=2))
    assert net.number(-1) == 2


@pytest.mark.parametrize("rep", [3, -4, "worst", None, 1.0, True])
def test_a_restart_that_is_not_there(net, rep):
    with pytest.raises(InvalidArgument, match="'rep' does not exist"):
        net.predict(DATA, rep=rep)


def test_classes():
    settings = {"linear_output": False, "hidden": 0, "threshold": 0.5, "seed": 1}
    by_level = neuralnet("s ~ a", DATA, **settings)
    assert by_level.responses == ["dn", "up"]
    assert (by_level.predict(DATA, type="class") == DATA["s"]).mean() > 0.9
    by_comparison = neuralnet('s == "up" ~ a', DATA, **settings)
    assert ((by_comparison.predict(DATA, type="class")) == (DATA["s"] == "up")).mean() > 0.9
    assert by_comparison.responses == ['s == "up"']
    with pytest.raises(InvalidArgument, match="^type: got 'prob'"):
        by_level.predict(DATA, type="prob")


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 1, "i8"), (0.0, 1.0, "f8"), (False, True, "?"), (-1, 1, "i8"), (3.0, 7.0, "f8"), (0, 1, "O")],
)
@pytest.mark.filterwarnings("ignore:the response is 0 or 1")
def test_classes_of_two_values_have_the_type_of_the_data(low, high, dtype):
    y = np.where(DATA["s"] == "up", high, low).astype(dtype)
    kind = {"linear_output": dtype == "f8" and low == 3, "act_fct": "tanh" if low == -1 else "logistic"}
    net = neuralnet("y ~ a", {"y": y, "a": DATA["a"]}, hidden=0, threshold=0.5, seed=1, **kind)
    found = net.predict(DATA, type="class")
    assert found.dtype == ("i8" if dtype == "O" else dtype) and (found == y).mean() > 0.9


@pytest.mark.filterwarnings("ignore:the response is 0 or 1")
def test_classes_of_several_responses_are_names_and_regressions_have_none():
    settings = {"hidden": 0, "threshold": 20, "seed": 1, "stepmax": 2000}
    hot = DATA | {"up": DATA["s"] == "up", "dn": (DATA["s"] == "dn") * 1}
    found = neuralnet("up + dn ~ a", hot, **settings).predict(hot, type="class")
    assert (found == DATA["s"]).mean() > 0.9
    for formula in ("a ~ b", "a + b ~ y", "up + y ~ a"):
        with pytest.raises(InvalidArgument, match="type: got 'class' for the numbers of .* a regression"):
            neuralnet(formula, hot, **settings).predict(hot, type="class")


def test_prediction_merges_duplicates():
    data = {"g": [1, 1, 0, 0, 1], "h": [0, 0, 5, 5, 0.5], "y": [0.0, 1, 0, 1, 1]}
    net = neuralnet("y ~ g + h", data, hidden=0, linear_output=False, threshold=1, seed=1, rep=2)
    table = net.prediction()
    np.testing.assert_array_equal(table.data["h"], [0, 0.5, 5])  # sorted by the last covariate first, as in R
    np.testing.assert_array_equal(table.data["g"], [1, 1, 0])
    np.testing.assert_array_equal(table.data["y"], [0.5, 1, 0.5])
    assert table.data_error == pytest.approx(4 * 0.25 / 2)
    for rep in range(2):
        np.testing.assert_allclose(table.reps[rep]["y"], net.predict(table.data, rep=rep)[:, 0])


PICTURES = {
    "plot": lambda net, **to: net.plot(**to),
    "generalized_weights": lambda net, **to: net.plot_generalized_weights("b", highlight=True, **to),
    "of_one": lambda net, **to: net.plot_generalized_weights(1, "y", rep=0, **to),
    "decision": lambda net, **to: net.plot_decision(**to),
    "errors": lambda net, **to: net.plot_errors(**to),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_figures_and_are_written_once(net, name, tmp_path):
    file = tmp_path / "net.png"
    assert isinstance(PICTURES[name](net, file=file), Figure)
    before = file.read_bytes()
    assert before[1:4] == b"PNG"
    with pytest.raises(InvalidArgument, match="which already exists"):
        PICTURES[name](net, file=file)
    assert file.read_bytes() == before
    with pytest.raises(InvalidArgument, match="ends in .png, .svg or .pdf"):
        PICTURES[name](net, file=tmp_path / "net.doc")


def test_the_picture_of_the_network_has_its_numbers(net):
    best = net.best
    texts = [text.get_text() for text in net.plot().axes[0].texts]
    assert f"Error: {net.error[best]:.6f}   Steps: {net.steps[best]}" in texts and {"a", "b", "y"} <= set(texts)


def test_pictures_have_rs_options(net):
    texts = [text.get_text() for text in net.plot(show_weights=False, information=False, intercept=False).axes[0].texts]
    assert sorted(filter(None, texts)) == ["a", "b", "y"]
    assert net.plot_generalized_weights("b", min=-2, max=3).axes[0].get_ylim() == (-2, 3)
    with pytest.raises(InvalidArgument, match="^min: got 3 with max = 2"):
        net.plot_generalized_weights("b", min=3, max=2)


def test_linear_outputs_are_drawn_as_slopes():
    net = neuralnet("b ~ a", DATA, hidden=1, threshold=5, seed=1)
    ax = net.plot_generalized_weights().axes[0]
    assert ax.get_ylabel() == "slope"
    np.testing.assert_allclose(ax.lines[1].get_ydata(), net.slopes()[:, 0, 0])


def test_generalized_weights_are_drawn_for_the_covariate_and_the_best_restart_is_marked(net):
    ax = net.plot_generalized_weights("b", highlight=True).axes[0]
    drawn = [line for line in ax.lines if len(line.get_xdata()) == 60]
    order = [rep for rep in range(3) if rep != net.best] + [net.best]
    for line, rep in zip(drawn, order, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), X[:, 1])
        np.testing.assert_allclose(line.get_ydata(), net.generalized_weights[rep][:, 1])
    assert drawn[-1].get_color() == draw.ORANGE
    of_another = net.plot_generalized_weights("b", rep=order[0], highlight=True).axes[0]
    assert draw.ORANGE not in [line.get_color() for line in of_another.lines]


def test_what_is_not_there_cannot_be_drawn(net):
    with pytest.raises(InvalidArgument, match="'selected.covariate' does not exist"):
        net.plot_generalized_weights("c")
    with pytest.raises(InvalidArgument, match="'selected.response' does not exist"):
        net.plot_generalized_weights(0, 1)
    with pytest.raises(InvalidArgument, match="^net: got 1 covariates, expected two"):
        neuralnet("b ~ a", DATA, hidden=1, threshold=5, seed=1).plot_decision()


@pytest.mark.parametrize("kind", ["int8", "uint16", "float32", "bool"])
def test_classes_are_of_the_datas_own_type(kind, tmp_path):
    data = {"x": X[:, 0], "k": (X[:, 0] > 0).astype(kind)}
    net = neuralnet("k ~ x", data, hidden=0, linear_output=False, threshold=1, seed=1)
    net.save(tmp_path / "net.npz")
    for one in (net, load(tmp_path / "net.npz")):
        found = one.predict(data, type="class")
        assert found.dtype == kind and (found == data["k"]).mean() > 0.95
