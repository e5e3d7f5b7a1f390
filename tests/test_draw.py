"""Tests for `jaxnn/draw`: that what is drawn is what was given. How it looks is for the eye."""

import io
import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from jaxnn import draw
from jaxnn.errors import InvalidArgument

X = np.random.default_rng(0).normal(size=(40, 2))
Y = (X[:, 0] > 0).astype(int)
CIRCLE = np.stack([np.cos(np.linspace(0, 6.3, 50)), np.sin(np.linspace(0, 6.3, 50))], axis=1)
HISTORY = {
    "loss": [3.0, 2, 1],
    "accuracy": [0.1, 0.2, 0.3],
    "val_loss": [3.5, 2.5, 1.5],
    "val_accuracy": [0.1, 0.1, 0.2],
}
IMAGES = np.random.default_rng(1).integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
GRAPH = ({"x": ("$x$", 0.0, 0.0), "y": ("$x^2$", 1.0, 0.0)}, [("x", "y")], {"x": 3.0, "y": 9.0}, {"x": 6.0, "y": 1.0})


def weights(*sizes):
    rng = np.random.default_rng(2)
    return [rng.normal(size=(n + 1, k)) for n, k in itertools.pairwise(sizes)]


def scatter(ax):
    (collection,) = [c for c in ax.collections if len(c.get_offsets()) > 1]
    return collection


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


FIGURES = {
    "points": lambda: draw.points(X, Y, boundary=CIRCLE),
    "panels": lambda: draw.panels(X, {1: Y, 2: 1 - Y, 50: Y * 0.6, 100: Y}, boundary=CIRCLE),
    "decision_map": lambda: draw.decision_map(lambda g: g[:, 0] > 0, X, Y),
    "curves": lambda: draw.curves([0, 1], {"value": {"line": ([0, 1], draw.BLUE)}}),
    "cost_curve": lambda: draw.cost_curve([3.0, 2.0]),
    "learning_curves": lambda: draw.learning_curves(HISTORY),
    "digit": lambda: draw.digit(IMAGES[0], 4),
    "digits": lambda: draw.digits(IMAGES, range(5), 2, 3),
    "network": lambda: draw.network((2, 4, 1), weights(2, 4, 1), caption="Error: 1   Steps: 2"),
    "computation_graph": lambda: draw.computation_graph(*GRAPH, {("x", "y"): 6.0}),
    "generalized_weights": lambda: draw.generalized_weights([1.0, 2], [[3.0, 4], [5, np.nan]], xlabel="x", best=1),
    "bars": lambda: draw.bars(["a", "b"], [1.0, -2], [0.1, 0.2], xlabel="share", title="t"),
    "profiles": lambda: draw.profiles(["a", "a", "b", "b"], [0.0, 1, 0, 1], [1.0, 2, 3, 4], [1, 1, 1, 1], ylabel="y"),
    "error_curves": lambda: draw.error_curves([1, 2, 3], [[4.0, np.nan, 2], [3, 2, 1]], [3, 3], [True, False], 1),
    "restarts": lambda: draw.restarts([10, 20], [0.1, 0.2], [True, False], 74_792, 0.41125),
}


@pytest.mark.parametrize("kind", ["png", pytest.param("svg", marks=pytest.mark.slow)])
@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_every_picture_is_a_figure_that_can_be_saved(figure, kind):
    figure, buffer = figure(), io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=40)
    assert isinstance(figure, Figure)
    assert buffer.tell() > 1000


def test_drawing_leaves_pyplot_alone():
    program = "import sys, jaxnn.draw; jaxnn.draw.cost_curve([1.0]); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_points_are_coloured_by_class_and_rasterised():
    collection = scatter(draw.points(X, Y).axes[0])
    np.testing.assert_array_equal(collection.get_offsets(), X)
    expected = [to_rgba("#FF7F00") if y else to_rgba("#377EB8") for y in Y]  # the lecture's col1 and col2
    np.testing.assert_allclose(collection.get_facecolors(), expected)
    assert collection.get_rasterized()


def test_a_prediction_of_one_half_is_class_0():
    colors = scatter(draw.points([[0, 0], [1, 1]], [0.5, 0.500001]).axes[0]).get_facecolors()
    assert [to_hex(c).upper() for c in colors] == [draw.BLUE, draw.ORANGE]


