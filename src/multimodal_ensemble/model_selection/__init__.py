"""Splits that are stratified by labels; thresholds, parameters and comparisons of classifiers.

This module does not need Keras or TensorFlow. Labels are the columns of a 0/1 matrix `y` of shape
``(n_samples, n_labels)``.
"""

from multimodal_ensemble.model_selection._compare import compare
from multimodal_ensemble.model_selection._comparison_result import ComparisonResult
from multimodal_ensemble.model_selection._comparison_split import ComparisonSplit
from multimodal_ensemble.model_selection._multilabel_stratified_k_fold import (
    MultilabelStratifiedKFold,
)
from multimodal_ensemble.model_selection._out_of_fold_scores import (
    out_of_fold_scores,
    predict_label_scores,
)
from multimodal_ensemble.model_selection._stratified_holdout import stratified_holdout
from multimodal_ensemble.model_selection._tune import tune
from multimodal_ensemble.model_selection._tuned_threshold_multilabel_classifier import (
    TunedThresholdMultilabelClassifier,
)
from multimodal_ensemble.model_selection._tuning_result import TuningResult

__all__ = [
    "ComparisonResult",
    "ComparisonSplit",
    "MultilabelStratifiedKFold",
    "TunedThresholdMultilabelClassifier",
    "TuningResult",
    "compare",
    "out_of_fold_scores",
    "predict_label_scores",
    "stratified_holdout",
    "tune",
]
