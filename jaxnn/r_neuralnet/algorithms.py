"""The algorithms of R's neuralnet by name, each as an optimizer, with the learning rates and limits that it takes."""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from jaxnn.errors import check_positive, require
from jaxnn.optimizers import rprop_minus, rprop_plus

if TYPE_CHECKING:
    import optax

RPROP = {
    "rprop+": rprop_plus,
    "rprop-": rprop_minus,
    "sag": partial(rprop_minus, balanced="sag"),
    "slr": partial(rprop_minus, balanced="slr"),
}
NAMES = (*RPROP, "backprop", "lbfgs")


def optimizer(
    algorithm: Any, learningrate: float | None, learningrate_limit: Any, learningrate_factor: Any
) -> "optax.GradientTransformation":
    """Return the optimizer of this name, with the settings that it takes, or the one of optax's that is given.

    Raises `InvalidArgument` for another name, and for settings that cannot be right.
    """
    if isinstance(algorithm, tuple) and hasattr(algorithm, "update"):
        return cast("optax.GradientTransformation", algorithm)
    known = isinstance(algorithm, str) and algorithm in NAMES
    require(known, "algorithm", f"{name_of(algorithm)}: Unknown algorithm", f"{', '.join(NAMES)} or one of optax's")
    smallest, largest = _pair("learningrate_limit", learningrate_limit, ("min", "max"), (1e-10, 0.1))
    decrease, increase = _pair("learningrate_factor", learningrate_factor, ("minus", "plus"), (0.5, 1.2))
    ordered = 0 < smallest <= largest < np.inf
    require(ordered, "learningrate_limit", f"min {smallest:g} and max {largest:g}", "0 < min <= max, both finite")
    around = 0 < decrease < 1 < increase < np.inf
    require(
        around, "learningrate_factor", f"minus {decrease:g} and plus {increase:g}", "minus in (0, 1) and plus above 1"
    )
    if algorithm in RPROP:
        return RPROP[algorithm](decrease=decrease, increase=increase, smallest=smallest, largest=largest)
    if algorithm == "lbfgs":
        return _lbfgs()
    words = "Argument 'learningrate' must be a numeric value, if the backpropagation algorithm is used"
    require(learningrate is not None, "learningrate", f"none: {words}", "a number above 0, such as 0.01")
    check_positive("learningrate", learningrate)
    return _backprop(float(cast(float, learningrate)))


def without_effect(algorithm: Any, learningrate: Any, learningrate_limit: Any, learningrate_factor: Any) -> list[str]:
    """Return what to say of settings that were given and that this algorithm does not take."""
    name = name_of(algorithm) if isinstance(algorithm, str) else "an optimizer of optax's"
    of_rprop = {"learningrate_limit": learningrate_limit, "learningrate_factor": learningrate_factor}
    given = [argument for argument, value in of_rprop.items() if value is not None and name not in RPROP]
    if learningrate is not None and name != "backprop":
        given.insert(0, "learningrate")
    takes = {"backprop": "learningrate"} | dict.fromkeys(RPROP, "learningrate_limit and learningrate_factor")
    found = f"it takes {takes[name]}" if name in takes else "it takes none of the learning rates"
    return (
        [f"{' and '.join(given)} {'has' if len(given) == 1 else 'have'} no effect with {name}: {found}"]
        if given
        else []
    )


def name_of(function: Any) -> str:
    """Return a name as it is, of a function its own, of anything else its type's."""
    return function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)


def _pair(argument: str, given: Any, names: tuple[str, str], default: tuple[float, float]) -> tuple[float, float]:
    if given is None:
        return default
    values: Any = [given.get(name) for name in names] if isinstance(given, Mapping) else np.atleast_1d(given).tolist()
    words = f"Argument '{argument.replace('_', '.')}' must consist of two components"
    numbers = len(values) == 2 and all(isinstance(v, int | float) for v in values)
    require(numbers, argument, f"{given!r}: {words}", f"two numbers, {names[0]} and {names[1]}")
    return float(values[0]), float(values[1])


# One object for the same settings: training's compiled programs are found by the optimizer that they were made for.
@cache
def _backprop(learningrate):
    import optax

    return optax.sgd(learningrate)


@cache
def _lbfgs():
    import optax

    return optax.lbfgs()
