"""Estimators: from raw columns to labels, and the file that a fitted one is saved as."""

from multimodal_ensemble.estimators._class_evaluation import (
    ClassEvaluation,
    evaluate_class_scores,
)
from multimodal_ensemble.estimators._errors import errors
from multimodal_ensemble.estimators._evaluation import Evaluation, evaluate_scores
from multimodal_ensemble.estimators._export import check_export
from multimodal_ensemble.estimators._load_estimator import load_estimator
from multimodal_ensemble.estimators._modality_importance import modality_importance
from multimodal_ensemble.estimators._multimodal_classifier import MultimodalClassifier
from multimodal_ensemble.estimators._multimodal_ensemble import MultimodalEnsemble

__all__ = [
    "ClassEvaluation",
    "Evaluation",
    "MultimodalClassifier",
    "MultimodalEnsemble",
    "check_export",
    "errors",
    "evaluate_class_scores",
    "evaluate_scores",
    "load_estimator",
    "modality_importance",
]
