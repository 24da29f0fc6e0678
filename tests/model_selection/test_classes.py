"""Comparisons and searches of estimators of one class per row, against scikit-learn's tools."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.svm import LinearSVC

from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
from multimodal_ensemble.model_selection import (
    ComparisonResult,
    ComparisonSplit,
    compare,
    tune,
)

N_ROWS = 90
NAMES = np.array(["drama", "love", "war"], dtype=object)


def draw():
    rng = np.random.default_rng(1)
    codes = np.arange(N_ROWS) % 3
    return np.eye(3)[codes] + rng.normal(scale=0.7, size=(N_ROWS, 3)), NAMES[codes]


X, Y = draw()
CV = StratifiedKFold(3, shuffle=True, random_state=1)
METRICS = ["mean_roc_auc", "micro_f1", "macro_f1", "mean_accuracy"]


def score_folds(estimator, y, function, method):
    """Return the mean over folds of a metric of scikit-learn."""
    found = cross_val_predict(estimator, X, y, cv=CV, method=method)
    return np.mean([function(y[test], found[test]) for _, test in CV.split(X, y)])


def test_several_classes_are_predicted_by_the_estimators(tmp_path, capsys):
    models = {"constant": DummyClassifier(), "linear": LogisticRegression(C=0.1)}
    options = {"cv": CV, "metrics": METRICS, "n_resamples": 20, "verbose": 0}
    result = compare(models, X, Y, path=tmp_path / "fits", **options)
    assert result.labels == NAMES.tolist()
    score = result.table.set_index(["model", "metric"])["score"]
    for model, estimator in models.items():
        expected = {
            "micro_f1": score_folds(estimator, Y, accuracy_score, "predict"),
            "macro_f1": score_folds(
                estimator, Y, lambda y, p: f1_score(y, p, average="macro"), "predict"
            ),
            "mean_roc_auc": score_folds(
                estimator, Y, lambda y, p: roc_auc_score(y, p, multi_class="ovr"), "predict_proba"
            ),
        }
        expected["mean_accuracy"] = 1 - 2 * (1 - expected["micro_f1"]) / 3
        for metric, value in expected.items():
            assert score[model, metric] == pytest.approx(value), (model, metric)
    again = compare(models, X, Y, path=tmp_path / "fits", **options)
    result.save(tmp_path / "file")
    for other in (again, ComparisonResult.load(tmp_path / "file")):
        pd.testing.assert_frame_equal(other.table, result.table)
    (alone,) = result.select(["linear"], metrics=["micro_f1"]).table["score"]
    assert alone == score["linear", "micro_f1"]
    assert capsys.readouterr().out == ""


def test_the_second_of_two_classes_is_compared():
    y = Y == "war"
    models = {"linear": LogisticRegression(), "support": LinearSVC()}
    result = compare(models, X, y, cv=CV, n_resamples=20, threshold=None, verbose=0)
    assert result.labels == ["True"]
    score = result.table.set_index(["model", "metric"])["score"]
    for model, method in (("linear", "predict_proba"), ("support", "decision_function")):
        expected = cross_val_score(models[model], X, y, cv=CV, scoring="roc_auc").mean()
        assert score[model, "mean_roc_auc"] == pytest.approx(expected), method
        expected = cross_val_score(models[model], X, y, cv=CV).mean()
        assert score[model, "mean_accuracy"] == pytest.approx(expected)


def test_an_ensemble_is_compared_as_it_predicts():
    table = pd.DataFrame({"tags": [[name] if row % 4 else ["x"] for row, name in enumerate(Y)]})
    ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], random_state=1, verbose=0)
    options = {"cv": CV, "metrics": ["micro_f1"], "n_resamples": 5, "verbose": 0}
    result = compare({"tags": ensemble}, table, Y, **options)
    expected = cross_val_score(ensemble, table, Y, cv=CV).mean()
    assert result.table["score"].tolist() == [pytest.approx(expected)]


def test_a_class_that_a_fold_lacks_has_the_lowest_score():
    rare = Y.copy()
    rare[:2] = "noir"
    train, test = np.arange(2, N_ROWS), np.arange(2)
    result = compare(
        {"linear": LogisticRegression(), "support": LinearSVC()},
        X,
        rare,
        cv=[(train, test)],
        n_resamples=5,
        verbose=0,
    )
    (split,) = result.splits
    assert result.labels == ["drama", "love", "noir", "war"]
    assert not split.y_scores["linear"][:, 2].any()
    assert (split.y_scores["support"][:, 2] < split.y_scores["support"].T[[0, 1, 3]]).all()
    assert not split.y_preds["linear"][:, 2].any()


def test_a_search_takes_classes():
    pytest.importorskip("optuna")
    result = tune(
        LogisticRegression(), X, Y, {"C": [0.01, 1.0]}, cv=CV, n_trials=2, refit=True,
        random_state=1, verbose=0,
    )  # fmt: skip
    expected = [
        cross_val_score(LogisticRegression(C=C), X, Y, cv=CV, scoring="roc_auc_ovr").mean()
        for C in (0.01, 1.0)
    ]
    assert result.best_score == pytest.approx(max(expected))
    assert result.best_estimator.classes_.tolist() == NAMES.tolist()


@pytest.mark.parametrize(
    ("y_preds", "match"),
    [
        ({"b": [[1], [0]]}, r"must have one entry for each model. It has none for 'a'"),
        ({"a": [[1, 0], [0, 1]]}, r"must have shape \(n_test, n_labels\), \(2, 1\)"),
        ({"a": [[2], [0]]}, "model 'a' must hold only 0 and 1"),
    ],
    ids=str,
)
def test_other_predictions_are_refused(y_preds, match):
    split = ComparisonSplit([0, 1], {"a": [[0.1], [0.7]]}, {"a": 0.5}, y_preds=y_preds)
    with pytest.raises(ValueError, match=match):
        ComparisonResult.from_scores([[0], [1]], [split])


@pytest.mark.parametrize("search", [compare, tune])
def test_unknown_labels_are_refused(search):
    models = {"C": [1.0]} if search is tune else {}
    first = LogisticRegression() if search is tune else {"a": LogisticRegression()}
    args = (first, np.zeros((3, 1)), [[0, 1], [1, np.nan], [1, 0]], *([models] if models else []))
    with pytest.raises(
        ValueError, match=r"unknown labels \(NaN\), the first one in row 1\. A search"
    ):
        search(*args, verbose=0)
