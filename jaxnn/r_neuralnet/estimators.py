"""`jaxnn.neuralnet` as scikit-learn's estimators; the only part of the library that imports scikit-learn."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from jaxnn.r_neuralnet.fit import neuralnet
from jaxnn.r_neuralnet.net import NeuralNet


class _NeuralNetEstimator(BaseEstimator):
    """What both have in common: `net_` is the `NeuralNet`, whose restart of lowest error predicts."""

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
    ):
        self.hidden = hidden
        self.threshold = threshold
        self.stepmax = stepmax
        self.rep = rep
        self.algorithm = algorithm
        self.learningrate = learningrate
        self.act_fct = act_fct
        self.random_state = random_state

    def _fit(self, X: np.ndarray, y: np.ndarray, **settings: Any) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.net_ = neuralnet(
                X=X,
                y=y,
                hidden=self.hidden,
                threshold=self.threshold,
                stepmax=self.stepmax,
                rep=self.rep,
                algorithm=self.algorithm,
                learningrate=self.learningrate,
                act_fct=self.act_fct,
                seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
                **settings,
            )
        for warning in caught:  # of the category that users of scikit-learn filter
            warnings.warn(str(warning.message), ConvergenceWarning, stacklevel=3)
        self.n_iter_ = int(self.net_.steps.max())

    def _outputs(self, X: Any) -> np.ndarray:
        return self.net_.predict(validate_data(self, X, dtype=np.float64, reset=False), rep="best")


class NeuralNetRegressor(RegressorMixin, _NeuralNetEstimator):
    r"""R's neuralnet with linear outputs and $E = \frac{1}{2} \sum (y - o)^2$, one output or several.

    The parameters are those of `jaxnn.neuralnet`; scale the columns of `X` and `y` first, as for R's.
    """

    def fit(self, X: Any, y: Any) -> "NeuralNetRegressor":
        """Return the estimator itself, fitted to `X (n, p)` and `y (n,)` or `(n, k)`."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._fit(X, np.asarray(y, float))
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

    The parameters are those of `jaxnn.neuralnet`; scale the columns of `X` first, as for R's.
    """

    def fit(self, X: Any, y: Any) -> "NeuralNetClassifier":
        """Return the estimator itself, fitted to `X (n, p)` and the classes `y (n,)`, numbers or texts."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: got 1 class, {self.classes_[0]!r}, expected two or more")
        two = len(self.classes_) == 2
        targets = numbers.astype(float) if two else np.eye(len(self.classes_))[numbers]
        output = (
            {}
            if two and isinstance(self.act_fct, str) and self.act_fct == "logistic"
            else {"output_act_fct": "logistic" if two else "softmax"}
        )
        self._fit(X, targets, err_fct="ce", linear_output=False, **output)
        return self

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n classes"]:
        """Return the probability of each of `classes_` for `X (n, p)`."""
        check_is_fitted(self)
        outputs = self._outputs(X)
        return np.hstack([1 - outputs, outputs]) if len(self.classes_) == 2 else outputs

    def predict(self, X: Any) -> Shaped[np.ndarray, " n"]:
        """Return the likeliest class for each row of `X (n, p)`."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
