"""What a fitted network prints: R's table of the restarts, and the summary."""

import numpy as np

from jaxnn.r_neuralnet import diagnosis, effects, intervals
from jaxnn.r_neuralnet.fitted import Fitted


def table(fitted: Fitted) -> str:
    """Return what R prints: the call, the number of repetitions, and of each the error, sorted by it."""
    restarts, criteria = fitted.restarts, fitted.criteria
    count = len(restarts.loss)
    held_out = {} if restarts.held_out is None else {"Error of Rows Held Out": restarts.held_out}
    heads = ["Error", *held_out, *map(str.upper, criteria), "Reached Threshold", "Steps"]
    columns = [restarts.loss, *held_out.values(), *criteria.values(), restarts.largest_gradient]
    rows = []
    for i in np.argsort(restarts.loss, kind="stable"):
        cells = [f"{column[i]:.7g}" for column in columns] + [str(restarts.steps[i])]
        stopped = restarts.stopped is not None and restarts.stopped[i]
        at_best = "" if restarts.best_steps is None else f"weights of step {restarts.best_steps[i]}"
        ended = "stopped early" if stopped else "" if restarts.converged[i] else "did not converge"
        rows.append([str(i), *cells, ", ".join(filter(None, (ended, at_best)))])
    whole = [["", *heads, ""], *rows]
    widths = [max(len(row[j]) for row in whole) for j in range(len(whole[0]))]
    lines = [" ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)) for row in whole]
    lines = [f"{line} {row[-1]}".rstrip() for line, row in zip(lines, whole, strict=True)]
    repetitions = "1 repetition was" if count == 1 else f"{count} repetitions were"
    return f"Call: {fitted.settings.call}\n\n{repetitions} calculated.\n\n" + "\n".join(lines) + "\n"


class Text(str):
    """A text that a prompt shows as it is printed."""

    def __repr__(self):
        return str(self)


def summary(fitted: Fitted, alpha: float) -> Text:
    """Return the restarts, the sizes, and of the best restart effects, tests, residuals, and what did not converge."""
    settings, (error, converged) = fitted.settings, (fitted.restarts.loss, fitted.restarts.converged)
    lines = [
        table(fitted),
        f"{'-'.join(map(str, settings.architecture.sizes))} nodes, {fitted.n_parameters} parameters, "
        f"{fitted.rows} rows; {settings.algorithm}, threshold {settings.threshold:g}, "
        f"at most {settings.stepmax:,} steps" + ("" if settings.seed is None else f", seed {settings.seed}"),
        f"{' + '.join(settings.design.outputs)} ~ {' + '.join(settings.design.variables)}",
    ]
    if settings.omitted:
        lines.append(f"{settings.omitted} rows with missing values were left out")
    if len(error) > 1:
        errors = f"errors {np.nanmin(error):.6g} to {np.nanmax(error):.6g}, median {np.nanmedian(error):.6g}"
        lines.append(f"{errors}; {int(converged.sum())} of {len(error)} converged")
    if fitted.held_out is not None:
        lines.append(
            f"{fitted.held_out.sum()} rows were held out; each repetition has the weights of the step at which their "
            "error was lowest, which is no minimum of its own: there are no intervals (nan)"
        )
    if fitted.data is None:
        names, best = fitted.weight_names, fitted.best
        lines.append(f"saved without its data\n\nweights of repetition {best}:")
        columns = {"name": np.array(names), "estimate": fitted.restarts.params[best]}
        return Text("\n".join([*lines, _as_text(columns)]))
    if not converged.all():
        lines.append(diagnosis.message(fitted))
    found = effects.tables(fitted, fitted.best, alpha)
    one = {name: values[0] for name, values in found["fit"].items()}
    share = f"{100 * (1 - alpha):g} %"
    titles = {
        "residuals": "Residuals:",
        "effects": f"Mean slope of each covariate over the rows, with {share} intervals:",
        "covariates": "Wald tests that all weights of a covariate are 0:",
        "weights": f"Weights, with {share} intervals" + (", of the standardised columns:" if settings.scaling else ":"),
    }
    lines.append(f"\nRepetition {fitted.best}.")
    lines += [f"\n{title}\n{_as_text(found[name])}" for name, title in titles.items()]
    lines.append(
        f"\nResidual standard deviation {one['residual_sd']:.5g}, R squared {one['r_squared']:.5g}; error "
        f"{one['error']:.6g}, AIC {one['aic']:.6g}, BIC {one['bic']:.6g}"
    )
    if one["identified"] < one["trained"] and fitted.held_out is None:
        lines.append(
            f"{one['identified']} of {one['trained']} directions of the weights are identified: what hangs on the "
            "others has no interval (nan); fit with fewer hidden nodes"
        )
    if fitted.held_out is None:
        hindered = intervals.hindrances(fitted, fitted.best)
        lines += [f"No intervals (nan), and the tests need not hold: {reason}" for reason in hindered]
        if not hindered:
            loose = intervals.hindrances_of_weights(fitted, fitted.best)
            lines += [f"N{intervals.NO_WEIGHTS[1:]}{reason}" for reason in loose]
    return Text("\n".join(lines))


def _as_text(columns: dict[str, np.ndarray]) -> str:
    """Return a table: texts to the left, numbers to the right with five digits."""
    cells = [
        [name, *(f"{v:.5g}" if np.issubdtype(c.dtype, np.floating) else str(v) for v in c)]
        for name, c in columns.items()
    ]
    widths = [max(map(len, column)) for column in cells]
    left = [column.dtype.kind == "U" for column in columns.values()]
    rows = zip(*cells, strict=True)
    return "\n".join(
        "  "
        + "  ".join(
            v.ljust(w) if to_left else v.rjust(w) for v, w, to_left in zip(row, widths, left, strict=True)
        ).rstrip()
        for row in rows
    )
