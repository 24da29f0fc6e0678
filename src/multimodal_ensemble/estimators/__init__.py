"""Estimators: from raw columns to labels, and the file that a fitted one is saved as.

Names are loaded on first use, so that evaluations and summaries of files do not import TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multimodal_ensemble.estimators._class_evaluation import (
        ClassEvaluation as ClassEvaluation,
        evaluate_class_scores as evaluate_class_scores,
    )
    from multimodal_ensemble.estimators._errors import errors as errors
    from multimodal_ensemble.estimators._evaluation import (
        Evaluation as Evaluation,
        evaluate_scores as evaluate_scores,
    )
    from multimodal_ensemble.estimators._export import check_export as check_export
    from multimodal_ensemble.estimators._load_estimator import load_estimator as load_estimator
    from multimodal_ensemble.estimators._modality_importance import (
        modality_importance as modality_importance,
    )
    from multimodal_ensemble.estimators._multimodal_classifier import (
        MultimodalClassifier as MultimodalClassifier,
    )
    from multimodal_ensemble.estimators._multimodal_ensemble import (
        MultimodalEnsemble as MultimodalEnsemble,
    )
    from multimodal_ensemble.estimators._read_summary import (
        EncoderSummary as EncoderSummary,
        EstimatorSummary as EstimatorSummary,
        read_summary as read_summary,
    )

# The private module that defines each name.
_MODULES = {
    "ClassEvaluation": "_class_evaluation",
    "EncoderSummary": "_read_summary",
    "EstimatorSummary": "_read_summary",
    "Evaluation": "_evaluation",
    "MultimodalClassifier": "_multimodal_classifier",
    "MultimodalEnsemble": "_multimodal_ensemble",
    "check_export": "_export",
    "errors": "_errors",
    "evaluate_class_scores": "_class_evaluation",
    "evaluate_scores": "_evaluation",
    "load_estimator": "_load_estimator",
    "modality_importance": "_modality_importance",
    "read_summary": "_read_summary",
}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
