"""The fitted network: what R's object of class `nn` has, and what its methods do."""

import warnings
from collections.abc import Callable
from functools import cached_property, partial
from os import PathLike
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from jaxnn.errors import require
from jaxnn.r_neuralnet import diagnosis, inference, pictures
from jaxnn.r_neuralnet.design import Design
from jaxnn.r_neuralnet.inference import ConfidenceInterval
from jaxnn.r_neuralnet.network import Architecture, error_of, matrices
from jaxnn.restarts import Restarts

NO_LIKELIHOOD = "the error is no negative log-likelihood, so AIC, BIC and NIC do not mean much: use err_fct='ce'"


class Settings(NamedTuple):
    """What was asked for."""

    call: str
    design: Design
    architecture: Architecture
    excluded: tuple[int, ...]
    constants: np.ndarray
    threshold: float
    stepmax: int
    algorithm: str
    likelihood: bool
    seed: int | None


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
    - `variables` and `responses`: the names of their columns; `architecture`, `settings`: what was asked for.
    """

    def __init__(self, settings: Settings, x: np.ndarray, y: np.ndarray, starts: np.ndarray, found: Restarts):
        self.settings, self.architecture = settings, settings.architecture
        self.covariate, self.response = x, y
        self.variables, self.responses = settings.design.variables, settings.design.outputs
        self.starts, self.restarts = starts, found
        self.error, self.steps, self.converged, self.diverged = found.loss, found.steps, found.converged, found.diverged
        self.reached_threshold = found.largest_gradient

    @cached_property
    def weights(self) -> list[list[np.ndarray]]:
        return [self._shown(vector) for vector in self.restarts.params]

    @cached_property
    def startweights(self) -> list[list[np.ndarray]]:
        return [self._shown(vector) for vector in self.starts]

    def _shown(self, vector: np.ndarray) -> list[np.ndarray]:
        shown = np.array(vector)
        shown[np.array(self.settings.excluded, int)[self.settings.constants == 0]] = np.nan
        return matrices(shown, self.architecture)

    def vector(self, rep: int | str = 0) -> Float[np.ndarray, " w"]:
        """Return a restart's weights as R's `unlist(weights)`, excluded ones included."""
        return np.array(self.restarts.params[self.number(rep)])

    def number(self, rep: int | str) -> int:
        """Return the place of a restart, from 0: its own, or of "best" the one with the lowest error."""
        if rep == "best":
            return self.best
        whole = isinstance(rep, int | np.integer) and not isinstance(rep, bool)
        known = whole and int(rep) in range(-len(self.error), len(self.error))
        require(known, "rep", f"{rep!r}: 'rep' does not exist", f'0 to {len(self.error) - 1}, or "best"')
        return int(rep) % len(self.error)

    @property
    def best(self) -> int:
        """The place of the restart with the lowest error, among those that converged if any did."""
        errors = np.where(self.converged, self.error, np.inf) if self.converged.any() else self.error
        return int(np.nanargmin(errors))

    @cached_property
    def net_result(self) -> list[np.ndarray]:
        return [self.outputs(vector, self.covariate) for vector in self.restarts.params]

    def outputs(self, vector: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the outputs of a network with these weights for rows of covariates."""
        with jax.enable_x64(True):
            return np.asarray(inference.outputs(vector, x, architecture=self.architecture))

    @cached_property
    def generalized_weights(self) -> list[np.ndarray]:
        r"""$\partial \log(o_k / (1 - o_k)) / \partial x_j$ a row, response by response, as R has them, also of linear
        outputs, which have no odds: `slopes` are for those.
        """
        with jax.enable_x64(True):
            return [inference.generalized_weights(v, self.covariate, self.architecture) for v in self.restarts.params]

    def slopes(self, data: Any = None, rep: int | str = 0) -> Float[np.ndarray, "n k p"]:
        r"""Return $\partial o_k / \partial x_j$ in every row of some data, of the fit's own by default."""
        x = self.covariate if data is None else self.settings.design.x(data)
        with jax.enable_x64(True):
            return np.asarray(inference.slopes(self.vector(rep), x, architecture=self.architecture))

    def predict(self, data: Any, rep: int | str = 0, *, all_units: bool = False, type: str = "response") -> Any:
        """Return the outputs `(n, k)` for some data, or the values of all nodes, layer by layer, the inputs first.

        Columns are found by name; a matrix without names has the covariates in their order. `type="class"` gives one
        label a row: of a factor the level with the largest output, of a single response whether its output is above
        0.5. Raises `InvalidArgument` for missing columns or values, and for levels that the fit did not see.
        """
        x, vector = self.settings.design.x(data), self.vector(rep)
        require(type in ("response", "class"), "type", repr(type), '"response" or "class"')
        if all_units:
            with jax.enable_x64(True):
                return [np.asarray(v) for v in inference.units(vector, x, architecture=self.architecture)]
        outputs = self.outputs(vector, x)
        if type == "response":
            return outputs
        term, *others = self.settings.design.responses
        if outputs.shape[1] == 1:
            return outputs[:, 0] > 0.5
        levels = self.responses if others else term.levels
        return np.array(levels)[outputs.argmax(axis=1)]

    def predict_function(self, rep: int | str = 0) -> Callable:
        """Return a function of the covariates `(n, p)`, in their order, that JAX can compile and differentiate.

        It stands alone: its weights are constants, in the precision that JAX is set to when it is called.
        """
        return partial(inference.outputs, self.vector(rep), architecture=self.architecture)

    @cached_property
    def weight_names(self) -> list[str]:
        """R's names, in the order of `vector`: Intercept.to.1layhid1, x1.to.1layhid1, ..., 1layhid1.to.y."""
        hidden = [[f"{i}layhid{j}" for j in range(1, n + 1)] for i, n in enumerate(self.architecture.sizes[1:-1], 1)]
        nodes = [self.variables, *hidden, self.responses]
        pairs = zip(nodes[:-1], nodes[1:], strict=True)
        return [f"{a}.to.{b}" for sources, to in pairs for b in to for a in ("Intercept", *sources)]

    @property
    def result_matrix(self) -> dict[str, np.ndarray]:
        """R's result matrix, its rows by name, an entry a restart: error, threshold, steps, AIC, BIC, all weights."""
        head = {"error": self.error, "reached.threshold": self.reached_threshold, "steps": self.steps}
        return head | self.criteria | dict(zip(self.weight_names, self.restarts.params.T, strict=True))

    @property
    def n_parameters(self) -> int:
        """The number of weights that are trained, and of constant ones that are not 0, as R counts them."""
        return self.architecture.n_weights - int(np.sum(self.settings.constants == 0))

    @property
    def criteria(self) -> dict[str, np.ndarray]:
        """AIC and BIC of every restart where they were asked for (`likelihood=True`)."""
        return (
            {"aic": self._information(2), "bic": self._information(np.log(len(self.covariate)))}
            if self.settings.likelihood
            else {}
        )

    def _information(self, price: float) -> np.ndarray:
        return 2 * self.error + price * self.n_parameters

    @property
    def log_likelihood(self) -> np.ndarray:
        """Minus the error; a log-likelihood where the error is the cross-entropy of probabilities, else it warns."""
        self._warn_unless_likelihood()
        return -self.error

    def _warn_unless_likelihood(self) -> None:
        if self.architecture.error != "ce":
            warnings.warn(NO_LIKELIHOOD, stacklevel=3)

    @property
    def aic(self) -> np.ndarray:
        r"""$2 E + 2 k$, $k$ being `n_parameters`; it warns as `log_likelihood` does."""
        self._warn_unless_likelihood()
        return self._information(2)

    @property
    def bic(self) -> np.ndarray:
        r"""$2 E + k \log n$; it warns as `log_likelihood` does."""
        self._warn_unless_likelihood()
        return self._information(np.log(len(self.covariate)))

    @property
    def nic(self) -> np.ndarray:
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
        number = isinstance(alpha, int | float | np.number) and not isinstance(alpha, bool) and 0 < alpha < 1
        require(number, "alpha", repr(alpha), "a share in (0, 1), such as 0.05")
        require(compat in (None, "R"), "compat", repr(compat), 'None or "R"')
        too_deep = compat == "R" and len(self.architecture.sizes) > 3
        words = "nic and confidence intervals will not be calculated for more than one hidden layer of neurons"
        require(not too_deep, "compat", f"'R' for {len(self.architecture.sizes) - 2} hidden layers: {words}", "None")
        free = np.setdiff1d(np.arange(self.architecture.n_weights), self.settings.excluded)
        lower, upper, nic, without = [], [], [], 0
        with jax.enable_x64(True):
            z = inference.quantile(1 - alpha / 2)
            for vector, error in zip(self.restarts.params, self.error, strict=True):
                errors, penalty = inference.standard_errors(
                    vector, self.covariate, self.response, self.architecture, free, compat == "R"
                )
                half = np.full(vector.size, np.nan)
                without += errors is None or bool(np.isnan(errors).any())
                if errors is not None:
                    half[free] = z * errors
                lower.append(matrices(vector - half, self.architecture))
                upper.append(matrices(vector + half, self.architecture))
                nic.append(error + penalty)
        if without:
            warnings.warn(
                f"{without} of {len(nic)} repetition(s) could not calculate confidence intervals for the weights; "
                "varify that the neural network does not contain irrelevant neurons: fit with fewer hidden nodes",
                stacklevel=2,
            )
        return ConfidenceInterval(lower, upper, np.array(nic))

    def prediction(self) -> Prediction:
        """Return R's `prediction`: a row for each different row of covariates, sorted by the last of them first.

        `data` has the mean responses, `reps` the outputs of each restart, as columns by name; `data_error` is the error
        of the mean responses, which no network of these covariates can go below.
        """
        rows, first, group = np.unique(
            self.covariate[:, ::-1], axis=0, return_index=True, return_inverse=True, equal_nan=False
        )
        group = group.ravel()
        means = np.stack([np.bincount(group, column) / np.bincount(group) for column in self.response.T], axis=1)
        inputs = dict(zip(self.variables, rows[:, ::-1].T, strict=True))
        tables = [
            inputs | dict(zip(self.responses, values.T, strict=True))
            for values in (means, *(result[first] for result in self.net_result))
        ]
        with jax.enable_x64(True):
            data_error = float(error_of(means[group].T, self.response.T, self.architecture))
        return Prediction(tables[0], tables[1:], data_error)

    def not_converged(self) -> str:
        """Return R's words for restarts that did not converge, why they did not, and what to try."""
        return diagnosis.message(self)

    def why(self, rep: int | str = 0) -> list[str]:
        """Return what is known of why a restart did not converge; nothing of one that did."""
        number = self.number(rep)
        return [] if self.converged[number] else diagnosis.reasons(self, number)

    def summary(self) -> None:
        """Print the networks, the data, the best weights, and of the restarts that did not converge why."""
        sizes, plan = self.architecture.sizes, self.settings
        lines = [
            str(self),
            f"{'-'.join(map(str, sizes))} nodes, {self.n_parameters} parameters, {len(self.covariate)} rows; "
            f"{plan.algorithm}, threshold {plan.threshold:g}, at most {plan.stepmax:,} steps"
            + ("" if plan.seed is None else f", seed {plan.seed}"),
            f"{' + '.join(self.responses)} ~ {' + '.join(self.variables)}",
        ]
        spread = f"{np.nanmin(self.error):.6g} to {np.nanmax(self.error):.6g}, median {np.nanmedian(self.error):.6g}"
        if len(self.error) > 1:
            lines.append(f"errors {spread}; {int(self.converged.sum())} of {len(self.error)} converged")
        if not self.converged.all():
            lines.append(self.not_converged())
        lines.append(f"\nweights of repetition {self.best}:")
        lines += [
            f"  {name:<{max(map(len, self.weight_names))}} {value:>12.5f}"
            for name, value in zip(self.weight_names, self.vector("best"), strict=True)
        ]
        print("\n".join(lines))

    def save(self, path: str | PathLike) -> None:
        """Write everything to a `.npz` file; `jaxnn.r_neuralnet.load` reads it."""
        from jaxnn.r_neuralnet import files

        files.save(self, path)

    plot = pictures.plot
    plot_generalized_weights = pictures.plot_generalized_weights
    plot_decision = pictures.plot_decision
    plot_errors = pictures.plot_errors

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def table(self) -> str:
        """Return what R prints: the call, the number of repetitions, and of each the error, sorted by it."""
        count = len(self.error)
        heads = ["Error", *map(str.upper, self.criteria), "Reached Threshold", "Steps"]
        columns = [self.error, *self.criteria.values(), self.reached_threshold]
        rows = []
        for i in np.argsort(self.error, kind="stable"):
            cells = [f"{column[i]:.7g}" for column in columns] + [str(self.steps[i])]
            rows.append([str(i), *cells, "" if self.converged[i] else "did not converge"])
        table = [["", *heads, ""], *rows]
        widths = [max(len(row[j]) for row in table) for j in range(len(table[0]))]
        lines = [" ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
        repetitions = "1 repetition was" if count == 1 else f"{count} repetitions were"
        return f"Call: {self.settings.call}\n\n{repetitions} calculated.\n\n" + "\n".join(lines) + "\n"
