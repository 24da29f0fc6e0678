"""Metrics where some labels are unknown (NaN), or where rows have a weight for each label.

The oracle is the same metric of one label on the rows where it is known.
"""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble.metrics import (
    bootstrap_interval,
    delong_test,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    reliability_curve,
    tune_thresholds,
)

N_ROWS, N_LABELS = 200, 4


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    y = (generator.random((N_ROWS, N_LABELS)) < 0.4).astype(float)
    scores = np.clip(generator.normal(0.3 + 0.3 * y, 0.2), 0, 1).round(2)
    y[generator.random(y.shape) < 0.3] = np.nan
    y[:, 2] = np.where(generator.random(N_ROWS) < 0.5, 1, 0)
    return y, scores, generator.integers(0, 3, size=y.shape)


def known_rows(y, *others, label):
    known = ~np.isnan(y[:, label])
    return [each[known][:, [label]] for each in (y, *others)]


def test_scores_of_a_label_are_those_of_its_known_rows(rows):
    y, scores, _ = rows
    thresholds = tune_thresholds(y, scores, criterion="f1")
    report = label_report(y, scores, thresholds)
    aucs = mean_roc_auc(y, scores, average=None)
    curves = reliability_curve(y, scores)
    # The correction depends on the number of labels.
    tested = delong_test(y, scores, scores[:, ::-1]).drop(columns="p_value_holm")
    for label in range(N_LABELS):
        true, score, other = known_rows(y, scores, scores[:, ::-1], label=label)
        (threshold,) = tune_thresholds(true, score, criterion="f1")
        assert thresholds[label] == threshold
        assert aucs[label] == mean_roc_auc(true, score)
        expected = label_report(true, score, [threshold], labels=[str(label)])
        pd.testing.assert_frame_equal(report.iloc[[label]], expected)
        curve = curves[curves["label"] == str(label)].drop(columns="label").reset_index(drop=True)
        pd.testing.assert_frame_equal(
            curve, reliability_curve(true, score).drop(columns="label"), check_exact=True
        )
        expected = delong_test(true, score, other, labels=[str(label)])
        pd.testing.assert_frame_equal(tested.iloc[[label]], expected[tested.columns])


def test_mean_accuracy_is_that_of_the_known_entries(rows):
    y, scores, weights = rows
    known = ~np.isnan(y)
    correct = (scores >= 0.5) == (y == 1)
    assert mean_accuracy(y, scores, 0.5) == pytest.approx(correct[known].mean())
    assert mean_accuracy(y, scores, 0.5, sample_weight=weights) == pytest.approx(
        np.average(correct[known], weights=weights[known])
    )
    of_rows = weights[:, 0]
    assert mean_accuracy(y, scores, 0.5, sample_weight=of_rows) == pytest.approx(
        np.average(correct[known], weights=np.repeat(of_rows[:, None], N_LABELS, axis=1)[known])
    )


@pytest.mark.parametrize("criterion", ["accuracy", "f1", "prevalence"])
def test_weights_of_each_label_are_those_of_the_rows_for_it(rows, criterion):
    y, scores, weights = rows
    thresholds = tune_thresholds(y, scores, criterion=criterion, sample_weight=weights)
    aucs = mean_roc_auc(y, scores, average=None, sample_weight=weights)
    for label in range(N_LABELS):
        true, score, weight = known_rows(y, scores, weights, label=label)
        options = {"sample_weight": weight[:, 0]}
        (expected,) = tune_thresholds(true, score, criterion=criterion, **options)
        assert thresholds[label] == expected
        assert aucs[label] == mean_roc_auc(true, score, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda y: pd.DataFrame(y).astype("Int64"),
        lambda y: pd.DataFrame(y).astype("boolean"),
        lambda y: pd.DataFrame(y).astype(object).where(~np.isnan(y), None),
        lambda y: y.tolist(),
    ],
    ids=["Int64", "boolean", "None", "lists"],
)
def test_unknown_labels_of_any_kind(rows, make):
    y, scores, _ = rows
    expected = mean_roc_auc(y, scores, average=None)
    np.testing.assert_array_equal(mean_roc_auc(make(y), scores, average=None), expected)


def test_a_label_that_is_unknown_in_all_rows(rows):
    y, scores, _ = rows
    y = y.copy()
    y[:, 1] = np.nan
    assert tune_thresholds(y, scores)[1] == np.inf
    with pytest.warns(UserWarning, match="ROC-AUC needs rows of both classes.* columns 1:"):
        report = label_report(y, scores, 0.5)
    assert report.loc["1", "support"] == 0
    assert report.loc["1", ["accuracy", "brier_score", "roc_auc"]].isna().all()
    with pytest.warns(UserWarning, match="ROC-AUC needs"):
        assert mean_roc_auc(y, scores) == report["roc_auc"].mean()


def test_bad_input(rows):
    y, scores, weights = rows
    with pytest.raises(ValueError, match="y_true has no known label: all of its entries"):
        mean_roc_auc(np.full((2, 2), np.nan), np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"0 and 1. Received 2.0 in row 0, column 0"):
        mean_roc_auc([[2, np.nan]], [[0.0, 0.0]])
    with pytest.raises(
        ValueError, match=r"shape \(200,\) or \(200, 4\). Received shape \(200, 3\)"
    ):
        mean_roc_auc(y, scores, sample_weight=weights[:, :3])
    with pytest.raises(ValueError, match=r"hold only 0 and 1. Received nan"):
        bootstrap_interval(y, scores)
