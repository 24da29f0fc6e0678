"""Metrics hold one label or a block of rows at a time, whatever the number of labels."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from multimodal_ensemble.estimators import evaluate_scores
from multimodal_ensemble.linear import PlattScaling
from multimodal_ensemble.metrics import (
    apply_thresholds,
    bootstrap_interval,
    compare_scores,
    compute_score,
    delong_test,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    reliability_curve,
    resample_scores,
    tune_thresholds,
)

N_ROWS, N_LABELS = 50_000, 20
# float32 scores of one label.
COLUMN = 4 * N_ROWS
THRESHOLDS = np.full(N_LABELS, 0.5)
NAMES = [str(label) for label in range(N_LABELS)]
WEIGHTS = np.random.default_rng(1).random(N_ROWS)


@pytest.fixture(scope="module")
def data():
    """Labels of one byte, and float32 scores."""
    rng = np.random.default_rng(0)
    y_true = (rng.random((N_ROWS, N_LABELS), dtype=np.float32) < 0.2).astype(np.uint8)
    return y_true, rng.random((N_ROWS, N_LABELS), dtype=np.float32) / 2 + y_true / np.float32(3)


def fit_platt(y, s):
    # A few steps show the memory; the others take as much.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multimodal_ensemble.linear._platt_scaling._N_STEPS", 1)
        patch.setattr("multimodal_ensemble.linear._platt_scaling._N_HALVINGS", 1)
        PlattScaling.fit(s, y.view(bool))


def two(s):
    return {"a": s, "b": s[::-1]}


# The most memory beyond the inputs, in columns. A copy of the scores as float64 takes 40.
MOST_COLUMNS = {
    "accuracy thresholds": (8, lambda y, s: tune_thresholds(y, s)),
    "prevalence thresholds": (5, lambda y, s: tune_thresholds(y, s, criterion="prevalence")),
    "weighted thresholds": (
        40,
        lambda y, s: tune_thresholds(y, s, criterion="f1", sample_weight=WEIGHTS),
    ),
    "predictions and what is returned": (8, lambda y, s: apply_thresholds(s, THRESHOLDS)),
    "mean_roc_auc": (5, lambda y, s: mean_roc_auc(y, s)),
    "weighted mean_roc_auc": (18, lambda y, s: mean_roc_auc(y, s, sample_weight=WEIGHTS)),
    "mean_accuracy": (5, lambda y, s: mean_accuracy(y, s, THRESHOLDS)),
    "average precision": (
        8,
        lambda y, s: compute_score("mean_average_precision", y.view(bool), s),
    ),
    "f1": (8, lambda y, s: compute_score("f1", y.view(bool), s)),
    "label_report": (12, lambda y, s: label_report(y, s, THRESHOLDS)),
    "evaluation": (
        12,
        lambda y, s: evaluate_scores(
            y.view(bool), s, THRESHOLDS, labels=NAMES, label_shares=[0.2] * N_LABELS
        ),
    ),
    "reliability_curve": (11, lambda y, s: reliability_curve(y, s)),
    "delong_test": (30, lambda y, s: delong_test(y, s, s[::-1])),
    "Platt scaling": (12, fit_platt),
    "normal interval": (34, lambda y, s: bootstrap_interval(y, s, method="normal")),
    "normal intervals of labels": (
        36,
        lambda y, s: bootstrap_interval(y, s, metric="average_precision", method="normal"),
    ),
    "normal intervals of models": (
        36,
        lambda y, s: compare_scores(y, two(s), metric="roc_auc", method="normal"),
    ),
    "resampled F1": (
        5,
        lambda y, s: resample_scores(
            y, s, np.ones((2, N_ROWS), np.int8), metric="f1", thresholds=THRESHOLDS
        ),
    ),
    "resampled ROC-AUC": (28, lambda y, s: resample_scores(y, s, np.ones((2, N_ROWS), np.int8))),
}


@pytest.mark.parametrize("name", MOST_COLUMNS)
def test_memory_does_not_grow_with_the_number_of_labels(data, name, monkeypatch):
    # So small that blocks of rows take little beside a column.
    monkeypatch.setattr("multimodal_ensemble._validation._BLOCK", 2**14)
    most, function = MOST_COLUMNS[name]
    tracemalloc.start()
    try:
        function(*data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / COLUMN <= most


def test_resamples_are_drawn_part_by_part(data, monkeypatch):
    """Two of fifty resamples at a time: all of them have 50 columns of counts."""
    y_true, y_score = (values[:20_000, :2] for values in data)
    for module in ("_bootstrap", "_resample_scores"):
        monkeypatch.setattr(f"multimodal_ensemble.metrics.{module}.N_HELD", 40_000)
    tracemalloc.start()
    try:
        bootstrap_interval(y_true, y_score, n_resamples=50)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / (4 * 20_000) <= 36


@pytest.mark.parametrize("n_held", [1, 180])
def test_parts_of_resamples_do_not_change_intervals(n_held):
    rng = np.random.default_rng(0)
    y_true = rng.random((60, 3)) < 0.3
    y_score = rng.normal(y_true, 1.0)
    groups = rng.integers(0, 12, 60)
    for options in (
        {},
        {"groups": groups},
        {"stratify": groups},
        {"groups": groups, "stratify": groups % 3, "method": "bca"},
    ):
        options = {"n_resamples": 50, "metric": "roc_auc"} | options
        with pytest.MonkeyPatch.context() as patch:
            for module in ("_bootstrap", "_resample_scores"):
                patch.setattr(f"multimodal_ensemble.metrics.{module}.N_HELD", n_held)
            parts = bootstrap_interval(y_true, y_score, **options)
        whole = bootstrap_interval(y_true, y_score, **options)
        for field in ("score", "low", "high", "n_incomplete"):
            np.testing.assert_array_equal(getattr(parts, field), getattr(whole, field))


def test_blocks_of_rows_do_not_change_results(monkeypatch):
    rng = np.random.default_rng(0)
    y_true = rng.integers(0, 2, (301, 3))
    y_score = rng.random((301, 3)).round(2).astype(np.float32)
    limits = tune_thresholds(y_true, y_score)

    def results():
        counts = np.tile(np.arange(301) % 3, (4, 1))
        evaluation = evaluate_scores(
            y_true.astype(bool), y_score, limits, labels=list("abc"), label_shares=[0.4, 0.5, 0.6]
        )
        scaling = PlattScaling.fit(y_score, y_true.astype(bool))
        return [
            mean_accuracy(y_true, y_score, limits),
            resample_scores(y_true, y_score, counts, metric="f1", thresholds=limits),
            [evaluation.mean_accuracy, evaluation.micro_f1, evaluation.trivial_accuracy],
            [evaluation.subset_accuracy, evaluation.ranking_loss, evaluation.coverage_error],
            scaling.slope,
            scaling.intercept,
        ]

    whole = results()
    monkeypatch.setattr("multimodal_ensemble._validation._BLOCK", 30)
    for block, expected in zip(results(), whole, strict=True):
        np.testing.assert_allclose(block, expected, rtol=1e-9)
    y_true[200, 1], y_score[250, 2] = 3, np.nan
    with pytest.raises(ValueError, match="Received 3 in row 200, column 1"):
        mean_roc_auc(y_true, y_score)
    with pytest.raises(ValueError, match=r"nan in row 250, column 2 \(1 such values"):
        apply_thresholds(y_score, 0.5)
