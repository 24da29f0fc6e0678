"""Checks of the parameters of a network before its training."""

from __future__ import annotations

from typing import Any

from multimodal_ensemble._labels import check_label_options
from multimodal_ensemble._validation import check_at_least, check_choice, check_fraction
from multimodal_ensemble.estimators._calibration import check_calibration
from multimodal_ensemble.estimators._thresholds import check_threshold
from multimodal_ensemble.fusion import check_fusion
from multimodal_ensemble.training import check_monitor


def check_classifier_params(classifier: Any) -> None:
    """Raise a ValueError unless the parameters of a `MultimodalClassifier` are valid."""
    check_label_options(classifier.label_delimiter, classifier.min_label_count)
    check_threshold(classifier.threshold)
    check_calibration(classifier.calibration)
    check_monitor(classifier.monitor)
    check_fusion(classifier.fusion)
    check_choice(classifier.verbose, (0, 1, 2), name="verbose")
    check_choice(classifier.warm_start, (True, False), name="warm_start")
    if classifier.batch_size is not None:
        check_at_least(classifier.batch_size, 1, name="batch_size")
    if isinstance(classifier.encoders, str):
        check_choice(classifier.encoders, ("auto",), name="encoders")
    _check_validation_fraction(classifier.validation_fraction)


def _check_validation_fraction(fraction: Any) -> None:
    """Raise a ValueError unless this can be the share of rows that is held out."""
    if fraction is None:
        return
    check_fraction(fraction, name="validation_fraction")
    if not fraction:
        msg = (
            "validation_fraction must be above 0, or None to choose weights and thresholds on the "
            "training rows themselves. Received validation_fraction=0."
        )
        raise ValueError(msg)
