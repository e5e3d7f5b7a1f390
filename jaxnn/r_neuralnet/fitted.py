"""What a fit leaves behind, as plain data: what was asked for, the data, the starts, and where each restart stopped."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

import numpy as np
from jaxtyping import Bool, Float

from jaxnn.errors import require
from jaxnn.r_neuralnet.formulas.design import Design
from jaxnn.r_neuralnet.network import Architecture, objective
from jaxnn.r_neuralnet.rows import weighed
from jaxnn.r_neuralnet.scaling import Scaling
from jaxnn.restarts import Restarts


class Settings(NamedTuple):
    """What was asked for, and how the columns were scaled.

    `excluded` has the indices of the weights that are not trained, `constants` their values.
    """

    call: str
    design: Design
    architecture: Architecture
    excluded: tuple[int, ...]
    constants: Float[np.ndarray, " excluded"]
    threshold: float
    stepmax: int
    algorithm: str
    likelihood: bool
    seed: int | None
    scaling: Scaling | None = None
    decay: float = 0.0
    omitted: int = 0  # rows with missing values that were left out
    patience: int | None = None  # steps without a lower error of the rows held out, where some were


class Fitted(NamedTuple):
    """All restarts of a fit, each at its own place: `starts` and `restarts.params` have a row of weights for each."""

    settings: Settings
    data: tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n k"]] | None  # covariates, responses; none in some files
    starts: Float[np.ndarray, "restarts w"]
    restarts: Restarts
    rows: int
    weights: Float[np.ndarray, " n"] | None = None  # of the rows, where they do not all weigh 1
    held_out: Bool[np.ndarray, " n"] | None = None  # the rows that were not trained on, and chose the step

    @property
    def covariate(self) -> Float[np.ndarray, "n p"]:
        """The covariates of the fit; raises `InvalidArgument` where the net was saved without its data."""
        return self._kept()[0]

    @property
    def response(self) -> Float[np.ndarray, "n k"]:
        """The responses of the fit; raises `InvalidArgument` where the net was saved without its data."""
        return self._kept()[1]

    def _kept(self) -> tuple[np.ndarray, np.ndarray]:
        there = self.data is not None
        require(there, "net", "one that was saved without the data of its fit", "one that was saved with data=True")
        return cast(tuple, self.data)

    def number(self, rep: int | str) -> int:
        """Return the place of a restart, from 0: its own, or of "best" the one with the lowest error."""
        if rep == "best":
            return self.best
        count = len(self.restarts.loss)
        whole = isinstance(rep, int | np.integer) and not isinstance(rep, bool)
        known = whole and int(rep) in range(-count, count)
        require(known, "rep", f"{rep!r}: 'rep' does not exist", f'0 to {count - 1}, or "best"')
        return int(rep) % count

    @property
    def best(self) -> int:
        """The place of the restart with the lowest error, of the rows held out if there are any, among those that
        converged if any did.
        """
        restarts, converged = self.restarts, self.restarts.converged
        error = restarts.loss if restarts.held_out is None else restarts.held_out
        return int(np.nanargmin(np.where(converged, error, np.inf) if converged.any() else error))

    @property
    def trained_on(self) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n k"]]:
        """The covariates and the responses that the weights belong to: scaled, where the fit scaled them."""
        scaling = self.settings.scaling
        plain = self._kept()
        return plain if scaling is None else scaling.standardised(*plain)

    @property
    def objective_and_data(self) -> tuple[Callable, tuple[np.ndarray, np.ndarray]]:
        """What was minimised, `value_and_grad(weights, x, y)`, and the `x` and `y` that it is given."""
        settings, (x, y) = self.settings, self.trained_on
        x, y, columns = weighed(x, y, self.trained_weights, settings.architecture)
        return objective(settings.architecture, settings.excluded, columns, settings.decay), (x, y)

    @property
    def trained_weights(self) -> Float[np.ndarray, " n"] | None:
        """What each row weighs in the error, 0 of those held out; `None` where all weigh 1."""
        if self.held_out is None:
            return self.weights
        return np.where(self.held_out, 0.0, 1.0 if self.weights is None else self.weights)

    def check_at_minimum(self) -> None:
        """Raise `InvalidArgument` where rows held out chose the weights, which are at no minimum then."""
        expected = "weights at a minimum of the error, which alone have intervals: fit without validation"
        require(self.held_out is None, "net", "one whose rows held out chose the step", expected)

    def in_users_units(self, rep: int) -> Float[np.ndarray, " w"]:
        """Return a restart's weights as they act on the user's covariates and give the user's responses."""
        weights, scaling = self.restarts.params[rep], self.settings.scaling
        return weights if scaling is None else scaling.in_users_units(weights, self.settings.architecture)

    @property
    def weight_names(self) -> list[str]:
        """R's names, in the order of its `unlist(weights)`: Intercept.to.1layhid1, x1.to.1layhid1, ..."""
        design, sizes = self.settings.design, self.settings.architecture.sizes
        hidden = [[f"{i}layhid{j}" for j in range(1, n + 1)] for i, n in enumerate(sizes[1:-1], 1)]
        nodes = [design.variables, *hidden, design.outputs]
        pairs = zip(nodes[:-1], nodes[1:], strict=True)
        return [f"{a}.to.{b}" for sources, to in pairs for b in to for a in ("Intercept", *sources)]

    @property
    def n_parameters(self) -> int:
        """The number of weights that are trained, and of constant ones that are not 0, as R counts them."""
        return self.settings.architecture.n_weights - int(np.sum(self.settings.constants == 0))

    @property
    def aic(self) -> Float[np.ndarray, " restarts"]:
        r"""$2 E + 2 k$, $k$ being `n_parameters`."""
        return 2 * self.restarts.loss + 2 * self.n_parameters

    @property
    def bic(self) -> Float[np.ndarray, " restarts"]:
        r"""$2 E + k \log n$."""
        return 2 * self.restarts.loss + np.log(self.rows) * self.n_parameters

    @property
    def criteria(self) -> dict[str, Float[np.ndarray, " restarts"]]:
        """AIC and BIC of every restart where they were asked for (`likelihood=True`)."""
        return {"aic": self.aic, "bic": self.bic} if self.settings.likelihood else {}


class Net(Protocol):
    """A `NeuralNet`, as the functions of other modules see it that are its methods."""

    fitted: Fitted