def test_points_draws_on_given_axes():
    ax = Figure().subplots()
    assert draw.points(X, Y, ax=ax) is ax.figure


def test_panels_carry_their_iterations_predictions_and_boundary():
    figure = draw.panels(X, {1: Y, 20: 1 - Y}, boundary=CIRCLE)
    assert [ax.get_title() for ax in figure.axes] == ["Iteration: 1", "Iteration: 20"]
    first, second = (scatter(ax).get_facecolors() for ax in figure.axes)
    assert not np.any(np.all(first == second, axis=1))
    assert all(any(np.array_equal(line.get_xydata(), CIRCLE) for line in ax.lines) for ax in figure.axes)


def test_decision_map_asks_on_a_grid_and_draws_it_the_right_way_up():
    asked = []

    def predict(grid):
        asked.append(grid)
        return (grid[:, 1] + 2) / 4  # grows with x2 alone

    ax = draw.decision_map(predict, X, Y, extent=(-2, 2), resolution=9).axes[0]
    image = ax.images[0]
    assert [grid.shape for grid in asked] == [(81, 2)]
    assert (asked[0].min(), asked[0].max()) == (-2, 2)
    np.testing.assert_allclose(image.get_array(), np.repeat(np.linspace(0, 1, 9)[:, None], 9, axis=1))
    assert image.origin == "lower"
    assert ax.get_xlim() == ax.get_ylim() == (-2, 2)


def test_decision_map_takes_ends_of_its_own_for_each_axis():
    asked = []
    figure = draw.decision_map(lambda g: asked.append(g) or g[:, 0], X, Y, extent=(0, 1, 5, 9), axis_names=("a", "b"))
    ax = figure.axes[0]
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1), (5, 9)) and (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    np.testing.assert_array_equal([asked[0].min(axis=0), asked[0].max(axis=0)], [[0, 5], [1, 9]])


def test_decision_map_of_numbers_has_their_scale_and_no_classes():
    figure = draw.decision_map(lambda grid: grid[:, 0], X, 3.0 * X[:, 0] + 1)
    image, limits = figure.axes[0].images[0], (np.min(3.0 * X[:, 0] + 1), np.max(3.0 * X[:, 0] + 1))
    assert image.get_clim() == scatter(figure.axes[0]).get_clim() == limits
    assert figure.axes[0].get_legend() is None and figure.axes[1].get_ylabel() == "response"
    assert len(draw.decision_map(lambda grid: grid[:, 0], X, Y).axes) == 1


def test_error_curves_end_at_each_restarts_last_step():
    ax = draw.error_curves([1, 2, 15, 16], [[4.0, 3, np.nan, 2], [5, 4, 3, np.nan]], [16, 9], [True, False], 1).axes[0]
    blue, _, orange, cross, *_ = ax.lines
    np.testing.assert_array_equal([blue.get_xdata(), blue.get_ydata()], [[1, 2, 16], [4, 3, 2]])
    np.testing.assert_array_equal([orange.get_xdata(), orange.get_ydata()], [[1, 2, 9], [5, 4, 3]])
    assert cross.get_marker() == "x" and orange.get_color() == draw.ORANGE


def test_decision_map_of_a_constant_needs_no_boundary():
    draw.decision_map(lambda grid: np.ones(len(grid)), X, Y)  # a contour that is not there would warn


def test_cost_curve_starts_at_iteration_1():
    (line,) = draw.cost_curve([0.7, 0.6, 0.5]).axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 0.7], [2, 0.6], [3, 0.5]])


def test_learning_curves_set_validation_beside_training():
    for ax, metric in zip(draw.learning_curves(HISTORY).axes, ("loss", "accuracy"), strict=True):
        training, validation = ax.lines
        np.testing.assert_array_equal(training.get_ydata(), HISTORY[metric])
        np.testing.assert_array_equal(validation.get_ydata(), HISTORY[f"val_{metric}"])
        assert ax.get_ylabel() == metric


