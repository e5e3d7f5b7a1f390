"""scikit-learn's own checks of the two estimators, and what they do that scikit-learn does not ask."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from jaxnn import neuralnet
from jaxnn.r_neuralnet.estimators import NeuralNetClassifier, NeuralNetRegressor

# What is skipped needs packages that are not required.
ignored = pytest.mark.filterwarnings("ignore")

# Those that train nothing: each fit of another shape compiles its own program.
FAST = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_mixin_order",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_get_params_invariance",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
    "check_classifiers_one_label",
    "check_classifiers_regression_target",
    "check_estimators_empty_data_messages",
    "check_complex_data",
    "check_requires_y_none",
    "check_supervised_y_no_nan",
}


def checks():
    for estimator in (NeuralNetRegressor(), NeuralNetClassifier()):
        for given, check in estimator_checks_generator(estimator):
            name, settings = check.func.__name__, ", ".join(f"{k}={v}" for k, v in check.keywords.items())
            title = f"{type(estimator).__name__}-{name}({settings})"
            yield pytest.param(given, check, id=title, marks=() if name in FAST else pytest.mark.slow)


@ignored
@pytest.mark.parametrize(("estimator", "check"), [*checks()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@ignored
@pytest.mark.slow
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


@pytest.mark.parametrize("labels", [("no", "yes"), ("low", "mid", "top")])
def test_classes_are_texts_with_probabilities(labels):
    x = np.random.default_rng(0).normal(size=(60, 1))
    y = np.array(labels)[np.digitize(x[:, 0], np.linspace(-0.5, 0.5, len(labels) - 1))]
    model = NeuralNetClassifier(hidden=0, threshold=0.5, random_state=0).fit(x, y)
    probabilities = model.predict_proba(x)
    np.testing.assert_array_equal(model.classes_, labels)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(x), np.array(labels)[probabilities.argmax(axis=1)])
    assert (model.predict(x) == y).mean() > 0.9


@ignored
def test_a_fit_that_stops_short_warns_as_scikit_learn_does():
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        model = NeuralNetRegressor(hidden=0, stepmax=3, random_state=0).fit([[0.0], [1], [3]], [0.0, 1, 2])
    assert model.n_iter_ == 3 and model.predict([[1.0], [2]]).shape == (2,)


@ignored
def test_several_columns_of_targets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    model = NeuralNetRegressor(hidden=0, threshold=0.1, random_state=0).fit(x, np.stack([x[:, 0], x.sum(axis=1)], 1))
    np.testing.assert_allclose(model.predict([[1.0, 2]]), [[1, 3]], atol=0.05)
    assert model.net_.converged.all() and model.n_iter_ == model.net_.steps[0]


X = np.random.default_rng(1).normal(size=(80, 2))
SIDE = np.where(X[:, 0] + 0.5 * X[:, 1] > 0.7, "up", "down")


def test_the_functions_settings_are_the_estimators():
    """The same fit by the function, from R's starts."""
    settings = {"hidden": 2, "threshold": 0.5, "scale": True, "exclude": [2], "decay": 0.01, "act_fct": "tanh"}
    model = NeuralNetRegressor(seed=3, learningrate_limit=(1e-9, 0.2), **settings).fit(X, 5 * X[:, 1])
    net = neuralnet(X=X, y=5 * X[:, 1], seed=3, learningrate_limit=(1e-9, 0.2), **settings)
    np.testing.assert_array_equal(model.net_.vector(), net.vector())
    assert model.net_.settings.seed == 3 and model.net_.responses == ["y"]
    squared = NeuralNetClassifier(hidden=0, threshold=0.5, seed=3, err_fct="sse").fit(X, SIDE)
    assert squared.net_.architecture.error == "sse" and squared.net_.responses == ["y == up"]
    np.testing.assert_allclose(squared.predict_proba(X).sum(axis=1), 1)


def test_rows_and_classes_weigh():
    settings = {"hidden": 0, "threshold": 0.01, "seed": 3}
    weights = np.where(SIDE == "up", 2.0, 1.0)
    by_rows = NeuralNetClassifier(**settings).fit(X, SIDE, sample_weight=weights)
    by_class = NeuralNetClassifier(class_weight={"up": 2, "down": 1}, **settings).fit(X, SIDE)
    np.testing.assert_array_equal(by_rows.net_.vector(), by_class.net_.vector())
    twice = np.concatenate([np.arange(80), np.flatnonzero(SIDE == "up")])
    repeated = NeuralNetClassifier(**settings).fit(X[twice], SIDE[twice])
    np.testing.assert_allclose(by_rows.net_.vector(), repeated.net_.vector(), rtol=1e-6)


def test_rows_weigh_in_scales_and_balanced_classes_too():
    settings = {"hidden": 0, "threshold": 1e-3, "seed": 3, "scale": True, "class_weight": "balanced"}
    weights = np.arange(80) % 3
    weighed = NeuralNetClassifier(**settings).fit(X, SIDE, sample_weight=weights)
    repeated = NeuralNetClassifier(**settings).fit(np.repeat(X, weights, axis=0), np.repeat(SIDE, weights))
    np.testing.assert_allclose(weighed.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    few = NeuralNetClassifier(**settings).fit(X, SIDE, sample_weight=weights / weights.sum())  # AdaBoost's add up to 1
    scales = [model.net_.settings.scaling for model in (few, repeated)]
    np.testing.assert_allclose(scales[0].x_mean, scales[1].x_mean, atol=1e-12)
    np.testing.assert_allclose(scales[0].x_sd, scales[1].x_sd, rtol=0.01)


@ignored
@pytest.mark.slow
def test_in_a_boosted_ensemble():
    # Its weights add up to 1, so the error is a mean: a threshold for sums must not stop it at the start.
    learner = NeuralNetClassifier(hidden=0, threshold=0.5, random_state=0)
    model = AdaBoostClassifier(learner, n_estimators=2, random_state=0)
    assert model.fit(X, SIDE).score(X, SIDE) > 0.9


@ignored
def test_only_what_did_not_converge_is_a_convergence_warning():
    with pytest.warns() as said:
        NeuralNetRegressor(hidden=0, threshold=1e5, seed=1).fit(100 * X, X[:, 0])
    assert [w.category for w in said] == [UserWarning] and "unscaled" in str(said[0].message)


@ignored
def test_what_lies_under_a_mask_is_missing():
    masked = np.ma.masked_array(X, np.zeros_like(X, bool))
    masked[0, 0] = np.ma.masked
    with pytest.raises(ValueError, match="NaN"):
        NeuralNetRegressor(hidden=0).fit(masked, X[:, 0])
