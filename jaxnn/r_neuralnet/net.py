"""The fitted network: what R's object of class `nn` has, and what its methods do."""

import warnings
from collections.abc import Callable
from functools import cached_property, partial
from os import PathLike
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxnn.errors import require
from jaxnn.r_neuralnet import bootstrap, diagnosis, effects, files, importance, inference, intervals, pictures, summary
from jaxnn.r_neuralnet.fitted import Fitted
from jaxnn.r_neuralnet.inference import ConfidenceInterval
from jaxnn.r_neuralnet.network import error_of, matrices
from jaxnn.r_neuralnet.rows import padded, padded_size

NO_LIKELIHOOD = "the error is no negative log-likelihood, so AIC, BIC and NIC do not mean much: use err_fct='ce'"


class Prediction(NamedTuple):
    """Columns by name, a row for each different row of covariates; see `NeuralNet.prediction`."""

    data: dict[str, np.ndarray]
    reps: list[dict[str, np.ndarray]]
    data_error: float


class NeuralNet:
    """The networks of all restarts, each at its own place in every list and array, converged or not.

    - `steps`, `error`, `reached_threshold` (the largest absolute gradient), `converged`, `diverged`: arrays, an entry a
      restart.
    - `weights[rep][layer]` and `startweights`: R's matrices, `(inputs + 1, nodes)`, row 0 the intercepts; NaN for an
      excluded weight, unless it is constant and not 0.
    - `net_result[rep] (n, k)`, `generalized_weights[rep] (n, k * p)`; `covariate (n, p)`, `response (n, k)`.
    - With `scale=True`, `weights`, their intervals, `error` and `steps` are those of the standardised columns, as R's
      would be of `scale(data)`; outputs, slopes, `covariate` and `response` are in the user's units.
    - `variables` and `responses`: the names of their columns; `architecture`, `settings`: what was asked for.
    """

    def __init__(self, fitted: Fitted):
        settings, restarts = fitted.settings, fitted.restarts
        self.fitted, self.settings, self.architecture = fitted, settings, settings.architecture
        self.variables: list[str] = settings.design.variables
        self.responses: list[str] = settings.design.outputs
        self.starts, self.restarts = fitted.starts, restarts
        self.steps: Int[np.ndarray, " restarts"] = restarts.steps
        self.error: Float[np.ndarray, " restarts"] = restarts.loss
        self.reached_threshold: Float[np.ndarray, " restarts"] = restarts.largest_gradient
        self.converged: Bool[np.ndarray, " restarts"] = restarts.converged
        self.diverged: Bool[np.ndarray, " restarts"] = restarts.diverged

    @property
    def covariate(self) -> Float[np.ndarray, "n p"]:
        """The covariates of the fit; raises `InvalidArgument` where the net was saved without its data."""
        return self.fitted.covariate

    @property
    def response(self) -> Float[np.ndarray, "n k"]:
        """The responses of the fit; raises `InvalidArgument` where the net was saved without its data."""
        return self.fitted.response

    @cached_property
    def weights(self) -> list[list[np.ndarray]]:
        """R's matrices `[rep][layer]`, `(inputs + 1, nodes)`, row 0 the intercepts; NaN where excluded."""
        return [self._as_in_r(vector) for vector in self.restarts.params]

    @cached_property
    def startweights(self) -> list[list[np.ndarray]]:
        """The weights that each restart began with, as `weights`."""
        return [self._as_in_r(vector) for vector in self.starts]

    def _as_in_r(self, vector: np.ndarray) -> list[np.ndarray]:
        with_gaps = np.array(vector)
        with_gaps[np.array(self.settings.excluded, int)[self.settings.constants == 0]] = np.nan
        return matrices(with_gaps, self.architecture)

    def vector(self, rep: int | str = 0) -> Float[np.ndarray, " w"]:
        """Return a restart's weights as R's `unlist(weights)`, excluded ones included."""
        return np.array(self.restarts.params[self.number(rep)])

    def _in_users_units(self, rep: int | str) -> Float[np.ndarray, " w"]:
        return self.fitted.in_users_units(self.number(rep))

    def number(self, rep: int | str) -> int:
        """Return the place of a restart, from 0: its own, or of "best" the one with the lowest error."""
        return self.fitted.number(rep)

    @property
    def best(self) -> int:
        """The place of the restart with the lowest error, among those that converged if any did."""
        return self.fitted.best

    @cached_property
    def net_result(self) -> list[Float[np.ndarray, "n k"]]:
        """The outputs of each restart for the data of the fit."""
        return [self.outputs(self._in_users_units(rep), self.covariate) for rep in range(len(self.error))]

    def outputs(self, vector: Float[np.ndarray, " w"], x: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n k"]:
        """Return the outputs of a network with these weights for rows of covariates."""
        with jax.enable_x64(True):
            filled = padded(x, padded_size(len(x)))  # for which there may be a program
            return np.asarray(inference.outputs(vector, filled, architecture=self.architecture))[: len(x)]

    @cached_property
    def generalized_weights(self) -> list[Float[np.ndarray, "n k*p"]]:
        r"""$\partial \log(o_k / (1 - o_k)) / \partial x_j$ a row, response by response, as R has them, also of linear
        outputs, which have no odds: `slopes` are for those.
        """
        with jax.enable_x64(True):
            return [
                inference.generalized_weights(self._in_users_units(rep), self.covariate, self.architecture)
                for rep in range(len(self.error))
            ]

    def slopes(self, data: Any = None, rep: int | str = "best") -> Float[np.ndarray, "n k p"]:
        r"""Return $\partial o_k / \partial x_j$ in every row of some data, of the fit's own by default."""
        x = self.covariate if data is None else self.settings.design.x(data)
        with jax.enable_x64(True):
            return np.asarray(inference.slopes(self._in_users_units(rep), x, architecture=self.architecture))

    def predict(self, data: Any, rep: int | str = "best", *, all_units: bool = False, type: str = "response") -> Any:
        """Return the outputs `(n, k)` for some data, or the values of all nodes, layer by layer, the inputs first.

        Where there are several restarts, they are those of the best one: of lowest error, among the converged if any.
        Columns are found by name; a matrix without names has the covariates in their order. `type="class"` gives one
        label a row, of the type that the data had: of a factor the level with the largest output, of a response of two
        values the nearer one, of several responses the name of the largest. Raises `InvalidArgument` for missing
        columns or values, for levels that the fit did not see, and for classes of a regression.
        """
        x, vector = self.settings.design.x(data), self._in_users_units(rep)
        require(type in ("response", "class"), "type", repr(type), '"response" or "class"')
        if all_units:
            with jax.enable_x64(True):
                return [np.asarray(v) for v in inference.units(vector, x, architecture=self.architecture)]
        outputs = self.outputs(vector, x)
        if type == "response":
            return outputs
        return self._classes(outputs)

    def _classes(self, outputs: Float[np.ndarray, "n k"]) -> Shaped[np.ndarray, " n"]:
        """Return the class of each row; raises `InvalidArgument` where the responses name no classes."""
        first, *others = parts = self.settings.design.responses
        if not others and first.levels is not None:
            return np.array(first.levels, first.dtype)[outputs.argmax(axis=1)]
        numbers = [part.name for part in parts if part.labels is None]
        classes = "a factor, a comparison, a response of two values, or several of which one is 1 in every row"
        require(not numbers, "type", f"'class' for the numbers of {', '.join(numbers)}: a regression", classes)
        if others:
            return np.array(self.responses)[outputs.argmax(axis=1)]
        labels = np.array(first.labels, first.dtype)
        return labels[(outputs[:, 0] > labels.astype(float).mean()).astype(int)]

    def predict_function(self, rep: int | str = "best") -> Callable[[Array], Array]:
        """Return a function of the covariates `(n, p)`, in their order, that JAX can compile and differentiate.

        It stands alone: its weights are constants, in the precision that JAX is set to when it is called.
        """
        return partial(inference.outputs, self._in_users_units(rep), architecture=self.architecture)

    @cached_property
    def weight_names(self) -> list[str]:
        """R's names, in the order of `vector`: Intercept.to.1layhid1, x1.to.1layhid1, ..., 1layhid1.to.y."""
        return self.fitted.weight_names

    @property
    def result_matrix(self) -> dict[str, Float[np.ndarray, " restarts"]]:
        """R's result matrix, its rows by name, an entry a restart: error, threshold, steps, AIC, BIC, all weights."""
        head = {"error": self.error, "reached.threshold": self.reached_threshold, "steps": self.steps}
        return head | self.criteria | dict(zip(self.weight_names, self.restarts.params.T, strict=True))

    @property
    def n_parameters(self) -> int:
        """The number of weights that are trained, and of constant ones that are not 0, as R counts them."""
        return self.fitted.n_parameters

    @property
    def criteria(self) -> dict[str, Float[np.ndarray, " restarts"]]:
        """AIC and BIC of every restart where they were asked for (`likelihood=True`)."""
        return self.fitted.criteria

    @property
    def log_likelihood(self) -> Float[np.ndarray, " restarts"]:
        """Minus the error; a log-likelihood where the error is the cross-entropy of probabilities, else it warns."""
        self._warn_unless_likelihood()
        return -self.error

    def _warn_unless_likelihood(self) -> None:
        if self.architecture.error != "ce":
            warnings.warn(NO_LIKELIHOOD, stacklevel=3)

    @property
    def aic(self) -> Float[np.ndarray, " restarts"]:
        r"""$2 E + 2 k$, $k$ being `n_parameters`; it warns as `log_likelihood` does."""
        self._warn_unless_likelihood()
        return self.fitted.aic

    @property
    def bic(self) -> Float[np.ndarray, " restarts"]:
        r"""$2 E + k \log n$; it warns as `log_likelihood` does."""
        self._warn_unless_likelihood()
        return self.fitted.bic

    @property
    def nic(self) -> Float[np.ndarray, " restarts"]:
        r"""$E + \mathrm{tr}(B A^+)$, see `confidence_interval`; it warns as `log_likelihood`. Murata et al. 1994."""
        self._warn_unless_likelihood()
        return self.confidence_interval().nic

    def confidence_interval(self, alpha: float = 0.05, compat: str | None = None) -> ConfidenceInterval:
        r"""Return the bounds $w \pm z_{1 - \alpha / 2} \sqrt{V_{ii} / n}$ of every weight that is trained, and the NIC.

        $V = A^+ B A^+$ with the exact Hessian $A$, for any number of hidden layers (White 1989); right if the network
        is identified, so that no node is superfluous, and the error a negative log-likelihood. Weights that are not
        identified get NaN, with a warning. `compat="R"` gives the numbers of R, whose Hessian is wrong wherever there
        is a hidden layer, for at most one.
        """
        inference.check_alpha(alpha)
        require(compat in (None, "R"), "compat", repr(compat), 'None or "R"')
        plain = compat is None or (self.fitted.weights is None and not self.settings.decay)
        require(plain, "compat", "'R' for a fit with weights or decay, which R has not", "None")
        too_deep = compat == "R" and len(self.architecture.sizes) > 3
        words = "nic and confidence intervals will not be calculated for more than one hidden layer of neurons"
        require(not too_deep, "compat", f"'R' for {len(self.architecture.sizes) - 2} hidden layers: {words}", "None")
        return inference.confidence_interval(self.fitted, alpha, as_in_r=compat == "R")

    def prediction(self) -> Prediction:
        """Return R's `prediction`: a row for each different row of covariates, sorted by the last of them first.

        `data` has the mean responses, `reps` the outputs of each restart, as columns by name; `data_error` is the error
        of the mean responses, which no network of these covariates can go below.
        """
        rows, first, group = np.unique(
            self.covariate[:, ::-1], axis=0, return_index=True, return_inverse=True, equal_nan=False
        )
        means = np.stack([np.bincount(group, column) / np.bincount(group) for column in self.response.T], axis=1)
        inputs = dict(zip(self.variables, rows[:, ::-1].T, strict=True))
        tables = [
            inputs | dict(zip(self.responses, values.T, strict=True))
            for values in (means, *(result[first] for result in self.net_result))
        ]
        with jax.enable_x64(True):
            scaling, covariate = self.settings.scaling, self.covariate
            alike, response = (
                (v if scaling is None else scaling.standardised(covariate, v)[1]) for v in (means[group], self.response)
            )
            data_error = float(error_of(alike.T, response.T, self.architecture))
        return Prediction(tables[0], tables[1:], data_error)

    bootstrap = bootstrap.bootstrap
    intervals = intervals.intervals
    garson = importance.garson
    olden = importance.olden
    lek_profile = importance.lek_profile
    sensitivities = importance.sensitivities
    permutation_importance = importance.permutation_importance
    plot = pictures.plot
    plot_generalized_weights = pictures.plot_generalized_weights
    plot_decision = pictures.plot_decision
    plot_errors = pictures.plot_errors
    plot_importance = pictures.plot_importance

    def not_converged(self) -> str:
        """Return R's words for restarts that did not converge, why they did not, and what to try; "" if all did."""
        return "" if self.converged.all() else diagnosis.message(self.fitted)

    def why(self, rep: int | str = 0) -> list[str]:
        """Return what is known of why a restart did not converge; nothing of one that did."""
        number = self.number(rep)
        return [] if self.converged[number] else diagnosis.reasons(self.fitted, number)

    def summary(self, alpha: float = 0.05) -> str:
        """Return what a regression's summary says, to be printed, of the best restart.

        The mean slope by each covariate with its interval, Wald's test of each covariate and each weight, residuals and
        information criteria, how many directions of the weights are identified, and of restarts that did not converge
        why. Standard errors and tests are those of `confidence_interval`, intervals the sandwich's of `intervals`: none
        where these are refused, with the reasons.
        """
        inference.check_alpha(alpha)
        return summary.summary(self.fitted, alpha)

    def summary_frame(self, rep: int | str = "best", alpha: float = 0.05) -> dict[str, dict[str, np.ndarray]]:
        """Return the numbers of `summary` as tables, each a dict of columns of one length, as data frames are made of.

        `effects` (response, name, estimate, std_error, z, p, lower, upper), `weights` (the same), `covariates` (name,
        wald, df, p), `residuals` (response, min, 1q, median, 3q, max) and `fit`, one row.
        """
        inference.check_alpha(alpha)
        return effects.tables(self.fitted, self.number(rep), alpha)

    def table(self) -> str:
        """Return what R prints: the call, the number of repetitions, and of each the error, sorted by it."""
        return summary.table(self.fitted)

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def save(self, path: str | PathLike, data: bool = True) -> None:
        """Write everything to a `.npz` file, without the data of the fit if told so; `jaxnn.r_neuralnet.load` reads it.

        A net without its data predicts; what needs them, such as intervals, is refused.
        Raises `InvalidArgument` where an activation or the error is a function, which a file cannot hold.
        """
        files.save(self.fitted, path, data)


def load(path: str | PathLike) -> NeuralNet:
    """Return the network that `NeuralNet.save` wrote.

    Raises `DataFileError` for a file that is missing, damaged, of another program or of a later version.
    """
    return NeuralNet(files.read(path))
