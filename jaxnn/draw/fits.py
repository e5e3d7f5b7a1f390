"""Charts of fits by R's neuralnet: generalized weights, and the errors and steps of restarts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import ArrayLike

from jaxnn.draw.style import BLUE, DARK_ORANGE, GREY, ORANGE, new_figure, style_axes
from jaxnn.errors import check_shape

# What did not converge is to be seen among a hundred that did.
LOST = {"color": "#B3261E", "markersize": 8, "markeredgewidth": 2, "linestyle": "none", "zorder": 4}


def _axes(xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = new_figure(6.4, 4.2)
    ax = figure.subplots()
    style_axes(ax, xlabel, ylabel)
    return figure, ax


def generalized_weights(
    x: ArrayLike,
    values: ArrayLike,
    *,
    xlabel: str,
    ylabel: str = "GW",
    title: str = "",
    best: int | None = None,
    best_label: str = "",
) -> Figure:
    """Return the values (restarts, n) of all restarts over a covariate `x` (n,), the one called `best` in orange.

    Values that are not finite are left out. R's `gwplot`.
    """
    check_shape("x", x, ("n",))
    x, values = np.asarray(x), np.asarray(values)
    check_shape("values", values, ("restarts", len(x)))
    figure, ax = _axes(xlabel, ylabel)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for i, of_one in enumerate(values):
        if i != best:
            ax.plot(x, of_one, "o", color=BLUE, markersize=3.5, alpha=0.6, markeredgewidth=0, rasterized=True)
    if best is not None:
        ax.plot(x, values[best], "o", color=ORANGE, markersize=4, markeredgewidth=0)
        ax.set_title(best_label, loc="right", fontsize=11, color=DARK_ORANGE)
    ax.set_title(title, loc="left", fontsize=11)
    return figure


def _logarithmic(ax: Axes) -> None:
    """Make both axes logarithmic, with ticks at round numbers that are written out."""
    ax.set(xscale="log", yscale="log")
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        decades = np.log10(high / low)
        digits = (1, 1.5, 2, 3, 4, 5, 6, 8) if decades < 1 else (1, 2, 5) if decades < 3 else (1,)
        axis.set_major_locator(LogLocator(subs=digits, numticks=99))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1000 else f"{value:g}")
        axis.set_minor_locator(NullLocator())


def error_curves(steps: ArrayLike, errors: ArrayLike, last: ArrayLike, converged: ArrayLike, best: int) -> Figure:
    """Return the error of every restart by step, both logarithmic, a dot where it converged and a cross where not.

    `steps` (slots,) names the steps of `errors` (restarts, slots), NaN where there is none; `last` (restarts,) is each
    restart's last step, `converged` (restarts,) whether it ended there of itself. `best` is drawn in orange, on top.
    """
    steps, errors, last = np.asarray(steps), np.asarray(errors), np.asarray(last)
    check_shape("errors", errors, ("restarts", len(steps)))
    figure, ax = _axes("step", "error")
    for i in [*(i for i in range(len(errors)) if i != best), best]:  # the best last, on top of the others
        seen = np.isfinite(errors[i])
        x, y = np.minimum(steps[seen], last[i]), errors[i][seen]
        color, width = (ORANGE, 2.0) if i == best else (BLUE, 1.0)
        ax.plot(x, y, color=color, linewidth=width, alpha=1 if i == best or len(errors) < 5 else 0.5)
        if np.asarray(converged)[i]:
            ax.plot(x[-1:], y[-1:], "o", color=color, markersize=4 + 2 * (i == best))
        else:
            ax.plot(x[-1:], y[-1:], "x", **LOST)
    _logarithmic(ax)
    ax.plot([], [], color=ORANGE, linewidth=2, label="lowest error")
    ax.plot([], [], "o", color=BLUE, markersize=4, label="converged")
    ax.plot([], [], "x", label="did not", **LOST)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return figure


def restarts(
    steps: ArrayLike, errors: ArrayLike, converged: ArrayLike, lecture_steps: float, lecture_error: float
) -> Figure:
    """Return the last step and the error of every restart, (restarts,) each, and in orange the lecture's run.

    A cross is a restart that did not converge. Lecture section 7.
    """
    steps, errors, converged = np.asarray(steps), np.asarray(errors), np.asarray(converged, bool)
    check_shape("errors", errors, steps.shape)
    figure, ax = _axes("steps", "error")
    ax.axvline(lecture_steps, color=ORANGE, linewidth=0.8)
    ax.axhline(lecture_error, color=ORANGE, linewidth=0.8)
    ax.plot(steps[converged], errors[converged], "o", color=BLUE, markersize=5, alpha=0.75, label="converged")
    ax.plot(steps[~converged], errors[~converged], "x", label="did not", **LOST)
    name = f"the lecture's run: {lecture_steps:,} steps, {lecture_error}"
    ax.plot([lecture_steps], [lecture_error], "D", color=ORANGE, markersize=7, label=name)
    _logarithmic(ax)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return figure
