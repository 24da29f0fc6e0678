"""The classifier compared with brute force and with scikit-learn's class for one label."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.fixes import parse_version

from multimodal_ensemble.metrics import apply_thresholds, tune_thresholds
from multimodal_ensemble.model_selection import (
    MultilabelStratifiedKFold,
    TunedThresholdMultilabelClassifier,
)

INF = float("inf")
tune_by_default = functools.partial(tune_thresholds, criterion="prevalence")
METRICS = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": lambda truth, predicted: f1_score(truth, predicted, zero_division=0),
}


@pytest.fixture(scope="module")
def data():
    X, y = make_multilabel_classification(
        n_samples=120, n_features=6, n_classes=3, n_labels=1, random_state=0
    )
    return X / 10, y


def bayes():
    """Return a fast classifier whose probabilities are one array."""
    return OneVsRestClassifier(MultinomialNB())


def logistic():
    """Return a slower classifier that also has decision values."""
    return OneVsRestClassifier(LogisticRegression())


class FixedProbabilities(ClassifierMixin, BaseEstimator):
    """A fitted estimator with fixed probabilities and classes."""

    def __init__(self, scores, classes=None):
        self.scores = scores
        self.classes = classes
        self.fitted_ = True
        if classes is not None:
            self.classes_ = classes

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return self.scores


class FixedDecisionValues(ClassifierMixin, BaseEstimator):
    """A fitted estimator with fixed decision values."""

    def __init__(self, scores):
        self.scores = scores
        self.fitted_ = True

    def fit(self, X, y):
        return self

    def decision_function(self, X):
        return self.scores


class Recorder(ClassifierMixin, BaseEstimator):
    """An estimator that accepts weights and records the arguments of `fit`."""

    fits = ()

    def fit(self, X, y, sample_weight=None):
        type(self).fits += ((X, y, sample_weight),)
        self.n_labels_ = y.shape[1]
        return self

    def predict_proba(self, X):
        return np.tile(np.asarray(X)[:, :1], self.n_labels_)


# -- tuning ----------------------------------------------------------------------------------


def out_of_fold(estimator, X, y, splits):
    """Return the test rows of all folds and their scores."""
    rows, scores = [], []
    for train, test in splits:
        fitted = clone(estimator).fit(X[train], y[train])
        given = fitted.predict_proba(X[test])
        if isinstance(given, list):
            given = np.array([label[:, 1] for label in given]).T
        rows.extend(test)
        scores.extend(given)
    return np.array(rows), np.array(scores)


@pytest.mark.parametrize("criterion", list(METRICS))
@pytest.mark.parametrize("estimator", [bayes(), KNeighborsClassifier(7)], ids=["array", "list"])
def test_thresholds_are_the_best_candidates_on_out_of_fold_scores(data, estimator, criterion):
    X, y = data
    tuned = TunedThresholdMultilabelClassifier(estimator, threshold=criterion, random_state=3)
    tuned.fit(X, y)
    splits = MultilabelStratifiedKFold(5, random_state=3).split(X, y)
    rows, scores = out_of_fold(estimator, X, y, splits)
    assert sorted(rows) == list(range(len(y)))
    for label, threshold in enumerate(tuned.thresholds_):
        truth, column = y[rows, label], scores[:, label]
        candidates = [INF, *sorted(set(column), reverse=True)]
        values = [METRICS[criterion](truth, column >= candidate) for candidate in candidates]
        best = max(values)
        assert METRICS[criterion](truth, column >= threshold) == best
        # Ties go to the threshold that predicts the fewest positives.
        assert (column >= threshold).sum() == (column >= candidates[values.index(best)]).sum()
    everything = clone(estimator).fit(X, y)
    assert np.array_equal(everything.predict(X), tuned.estimator_.predict(X))


@pytest.mark.parametrize("criterion", ["accuracy", "balanced_accuracy"])
@pytest.mark.parametrize("cv", ["prefit", "split"])
def test_one_label_scores_at_least_as_high_as_with_scikit_learn(data, criterion, cv):
    X, y = data[0], data[1][:, 0]
    estimator = LogisticRegression()
    train, test = np.arange(0, 60), np.arange(60, 120)
    fitted = clone(estimator).fit(X[train], y[train])
    scores = fitted.predict_proba(X[test])[:, 1]
    if cv == "prefit":
        ours = TunedThresholdMultilabelClassifier(fitted, threshold=criterion, cv="prefit")
        ours.fit(X[test], y[test].reshape(-1, 1))
    else:
        ours = TunedThresholdMultilabelClassifier(
            estimator, threshold=criterion, cv=[(train, test)]
        ).fit(X, y.reshape(-1, 1))
    attained = METRICS[criterion](y[test], scores >= ours.thresholds_[0])

    every = np.append(np.unique(scores), 2.0)
    for thresholds in (100, every):
        if cv == "prefit":
            theirs = TunedThresholdClassifierCV(
                fitted, scoring=criterion, cv="prefit", refit=False, thresholds=thresholds
            ).fit(X[test], y[test])
        else:
            theirs = TunedThresholdClassifierCV(
                estimator, scoring=criterion, cv=[(train, test)], thresholds=thresholds
            ).fit(X, y)
        assert attained >= theirs.best_score_ - 1e-12
    assert attained == pytest.approx(theirs.best_score_)


def test_prefit_uses_the_fitted_estimator_itself(data):
    X, y = data
    fitted = bayes().fit(X[:60], y[:60])
    tuned = TunedThresholdMultilabelClassifier(fitted, cv="prefit").fit(X[60:], y[60:])
    assert tuned.estimator_ is fitted
    expected = tune_by_default(y[60:], fitted.predict_proba(X[60:]))
    assert tuned.thresholds_.tolist() == expected.tolist()
    predicted = tuned.predict(X)
    assert np.array_equal(predicted, apply_thresholds(fitted.predict_proba(X), expected))
    assert predicted.dtype == np.int64


def test_fit_does_not_change_the_estimator_parameter(data):
    estimator = bayes()
    TunedThresholdMultilabelClassifier(estimator, cv=2).fit(*data)
    assert not hasattr(estimator, "estimators_")


def test_threshold_may_be_a_callable(data):
    X, y = data
    fitted = bayes().fit(X, y)
    tuned = TunedThresholdMultilabelClassifier(
        fitted, cv="prefit", threshold=lambda tp, fp, fn, tn: -fp - 0.001 * fn
    ).fit(X, y)
    assert not (tuned.predict(X) > y).any()


@pytest.mark.parametrize(
    ("cv", "same"),
    [
        (None, MultilabelStratifiedKFold(5, random_state=0)),
        (3, MultilabelStratifiedKFold(3, random_state=0)),
        (KFold(3), list(KFold(3).split(np.zeros(120)))),
        (iter(list(KFold(3).split(np.zeros(120)))), KFold(3)),
    ],
)
def test_formats_of_cv(data, cv, same):
    first, second = (
        TunedThresholdMultilabelClassifier(bayes(), cv=each, random_state=0).fit(*data)
        for each in (cv, same)
    )
    assert first.thresholds_.tolist() == second.thresholds_.tolist()


def test_splits_may_be_boolean_masks(data):
    X, y = data
    split = next(iter(KFold(3).split(X)))
    masks = [np.isin(np.arange(len(X)), rows) for rows in split]
    first, second = (
        TunedThresholdMultilabelClassifier(bayes(), cv=cv).fit(X, y) for cv in ([split], [masks])
    )
    assert first.thresholds_.tolist() == second.thresholds_.tolist()


def test_rows_that_are_never_test_rows_do_not_affect_the_thresholds(data):
    X, y = data
    (train, test), *_ = ShuffleSplit(1, random_state=0).split(X)
    tuned = TunedThresholdMultilabelClassifier(bayes(), cv=[(train, test)]).fit(X, y)
    scores = bayes().fit(X[train], y[train]).predict_proba(X[test])
    assert tuned.thresholds_.tolist() == tune_by_default(y[test], scores).tolist()


def test_rows_that_are_test_rows_of_several_folds_count_several_times(data):
    X, y = data
    folds = RepeatedKFold(n_splits=2, n_repeats=3, random_state=0)
    tuned = TunedThresholdMultilabelClassifier(bayes(), cv=folds).fit(X, y)
    rows, scores = out_of_fold(bayes(), X, y, folds.split(X))
    assert len(rows) == 3 * len(y)
    assert tuned.thresholds_.tolist() == tune_by_default(y[rows], scores).tolist()


def test_parallel_folds_yield_the_same_thresholds(data):
    # Threads, because processes take seconds to start.
    with parallel_config(backend="threading"):
        first, second = (
            TunedThresholdMultilabelClassifier(bayes(), cv=3, n_jobs=jobs, random_state=0)
            for jobs in (None, 2)
        )
        first.fit(*data)
        second.fit(*data)
    assert first.thresholds_.tolist() == second.thresholds_.tolist()


# -- weights ---------------------------------------------------------------------------------


def test_weights_are_used_by_the_estimator_and_for_the_thresholds(monkeypatch, data):
    monkeypatch.setattr(Recorder, "fits", ())
    X, y = data
    weights = np.random.default_rng(0).random(len(y))
    tuned = TunedThresholdMultilabelClassifier(Recorder(), threshold="f1", cv=KFold(2))
    tuned.fit(X, y, weights)
    halves = [np.arange(60, 120), np.arange(60), np.arange(120)]
    for rows, (own_X, own_y, own_weights) in zip(halves, Recorder.fits, strict=True):
        assert np.array_equal(own_X, X[rows])
        assert np.array_equal(own_y, y[rows])
        assert own_y.dtype.kind == "i"
        assert np.array_equal(own_weights, weights[rows])
    scores = np.tile(X[:, :1], 3)
    expected = tune_thresholds(y, scores, criterion="f1", sample_weight=weights)
    assert tuned.thresholds_ == pytest.approx(expected)
    assert tuned.thresholds_.tolist() != tune_thresholds(y, scores, criterion="f1").tolist()


def test_weights_with_prefit_are_used_for_the_thresholds_only(data):
    X, y = data
    weights = np.random.default_rng(0).random(len(y))
    fitted = bayes().fit(X, y)
    tuned = TunedThresholdMultilabelClassifier(fitted, cv="prefit").fit(X, y, sample_weight=weights)
    expected = tune_by_default(y, fitted.predict_proba(X), sample_weight=weights)
    assert tuned.thresholds_.tolist() == expected.tolist()


# -- groups and names ------------------------------------------------------------------------


class GroupRecorder(Recorder):
    """An estimator whose `fit` takes groups."""

    def fit(self, X, y, groups=None):
        return super().fit(X, y, groups)


@pytest.mark.parametrize("cv", [None, GroupKFold(3)])
def test_groups_are_kept_together_and_passed_to_the_estimator(monkeypatch, data, cv):
    monkeypatch.setattr(GroupRecorder, "fits", ())
    X, y = data
    groups = np.array([f"patient {row // 4}" for row in range(120)])
    tuned = TunedThresholdMultilabelClassifier(GroupRecorder(), cv=cv, random_state=0)
    tuned.fit(X, y, groups=pd.Series(groups))
    splitter = cv or MultilabelStratifiedKFold(5, random_state=0)
    expected = [train for train, _ in splitter.split(X, y, groups)]
    *folds, whole = [given for _, _, given in GroupRecorder.fits]
    assert [fold.tolist() for fold in folds] == [groups[rows].tolist() for rows in expected]
    assert whole.tolist() == groups.tolist()
    # Other estimators do not receive them.
    TunedThresholdMultilabelClassifier(bayes(), cv=cv).fit(X, y, groups=groups)


@pytest.mark.parametrize("cv", [ShuffleSplit(2, random_state=0), list(KFold(7).split(range(120)))])
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_splits_that_divide_groups_are_refused(data, cv):
    groups = np.arange(120) // 4
    with pytest.raises(ValueError, match=r"cv divides groups: in split 0, rows of the same group"):
        TunedThresholdMultilabelClassifier(bayes(), cv=cv).fit(*data, groups=groups)


def test_groups_without_splits_are_refused(data):
    tuned = TunedThresholdMultilabelClassifier(bayes().fit(*data), cv="prefit")
    with pytest.raises(ValueError, match="groups has no effect with cv='prefit'"):
        tuned.fit(*data, groups=np.arange(120))


def test_columns_are_matched_to_those_of_the_training_rows(data):
    X, y = data
    table = pd.DataFrame(y, columns=["war", "love", "drama"])
    swapped = table[["drama", "war", "love"]]
    tuned = TunedThresholdMultilabelClassifier(bayes(), random_state=0).fit(X, table)
    assert tuned.score(X, swapped) == tuned.score(X, y) == accuracy_score(y, tuned.predict(X))
    with pytest.raises(ValueError, match=r"y must have a value for each label.*\['noir'\]"):
        tuned.score(X, table.rename(columns={"war": "noir"}))
    # NumPy would compare each of them with all rows or all labels.
    for other in (y[:1], y[:, :1], y[:-1]):
        with pytest.raises(ValueError, match=r"one column for each label: shape \(120, 3\)"):
            tuned.score(X, other)


def test_columns_are_matched_to_the_labels_of_a_prefit_estimator():
    y = np.random.default_rng(1).integers(2, size=(30, 2))
    scores = np.random.default_rng(2).random((30, 2))
    fitted = FixedProbabilities(scores, np.array(["war", "love"], dtype=object))
    expected = tune_by_default(y, scores).tolist()
    table = pd.DataFrame(y, columns=["war", "love"])
    for same in (y, table, table[["love", "war"]], pd.DataFrame(y)):
        tuned = TunedThresholdMultilabelClassifier(fitted, cv="prefit").fit(np.zeros((30, 1)), same)
        assert tuned.thresholds_.tolist() == expected
    with pytest.raises(ValueError, match="y must have a value for each label"):
        tuned.fit(np.zeros((30, 1)), table.rename(columns={"war": "noir"}))


@pytest.mark.parametrize("name", ["y", "sample_weight", "groups"])
def test_rows_of_other_index_labels_are_refused(data, name):
    X, y = pd.DataFrame(data[0]), pd.DataFrame(data[1])
    given = {"y": y, name: (y if name == "y" else y[0] + 1).iloc[::-1]}
    tuned = TunedThresholdMultilabelClassifier(bayes())
    with pytest.raises(ValueError, match=f"rows of {name} and of X have different index"):
        tuned.fit(X, **given)


# -- formats of scores -----------------------------------------------------------------------

ONE_LABEL = [
    LogisticRegression(),
    RidgeClassifier(),
    DecisionTreeClassifier(max_depth=2, random_state=0),
    OneVsRestClassifier(LogisticRegression()),
    MultiOutputClassifier(LogisticRegression()),
    ClassifierChain(LogisticRegression()),
    KNeighborsClassifier(),
]
SEVERAL_LABELS = [
    RandomForestClassifier(5, random_state=0),
    MultiOutputClassifier(DecisionTreeClassifier(max_depth=2, random_state=0)),
    MLPClassifier((4,), solver="lbfgs", max_iter=3000, alpha=1.0, random_state=0),
    *ONE_LABEL[1:],
]


def name_of(value):
    return type(value).__name__ if isinstance(value, BaseEstimator) else str(value)


@pytest.mark.parametrize(
    ("n_labels", "estimator"),
    [
        *itertools.product([1], ONE_LABEL),
        *itertools.product([2, 3], SEVERAL_LABELS),
    ],
    ids=name_of,
)
def test_multilabel_estimators_of_scikit_learn(data, n_labels, estimator):
    X, y = StandardScaler().fit_transform(data[0]), data[1][:, :n_labels]
    tuned = TunedThresholdMultilabelClassifier(estimator, cv=2, random_state=0).fit(X, y)
    predicted = tuned.predict(X)
    assert predicted.shape == y.shape
    assert set(np.unique(predicted)) <= {0, 1}
    assert tuned.n_labels_ == n_labels
    assert tuned.thresholds_.shape == (n_labels,)
    assert (predicted == y).mean() > 0.7
    assert repr(tuned.classes_) == repr(tuned.estimator_.classes_)


SCORE_FORMATS = {
    "both classes": ([[[0.9, 0.1], [0.2, 0.8]]], [np.array([0, 1])], [[0.1], [0.8]]),
    "only class 0": ([[[1.0], [1.0]]], [np.array([0])], [[0.0], [0.0]]),
    "only class 1": ([[[1.0], [1.0]]], [np.array([1])], [[1.0], [1.0]]),
    "booleans": ([[[0.9, 0.1], [0.2, 0.8]]], [np.array([False, True])], [[0.1], [0.8]]),
    "no classes": ([[[0.9, 0.1], [0.2, 0.8]]], None, [[0.1], [0.8]]),
    "several": (
        [[[1.0], [1.0]], [[0.7, 0.3], [0.6, 0.4]], [[1.0], [1.0]]],
        [np.array([1]), np.array([0, 1]), np.array([0])],
        [[1.0, 0.3, 0.0], [1.0, 0.4, 0.0]],
    ),
    "one label, binary": ([[0.9, 0.1], [0.2, 0.8]], np.array([0, 1]), [[0.1], [0.8]]),
    "one label, no classes": ([[0.9, 0.1], [0.2, 0.8]], None, [[0.1], [0.8]]),
    "one label, only class 0": ([[1.0], [1.0]], np.array([0]), [[0.0], [0.0]]),
    "one label, only class 1": ([[1.0], [1.0]], np.array([1]), [[1.0], [1.0]]),
    # OneVsRestClassifier and MLPClassifier return two columns, which are meaningless here.
    "one label, one class, two columns": ([[1.0, 0.0]] * 2, np.array([1]), [[1.0], [1.0]]),
    "one label, multilabel form": ([[0.1], [0.8]], [np.array([0, 1])], [[0.1], [0.8]]),
    "one label, label names": ([[0.1], [0.8]], np.array(["drama"]), [[0.1], [0.8]]),
    "one label, one dimension": ([0.1, 0.8], None, [[0.1], [0.8]]),
    "two labels, label names": (
        [[0.1, 0.6], [0.8, 0.2]],
        np.array(["drama", "crime"]),
        [[0.1, 0.6], [0.8, 0.2]],
    ),
}


@pytest.mark.parametrize("case", SCORE_FORMATS.values(), ids=list(SCORE_FORMATS))
def test_scores_of_class_one_are_selected(case):
    returned, classes, expected = case
    nested = isinstance(returned[0], list) and isinstance(returned[0][0], list)
    scores = [np.array(label) for label in returned] if nested else np.array(returned)
    expected = np.array(expected)
    y = np.eye(2, dtype=int)[:, [0] * expected.shape[1]]
    tuned = TunedThresholdMultilabelClassifier(FixedProbabilities(scores, classes), cv="prefit")
    tuned.fit(np.zeros((2, 1)), y)
    assert tuned.thresholds_.tolist() == tune_by_default(y, expected).tolist()
    tuned.thresholds_ = expected[1]
    assert np.array_equal(tuned.predict(np.zeros((2, 1))), expected >= expected[1])


def test_decision_values_of_one_label_may_have_one_dimension():
    y = np.array([[0], [1]])
    tuned = TunedThresholdMultilabelClassifier(
        FixedDecisionValues(np.array([-3.0, 5.0])), cv="prefit"
    ).fit(y, y)
    assert tuned.thresholds_.tolist() == [1.0]
    assert tuned.response_method_ == "decision_function"


@pytest.mark.filterwarnings("ignore:Label .* is present in all:UserWarning")
@pytest.mark.parametrize(
    "estimator",
    [DecisionTreeClassifier(max_depth=2), KNeighborsClassifier(3), bayes()],
    ids=name_of,
)
def test_labels_that_are_constant_in_some_folds(data, estimator):
    X, y = data
    y = y.copy()
    y[:, 0], y[:, 1] = 0, 1
    # Only row 0 has label 0, and only row 1 does not have label 1.
    y[0, 0], y[1, 1] = 1, 0
    tuned = TunedThresholdMultilabelClassifier(estimator, cv=KFold(3), threshold="accuracy")
    with np.errstate(all="raise"):
        tuned.fit(X, y)
    assert tuned.predict(X).shape == y.shape
    # The single row of a class cannot be predicted from the other rows.
    assert tuned.thresholds_[0] > 0.5
    assert tuned.thresholds_[1] <= 0.5


def test_response_method_selects_the_scores(data):
    X, y = data
    fitted = logistic().fit(X, y)
    for method, expected in (
        ("auto", "predict_proba"),
        ("predict_proba", "predict_proba"),
        ("decision_function", "decision_function"),
    ):
        tuned = TunedThresholdMultilabelClassifier(fitted, cv="prefit", response_method=method)
        tuned.fit(X, y)
        assert tuned.response_method_ == expected
        thresholds = tune_by_default(y, getattr(fitted, expected)(X))
        assert tuned.thresholds_.tolist() == thresholds.tolist()
        # A later change of the parameter does not affect the fitted classifier.
        before = tuned.predict(X)
        tuned.set_params(response_method="predict_proba")
        assert np.array_equal(tuned.predict(X), before)


# -- formats of rows and labels --------------------------------------------------------------


def test_any_format_of_rows_and_labels(data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcdef"), index=np.arange(len(X))[::-1])
    expected = TunedThresholdMultilabelClassifier(bayes(), random_state=0).fit(X, y)
    for rows in (X, X.tolist(), csr_array(X), frame):
        index = rows.index if isinstance(rows, pd.DataFrame) else None
        named = pd.DataFrame(y, index=index)
        for labels in (y, y.tolist(), csr_array(y), named, y.astype(bool)):
            tuned = TunedThresholdMultilabelClassifier(bayes(), random_state=0)
            tuned.fit(rows, labels)
            assert tuned.thresholds_ == pytest.approx(expected.thresholds_)
            assert np.array_equal(tuned.predict(rows), expected.predict(X))


def test_rows_may_be_texts():
    texts = ["a car", "a cat", "a cat and a car", "nothing"] * 5
    y = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * 5)
    estimator = make_pipeline(CountVectorizer(), OneVsRestClassifier(MultinomialNB()))
    tuned = TunedThresholdMultilabelClassifier(estimator, random_state=0).fit(texts, y)
    assert np.array_equal(tuned.predict(texts), y)
    assert not hasattr(tuned, "n_features_in_")


def test_feature_attributes_are_those_of_the_estimator(data):
    X, y = data
    tuned = TunedThresholdMultilabelClassifier(KNeighborsClassifier(), cv=2)
    assert not hasattr(tuned, "n_features_in_")
    assert not hasattr(tuned, "classes_")
    tuned.fit(pd.DataFrame(X, columns=list("abcdef")), y)
    assert tuned.n_features_in_ == 6
    assert tuned.feature_names_in_.tolist() == list("abcdef")
    tuned.fit(X, y)
    assert not hasattr(tuned, "feature_names_in_")


# -- with scikit-learn -----------------------------------------------------------------------


def test_scores_have_the_format_of_the_estimator(data):
    X, y = data
    forest = TunedThresholdMultilabelClassifier(SEVERAL_LABELS[0], cv=2).fit(X, y)
    assert [label.shape for label in forest.predict_proba(X)] == [(120, 2)] * 3
    assert not hasattr(forest, "decision_function")
    one_vs_rest = TunedThresholdMultilabelClassifier(logistic(), cv=2).fit(X, y)
    assert one_vs_rest.predict_proba(X).shape == (120, 3)
    assert one_vs_rest.decision_function(X).shape == (120, 3)
    ridge = TunedThresholdMultilabelClassifier(RidgeClassifier())
    assert not hasattr(ridge, "predict_proba")
    assert hasattr(ridge, "decision_function")


def test_methods_before_fit_raise():
    tuned = TunedThresholdMultilabelClassifier(logistic())
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError, match="TunedThresholdMultilabelClassifier"):
            getattr(tuned, method)([[0.0]])
    with pytest.raises(NotFittedError, match="OneVsRestClassifier"):
        TunedThresholdMultilabelClassifier(logistic(), cv="prefit").fit([[0.0]], [[1]])


def test_parameters_and_clones(data):
    tuned = TunedThresholdMultilabelClassifier(
        logistic(), threshold="f1", cv=3, response_method="predict_proba", random_state=1
    )
    tuned.set_params(estimator__estimator__C=0.5)
    assert tuned.get_params()["estimator__estimator__C"] == 0.5
    again = clone(tuned)
    assert again.get_params(deep=False).keys() == tuned.get_params(deep=False).keys()
    assert again.estimator is not tuned.estimator
    assert again.fit(*data).thresholds_.tolist() == tuned.fit(*data).thresholds_.tolist()


def test_pipeline_with_weights(data):
    X, y = data
    weights = np.random.default_rng(0).random(len(y))
    tuned = TunedThresholdMultilabelClassifier(MultiOutputClassifier(LogisticRegression()), cv=2)
    pipeline = make_pipeline(StandardScaler(), tuned)
    pipeline.fit(X, y, tunedthresholdmultilabelclassifier__sample_weight=weights)
    assert pipeline.predict(X).shape == y.shape
    assert pipeline.score(X, y) == accuracy_score(y, pipeline.predict(X))


def test_cross_val_predict(data):
    X, y = data
    tuned = TunedThresholdMultilabelClassifier(bayes(), cv=3, random_state=0)
    folds = MultilabelStratifiedKFold(3, random_state=0)
    predicted = cross_val_predict(tuned, X, y, cv=folds)
    for train, test in folds.split(X, y):
        fitted = clone(tuned).fit(X[train], y[train])
        assert np.array_equal(predicted[test], fitted.predict(X[test]))
    scores = cross_val_predict(tuned, X, y, cv=folds, method="predict_proba")
    assert scores.shape == y.shape


def test_grid_search(data):
    X, y = data
    tuned = TunedThresholdMultilabelClassifier(KNeighborsClassifier(), cv=2, random_state=0)
    search = GridSearchCV(
        tuned,
        {"estimator__n_neighbors": [1, 9], "threshold": ["accuracy", "f1"]},
        scoring="f1_micro",
        cv=MultilabelStratifiedKFold(2, random_state=0),
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.predict(X).shape == y.shape
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_tags():
    tags = get_tags(TunedThresholdMultilabelClassifier(KNeighborsClassifier()))
    assert tags.estimator_type == "classifier"
    assert tags.classifier_tags.multi_label
    assert not tags.classifier_tags.multi_class
    assert tags.target_tags.required
    # Support for sparse input differs between versions of scikit-learn.
    assert tags.input_tags.sparse == get_tags(KNeighborsClassifier()).input_tags.sparse
    no_sparse = get_tags(TunedThresholdMultilabelClassifier(DummyClassifier()))
    assert no_sparse.input_tags.sparse == get_tags(DummyClassifier()).input_tags.sparse


NOT_MULTI_HOT = "passes y with one dimension or with values other than 0 and 1"
EXPECTED_FAILED_CHECKS = {
    "check_classifier_data_not_an_array": NOT_MULTI_HOT,
    "check_classifier_not_supporting_multiclass": NOT_MULTI_HOT,
    "check_classifiers_classes": NOT_MULTI_HOT,
    "check_classifiers_regression_target": NOT_MULTI_HOT,
    "check_complex_data": NOT_MULTI_HOT,
    "check_estimators_dtypes": NOT_MULTI_HOT,
    "check_fit2d_1feature": NOT_MULTI_HOT,
    "check_sample_weights_not_an_array": NOT_MULTI_HOT,
    "check_sample_weights_not_overwritten": NOT_MULTI_HOT,
    "check_sample_weights_pandas_series": NOT_MULTI_HOT,
    "check_sample_weights_shape": NOT_MULTI_HOT,
    "check_classifiers_train": "expects predictions of shape (n_samples,) for y of (n_samples, 1)",
}


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="most checks of older versions pass y with values other than 0 and 1",
)
@parametrize_with_checks(
    [TunedThresholdMultilabelClassifier(DecisionTreeClassifier(max_depth=3), cv=2)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS,
)
def test_estimator_checks_of_scikit_learn(estimator, check):
    check(estimator)


# -- invalid input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "mcc"}, "threshold must be one of 'accuracy'.*threshold='mcc'"),
        ({"response_method": "predict"}, "response_method must be one of 'auto'"),
        ({"cv": 1}, "cv must be a whole number of at least 2. Received cv=1"),
        ({"cv": True}, "cv must be a whole number"),
        ({"cv": "fitted"}, "cv must be a number of folds.*'prefit'. Received cv='fitted'"),
        ({"cv": 2.5}, "cv must be a number of folds.*cv=2.5"),
        ({"cv": []}, "at least one test row.*Received 0 splits"),
        ({"cv": [([0, 1], [])]}, "at least one test row.*Received 1 splits"),
        ({"cv": 50}, "n_splits=50 needs at least as many rows. Received n_samples=4"),
        (
            {"response_method": "decision_function"},
            "estimator must have decision_function for response_method='decision_function'",
        ),
    ],
)
def test_invalid_options_raise(options, message):
    tuned = TunedThresholdMultilabelClassifier(KNeighborsClassifier(1), **options)
    with pytest.raises(ValueError, match=message):
        tuned.fit(np.zeros((4, 1)), [[0], [1], [0], [1]])


def test_an_estimator_without_scores_raises():
    class WithoutScores(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            return self

    with pytest.raises(ValueError, match=r"predict_proba or decision_function.*WithoutScores\(\)"):
        TunedThresholdMultilabelClassifier(WithoutScores()).fit([[0]] * 5, [[0]] * 5)


@pytest.mark.parametrize(
    ("y", "weights", "message"),
    [
        ([0, 1, 0, 1], None, r"y must be a multi-hot matrix.*pass y\.reshape\(-1, 1\)"),
        (None, None, "requires y to be passed"),
        ([[0], [1], [2], [0]], None, "y must hold only 0 and 1"),
        ([[0], [1]], None, "same number of rows. Received 4 rows of X and 2 rows of y"),
        ([[0], [1]] * 2, [1, 2], r"sample_weight must have shape \(4,\)"),
        ([[0], [1]] * 2, [1] * 4, "sample_weight needs.*KNeighborsClassifier, whose fit has none"),
    ],
)
def test_invalid_data_raises(y, weights, message):
    tuned = TunedThresholdMultilabelClassifier(KNeighborsClassifier(1), cv=2)
    with pytest.raises(ValueError, match=message):
        tuned.fit(np.zeros((4, 1)), y, sample_weight=weights)


@pytest.mark.parametrize(
    ("scores", "classes", "message"),
    [
        (
            np.zeros((2, 4)),
            None,
            r"predict_proba of FixedProbabilities must return.*\(n_samples, 3\).*\(2, 4\)",
        ),
        (np.zeros(2), None, r"Received shape \(2,\)"),
        ([np.zeros((2, 2))] * 2, None, "a list of 3 arrays.*Received a list of 2"),
        ([np.zeros((2, 1))] * 3, None, r"label column 0 must have shape.*Received shape \(2, 1\)"),
        ([np.zeros((2, 1))] * 3, [np.array([0, 1])] * 3, r"classes_ array\(\[0, 1\]\)"),
        ([np.zeros(2)] * 3, [np.array([0, 1])] * 3, r"Received shape \(2,\)"),
        (
            [np.zeros((2, 2))] * 3,
            [np.array(["no", "yes"])] * 3,
            r"refer to the classes 0 and 1. Received classes_ \['no', 'yes'\]",
        ),
        ([np.zeros((2, 3))] * 3, [np.array([0, 1, 2])] * 3, r"Received classes_ \[0, 1, 2\]"),
        (np.full((2, 3), np.nan), None, "y_score must be finite"),
    ],
)
def test_invalid_scores_raise(scores, classes, message):
    tuned = TunedThresholdMultilabelClassifier(FixedProbabilities(scores, classes), cv="prefit")
    with pytest.raises(ValueError, match=message):
        tuned.fit(np.zeros((2, 1)), np.eye(2, 3, dtype=int))


def test_a_single_label_named_0_is_not_taken_for_a_class():
    class OneColumn(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0])

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return np.asarray(X, dtype=float)

    X = np.linspace(0, 0.9, 20).reshape(-1, 1)
    tuned = TunedThresholdMultilabelClassifier(OneColumn(), cv=2, random_state=0)
    tuned.fit(X, (X > 0.5).astype(int))
    np.testing.assert_array_equal(tuned.predict(X), X > 0.5)
