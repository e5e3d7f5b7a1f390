"""Why a restart did not reach the threshold, and what to try."""

from typing import TYPE_CHECKING

import jax
import numpy as np

from jaxnn.r_neuralnet import inference
from jaxnn.r_neuralnet.design import unscaled
from jaxnn.r_neuralnet.network import objective

if TYPE_CHECKING:
    from jaxnn.r_neuralnet.net import NeuralNet

_FLAT = 0.01  # a node whose values reach less than this share of its range, over nine tenths of the rows, is flat


def reasons(net: "NeuralNet", rep: int) -> list[str]:
    """Return what is known of why a restart stopped short, the largest gradient and its place first."""
    said = []
    if net.diverged[rep]:
        said.append(f"the error was no finite number at step {net.steps[rep]}: smaller steps, or scaled columns, help")
    vector = net.vector(rep)
    with jax.enable_x64(True):
        loss_and_gradient = jax.jit(objective(net.architecture, net.settings.excluded))
        gradient = np.asarray(loss_and_gradient(vector, net.covariate, net.response)[1])
    if not np.isfinite(gradient).all():
        return ["the error or its gradient is no finite number at the start"]
    worst = int(np.argmax(np.abs(gradient)))
    said.append(
        f"the largest gradient is {gradient[worst]:.3g}, of {net.weight_names[worst]}; the threshold is "
        f"{net.settings.threshold:g}, of gradients that are sums over {len(net.covariate)} rows"
    )
    flat = flat_nodes(net, rep)
    if flat:
        said.append(f"saturated, alike in nearly every row: {', '.join(flat)}")
    wide = unscaled(net.covariate, net.variables)
    if wide:
        said.append(f"unscaled columns: {', '.join(wide)}")
    return said


def flat_nodes(net: "NeuralNet", rep: int) -> list[str]:
    """Return the hidden nodes that are at an end of their range, or at 0 if that is one, in nine tenths of the rows."""
    ends = {"logistic": (0, 1), "tanh": (-1, 1), "relu": (0,)}.get(str(net.architecture.activation))
    if ends is None:
        return []
    with jax.enable_x64(True):
        values = inference.units(net.vector(rep), net.covariate, architecture=net.architecture)[1:-1]
    found = []
    for i, layer in enumerate(values, 1):
        near = np.min([np.abs(np.asarray(layer) - end) for end in ends], axis=0) < _FLAT * (len(ends) > 1) + 1e-12
        found += [f"{i}layhid{j}" for j in np.flatnonzero(near.mean(axis=0) > 0.9) + 1]
    return found


def advice(net: "NeuralNet") -> str:
    """Return what to try, the likeliest first."""
    tries = []
    if unscaled(net.covariate, net.variables):
        tries.append("scale the columns to mean 0 and standard deviation 1")
    failed = ~net.converged
    if (net.reached_threshold[failed] < 10 * net.settings.threshold).any():
        tries.append(f"a larger stepmax than {net.settings.stepmax}")
    tries += [
        f"a larger threshold, such as {max(net.settings.threshold * 10, 1e-4 * len(net.covariate)):g}",
        "fewer hidden nodes",
        "more restarts (rep)",
    ]
    return ", ".join(tries)


def message(net: "NeuralNet") -> str:
    """Return R's words for restarts that did not converge, with the reasons of the best of them and what to try."""
    failed = np.flatnonzero(~net.converged)
    first = int(failed[np.argsort(net.error[failed])[0]])  # NaN comes last
    words = (
        f"Algorithm did not converge in {len(failed)} of {len(net.error)} repetition(s) within the stepmax. "
        "The weights of the lowest error are kept."
    )
    which = f" in repetition {first}" if len(net.error) > 1 else ""
    return f"{words} Why{which}: {'; '.join(reasons(net, first))}. What to try: {advice(net)}."
