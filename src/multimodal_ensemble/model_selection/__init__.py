"""Splits that are stratified by labels, and thresholds and parameters of any classifier.

This module does not need Keras or TensorFlow. Labels are the columns of a 0/1 matrix `y` of shape
``(n_samples, n_labels)``.
"""

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
    "MultilabelStratifiedKFold",
    "TunedThresholdMultilabelClassifier",
    "TuningResult",
    "out_of_fold_scores",
    "predict_label_scores",
    "stratified_holdout",
    "tune",
]
