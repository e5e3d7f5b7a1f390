"""Why a restart did not reach the threshold, and what to try."""

import jax
import numpy as np

from jaxnn.r_neuralnet import inference
from jaxnn.r_neuralnet.algorithms import RPROP
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.formulas.design import unscaled
from jaxnn.restarts import curve_steps

ENDS = {"logistic": (0, 1), "tanh": (-1, 1), "relu": (0,)}  # of an activation's range, where it has any
_CLOSE = 0.01  # a value this near to an end of its range is at it, as far as learning goes


def reasons(fitted: Fitted, rep: int) -> list[str]:
    """Return what is known of why a restart stopped short, the largest gradient and its place first."""
    settings, restarts = fitted.settings, fitted.restarts
    found = []
    if restarts.diverged[rep]:
        found.append(f"the error was no finite number at step {restarts.steps[rep]}")
    with jax.enable_x64(True):
        value_and_grad, data = fitted.objective_and_data
        gradient = np.asarray(jax.jit(value_and_grad)(restarts.params[rep], *data)[1])
    if not np.isfinite(gradient).all():
        return ["the error or its gradient is no finite number at the start"]
    worst = int(np.argmax(np.abs(gradient)))
    found.append(
        f"the largest gradient is {gradient[worst]:.3g}, of {fitted.weight_names[worst]}; the threshold is "
        f"{settings.threshold:g}, of gradients that are sums over {fitted.rows} rows"
    )
    saturated = saturated_nodes(fitted, rep)
    if saturated:
        found.append(f"saturated, alike in nearly every row: {', '.join(saturated)}")
    return found + [f"unscaled columns: {', '.join(wide)}" for wide in [unscaled_columns(fitted)] if wide]


def unscaled_columns(fitted: Fitted) -> list[str]:
    """Return the inputs, and the responses of linear outputs, that are far above 1 as the network was given them."""
    design, (x, y) = fitted.settings.design, fitted.trained_on
    responses = unscaled(y, design.outputs) if fitted.settings.architecture.output == "linear" else []
    return unscaled(x, design.variables) + responses


def saturated_nodes(fitted: Fitted, rep: int) -> list[str]:
    """Return the hidden nodes that are at an end of their range, or at 0 if that is one, in nine tenths of the rows."""
    architecture = fitted.settings.architecture
    ends = ENDS.get(str(architecture.activation))
    if ends is None:
        return []
    with jax.enable_x64(True):
        values = inference.units(fitted.restarts.params[rep], fitted.trained_on[0], architecture=architecture)[1:-1]
    # A ReLU has one end, which it reaches: there small values are no sign of saturation, zeros are.
    close = _CLOSE if len(ends) > 1 else 1e-12
    found = []
    for i, layer in enumerate(values, 1):
        near = np.min([np.abs(np.asarray(layer) - end) for end in ends], axis=0) < close
        found += [f"{i}layhid{j}" for j in np.flatnonzero(near.mean(axis=0) > 0.9) + 1]
    return found


def advice(fitted: Fitted) -> str:
    """Return what to try, the likeliest first, each for a reason that the fit shows."""
    settings, restarts = fitted.settings, fitted.restarts
    short = ~restarts.converged & ~restarts.diverged
    falling = np.array([_still_falls(*one) for one in zip(restarts.curves, restarts.steps, strict=True)])
    tries = []
    to_scale = bool(unscaled_columns(fitted)) and settings.scaling is None
    if to_scale:
        tries.append("scale=True, which standardises inputs and responses inside the fit")
    if restarts.diverged.any() or (settings.algorithm == "backprop" and (short & ~falling).any()):
        smaller = {"backprop": "a smaller learningrate", "lbfgs": "another algorithm"}
        smaller |= dict.fromkeys(RPROP, "a smaller max in learningrate_limit")
        tries.append(smaller.get(settings.algorithm, "smaller steps, by a smaller learning rate of the optimizer"))
    if (short & falling).any():
        tries.append(f"a larger stepmax than {settings.stepmax}, for the error still falls")
    if (short & ~falling).any() and not to_scale:  # of unscaled columns a larger one stops at one constant prediction
        reached = restarts.largest_gradient[short & ~falling].min()
        tries.append(f"a larger threshold, such as {_rounded_up(reached):g}, for the error hardly falls any more")
    return ", ".join([*tries, "more restarts (rep)"])


def _still_falls(curve: np.ndarray, steps: int) -> bool:
    """Return whether the error fell by more than a thousandth over the second half of the steps."""
    known = np.flatnonzero(np.isfinite(curve))
    before = known[curve_steps()[known] <= max(steps // 2, 1)]
    return bool(before.size) and bool(curve[known[-1]] < (1 - 1e-3) * curve[before[-1]])


def _rounded_up(value: float) -> float:
    """Return a number of two digits that is not below the value."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / unit * (1 + 1e-9)) * unit)


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
