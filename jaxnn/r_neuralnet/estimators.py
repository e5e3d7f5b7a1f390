"""`jaxnn.neuralnet` as scikit-learn's estimators; the only part of the library that imports scikit-learn."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from jaxnn.r_neuralnet.fit import neuralnet
from jaxnn.r_neuralnet.net import NeuralNet


class _NeuralNetEstimator(BaseEstimator):
    """What both have in common: `net_` is the `NeuralNet`, whose restart of lowest error predicts.

    The threshold is of gradients that are sums over the rows; of rows that weigh less than 1 in the mean it is as much
    lower.
    """

    net_: NeuralNet

    def __init__(
        self,
        hidden: int | Sequence[int] = (4,),
        threshold: float = 0.01,
        stepmax: int = 20_000,
        rep: int = 1,
        algorithm: Any = "rprop+",
        learningrate: float | None = None,
        act_fct: Any = "logistic",
        random_state: Any = None,
        *,
        seed: int | None = None,
        learningrate_limit: Any = None,
        learningrate_factor: Any = None,
        err_fct: Any = None,
        linear_output: bool | None = None,
        output_act_fct: Any = None,
        startweights: Any = None,
        exclude: Any = None,
        constant_weights: Any = None,
        scale: bool = False,
        decay: float = 0.0,
    ):
        self.hidden = hidden
        self.threshold = threshold
        self.stepmax = stepmax
        self.rep = rep
        self.algorithm = algorithm
        self.learningrate = learningrate
        self.act_fct = act_fct
        self.random_state = random_state
        self.seed = seed
        self.learningrate_limit = learningrate_limit
        self.learningrate_factor = learningrate_factor
        self.err_fct = err_fct
        self.linear_output = linear_output
        self.output_act_fct = output_act_fct
        self.startweights = startweights
        self.exclude = exclude
        self.constant_weights = constant_weights
        self.scale = scale
        self.decay = decay

    def _fit(self, X: np.ndarray, y: dict[str, np.ndarray], weights: Any, **usual: Any) -> None:
        """Fit by the function; `usual` is what it is given where the estimator was not told otherwise."""
        drawn = ("hidden", "threshold", "stepmax", "rep", "algorithm", "learningrate", "learningrate_limit", "act_fct")
        drawn += ("learningrate_factor", "exclude", "constant_weights", "scale", "decay", "startweights")
        settings = {name: getattr(self, name) for name in drawn}
        named = {name: getattr(self, name) for name in ("err_fct", "linear_output", "output_act_fct")}
        if weights is not None:  # those that add up to 1, as AdaBoost's, are to stop where those of the mean 1 would
            settings["threshold"] *= min(1.0, float(np.mean(weights)))
        settings |= usual | {name: value for name, value in named.items() if value is not None}
        if self.startweights is None:
            random = check_random_state(self.random_state)
            settings["seed"] = int(random.randint(2**31 - 1)) if self.seed is None else self.seed
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(1, X.shape[1] + 1)])
        inputs = dict(zip(map(str, names), X.T, strict=True))
        y = {name if name not in inputs else f"{name} (y)": values for name, values in y.items()}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.net_ = neuralnet(X=inputs, y=y, weights=weights, **settings)
        for warning in caught:  # what did not converge has the category that users of scikit-learn filter
            short = str(warning.message).startswith("Algorithm did not converge")
            warnings.warn(str(warning.message), ConvergenceWarning if short else warning.category, stacklevel=3)
        self.n_iter_ = int(self.net_.steps.max())

    def _outputs(self, X: Any) -> np.ndarray:
        return self.net_.predict(validate_data(self, _without_mask(X), dtype=np.float64, reset=False))


def _without_mask(X: Any) -> Any:
    """Return what lies under a mask as NaN, which scikit-learn sees; it would take the value that is under it."""
    return np.ma.filled(X.astype(float), np.nan) if isinstance(X, np.ma.MaskedArray) else X


def _names_of(y: Any, count: int) -> list[str]:
    """Return the names of the columns of targets: their own, else y, or y1, y2 and so on."""
    columns = getattr(y, "columns", None)
    own = [getattr(y, "name", None)] if columns is None else list(columns)
    names = [name for name in own if isinstance(name, str) and name]
    if len(names) == len(own) == count:
        return names
    return ["y"] if count == 1 else [f"y{k}" for k in range(1, count + 1)]


def _row_weights(sample_weight: Any, X: np.ndarray) -> Any:
    return None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)


class NeuralNetRegressor(RegressorMixin, _NeuralNetEstimator):
    r"""R's neuralnet with linear outputs and $E = \frac{1}{2} \sum (y - o)^2$, one output or several.

    The parameters are those of `jaxnn.neuralnet`; scale the columns of `X` and `y` first, as for R's, or with
    `scale=True`. `seed` draws the start weights as R does after `set.seed(seed)`, in place of `random_state`.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NeuralNetRegressor":
        """Return the estimator itself, fitted to `X (n, p)` and `y (n,)` or `(n, k)`, rows weighing as told."""
        given = _without_mask(y)
        X, y = validate_data(self, _without_mask(X), given, dtype=np.float64, multi_output=True, y_numeric=True)
        columns = np.asarray(y, float).reshape(len(X), -1)
        names = _names_of(given, columns.shape[1])
        self._fit(X, dict(zip(names, columns.T, strict=True)), _row_weights(sample_weight, X))
        self.one_column_ = np.ndim(y) == 1
        return self

    def predict(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """Return the outputs for `X (n, p)`, in the shape that `y` had."""
        check_is_fitted(self)
        outputs = self._outputs(X)
        return outputs[:, 0] if self.one_column_ else outputs

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class NeuralNetClassifier(ClassifierMixin, _NeuralNetEstimator):
    """R's neuralnet with cross-entropy: one logistic output for two classes, softmax outputs for more.

    The parameters are those of `jaxnn.neuralnet`, and scikit-learn's `class_weight`; scale the columns of `X` first,
    as for R's, or with `scale=True`.
    """

    def __init__(
        self,
        hidden: int | Sequence[int] = (4,),
        threshold: float = 0.01,
        stepmax: int = 20_000,
        rep: int = 1,
        algorithm: Any = "rprop+",
        learningrate: float | None = None,
        act_fct: Any = "logistic",
        random_state: Any = None,
        *,
        seed: int | None = None,
        learningrate_limit: Any = None,
        learningrate_factor: Any = None,
        err_fct: Any = None,
        linear_output: bool | None = None,
        output_act_fct: Any = None,
        startweights: Any = None,
        exclude: Any = None,
        constant_weights: Any = None,
        scale: bool = False,
        decay: float = 0.0,
        class_weight: Any = None,
    ):
        given = {name: value for name, value in locals().items() if name not in ("self", "class_weight", "__class__")}
        super().__init__(**given)
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NeuralNetClassifier":
        """Return the estimator itself, fitted to `X (n, p)` and the classes `y (n,)`, rows weighing as told."""
        (name,) = _names_of(y, 1)
        X, y = validate_data(self, _without_mask(X), y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: got 1 class, {self.classes_[0]!r}, expected two or more")
        two = len(self.classes_) == 2
        hot = numbers[:, None].astype(float) if two else np.eye(len(self.classes_))[numbers]
        names = [f"{name} == {self.classes_[1]}"] if two else [f"{name} == {label}" for label in self.classes_]
        plain = two and isinstance(self.act_fct, str) and self.act_fct == "logistic"
        output = {} if plain or self.linear_output else {"output_act_fct": "logistic" if two else "softmax"}
        weights = _row_weights(sample_weight, X)
        if self.class_weight is not None:
            of_rows = np.ones(len(X)) if weights is None else weights
            if self.class_weight == "balanced":  # of what the rows weigh, so that one of weight 2 is as two
                of_classes = np.bincount(numbers, of_rows)
                shares = len(of_classes) * np.where(of_classes > 0, of_classes, np.inf)
                weights = of_rows * (of_rows.sum() / shares)[numbers]
            else:
                weights = of_rows * compute_sample_weight(self.class_weight, y)
        targets = dict(zip(names, hot.T, strict=True))
        self._fit(X, targets, weights, **({"err_fct": "ce", "linear_output": False} | output))
        return self

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n classes"]:
        """Return the probability of each of `classes_` for `X (n, p)`."""
        check_is_fitted(self)
        outputs = self._outputs(X)
        shares = np.hstack([1 - outputs, outputs]) if len(self.classes_) == 2 else outputs
        if self.net_.architecture.output in ("logistic", "softmax") and self.net_.architecture.error == "ce":
            return shares
        shares = np.clip(shares, 0, 1)  # of other outputs and errors: no probabilities, made to look like them
        whole = shares.sum(axis=1, keepdims=True)
        return np.where(whole > 0, shares / np.where(whole > 0, whole, 1), 1 / shares.shape[1])

    def predict(self, X: Any) -> Shaped[np.ndarray, " n"]:
        """Return the likeliest class for each row of `X (n, p)`."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
