"""Training one model: evaluation during training, best weights, label weights, checkpoints."""

from multimodal_ensemble.training._asymmetric_loss import AsymmetricLoss
from multimodal_ensemble.training._checkpoint import read_checkpoint_metadata
from multimodal_ensemble.training._fit_model import fit_model
from multimodal_ensemble.training._fit_result import FitResult
from multimodal_ensemble.training._label_weighted_crossentropy import LabelWeightedCrossentropy
from multimodal_ensemble.training._label_weights import balanced_label_weights
from multimodal_ensemble.training._monitor import MonitorFunction, check_monitor
from multimodal_ensemble.training._predict_scores import predict_scores
from multimodal_ensemble.training._validation_evaluation import ValidationEvaluation

__all__ = [
    "AsymmetricLoss",
    "FitResult",
    "LabelWeightedCrossentropy",
    "MonitorFunction",
    "ValidationEvaluation",
    "balanced_label_weights",
    "check_monitor",
    "fit_model",
    "predict_scores",
    "read_checkpoint_metadata",
]
