"""Bootstrap resamples, and scores on them compared with a loop over scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    roc_auc_score,
)

from multimodal_ensemble.metrics import bootstrap_counts, compute_score, resample_scores

THRESHOLDS = [0.5, 0.0, 1.0]


@pytest.fixture(scope="module")
def data():
    """Labels, scores with ties, and resamples in which the rarest label is at times absent."""
    rng = np.random.default_rng(0)
    y_true = rng.random((60, 3)) < [0.04, 0.3, 0.7]
    y_true[0] = True
    return y_true, np.round(rng.normal(y_true, 1.0), 1), bootstrap_counts(60, 40, random_state=1)


def _loop(metric, data):
    """Return the values of a metric per resample and label; NaN where it is undefined."""
    y_true, y_score, counts = data
    values = np.full((len(counts), y_true.shape[1]), np.nan)
    for resample, column in np.ndindex(values.shape):
        true, score, drawn = y_true[:, column], y_score[:, column], counts[resample]
        if metric != "accuracy" and not true[drawn > 0].any():
            continue
        if metric in ("roc_auc", "average_precision") and true[drawn > 0].all():
            continue
        predicted = score >= THRESHOLDS[column]
        values[resample, column] = {
            "roc_auc": lambda t, s, _, w: roc_auc_score(t, s, sample_weight=w),
            "average_precision": lambda t, s, _, w: average_precision_score(t, s, sample_weight=w),
            "accuracy": lambda t, _, p, w: accuracy_score(t, p, sample_weight=w),
            "f1": lambda t, _, p, w: f1_score(t, p, sample_weight=w, zero_division=0),
        }[metric](true, score, predicted, drawn)
    return values


@pytest.mark.parametrize(
    ("metric", "mean"),
    [
        ("roc_auc", "mean_roc_auc"),
        ("average_precision", "mean_average_precision"),
        ("accuracy", "mean_accuracy"),
        ("f1", "macro_f1"),
    ],
)
def test_values_are_those_of_scikit_learn_with_counts_as_weights(data, metric, mean):
    expected = _loop(metric, data)
    assert np.isnan(expected).any() == (metric != "accuracy")
    by_label = resample_scores(*data, metric=metric, thresholds=THRESHOLDS)
    np.testing.assert_allclose(by_label, expected, rtol=0, atol=1e-12)
    means = resample_scores(*data, metric=mean, thresholds=THRESHOLDS)
    np.testing.assert_allclose(means, np.nanmean(expected, axis=1), rtol=0, atol=1e-12)


def test_micro_f1_is_that_of_scikit_learn(data):
    y_true, y_score, counts = data
    expected = [
        f1_score(y_true, y_score >= THRESHOLDS, average="micro", sample_weight=drawn)
        for drawn in counts
    ]
    values = resample_scores(*data, metric="micro_f1", thresholds=THRESHOLDS)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_a_callable_receives_the_rows_of_each_resample(data):
    def best_case(y_true, y_score):
        return compute_score("mean_roc_auc", y_true.astype(bool), y_score)

    values = resample_scores(*data, metric=best_case)
    np.testing.assert_allclose(values, resample_scores(*data), rtol=0, atol=1e-12)


def test_blocks_of_resamples_do_not_change_values(data, monkeypatch):
    whole = resample_scores(*data, metric="average_precision")
    monkeypatch.setattr("multimodal_ensemble.metrics._resampled_metrics._BLOCK", 1)
    blocks = resample_scores(*data, metric="average_precision")
    np.testing.assert_array_equal(blocks, whole)


def test_a_resample_without_rows_is_undefined(data):
    y_true, y_score, _ = data
    empty = np.zeros((1, len(y_true)), dtype=int)
    for metric in ("mean_roc_auc", "mean_average_precision", "mean_accuracy", "micro_f1", max):
        assert np.isnan(resample_scores(y_true, y_score, empty, metric=metric, thresholds=0.5))


def test_the_variance_of_a_mean_is_that_of_the_bootstrap():
    counts = bootstrap_counts(50, 4000)
    values = np.random.default_rng(0).normal(size=50)
    assert (counts @ values / 50).std() == pytest.approx(values.std() / 50**0.5, rel=0.05)


def test_strata_keep_their_number_of_rows():
    strata = np.array(["a", "b", "a", "c", "b", "a"])
    counts = bootstrap_counts(6, 30, stratify=strata)
    for stratum, size in zip(*np.unique(strata, return_counts=True), strict=True):
        assert (counts[:, strata == stratum].sum(axis=1) == size).all()
    assert counts.max() > 1


def test_groups_are_drawn_as_a_whole():
    groups = np.array(["a", "b", "a", "c", "b", "a"])
    counts = bootstrap_counts(6, 30, groups=groups)
    for group in "abc":
        assert (np.ptp(counts[:, groups == group], axis=1) == 0).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    strata = np.where(groups == "c", 1, 0)
    counts = bootstrap_counts(6, 30, groups=groups, stratify=strata)
    assert (counts[:, 3] == 1).all()
    assert (counts[:, [0, 1]].sum(axis=1) == 2).all()


def test_the_seed_determines_the_resamples():
    np.testing.assert_array_equal(bootstrap_counts(9, 5), bootstrap_counts(9, 5))
    assert (bootstrap_counts(9, 5) != bootstrap_counts(9, 5, random_state=1)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_rows": 0}, "n_rows must be a whole number of at least 1"),
        ({"n_resamples": 0}, "n_resamples must be a whole number of at least 1"),
        ({"groups": ["a"]}, r"groups must have shape \(3,\)"),
        ({"stratify": ["a"]}, r"stratify must have shape \(3,\)"),
        ({"stratify": ["a", None, "b"]}, "stratify must name a stratum for each row. Row 1"),
        ({"groups": list("aab"), "stratify": [0, 1, 1]}, "Rows 0 and 1 are of one group"),
    ],
)
def test_bad_options_of_counts_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_counts(**{"n_rows": 3, "n_resamples": 2} | options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": [[0.5, 0.5]]}, "counts must be whole numbers.*float64"),
        ({"counts": [[1, 1, 1]]}, r"counts must have shape \(n_resamples, 2\)"),
        ({"counts": [[3, -1]]}, "Received -1 in resample 0, row 1"),
        ({"metric": "auc"}, "metric must be one of 'mean_roc_auc'"),
        ({"metric": "macro_f1"}, "Pass thresholds"),
        ({"metric": "f1", "thresholds": [1, 2, 3]}, "thresholds must be one number, or one per"),
    ],
)
def test_bad_options_of_scores_are_refused(options, message):
    options = {"counts": [[1, 1]]} | options
    with pytest.raises(ValueError, match=message):
        resample_scores([[0, 1], [1, 0]], [[0.1, 0.9], [0.4, 0.2]], **options)
