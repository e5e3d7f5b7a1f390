"""The pictures of a fitted network, its methods: each returns a figure, and writes it to a new file if one is named."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnn.errors import require
from jaxnn.r_neuralnet.network import matrices
from jaxnn.restarts import curve_steps

if TYPE_CHECKING:
    from jaxnn.r_neuralnet.net import NeuralNet


def plot(net: "NeuralNet", rep: int | str = "best", *, file: str | PathLike | None = None) -> Any:
    """Return the figure of a restart's network and its weights (lecture figure 17), written to `file` if given."""
    from jaxnn import draw  # only here: it imports matplotlib

    number = net.number(rep)
    figure = draw.network(
        net.architecture.sizes,
        matrices(np.nan_to_num(net.vector(number)), net.architecture),
        input_names=net.variables,
        output_names=net.responses,
        caption=f"Error: {net.error[number]:.6f}   Steps: {net.steps[number]}",
    )
    return _written(figure, file)


def plot_generalized_weights(
    net: "NeuralNet", covariate: int | str = 0, response: int | str = 0, rep: int | str | None = None,
    *, highlight: bool = False, file: str | PathLike | None = None,
) -> Any:  # fmt: skip
    """Return R's `gwplot`: a covariate's generalized weights in every row, of one restart or of all.

    Of a linear output the slopes are drawn, since it has no odds. `highlight` marks the restart of lowest error.
    """
    from jaxnn import draw  # only here: it imports matplotlib

    j, k = _index("covariate", covariate, net.variables), _index("response", response, net.responses)
    linear = net.architecture.output == "linear"
    numbers = range(len(net.error)) if rep is None else [net.number(rep)]
    values = [
        net.slopes(rep=i)[:, k, j] if linear else net.generalized_weights[i][:, k * len(net.variables) + j]
        for i in numbers
    ]
    figure = draw.generalized_weights(
        net.covariate[:, j],
        np.stack(values),
        xlabel=net.variables[j],
        ylabel="slope" if linear else "GW",
        title=f"Response: {net.responses[k]}",
        best=list(numbers).index(net.best) if highlight and net.best in numbers else None,
        best_label=f"Minimal Error: {net.error[net.best]:.3f}",
    )
    return _written(figure, file)


def plot_decision(
    net: "NeuralNet", response: int | str = 0, rep: int | str = "best", *, file: str | PathLike | None = None
) -> Any:
    """Return the outputs over the plane of two covariates, with the boundary at 0.5 (lecture figure 18)."""
    from jaxnn import draw  # only here: it imports matplotlib

    require(len(net.variables) == 2, "net", f"{len(net.variables)} covariates", "two, for a plane")
    k, vector = _index("response", response, net.responses), net.vector(rep)
    low, high = net.covariate.min(axis=0), net.covariate.max(axis=0)
    room = 0.05 * (high - low)
    figure = draw.decision_map(
        lambda x: net.outputs(vector, x)[:, k],
        net.covariate,
        net.response[:, k],
        extent=np.stack([low - room, high + room], axis=1).ravel().tolist(),
        axis_names=net.variables,
    )
    return _written(figure, file)


def plot_errors(net: "NeuralNet", *, file: str | PathLike | None = None) -> Any:
    """Return the error of every restart by step, both logarithmic, the best one marked."""
    from jaxnn import draw  # only here: it imports matplotlib

    figure = draw.error_curves(curve_steps(), net.restarts.curves, net.steps, net.converged, net.best)
    return _written(figure, file)


def _index(argument: str, given: int | str, names: list[str]) -> int:
    if isinstance(given, str):
        require(given in names, argument, f"{given!r}: 'selected.{argument}' does not exist", ", ".join(names))
        return names.index(given)
    known = isinstance(given, int | np.integer) and 0 <= given < len(names)
    require(known, argument, f"{given!r}: 'selected.{argument}' does not exist", f"0 to {len(names) - 1}, or a name")
    return int(given)


def _written(figure: Any, file: str | PathLike | None) -> Any:
    """Return the figure, written to a new file if one is named; one that is there already is left alone, as in R."""
    if file is not None:
        path = Path(file)
        require(not path.exists(), "file", f"{file}, which already exists", "a name that is free")
        require(path.suffix in (".png", ".svg", ".pdf"), "file", str(file), "a name that ends in .png, .svg or .pdf")
        figure.savefig(path)
    return figure