def test_a_first_loss_that_dwarfs_the_others_is_left_out_of_the_axis_and_said():
    losses = {"loss": [40.0, 0.3, 0.2], "val_loss": [0.4, 0.3, 0.25]}
    ax = draw.learning_curves(HISTORY | losses | {key: [0.5, 0.9, 0.95] for key in ("accuracy", "val_accuracy")}).axes[
        0
    ]
    assert 0.4 < ax.get_ylim()[1] < 0.6
    assert [text.get_text() for text in ax.texts] == ["↑ first epoch: 40"]
    losses = {"loss": [0.6, 0.3, 0.2], "val_loss": [0.4, 0.3, 0.25]}
    ax = draw.learning_curves(losses | {key: [0.5, 0.9, 0.95] for key in ("accuracy", "val_accuracy")}).axes[0]
    assert ax.get_ylim()[1] > 0.6 and not ax.texts


def test_restarts_that_did_not_converge_stand_out_and_ticks_are_round_numbers():
    ax = draw.restarts([31_000, 70_000, 200_000], [0.4, 0.9, 1.6], [True, True, False], 74_792, 0.41125).axes[0]
    lost = next(line for line in ax.lines if line.get_marker() == "x")
    assert lost.get_color() not in (draw.BLUE, draw.ORANGE) and lost.get_markersize() >= 8
    np.testing.assert_array_equal(lost.get_xydata(), [[200_000, 1.6]])
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        texts = [axis.get_major_formatter()(t, None) for t in axis.get_majorticklocs() if low <= t <= high]
        assert len(texts) >= 3 and not any("10^" in text or "times" in text for text in texts)
        assert len(axis.get_minorticklocs()) == 0


@pytest.mark.parametrize("top", [255, 255.0, 1.0])
def test_digit_is_black_ink_on_white(top):
    image = draw.digit(np.array([[0, top], [top, 0]]), 4).axes[0].images[0]
    rgb = image.to_rgba(image.get_array())[..., :3]
    np.testing.assert_allclose(rgb[..., 0], [[1, 0], [0, 1]])


def test_digits_fill_the_grid_row_by_row():
    axes = draw.digits(IMAGES, [f"Prediction: {i}" for i in range(5)], 2, 3).axes
    assert [ax.get_title() for ax in axes] == [f"Prediction: {i}" for i in range(5)]
    np.testing.assert_array_equal(axes[3].images[0].get_array(), IMAGES[3])


def test_network_prints_every_weight_of_a_small_network():
    given = weights(2, 4, 1)
    shown = texts(draw.network((2, 4, 1), given, caption="Error: 1"))
    expected = {f"{w:.4g}".replace("-", "−") for matrix in given for w in matrix.ravel()}
    assert expected <= set(shown)
    assert {"$x_{1}$", "$x_{2}$", r"$\hat{y}$", "Error: 1"} <= set(shown)
    assert shown.count("1") == 2  # the intercepts


def test_network_edges_show_sign_and_size():
    figure = draw.network((1, 1), [[[-3.0], [1.0]]])
    (edges,) = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    small, large = edges.get_linewidths()  # the strongest last, on top
    assert small < large
    assert [to_hex(c).upper() for c in edges.get_colors()] == [draw.BLUE, draw.ORANGE]


def test_network_labels_keep_clear_of_each_other():
    labels = [t for t in draw.network((4, 8, 8, 3), weights(4, 8, 8, 3)).axes[0].texts if t.get_rotation() % 360 != 0]
    places = np.array([t.get_position() for t in labels])
    apart = np.linalg.norm(places[:, None] - places, axis=-1)[np.triu_indices(len(places), 1)]
    assert apart.min() > 7.5 / 72  # inches: the height of the smallest label


def test_a_crowded_network_prints_only_its_strongest_weights():
    given = weights(20, 50)
    shown = [t for t in texts(draw.network((20, 50), given)) if "." in t]
    strongest = np.sort(np.abs(given[0]).ravel())[-24]
    assert 0 < len(shown) <= 24
    assert all(abs(float(t.replace("−", "-"))) >= strongest * 0.999 for t in shown)


@pytest.mark.parametrize("name", ["age", "a_name_of_25_characters_x", "W" * 25])
@pytest.mark.parametrize("options", [{}, {"fontsize": 20, "intercept": False, "show_weights": False}])
def test_every_name_of_a_network_is_whole_on_the_page(name, options):
    caption = "Error: 123456.789012   Steps: 123456"
    figure = draw.network(
        (2, 1), weights(2, 1), input_names=[name, "b"], output_names=[name], caption=caption, **options
    )
    page, renderer = figure.bbox, FigureCanvasAgg(figure).get_renderer()
    for text in figure.axes[0].texts:
        box = text.get_window_extent(renderer)
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text.get_text()


