"""Training one model: callbacks, history, best weights."""

from multimodal_ensemble.training._fit_model import FitResult, fit_model
from multimodal_ensemble.training._predict import predict_scores
from multimodal_ensemble.training._validation_scoring import ValidationScoring

__all__ = ["FitResult", "ValidationScoring", "fit_model", "predict_scores"]
