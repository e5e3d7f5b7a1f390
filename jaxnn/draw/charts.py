"""Charts of data, predictions and training.

Those with an `ax` argument draw there instead of on a figure of their own. Scatter layers are rasterised: an SVG stays
small.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from jaxnn.draw.style import BLUE, INK, ORANGE, new_figure, style_axes
from jaxnn.errors import check_finite, check_positive_int, check_shape, require

CUT = 3  # times the largest of the later losses: a first one beyond that is left out of the axis
SHADES = LinearSegmentedColormap.from_list("probability", ["#A9C9E4", "#F7F7F7", "#FFCB96"])


def _axes(ax: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    ax = ax if ax is not None else new_figure(width, height).subplots()
    return cast(Figure, ax.get_figure(root=True)), ax


# Points and decision regions


def _check_points(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y)
    check_shape("x", x, ("n", 2))
    check_shape("y", y, (len(x),))
    check_finite("x", x)
    check_finite("y", y)
    return x, y > 0.5


def _scatter(ax: Axes, x: np.ndarray, orange: np.ndarray, size: int, names: Sequence[str]) -> None:
    colors = np.where(orange[:, None], to_rgba(ORANGE), to_rgba(BLUE))
    # One collection in the order of the rows: neither class hides the other.
    ax.scatter(*x.T, s=size, c=colors, edgecolors="white", linewidths=0.25 * size**0.25, rasterized=True)
    for name, color in zip(names, (BLUE, ORANGE), strict=True):
        ax.plot([], [], "o", color=color, markersize=5, label=name)
    ax.set_aspect("equal", adjustable="box")


def _boundary(ax: Axes, boundary: ArrayLike | None) -> None:
    if boundary is not None:
        check_shape("boundary", boundary, ("m", 2))
        ax.plot(*np.asarray(boundary).T, color=INK, linewidth=1.4, label="class boundary")


def points(
    x: ArrayLike,
    y: ArrayLike,
    *,
    boundary: ArrayLike | None = None,
    names: Sequence[str] = ("class 0", "class 1"),
    ax: Axes | None = None,
) -> Figure:
    """Return the points `x` (n, 2), blue where `y` (n,) is at most 0.5 and orange above.

    `y` may hold labels or predicted probabilities; `boundary` (m, 2) is a curve drawn in black.
    Lecture: figures 5, 7, 10, 13, 16.
    """
    figure, ax = _axes(ax, 5.4, 5.4)
    x, orange = _check_points(x, y)
    _scatter(ax, x, orange, 22, names)
    _boundary(ax, boundary)
    style_axes(ax, "$x_1$", "$x_2$")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, handletextpad=0.3)
    return figure


def panels(x: ArrayLike, predictions: Mapping[int, ArrayLike], *, boundary: ArrayLike | None = None) -> Figure:
    """Return one panel for each iteration in `predictions`, three to a row, the points coloured by prediction > 0.5.

    `x` is (n, 2), each prediction (n,), `boundary` (m, 2) the curve that separates the classes. Lecture: figures 6, 8.
    """
    require(len(predictions) > 0, "predictions", "none", "at least one iteration and its predictions")
    rows = -(-len(predictions) // 3)
    figure = new_figure(8.4, 0.7 + 2.9 * rows)
    for i, (iteration, prediction) in enumerate(predictions.items()):
        ax = figure.add_subplot(rows, 3, i + 1)
        _scatter(ax, *_check_points(x, prediction), 9, ("prediction ≤ 0.5", "prediction > 0.5"))
        _boundary(ax, boundary)
        style_axes(ax, "$x_1$", "$x_2$")
        ax.label_outer()
        ax.set_title(f"Iteration: {iteration}", fontsize=11)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return figure


def decision_map(
    predict: Callable[[np.ndarray], ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    *,
    extent: Sequence[float | int] = (-4.1, 4.1),
    resolution: int = 100,
    axis_names: Sequence[str] = ("$x_1$", "$x_2$"),
    ax: Axes | None = None,
) -> Figure:
    """Return the probability that `predict` gives over a plane, shaded, with the points `x` (n, 2), `y` (n,) on top.

    `predict` maps (m, 2) to the m probabilities of class 1; it is asked on a grid of `resolution` by `resolution`
    points over `extent`: the ends of both axes, or of the first and then the second. The black line is where it passes
    0.5. Lecture: figures 12, 15, 18. Where `y` is not 0 or 1 everywhere there are no classes: plane and points have
    the colours of one scale, that of `y`.
    """
    check_positive_int("resolution", resolution)
    x, orange = _check_points(x, y)
    figure, ax = _axes(ax, 5.4, 5.4)
    require(np.shape(extent) in ((2,), (4,)), "extent", f"shape {np.shape(extent)}", "shape (2,) or (4,)")
    left, right, low, high = [*extent, *extent][:4]
    sides = np.linspace(left, right, resolution), np.linspace(low, high, resolution)
    grid = np.stack(np.meshgrid(*sides), axis=-1)  # (row: x2, column: x1, 2)
    probability = np.asarray(predict(grid.reshape(-1, 2)))
    require(probability.size == resolution**2, "predict", f"shape {probability.shape}", f"({resolution**2},) from it")
    probability = probability.reshape(resolution, resolution)
    y = np.asarray(y)
    classes = bool(np.all(np.isin(y, (0, 1))))
    vmin, vmax = (0.0, 1.0) if classes else (float(y.min()), float(y.max()))
    image = ax.imshow(
        probability,
        origin="lower",
        extent=(left, right, low, high),
        cmap=SHADES,
        vmin=vmin,
        vmax=vmax,
        interpolation="bilinear",
    )
    if classes:
        if probability.min() < 0.5 < probability.max():  # matplotlib warns of a contour that is nowhere
            ax.contour(*sides, probability, levels=[0.5], colors=INK, linewidths=1.2)
        _scatter(ax, x, orange, 14, ("class 0", "class 1"))
        ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, handletextpad=0.3)
    else:
        ax.scatter(*x.T, s=14, c=y, cmap=SHADES, vmin=vmin, vmax=vmax, edgecolors=INK, linewidths=0.5, rasterized=True)
        figure.colorbar(image, ax=ax, label="response")
    style_axes(ax, *axis_names)
    ax.set(xlim=(left, right), ylim=(low, high), aspect="equal" if len(extent) == 2 else "auto")
    return figure


# Curves


def cost_curve(
    costs: ArrayLike, *, ylabel: str = "Negative Bernoulli log likelihood", ax: Axes | None = None
) -> Figure:
    """Return the curve of `costs` (n,), one for each iteration. Lecture: figures 9, 11, 14."""
    costs = np.asarray(costs)
    check_shape("costs", costs, ("n",))
    check_finite("costs", costs)
    figure, ax = _axes(ax, 6.4, 4.0)
    ax.plot(np.arange(1, len(costs) + 1), costs, color=BLUE, linewidth=2)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.grid(axis="y", color="#EBEBEB")
    style_axes(ax, "Iteration", ylabel)
    return figure


def learning_curves(history: Mapping[str, ArrayLike]) -> Figure:
    """Return loss and accuracy by epoch, training beside validation.

    `history` holds `loss`, `accuracy`, `val_loss` and `val_accuracy`, each (epochs,). Lecture: figures 21, 23.
    """
    wanted = ("loss", "accuracy", "val_loss", "val_accuracy")
    require(all(k in history for k in wanted), "history", f"keys {sorted(history)}", f"the keys {', '.join(wanted)}")
    epochs = np.size(history["loss"])
    figure = new_figure(7.0, 5.6)
    for ax, metric in zip(figure.subplots(2, sharex=True), ("loss", "accuracy"), strict=True):
        for key, name, color in ((metric, "training", BLUE), (f"val_{metric}", "validation", ORANGE)):
            check_shape(key, history[key], (epochs,))
            ax.plot(
                np.arange(1, epochs + 1), np.asarray(history[key]), "o--", color=color, markersize=5, lw=1.2, label=name
            )
        ax.grid(axis="y", color="#EBEBEB")
        style_axes(ax, ylabel=metric)
        if metric == "loss":
            _leave_out_the_start(ax, [np.asarray(history[key]) for key in (metric, f"val_{metric}")])
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)
    return figure


def _leave_out_the_start(ax: Axes, losses: Sequence[np.ndarray]) -> None:
    """Cut the axis above the later losses where the first dwarf them, and say there what is beyond it."""
    later = np.concatenate([loss[1:] for loss in losses])
    first = max((float(loss[0]) for loss in losses if len(loss)), default=0.0)
    if later.size == 0 or not first > CUT * later.max() > 0:
        return
    kept = np.concatenate([later, [loss[0] for loss in losses if loss[0] <= CUT * later.max()]])
    top = 1.15 * float(kept.max())
    ax.set_ylim(min(0.0, float(kept.min())), top)
    ax.annotate(f"↑ first epoch: {first:.3g}", (2, top), (7, -12), textcoords="offset points", fontsize=9, color=INK)


def curves(
    x: ArrayLike, panels: Mapping[str, Mapping[str, tuple[ArrayLike, str]]], *, ylim: tuple[float, float] | None = None
) -> Figure:
    """Return panels side by side, each with the same curves over `x` (n,): title to name to values (n,) and colour.

    Lecture: figure 4.
    """
    check_shape("x", x, ("n",))
    figure = new_figure(4.6 * len(panels), 4.0)
    for ax, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name, (values, color) in lines.items():
            check_shape(name, values, np.shape(x))
            ax.plot(x, np.asarray(values), color=color, linewidth=2.4, label=name)
        ax.set_title(title, loc="left", fontsize=11)
        ax.grid(color="#EBEBEB")
        style_axes(ax, "$x$")
        ax.set_ylim(ylim)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=len(lines), frameon=False)
    return figure


# Digits


def _digit(ax: Axes, image: ArrayLike, title: object) -> None:
    image = np.asarray(image)
    check_shape("image", image, ("h", "w"))
    check_finite("image", image)
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255 if image.max() > 1 else 1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_color("#CCCCCC")
    ax.set_title(str(title), fontsize=10, pad=3)


def digit(image: ArrayLike, title: object = "") -> Figure:
    """Return one image (h, w), pixels in 0..255 or 0..1, black ink on white. Lecture: figure 19."""
    figure = new_figure(3.4, 3.6)
    _digit(figure.subplots(), image, title)
    return figure


def digits(images: ArrayLike, titles: Sequence[object], rows: int, columns: int) -> Figure:
    """Return `images` (n, h, w) in a grid, row by row, each under its title; n is at most rows * columns.

    Lecture: figures 20, 22, 24.
    """
    images = np.asarray(images)
    check_shape("images", images, ("n", "h", "w"))
    require(len(images) <= rows * columns, "images", f"{len(images)}", f"at most {rows} x {columns} of them")
    require(len(titles) == len(images), "titles", f"{len(titles)}", f"one for each of the {len(images)} images")
    figure = new_figure(1.35 * columns, 1.55 * rows)
    for i, (image, title) in enumerate(zip(images, titles, strict=True)):
        _digit(figure.add_subplot(rows, columns, i + 1), image, title)
    return figure
