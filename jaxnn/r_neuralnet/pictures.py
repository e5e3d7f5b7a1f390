"""The pictures of a fitted network, its methods: each returns a figure, and writes it to a new file if one is named.

`jaxnn.draw` is imported when something is drawn: it imports matplotlib, without which a network can be fitted.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxnn.errors import require
from jaxnn.r_neuralnet import importance, inference
from jaxnn.r_neuralnet.fitted import Net
from jaxnn.r_neuralnet.network import matrices
from jaxnn.restarts import curve_steps

if TYPE_CHECKING:
    from jaxnn.draw import Figure


def plot(
    net: Net,
    rep: int | str = "best",
    *,
    show_weights: bool = True,
    intercept: bool = True,
    information: bool = True,
    col_entry: str = "#377EB8",
    col_hidden: str = "#377EB8",
    col_out: str = "#377EB8",
    col_intercept: str = "white",
    fontsize: float = 13,
    file: str | PathLike | None = None,
) -> "Figure":
    """Return the figure of a restart's network and its weights (lecture figure 17), written to `file` if given.

    The options are those of R's `plot`: whether weights, intercepts, and error and steps are drawn; the colours of
    input, hidden, output and intercept nodes, as matplotlib names them; the size of the names, in points.
    """
    fitted, rep = net.fitted, net.fitted.number(rep)
    from jaxnn import draw

    design, architecture = fitted.settings.design, fitted.settings.architecture
    figure = draw.network(
        architecture.sizes,
        matrices(np.nan_to_num(fitted.restarts.params[rep]), architecture),
        input_names=design.variables,
        output_names=design.outputs,
        caption=f"Error: {fitted.restarts.loss[rep]:.6f}   Steps: {fitted.restarts.steps[rep]}" if information else "",
        show_weights=show_weights,
        intercept=intercept,
        colors=(col_entry, col_hidden, col_out, col_intercept),
        fontsize=fontsize,
    )
    return _written(figure, file)


def plot_generalized_weights(
    net: Net,
    covariate: int | str = 0,
    response: int | str = 0,
    rep: int | str | None = None,
    *,
    highlight: bool = False,
    min: float | None = None,
    max: float | None = None,
    file: str | PathLike | None = None,
) -> "Figure":
    """Return R's `gwplot`: a covariate's generalized weights in every row, of one restart or of all.

    Of a linear output the slopes are drawn, since it has no odds. `highlight` marks the restart of lowest error; `min`
    and `max` are the ends of the axis.
    """
    fitted = net.fitted
    reps = list(range(len(fitted.restarts.loss))) if rep is None else [fitted.number(rep)]
    from jaxnn import draw

    design, architecture = fitted.settings.design, fitted.settings.architecture
    j, k = _index("covariate", covariate, design.variables), _index("response", response, design.outputs)
    linear, best = architecture.output == "linear", fitted.best
    derivative = inference.slopes if linear else inference.generalized_weights
    with jax.enable_x64(True):
        of_reps = [derivative(fitted.in_users_units(i), fitted.covariate, architecture=architecture) for i in reps]
    n = len(fitted.covariate)
    figure = draw.generalized_weights(
        fitted.covariate[:, j],
        np.stack([np.reshape(values, (n, len(design.outputs), -1))[:, k, j] for values in of_reps]),
        xlabel=design.variables[j],
        ylabel="slope" if linear else "GW",
        title=f"Response: {design.outputs[k]}",
        best=reps.index(best) if highlight and best in reps else None,
        best_label=f"Minimal Error: {fitted.restarts.loss[best]:.3f}",
    )
    ordered = min is None or max is None or min < max
    require(ordered, "min", f"{min} with max = {max}", "a number below max")
    figure.axes[0].set_ylim(min, max)
    return _written(figure, file)


def plot_decision(
    net: Net, response: int | str = 0, rep: int | str = "best", *, file: str | PathLike | None = None
) -> "Figure":
    """Return the outputs over the plane of two covariates, of classes with the boundary at 0.5 (lecture figure 18)."""
    fitted, rep = net.fitted, net.fitted.number(rep)
    from jaxnn import draw

    design, architecture = fitted.settings.design, fitted.settings.architecture
    require(len(design.variables) == 2, "net", f"{len(design.variables)} covariates", "two, for a plane")
    k, weights = _index("response", response, design.outputs), fitted.in_users_units(rep)
    low, high = fitted.covariate.min(axis=0), fitted.covariate.max(axis=0)
    room = 0.05 * (high - low)
    with jax.enable_x64(True):
        figure = draw.decision_map(
            lambda x: inference.outputs(weights, x, architecture=architecture)[:, k],
            fitted.covariate,
            fitted.response[:, k],
            extent=np.stack([low - room, high + room], axis=1).ravel().tolist(),
            axis_names=design.variables,
        )
    return _written(figure, file)


def plot_errors(net: Net, *, file: str | PathLike | None = None) -> "Figure":
    """Return the error of every restart by step, both logarithmic, the best one marked."""
    fitted = net.fitted
    from jaxnn import draw

    restarts = fitted.restarts
    figure = draw.error_curves(curve_steps(), restarts.curves, restarts.steps, restarts.converged, fitted.best)
    return _written(figure, file)


def plot_importance(
    net: Net,
    kind: str = "olden",
    rep: int | str = "best",
    *,
    response: str | None = None,
    data: Any = None,
    file: str | PathLike | None = None,
    **options: Any,
) -> "Figure":
    """Return a picture of what the covariates matter by "garson", "olden", "sensitivities", "permutation" or "lek", or
    by the method's whole name.

    Bars, the largest on top; of "sensitivities" the mean slopes and of "permutation" the mean growth of a row's error,
    each with one standard deviation to both sides; of "lek" a panel for each covariate, a line for each group. `data`
    is what "permutation" shuffles; `options` are those of the function of that name.
    """
    from jaxnn import draw

    kinds = ("garson", "olden", "sensitivities", "permutation", "lek")
    kind = {"permutation_importance": "permutation", "lek_profile": "lek"}.get(kind, kind)
    require(kind in kinds, "kind", repr(kind), ", ".join(kinds))
    design = net.fitted.settings.design
    of = design.outputs[importance.place(response, design.outputs)]
    if kind == "lek":
        found = importance.lek_profile(net, rep, **options)
        own = {name: values[found["response_name"] == of] for name, values in found.items()}
        return _written(draw.profiles(own["name"], own["explanatory"], own["response"], own["group"], ylabel=of), file)
    if kind == "permutation":
        spread = importance.permutation_importance(net, data, rep, **options)
        xlabel, title = "growth of a row's error when the column is shuffled", "Permutation importance"
    elif kind == "sensitivities":
        spread = importance.sensitivities(net, rep, response, **options)
        xlabel, title = "slope, mean over the rows", f"Slopes of {of}"
    else:
        values = importance.garson(net, rep) if kind == "garson" else importance.olden(net, rep, response)
        title = f"{kind.capitalize()}'s importance" + f" for {of}" * (kind == "olden")
        xlabel = "share" if kind == "garson" else "product of the weights, summed over the ways"
        return _written(draw.bars(list(values), list(values.values()), xlabel=xlabel, title=title), file)
    means, sds = ([v[name] for v in spread.values()] for name in ("mean", "sd"))
    return _written(draw.bars(list(spread), means, sds, xlabel=xlabel, title=title), file)


def _index(argument: str, given: int | str, names: list[str]) -> int:
    if isinstance(given, str):
        require(given in names, argument, f"{given!r}: 'selected.{argument}' does not exist", ", ".join(names))
        return names.index(given)
    known = isinstance(given, int | np.integer) and 0 <= given < len(names)
    require(known, argument, f"{given!r}: 'selected.{argument}' does not exist", f"0 to {len(names) - 1}, or a name")
    return int(given)


def _written(figure: "Figure", file: str | PathLike | None) -> "Figure":
    """Return the figure, written to a new file if one is named; one that is there already is left alone, as in R."""
    if file is not None:
        path = Path(file)
        require(not path.exists(), "file", f"{file}, which already exists", "a name that is free")
        require(path.suffix in (".png", ".svg", ".pdf"), "file", str(file), "a name that ends in .png, .svg or .pdf")
        figure.savefig(path)
    return figure
