"""Scores and thresholds for multilabel predictions, as functions of `y_true` and `y_score`.

This module does not need Keras or TensorFlow. Labels are the columns of a 0/1 matrix `y_true` of
shape ``(n_samples, n_labels)``. `y_score` has the same shape and may come from any model.
"""

from multimodal_ensemble.metrics._accuracy import mean_accuracy
from multimodal_ensemble.metrics._bootstrap_counts import bootstrap_counts
from multimodal_ensemble.metrics._bootstrap_interval import bootstrap_interval
from multimodal_ensemble.metrics._compare_scores import compare_scores
from multimodal_ensemble.metrics._criteria import (
    CriterionFunction,
    CriterionName,
    check_criterion,
)
from multimodal_ensemble.metrics._delong import delong_test
from multimodal_ensemble.metrics._reliability_curve import reliability_curve
from multimodal_ensemble.metrics._report import label_report
from multimodal_ensemble.metrics._resample_scores import resample_scores
from multimodal_ensemble.metrics._roc_auc import mean_roc_auc
from multimodal_ensemble.metrics._score_comparison import ScoreComparison
from multimodal_ensemble.metrics._score_interval import ScoreInterval
from multimodal_ensemble.metrics._scoring import ScoringFunction, check_scoring, compute_score
from multimodal_ensemble.metrics._thresholds import apply_thresholds, tune_thresholds

__all__ = [
    "CriterionFunction",
    "CriterionName",
    "ScoreComparison",
    "ScoreInterval",
    "ScoringFunction",
    "apply_thresholds",
    "bootstrap_counts",
    "bootstrap_interval",
    "check_criterion",
    "check_scoring",
    "compare_scores",
    "compute_score",
    "delong_test",
    "label_report",
    "mean_accuracy",
    "mean_roc_auc",
    "reliability_curve",
    "resample_scores",
    "tune_thresholds",
]
