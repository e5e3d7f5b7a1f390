"""The pictures of a fitted network: each function returns a figure, and writes it to a new file if one is named.

`jaxnn.draw` is imported when something is drawn: it imports matplotlib, without which a network can be fitted.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxnn.errors import require
from jaxnn.r_neuralnet import inference
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.network import matrices
from jaxnn.restarts import curve_steps

if TYPE_CHECKING:
    from jaxnn.draw import Figure


def network(
    fitted: Fitted, rep: int, file: str | PathLike | None = None, *, information: bool = True, **options: Any
) -> "Figure":
    """Return the figure of a restart's network and its weights (lecture figure 17); options are `draw.network`'s."""
    from jaxnn import draw

    design, architecture = fitted.settings.design, fitted.settings.architecture
    figure = draw.network(
        architecture.sizes,
        matrices(np.nan_to_num(fitted.restarts.params[rep]), architecture),
        input_names=design.variables,
        output_names=design.outputs,
        caption=f"Error: {fitted.restarts.loss[rep]:.6f}   Steps: {fitted.restarts.steps[rep]}" if information else "",
        **options,
    )
    return _written(figure, file)


def generalized_weights(
    fitted: Fitted,
    covariate: int | str,
    response: int | str,
    reps: list[int],
    highlight: bool,
    limits: tuple[float | None, float | None] = (None, None),
    file: str | PathLike | None = None,
) -> "Figure":
    """Return R's `gwplot`: a covariate's generalized weights in every row, of these restarts.

    Of a linear output the slopes are drawn, since it has no odds. `highlight` marks the restart of lowest error,
    `limits` are the lowest and the highest value drawn.
    """
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
    low, high = limits
    ordered = low is None or high is None or low < high
    require(ordered, "min", f"{low} with max = {high}", "a number below max")
    figure.axes[0].set_ylim(low, high)
    return _written(figure, file)


def decision(fitted: Fitted, response: int | str, rep: int, file: str | PathLike | None = None) -> "Figure":
    """Return the outputs over the plane of two covariates, with the boundary at 0.5 (lecture figure 18)."""
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


def errors(fitted: Fitted, file: str | PathLike | None = None) -> "Figure":
    """Return the error of every restart by step, both logarithmic, the best one marked."""
    from jaxnn import draw

    restarts = fitted.restarts
    figure = draw.error_curves(curve_steps(), restarts.curves, restarts.steps, restarts.converged, fitted.best)
    return _written(figure, file)


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
