"""What a fitted network prints: R's table of the restarts, and the summary."""

import numpy as np

from jaxnn.r_neuralnet import diagnosis
from jaxnn.r_neuralnet.fitted import Fitted


def table(fitted: Fitted) -> str:
    """Return what R prints: the call, the number of repetitions, and of each the error, sorted by it."""
    restarts, criteria = fitted.restarts, fitted.criteria
    count = len(restarts.loss)
    heads = ["Error", *map(str.upper, criteria), "Reached Threshold", "Steps"]
    columns = [restarts.loss, *criteria.values(), restarts.largest_gradient]
    rows = []
    for i in np.argsort(restarts.loss, kind="stable"):
        cells = [f"{column[i]:.7g}" for column in columns] + [str(restarts.steps[i])]
        rows.append([str(i), *cells, "" if restarts.converged[i] else "did not converge"])
    whole = [["", *heads, ""], *rows]
    widths = [max(len(row[j]) for row in whole) for j in range(len(whole[0]))]
    lines = [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in whole]
    repetitions = "1 repetition was" if count == 1 else f"{count} repetitions were"
    return f"Call: {fitted.settings.call}\n\n{repetitions} calculated.\n\n" + "\n".join(lines) + "\n"


def summary(fitted: Fitted) -> str:
    """Return the table, the network's and the data's sizes, the best weights, and of what did not converge why."""
    settings, (error, converged) = fitted.settings, (fitted.restarts.loss, fitted.restarts.converged)
    lines = [
        table(fitted),
        f"{'-'.join(map(str, settings.architecture.sizes))} nodes, {fitted.n_parameters} parameters, "
        f"{fitted.rows} rows; {settings.algorithm}, threshold {settings.threshold:g}, "
        f"at most {settings.stepmax:,} steps" + ("" if settings.seed is None else f", seed {settings.seed}"),
        f"{' + '.join(settings.design.outputs)} ~ {' + '.join(settings.design.variables)}",
    ]
    if len(error) > 1:
        errors = f"errors {np.nanmin(error):.6g} to {np.nanmax(error):.6g}, median {np.nanmedian(error):.6g}"
        lines.append(f"{errors}; {int(converged.sum())} of {len(error)} converged")
    if not converged.all():
        lines.append(diagnosis.message(fitted))
    names, best = fitted.weight_names, fitted.best
    lines.append(f"\nweights of repetition {best}:")
    width = max(map(len, names))
    lines += [f"  {name:<{width}} {w:>12.5f}" for name, w in zip(names, fitted.restarts.params[best], strict=True)]
    return "\n".join(lines)
