"""Multilabel prediction from several kinds of input.

Frozen pretrained encoders, ensembles of linear models or one network, tuned thresholds. This module
has the names that most users need; all others are in its submodules. Names are loaded on first use,
so that importing the package, or its metrics, does not import TensorFlow.

Unless the environment variable ``TF_ENABLE_ONEDNN_OPTS`` is set, importing the package on an x86
processor sets it to 1: TensorFlow then uses oneDNN, if it is imported later.
"""

from __future__ import annotations

import os
import platform
from importlib import import_module
from typing import TYPE_CHECKING, Any

from multimodal_ensemble._version import __version__

if TYPE_CHECKING:
    from multimodal_ensemble.encoders import (
        Augmentation as Augmentation,
        BagOfWordsEncoder as BagOfWordsEncoder,
        CategoryEncoder as CategoryEncoder,
        DateEncoder as DateEncoder,
        DenseEncoder as DenseEncoder,
        DenseHead as DenseHead,
        Encoder as Encoder,
        ImageEncoder as ImageEncoder,
        SequenceEncoder as SequenceEncoder,
        TagEmbeddingEncoder as TagEmbeddingEncoder,
        TextEncoder as TextEncoder,
        fit_encoders as fit_encoders,
        infer_encoders as infer_encoders,
    )
    from multimodal_ensemble.estimators import (
        MultimodalClassifier as MultimodalClassifier,
        MultimodalEnsemble as MultimodalEnsemble,
    )
    from multimodal_ensemble.features import (
        FeatureStore as FeatureStore,
    )
    from multimodal_ensemble.fusion import (
        fuse_encoders as fuse_encoders,
        fuse_models as fuse_models,
        load_model as load_model,
    )
    from multimodal_ensemble.generators import (
        MultimodalDataset as MultimodalDataset,
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
        tune as tune,
    )
    from multimodal_ensemble.training import (
        fit_model as fit_model,
        predict_scores as predict_scores,
    )

# TensorFlow leaves oneDNN off on x86 processors without instructions for neural networks, where
# frozen networks are a third faster with it. On other processors, it has not been measured.
if platform.machine().lower() in {"x86_64", "amd64"}:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# The submodule that defines each public name.
_MODULES = {
    "Augmentation": "encoders",
    "BagOfWordsEncoder": "encoders",
    "CategoryEncoder": "encoders",
    "DateEncoder": "encoders",
    "DenseEncoder": "encoders",
    "DenseHead": "encoders",
    "Encoder": "encoders",
    "FeatureStore": "features",
    "ImageEncoder": "encoders",
    "MultilabelStratifiedKFold": "model_selection",
    "MultimodalClassifier": "estimators",
    "MultimodalDataset": "generators",
    "MultimodalEnsemble": "estimators",
    "SequenceEncoder": "encoders",
    "TagEmbeddingEncoder": "encoders",
    "TextEncoder": "encoders",
    "TunedThresholdMultilabelClassifier": "model_selection",
    "apply_thresholds": "metrics",
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
    "tune": "model_selection",
    "tune_thresholds": "metrics",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
