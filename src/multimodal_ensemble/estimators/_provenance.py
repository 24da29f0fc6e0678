"""A description of a training, in JSON values."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from multimodal_ensemble._version import __version__
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training import FitResult

_LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "pillow")


def describe_versions() -> dict[str, str]:
    """Return the versions of all libraries that predictions depend on."""
    return {
        "multimodal_ensemble": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
    }


def describe_training(
    result: FitResult,
    train: MultimodalDataset,
    validation: MultimodalDataset,
    *,
    is_same: bool,
    thresholds_from: str,
    mean_accuracy: float,
    seed: int,
) -> dict[str, Any]:
    """Return the rows, the seed, the scores and the versions of a training."""
    y = train.y
    return {
        "n_train": train.n_samples,
        "n_validation": validation.n_samples,
        "n_dropped": len(train.dropped) + (0 if is_same else len(validation.dropped)),
        "label_shares": [] if y is None else [float(share) for share in y.mean(axis=0)],
        "seed": seed,
        "best_step": result.best_step,
        "n_trainable": result.n_trainable,
        "seconds": result.seconds,
        "thresholds_from": thresholds_from,
        "validation_mean_roc_auc": result.best_roc_auc,
        "validation_mean_accuracy": float(mean_accuracy),
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": describe_versions(),
    }
