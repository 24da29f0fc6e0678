"""The label report, compared with scikit-learn column by column."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from multimodal_ensemble.metrics import (
    apply_thresholds,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    tune_thresholds,
)

COLUMNS = [
    "support",
    "roc_auc",
    "average_precision",
    "threshold",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "brier_score",
    "calibration_error",
]


@pytest.fixture
def scored():
    rng = np.random.default_rng(0)
    y_true = (rng.random((80, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(int)
    return y_true, np.round(rng.random((80, 4)) + 0.3 * y_true, 1)


def test_each_column_equals_the_metric_of_scikit_learn(scored):
    y_true, y_score = scored
    thresholds = tune_thresholds(y_true, y_score, criterion="f1")
    y_pred = apply_thresholds(y_score, thresholds)
    report = label_report(y_true, y_score, thresholds, labels=list("abcd"))
    oracles = {
        "roc_auc": (roc_auc_score, y_score),
        "average_precision": (average_precision_score, y_score),
        "accuracy": (accuracy_score, y_pred),
        "precision": (precision_score, y_pred),
        "recall": (recall_score, y_pred),
        "f1": (f1_score, y_pred),
    }
    for column, (oracle, predicted) in oracles.items():
        expected = [oracle(y_true[:, j], predicted[:, j]) for j in range(4)]
        assert report[column].to_numpy() == pytest.approx(expected), column
    assert report["support"].tolist() == y_true.sum(axis=0).tolist()
    assert report["threshold"].tolist() == thresholds.tolist()


def test_columns_of_probabilities_equal_scikit_learn_and_a_loop_over_bins(scored):
    y_true, y_score = scored[0], scored[1] / 1.4
    report = label_report(y_true, y_score, 0.5)
    for j in range(4):
        expected = brier_score_loss(y_true[:, j], y_score[:, j])
        assert report["brier_score"].iloc[j] == pytest.approx(expected)
        bins = {}
        for score, target in zip(y_score[:, j], y_true[:, j], strict=True):
            n_below = sum(other < score for other in y_score[:, j])
            bins.setdefault(int(10 * n_below / 80), []).append((score, target))
        error = sum(
            len(rows) / 80 * abs(np.mean([s for s, _ in rows]) - np.mean([t for _, t in rows]))
            for rows in bins.values()
        )
        assert report["calibration_error"].iloc[j] == pytest.approx(error)


def test_calibrated_scores_have_a_small_calibration_error_and_shifted_ones_a_large_one():
    rng = np.random.default_rng(0)
    share = rng.uniform(0, 0.7, (20_000, 1))
    y_true = rng.random(share.shape) < share
    assert label_report(y_true, share, 0.5)["calibration_error"].item() < 0.02
    shifted = label_report(y_true, share + 0.2, 0.5)["calibration_error"].item()
    assert shifted == pytest.approx(0.2, abs=0.01)


def test_scores_that_are_no_probabilities_have_no_brier_score_and_calibration_error(scored):
    y_true, y_score = scored
    assert y_score.max() > 1
    assert label_report(y_true, y_score, 0.5)[COLUMNS[-2:]].isna().all(axis=None)


def test_index_columns_and_dtypes(scored):
    report = label_report(*scored, 0.5, labels=["War", "Noir", "Drama", "Comedy"])
    assert isinstance(report, pd.DataFrame)
    assert report.index.name == "label"
    assert report.index.tolist() == ["War", "Noir", "Drama", "Comedy"]
    assert report.columns.tolist() == COLUMNS
    assert report["support"].dtype == np.int64
    assert set(report.dtypes[1:]) == {np.dtype(np.float64)}
    assert report["threshold"].tolist() == [0.5] * 4


def test_labels_without_names_get_numbers(scored):
    assert label_report(*scored, 0.5).index.tolist() == ["0", "1", "2", "3"]


def test_column_means_equal_the_mean_functions(scored):
    thresholds = tune_thresholds(*scored)
    report = label_report(*scored, thresholds)
    assert report["accuracy"].mean() == pytest.approx(mean_accuracy(*scored, thresholds))
    assert report["roc_auc"].mean() == pytest.approx(mean_roc_auc(*scored))


def test_undefined_metrics_are_nan_or_zero():
    y_true = [[0, 1, 1], [0, 1, 0]]
    y_score = [[0.2, 0.2, 0.2], [0.7, 0.7, 0.7]]
    with pytest.warns(UndefinedMetricWarning, match="labels 'none', 'all':") as caught:
        report = label_report(
            y_true, y_score, [math.inf, 0.5, math.inf], labels=["none", "all", "both"]
        )
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert report["roc_auc"].isna().tolist() == [True, True, False]
    assert report["average_precision"].isna().tolist() == [True, False, False]
    assert report["average_precision"]["all"] == 1
    assert report["precision"].tolist() == [0, 1, 0]
    assert report["recall"].tolist() == [0, 0.5, 0]
    assert report["f1"].tolist() == [0, pytest.approx(2 / 3), 0]


def test_a_single_row_has_no_roc_auc():
    with pytest.warns(UndefinedMetricWarning, match="label columns 0, 1:"):
        report = label_report([[0, 1]], [[0.2, 0.7]], 0.5)
    assert report["accuracy"].tolist() == [1, 1]


def test_huge_scores_do_not_overflow():
    huge = np.finfo(np.float64).max
    report = label_report([[0], [1]], [[-huge], [huge]], 0.0)
    assert report.loc["0", ["roc_auc", "average_precision", "f1"]].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("y_true", "y_score", "thresholds", "labels", "message"),
    [
        ([0, 1], [0.1, 0.2], 0.5, None, "y_true must be a multi-hot matrix"),
        ([[0], [1]], [[0.1, 0.2]], 0.5, None, "same shape"),
        (np.empty((0, 1)), np.empty((0, 1)), 0.5, None, "at least one row"),
        ([[0], [0.5]], [[0.1], [0.2]], 0.5, None, "only 0 and 1"),
        ([[0], [1]], [[0.1], [math.inf]], 0.5, None, "must be finite"),
        ([[0], [1]], [[0.1], [0.2]], [0.5, 0.5], None, r"Received thresholds of shape \(2,\)"),
        ([[0], [1]], [[0.1], [0.2]], [math.nan], None, "must not be NaN"),
        ([[0], [1]], [[0.1], [0.2]], 0.5, ["a", "b"], "labels must name all 1 columns"),
        ([[0, 0], [1, 1]], [[0, 0], [1, 1]], 0.5, ["a", "a"], "labels must be distinct"),
    ],
)
def test_invalid_input_raises(y_true, y_score, thresholds, labels, message):
    with pytest.raises(ValueError, match=message):
        label_report(y_true, y_score, thresholds, labels=labels)
