"""Calibration of a target: per label, and of several classes so that probabilities add up to 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import CALIBRATION, PROBABILITIES
from multimodal_ensemble._target import MULTICLASS, Target
from multimodal_ensemble.estimators._calibration import (
    apply_calibration,
    learn_calibration,
    saved_calibration,
    with_calibration,
)
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.fusion import ClassProbabilities
from multimodal_ensemble.linear import ClassScaling


def learn_last_layers(
    method: str | None,
    target: Target,
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    sample_weight: NDArray[np.float64] | None = None,
    *,
    are_probabilities: bool = True,
) -> tuple[list[keras.Layer], NDArray[np.float32]]:
    """Return the layers that scores pass through, and what becomes of the given scores.

    Of several classes, the last layer makes probabilities that add up to 1, unless the scores
    `are_probabilities` already and there is no method. Its slope does what Platt scaling does for
    a label.
    """
    is_multiclass = target.kind == MULTICLASS
    of_labels = None if is_multiclass and method == "platt" else method
    layer = learn_calibration(of_labels, target.labels, y_true, y_score, sample_weight)
    y_score = apply_calibration(layer, y_score)
    layers = [] if layer is None else [layer]
    if is_multiclass and not (are_probabilities and method is None):
        slope = ClassScaling.fit(y_score, y_true, sample_weight).slope
        layers.append(_make_probabilities(np.float32(slope), y_score.shape[1]))
        y_score = apply_calibration(layers[-1], y_score)
    return layers, y_score


def with_last_layers(model: keras.Model, layers: Sequence[keras.Layer]) -> keras.Model:
    """Return a model of the same layers whose scores pass through further ones."""
    for layer in layers:
        model = with_calibration(model, layer)
    return model


def saved_last_layers(
    saved: Mapping[str, list[NDArray[Any]]], target: Target, *, are_probabilities: bool
) -> list[keras.Layer]:
    """Return the last layers that have weights in a saved file."""
    if target.kind == MULTICLASS and not are_probabilities and PROBABILITIES not in saved:
        msg = f"The file has no layer {PROBABILITIES!r}, without which scores do not add up to 1."
        raise ArtefactError(msg)
    n_labels = len(target.labels)
    calibration = saved_calibration(saved.get(CALIBRATION), n_labels)
    layers = [] if calibration is None else [calibration]
    if PROBABILITIES in saved:
        (slope,) = saved[PROBABILITIES]
        if np.shape(slope) or not 0 < slope < np.inf or target.kind != MULTICLASS:
            msg = f"The layer {PROBABILITIES!r} in the file has no slope above 0."
            raise ArtefactError(msg)
        layers.append(_make_probabilities(slope, n_labels))
    return layers


def _make_probabilities(slope: Any, n_classes: int) -> keras.Layer:
    layer = ClassProbabilities(name=PROBABILITIES)
    layer.build((None, n_classes))
    layer.set_weights([slope])
    return layer
