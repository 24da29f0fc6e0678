"""Intervals without resamples: influences against differences, and intervals against resamples."""

from __future__ import annotations

import numpy as np
import pytest

from multimodal_ensemble.metrics import (
    bootstrap_interval,
    compare_scores,
    delong_test,
    resample_scores,
)
from multimodal_ensemble.metrics._columns import ascending_order
from multimodal_ensemble.metrics._influence import influences

THRESHOLDS = np.array([0.5, 0.0, 1.0])
MEANS = {
    "mean_roc_auc": "roc_auc",
    "mean_average_precision": "average_precision",
    "mean_accuracy": "accuracy",
    "macro_f1": "f1",
    "micro_f1": "micro_f1",
}


def make_rows(n_rows):
    """Return labels, and scores of two models with ties."""
    rng = np.random.default_rng(0)
    y_true = rng.random((n_rows, 3)) < [0.1, 0.4, 0.8]
    scores = rng.normal(y_true, 1.0)
    other = scores + rng.normal(0.5 * y_true, 0.8)
    return y_true, scores.round(1), other.round(1)


@pytest.mark.parametrize("metric", MEANS.values())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_influences_are_derivatives_by_the_weight_of_each_row(metric, dtype):
    y_true, y_score, _ = make_rows(60)
    found = list(influences(metric, y_true, y_score.astype(dtype), THRESHOLDS))
    # Each row has the weight 1, or a thousandth more or less than that.
    weight, step = np.full((60, 60), 1000), np.eye(60, dtype=int)
    more, less = (
        resample_scores(y_true, y_score, counts, metric=metric, thresholds=THRESHOLDS)
        for counts in (weight + step, weight - step)
    )
    expected = (more - less).reshape(60, -1).T * 500
    np.testing.assert_allclose([one for _, one in found], expected, atol=1e-7)
    assert np.abs(expected).max() > 1e-3
    values = resample_scores(y_true, y_score, weight[:1], metric=metric, thresholds=THRESHOLDS)
    np.testing.assert_allclose([value for value, _ in found], values.ravel(), rtol=1e-12)


@pytest.mark.parametrize("metric", MEANS)
@pytest.mark.parametrize("kind", ["rows", "groups", "strata"])
def test_intervals_are_those_of_many_resamples(metric, kind):
    y_true, *scores = make_rows(900)
    # Groups and strata of similar rows, without which the intervals are narrower or wider.
    units = np.argsort(np.argsort(y_true @ [4, 2, 1] + scores[0].sum(axis=1) / 10))
    options = {"rows": {}, "groups": {"groups": units // 9}, "strata": {"stratify": units // 225}}
    options = {"metric": metric, "thresholds": THRESHOLDS} | options[kind]
    models = dict(zip("ab", scores, strict=True))
    drawn = compare_scores(y_true, models, n_resamples=1000, method="percentile", **options)
    normal = compare_scores(y_true, models, method="normal", **options)
    columns = ["score", "difference"]
    np.testing.assert_allclose(normal.table[columns], drawn.table[columns], rtol=1e-12)
    for low, high in (("low", "high"), ("difference_low", "difference_high")):
        width = drawn.table[high] - drawn.table[low]
        np.testing.assert_allclose(normal.table[high] - normal.table[low], width, rtol=0.12)
        middle = (normal.table[high] + normal.table[low] - drawn.table[high] - drawn.table[low]) / 2
        assert not (middle.abs() > 0.15 * width).any()
    assert str(normal).startswith("900 rows, 95 % intervals (normal)") or kind == "groups"


def test_intervals_of_labels_are_those_of_delong():
    y_true, scores, other = make_rows(2000)
    test = delong_test(y_true, other, scores)
    compared = compare_scores(y_true, {"a": scores, "b": other}, metric="roc_auc", method="normal")
    rows = compared.table[compared.table["model"] == "b"]
    assert rows["label"].tolist() == ["0", "1", "2"]
    columns = ["difference_low", "difference_high"]
    np.testing.assert_allclose(rows[columns], test[["low", "high"]], atol=2e-4)
    interval = bootstrap_interval(y_true, other, metric="roc_auc", method="normal")
    np.testing.assert_array_equal(interval.low, rows["low"])
    np.testing.assert_array_equal(interval.score, test["roc_auc"])


def test_a_label_of_one_class_is_left_out():
    y_true, y_score, _ = make_rows(50)
    y_true[:, 0] = False
    mean = bootstrap_interval(y_true, y_score, method="normal")
    others = bootstrap_interval(y_true[:, 1:], y_score[:, 1:], method="normal")
    assert (mean.low, mean.high) == (others.low, others.high)
    by_label = bootstrap_interval(y_true, y_score, metric="average_precision", method="normal")
    assert np.isnan(by_label.low).tolist() == [True, False, False]
    assert by_label.n_incomplete.tolist() == [0, 0, 0]


def test_large_data_has_normal_intervals_unless_the_metric_is_a_callable(monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.metrics._bootstrap.N_ROWS_RESAMPLED", 49)
    y_true, y_score, _ = make_rows(50)
    assert bootstrap_interval(y_true, y_score).method == "normal"
    assert bootstrap_interval(y_true[1:], y_score[1:], n_resamples=3).method == "percentile"

    def share(y_true, y_score):
        return float(y_true.mean())

    assert bootstrap_interval(y_true, y_score, metric=share, n_resamples=3).method == "percentile"
    models = {"a": y_score}
    compared = compare_scores(y_true, models, metric=["mean_roc_auc", share], n_resamples=3)
    assert (compared.method, compared.n_resamples) == ("percentile", 3)
    with pytest.raises(ValueError, match="needs the formula of a metric"):
        bootstrap_interval(y_true, y_score, metric=share, method="normal")


def test_the_order_of_float32_scores_is_that_of_a_stable_argsort():
    rng = np.random.default_rng(0)
    scores = (rng.normal(size=500) * 10.0 ** rng.integers(-44, 37, 500)).astype(np.float32)
    scores[rng.random(500) < 0.3] = 0.0
    scores[rng.random(500) < 0.3] = -0.0
    np.testing.assert_array_equal(ascending_order(scores), np.argsort(scores, kind="stable"))
