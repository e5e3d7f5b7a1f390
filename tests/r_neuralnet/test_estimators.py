"""scikit-learn's own checks of the two estimators."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from jaxnn.r_neuralnet.estimators import NeuralNetClassifier, NeuralNetRegressor

# What is skipped needs packages that are not required.
ignored = pytest.mark.filterwarnings("ignore")


@ignored
@parametrize_with_checks([NeuralNetRegressor(), NeuralNetClassifier()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@ignored
def test_in_a_search_over_a_pipeline():
    rng = np.random.default_rng(0)
    x = 100 + 30 * rng.normal(size=(90, 2))
    y = np.array(["in", "out", "far"])[np.digitize(np.hypot(*((x - 100) / 30).T), [1, 1.7])]
    model = make_pipeline(StandardScaler(), NeuralNetClassifier(threshold=0.5, stepmax=3000, random_state=0))
    search = GridSearchCV(model, {"neuralnetclassifier__hidden": [1, (6,)]}, cv=2).fit(x, y)
    assert search.best_params_ == {"neuralnetclassifier__hidden": (6,)} and search.score(x, y) > 0.9
    probabilities = search.predict_proba(x)
    assert probabilities.shape == (90, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@ignored
def test_several_columns_of_targets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    model = NeuralNetRegressor(hidden=0, threshold=0.1, random_state=0).fit(x, np.stack([x[:, 0], x.sum(axis=1)], 1))
    np.testing.assert_allclose(model.predict([[1.0, 2]]), [[1, 3]], atol=0.05)
    assert model.net_.converged.all() and model.n_iter_ == model.net_.steps[0]
