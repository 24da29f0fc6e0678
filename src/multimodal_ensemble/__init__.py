"""Multilabel prediction from several kinds of input.

Frozen pretrained encoders, small trainable heads, one concatenation fusion, tuned thresholds.
The public names are loaded when they are first used, so that importing the package, or its
metrics, does not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from multimodal_ensemble._version import __version__

# Public name to the room that it comes from.
_ROOMS = {
    "BagOfWordsEncoder": "encoders",
    "DenseEncoder": "encoders",
    "Encoder": "encoders",
    "FeatureScaling": "encoders",
    "FeatureStore": "features",
    "FitResult": "training",
    "ImageEncoder": "encoders",
    "MultimodalDataset": "generators",
    "ValidationScoring": "training",
    "adapt_heads": "fusion",
    "apply_thresholds": "metrics",
    "build_concat_fusion": "fusion",
    "feature_model": "fusion",
    "fit_encoders": "encoders",
    "fit_model": "training",
    "fuse_models": "fusion",
    "label_report": "metrics",
    "mean_accuracy": "metrics",
    "mean_roc_auc": "metrics",
    "predict_scores": "training",
    "read_image": "images",
    "read_images": "images",
    "tune_thresholds": "metrics",
}

__all__ = ["__version__", *_ROOMS]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
