"""What `neuralnet` is asked for, checked before anything is trained."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnn.errors import check_positive_int, require
from jaxnn.r_neuralnet.algorithms import name_of
from jaxnn.r_neuralnet.formulas.design import Design
from jaxnn.r_neuralnet.functions import check_elementwise, check_error
from jaxnn.r_neuralnet.network import ACTIVATIONS, ERRORS, Architecture

LIFESIGNS = ("none", "minimal", "full")
REACH = {"logistic": (0, 1), "tanh": (-1, 1), "relu": (0, np.inf), "softplus": (0, np.inf)}  # of the outputs


def architecture_of(
    design: Design, hidden: Any, act_fct: Any, output_act_fct: Any, err_fct: Any, linear_output: bool
) -> Architecture:
    """Return the architecture that is asked for; raises `InvalidArgument` for what cannot be right."""
    given: Any = hidden.tolist() if hasattr(hidden, "tolist") else hidden  # of NumPy, JAX and pandas
    nodes: list[Any] = list(given) if isinstance(given, list | tuple | range) else [given]
    whole = all(isinstance(h, int | np.integer) and not isinstance(h, bool) and h >= 0 for h in nodes)
    words = f"{hidden!r}: Argument 'hidden' must be an integer vector or a single integer"
    require(whole, "hidden", words, "whole numbers, the nodes of each hidden layer")
    nodes = [] if nodes == [0] else [int(h) for h in nodes]
    require(0 not in nodes, "hidden", f"{hidden}: Argument 'hidden' contains at least one 0", "0 alone, for no layer")
    # A hidden layer of linear nodes does what no layer would: the name is for outputs alone.
    nonlinear = [name for name in ACTIVATIONS if name != "linear"]
    _check_known("act_fct", act_fct, nonlinear, "Unknown activation function")
    _check_known("err_fct", err_fct, [*ERRORS], "Unknown error function")
    require(isinstance(linear_output, bool | np.bool), "linear_output", repr(linear_output), "True or False")
    if output_act_fct is not None:
        _check_known("output_act_fct", output_act_fct, [*ACTIVATIONS, "softmax"], "Unknown activation function")
        contradicts = linear_output and output_act_fct != "linear"
        require(not contradicts, "output_act_fct", f"{name_of(output_act_fct)} with linear_output=True",
                "linear_output=False, for output nodes that are not linear")  # fmt: skip
    output = "linear" if linear_output else act_fct if output_act_fct is None else output_act_fct
    outputs = len(design.outputs)
    classes = output != "softmax" or outputs > 1
    require(classes, "output_act_fct", "softmax of one output", "a response of two classes on")
    return Architecture((len(design.variables), *nodes, outputs), act_fct, output, err_fct)


def _check_known(argument: str, given: Any, names: Sequence[str], words: str) -> None:
    known = callable(given) or (isinstance(given, str) and given in names)
    require(known, argument, f"{given!r}: {words}", f"{', '.join(names)} or a JAX function")


def check_numbers(threshold: Any, stepmax: Any, rep: Any, lifesign: Any, lifesign_step: Any) -> None:
    """Raise `InvalidArgument` for numbers and signs of life that cannot be right."""
    number = isinstance(threshold, int | float | np.number) and not isinstance(threshold, bool)
    words = "Argument 'threshold' must be a numeric value"
    require(number and 0 <= threshold < np.inf, "threshold", f"{threshold!r}: {words}", "a number of at least 0")
    check_positive_int("rep", rep)
    check_positive_int("stepmax", int(stepmax) if isinstance(stepmax, float) and stepmax.is_integer() else stepmax)
    check_positive_int("lifesign_step", lifesign_step)
    words = "Argument 'lifesign' must be one of 'none', 'minimal', 'full'"
    require(callable(lifesign) or lifesign in LIFESIGNS, "lifesign", f"{lifesign!r}: {words}", ", ".join(LIFESIGNS))


def check_response(y: np.ndarray, design: Design, architecture: Architecture) -> list[str]:
    """Return what to warn of; raises `InvalidArgument` where the cross-entropy is asked of anything but 0 and 1."""
    binary, output = np.isin(y, (0, 1)), architecture.output
    if architecture.error == "ce":
        other = np.argwhere(~binary)
        if other.size:
            row, column = other[0]
            require(False, design.outputs[column], f"{y[row, column]} in row {row} (from 0): Error function 'ce' only "
                    "implemented for binary response", "0 or 1; err_fct='sse' takes any number")  # fmt: skip
        known = isinstance(architecture.output, str)  # of a function of the user's only what comes of it can tell
        return [outside(architecture)] if known and outside(architecture) else []
    if binary.all() and output == "linear" and architecture.error == "sse":
        return ["the response is 0 or 1 and the output linear: use linear_output=False to classify"]
    low, high = REACH.get(str(output), (-np.inf, np.inf))
    beyond = [
        name for name, values in zip(design.outputs, y.T, strict=True) if values.min() < low or values.max() > high
    ]
    if beyond:
        reach = f"{low} to {high}" if high < np.inf else f"{low} on"
        return [f"{', '.join(beyond)}: {output} outputs reach {reach} only: use linear_output=True for other numbers"]
    return []


def outside(architecture: Architecture) -> str:
    """Return what to do about the cross-entropy of outputs that leave (0, 1), nothing where they do not."""
    if architecture.error != "ce" or architecture.output in ("logistic", "softmax"):
        return ""
    leave = "may leave" if callable(architecture.output) else "leave"
    return (
        "'ce' takes the logarithms of the output and of 1 less it, and "
        f"{name_of(architecture.output)} outputs {leave} (0, 1): "
        'use linear_output=False with output_act_fct="logistic"'
    )


def check_memory(architecture: Architecture, rep: int, n: int) -> None:
    """The weights with gradients, step sizes and copies, and the nodes of all rows with theirs, must find room.

    A slip in `hidden` is an error at once then, and not a machine that is out of memory.
    """
    wanted = 8 * (8 * rep * architecture.n_weights + 4 * n * sum(architecture.sizes))
    if not hasattr(os, "sysconf"):  # Windows does not say
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    seen = f"{architecture.n_weights:,} weights for {rep} restarts and {n:,} rows, which take {wanted / 2**30:,.0f} GiB"
    require(wanted < there, "hidden", seen, f"what fits into the machine's {there / 2**30:,.0f} GiB: fewer nodes")


def check_functions(architecture: Architecture, y: np.ndarray) -> None:
    """Raise `InvalidArgument` where a function of the user's does not do what it is to do."""
    for argument, function in (("act_fct", architecture.activation), ("output_act_fct", architecture.output)):
        if callable(function):
            check_elementwise(argument, function)
    if callable(architecture.error):
        check_error("err_fct", architecture.error, y)
