"""One estimator from raw columns to labels, and the file that it is saved as."""

from multimodal_ensemble.classifier._evaluation import Evaluation
from multimodal_ensemble.classifier._infer_encoders import infer_encoders
from multimodal_ensemble.classifier._multimodal_classifier import MultimodalClassifier

__all__ = ["Evaluation", "MultimodalClassifier", "infer_encoders"]
