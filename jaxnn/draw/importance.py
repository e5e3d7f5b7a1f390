"""Charts of what the covariates of a fit matter: bars by name, and profiles of one covariate at a time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from jaxnn.draw.style import BLUE, GREY, INK, ORANGE, new_figure, style_axes
from jaxnn.errors import check_finite, check_shape, require


def bars(
    names: Sequence[str], values: ArrayLike, spread: ArrayLike | None = None, *, xlabel: str, title: str = ""
) -> Figure:
    """Return bars of the values (n,), the largest size on top, those below 0 in orange, with `spread` to both sides."""
    require(len(names) > 0, "names", "none", "one at least")
    values = np.asarray(values, float)
    check_shape("values", values, (len(names),))
    check_finite("values", values)
    order = np.argsort(np.abs(values), kind="stable")
    figure = new_figure(6.4, 1.2 + 0.32 * len(names))
    ax = figure.subplots()
    colors = [ORANGE if value < 0 else BLUE for value in values[order]]
    ax.barh(np.arange(len(names)), values[order], color=colors, height=0.7)
    if spread is not None:
        check_shape("spread", spread, (len(names),))
        sides = {"fmt": "none", "ecolor": INK, "elinewidth": 1, "capsize": 3}
        ax.errorbar(values[order], np.arange(len(names)), xerr=np.asarray(spread)[order], **sides)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_yticks(np.arange(len(names)), [str(names[i]) for i in order])
    style_axes(ax, xlabel)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title, loc="left", fontsize=11)
    return figure


def profiles(names: ArrayLike, x: ArrayLike, y: ArrayLike, groups: ArrayLike, *, ylabel: str = "") -> Figure:
    """Return a panel for each different name, three to a row, with `y` over `x` as a line for each of the groups.

    All are columns of one length (n,), as `NeuralNet.lek_profile` returns them.
    """
    names, x, y, groups = (np.asarray(column) for column in (names, x, y, groups))
    for argument, column in (("x", x), ("y", y), ("groups", groups)):
        check_shape(argument, column, names.shape)
    panels, lines = list(dict.fromkeys(names.tolist())), list(dict.fromkeys(groups.tolist()))
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(1.2 + 2.6 * columns, 1.0 + 2.4 * rows)
    # From light to dark: the groups are in no order of size, but each is to be told from its neighbours.
    shades = [tuple(c) for c in np.linspace((0.70, 0.82, 0.91), (0.08, 0.20, 0.31), max(len(lines), 2))]
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for ax, name in zip(axes, panels, strict=False):
        for group, shade in zip(lines, shades, strict=False):
            own = (names == name) & (groups == group)
            ax.plot(x[own], y[own], color=shade, linewidth=1.6, label=str(group))
        style_axes(ax, name, ylabel if ax.get_subplotspec().is_first_col() else "")
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=9, title="group", frameon=False
    )
    return figure