def test_network_without_weights_and_intercepts_and_in_other_colors():
    shown = draw.network((2, 3, 1), weights(2, 3, 1), show_weights=False, intercept=False, colors=("k", "r", "g", "w"))
    assert sorted(texts(shown)) == ["$\\hat{y}$", "$x_{1}$", "$x_{2}$"]
    faces = [patch.get_facecolor() for patch in shown.axes[0].patches if isinstance(patch, Circle)]
    assert faces == [*map(to_rgba, "kkrrrg")]
    assert len(shown.axes[0].collections[0].get_paths()) == 6  # two inputs to three nodes


def test_network_names_and_labels_are_printed():
    labels = [[["b0"], ["b1"], ["b2"]]]
    shown = texts(draw.network((2, 1), labels=labels, input_names=["u", "v"], output_names=["w"], intercept_name="i"))
    assert {"b0", "b1", "b2", "u", "v", "w", "i"} <= set(shown)
    assert {"p", "q"} <= set(texts(draw.network((1, 2, 1), hidden_names=[["p", "q"]])))


@given(st.lists(st.integers(1, 12), min_size=2, max_size=4))
@settings(max_examples=15, deadline=None)
def test_network_has_an_edge_for_every_weight(sizes):
    figure = draw.network(sizes, weights(*sizes))
    edges = [c for c in figure.axes[0].collections if isinstance(c, LineCollection)]
    assert [len(c.get_segments()) for c in edges] == [(n + 1) * k for n, k in itertools.pairwise(sizes)]


def test_computation_graph_shows_values_adjoints_and_slopes():
    shown = texts(draw.computation_graph(*GRAPH, {("x", "y"): 6.5}))
    assert {"$x$", "3", "6", "$x^2$", "9", "1"} <= set(shown)
    assert any(text.endswith("\n6.5") for text in shown)


BAD = {
    "x": lambda: draw.points(np.zeros((5, 3)), np.zeros(5)),
    "y": lambda: draw.points(np.zeros((5, 2)), np.zeros(4)),
    "boundary": lambda: draw.points(X, Y, boundary=np.zeros(3)),
    "predictions": lambda: draw.panels(X, {}),
    "predict": lambda: draw.decision_map(lambda grid: np.zeros(3), X, Y),
    "extent": lambda: draw.decision_map(lambda grid: np.zeros(len(grid)), X, Y, extent=(1, 2, 3)),
    "errors": lambda: draw.error_curves([1, 2], [[1.0]], [1], [True], 0),
    "values": lambda: draw.generalized_weights([1.0, 2], [[1.0]], xlabel="x"),
    "resolution": lambda: draw.decision_map(lambda grid: np.zeros(len(grid)), X, Y, resolution=0),
    "line": lambda: draw.curves([0, 1], {"value": {"line": ([0, 1, 2], "red")}}),
    "costs": lambda: draw.cost_curve(np.zeros((2, 2))),
    "history": lambda: draw.learning_curves({"loss": [1.0]}),
    "val_loss": lambda: draw.learning_curves(HISTORY | {"val_loss": [1.0]}),
    "image": lambda: draw.digit(np.zeros(784)),
    "images": lambda: draw.digits(IMAGES, range(5), 2, 2),
    "titles": lambda: draw.digits(IMAGES, range(4), 2, 3),
    "sizes": lambda: draw.network((2,)),
    "weights": lambda: draw.network((2, 4, 1), weights(2, 4)),
    "labels": lambda: draw.network((2, 1), labels=[[["a"], ["b"]]]),
    "input_names": lambda: draw.network((2, 1), input_names=["a"]),
    "output_names": lambda: draw.network((2, 1), output_names=["a", "b"]),
    "hidden_names": lambda: draw.network((2, 3, 1), hidden_names=[["a"]]),
    "slopes": lambda: draw.computation_graph(*GRAPH, {}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    with pytest.raises(InvalidArgument, match=f"^{name}: "):
        BAD[name]()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(InvalidArgument, match="finite"):
        draw.cost_curve([1.0, bad])
    with pytest.raises(InvalidArgument, match="finite"):
        draw.points([[0.0, bad]], [1])
    with pytest.raises(InvalidArgument, match="finite"):
        draw.network((1, 1), [[[bad], [1.0]]])
