"""Multilabel prediction from several kinds of input.

Frozen pretrained encoders, small trainable heads, one concatenation fusion, tuned thresholds.
The public names are loaded when they are first used, so that importing the package, or its
metrics, does not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from multimodal_ensemble._version import __version__

if TYPE_CHECKING:
    from multimodal_ensemble.encoders import (
        BagOfWordsEncoder as BagOfWordsEncoder,
        DenseEncoder as DenseEncoder,
        Encoder as Encoder,
        FeatureScaling as FeatureScaling,
        ImageEncoder as ImageEncoder,
        fit_encoders as fit_encoders,
        infer_encoders as infer_encoders,
    )
    from multimodal_ensemble.estimators import (
        MultimodalClassifier as MultimodalClassifier,
    )
    from multimodal_ensemble.features import (
        FeatureStore as FeatureStore,
    )
    from multimodal_ensemble.fusion import (
        ModalityDropout as ModalityDropout,
        adapt_heads as adapt_heads,
        feature_model as feature_model,
        fuse_encoders as fuse_encoders,
        fuse_models as fuse_models,
        load_model as load_model,
    )
    from multimodal_ensemble.generators import (
        MultimodalDataset as MultimodalDataset,
    )
    from multimodal_ensemble.images import (
        read_image as read_image,
        read_images as read_images,
    )
    from multimodal_ensemble.metrics import (
        apply_thresholds as apply_thresholds,
        label_report as label_report,
        mean_accuracy as mean_accuracy,
        mean_roc_auc as mean_roc_auc,
        tune_thresholds as tune_thresholds,
    )
    from multimodal_ensemble.model_selection import (
        MultilabelStratifiedKFold as MultilabelStratifiedKFold,
        TunedThresholdMultilabelClassifier as TunedThresholdMultilabelClassifier,
        stratified_holdout as stratified_holdout,
    )
    from multimodal_ensemble.training import (
        FitResult as FitResult,
        LabelWeightedCrossentropy as LabelWeightedCrossentropy,
        balanced_label_weights as balanced_label_weights,
        fit_model as fit_model,
        predict_scores as predict_scores,
    )

# Public name to the room that it comes from.
_ROOMS = {
    "BagOfWordsEncoder": "encoders",
    "DenseEncoder": "encoders",
    "Encoder": "encoders",
    "FeatureScaling": "encoders",
    "FeatureStore": "features",
    "FitResult": "training",
    "ImageEncoder": "encoders",
    "LabelWeightedCrossentropy": "training",
    "ModalityDropout": "fusion",
    "MultilabelStratifiedKFold": "model_selection",
    "MultimodalClassifier": "estimators",
    "MultimodalDataset": "generators",
    "TunedThresholdMultilabelClassifier": "model_selection",
    "adapt_heads": "fusion",
    "apply_thresholds": "metrics",
    "balanced_label_weights": "training",
    "feature_model": "fusion",
    "fit_encoders": "encoders",
    "fit_model": "training",
    "fuse_encoders": "fusion",
    "fuse_models": "fusion",
    "infer_encoders": "encoders",
    "label_report": "metrics",
    "load_model": "fusion",
    "mean_accuracy": "metrics",
    "mean_roc_auc": "metrics",
    "predict_scores": "training",
    "read_image": "images",
    "read_images": "images",
    "stratified_holdout": "model_selection",
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
