"""Training one model: callbacks, history, best weights, weights of labels, checkpoints."""

from multimodal_ensemble.training._fit_model import fit_model
from multimodal_ensemble.training._fit_result import FitResult
from multimodal_ensemble.training._label_weighted_crossentropy import LabelWeightedCrossentropy
from multimodal_ensemble.training._label_weights import balanced_label_weights
from multimodal_ensemble.training._predict import predict_scores
from multimodal_ensemble.training._checkpoint import read_checkpoint_metadata
from multimodal_ensemble.training._validation_scoring import ValidationScoring

__all__ = [
    "FitResult",
    "LabelWeightedCrossentropy",
    "ValidationScoring",
    "balanced_label_weights",
    "fit_model",
    "predict_scores",
]
