"""Why a restart did not reach the threshold, and what to try."""

import jax
import numpy as np

from jaxnn.r_neuralnet import inference
from jaxnn.r_neuralnet.design import unscaled
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.network import objective

ENDS = {"logistic": (0, 1), "tanh": (-1, 1), "relu": (0,)}  # of an activation's range, where it has any
_CLOSE = 0.01  # a value this near to an end of its range is at it, as far as learning goes


def reasons(fitted: Fitted, rep: int) -> list[str]:
    """Return what is known of why a restart stopped short, the largest gradient and its place first."""
    settings, restarts = fitted.settings, fitted.restarts
    found = []
    if restarts.diverged[rep]:
        found.append(
            f"the error was no finite number at step {restarts.steps[rep]}: smaller steps, or scaled columns, help"
        )
    with jax.enable_x64(True):
        value_and_grad = jax.jit(objective(settings.architecture, settings.excluded))
        gradient = np.asarray(value_and_grad(restarts.params[rep], fitted.covariate, fitted.response)[1])
    if not np.isfinite(gradient).all():
        return ["the error or its gradient is no finite number at the start"]
    worst = int(np.argmax(np.abs(gradient)))
    found.append(
        f"the largest gradient is {gradient[worst]:.3g}, of {fitted.weight_names[worst]}; the threshold is "
        f"{settings.threshold:g}, of gradients that are sums over {len(fitted.covariate)} rows"
    )
    saturated = saturated_nodes(fitted, rep)
    if saturated:
        found.append(f"saturated, alike in nearly every row: {', '.join(saturated)}")
    wide = unscaled(fitted.covariate, settings.design.variables)
    if wide:
        found.append(f"unscaled columns: {', '.join(wide)}")
    return found


def saturated_nodes(fitted: Fitted, rep: int) -> list[str]:
    """Return the hidden nodes that are at an end of their range, or at 0 if that is one, in nine tenths of the rows."""
    architecture = fitted.settings.architecture
    ends = ENDS.get(str(architecture.activation))
    if ends is None:
        return []
    with jax.enable_x64(True):
        values = inference.units(fitted.restarts.params[rep], fitted.covariate, architecture=architecture)[1:-1]
    # A ReLU has one end, which it reaches: there small values are no sign of saturation, zeros are.
    close = _CLOSE if len(ends) > 1 else 1e-12
    found = []
    for i, layer in enumerate(values, 1):
        near = np.min([np.abs(np.asarray(layer) - end) for end in ends], axis=0) < close
        found += [f"{i}layhid{j}" for j in np.flatnonzero(near.mean(axis=0) > 0.9) + 1]
    return found


def advice(fitted: Fitted) -> str:
    """Return what to try, the likeliest first."""
    settings, restarts = fitted.settings, fitted.restarts
    tries = []
    if unscaled(fitted.covariate, settings.design.variables):
        tries.append("scale the columns to mean 0 and standard deviation 1")
    if (restarts.largest_gradient[~restarts.converged] < 10 * settings.threshold).any():
        tries.append(f"a larger stepmax than {settings.stepmax}")
    tries += [
        f"a larger threshold, such as {max(settings.threshold * 10, 1e-4 * len(fitted.covariate)):g}",
        "fewer hidden nodes",
        "more restarts (rep)",
    ]
    return ", ".join(tries)


def message(fitted: Fitted) -> str:
    """Return R's words for restarts that did not converge, with the reasons of the best of them and what to try."""
    error = fitted.restarts.loss
    failed = np.flatnonzero(~fitted.restarts.converged)
    first = int(failed[np.argsort(error[failed])[0]])  # NaN comes last
    words = (
        f"Algorithm did not converge in {len(failed)} of {len(error)} repetition(s) within the stepmax. "
        "The weights of the lowest error are kept."
    )
    which = f" in repetition {first}" if len(error) > 1 else ""
    return f"{words} Why{which}: {'; '.join(reasons(fitted, first))}. What to try: {advice(fitted)}."
