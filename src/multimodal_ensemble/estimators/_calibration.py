"""Calibration of an estimator's scores, as the last layer of its model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from multimodal_ensemble._keras import using_dtype_policy
from multimodal_ensemble._layer_names import CALIBRATION, PROBABILITIES, SCORES
from multimodal_ensemble._tables import abbreviate, counted
from multimodal_ensemble._validation import check_choice, row_blocks
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.fusion import IsotonicCalibration, PlattCalibration
from multimodal_ensemble.linear import PlattScaling

# Fewest rows with a label, and without it, from which its calibration is learned. Slopes of Platt
# scaling for few rows are drawn towards those of all labels; nothing does that for a curve.
_MIN_ROWS = {"platt": 1, "isotonic": 5}
_ROWS_PER_CHUNK = 1024


def check_calibration(calibration: Any) -> None:
    """Raise a ValueError unless `calibration` is None or the name of a method."""
    check_choice(calibration, (None, *_MIN_ROWS), name="calibration")


def learn_calibration(
    method: str | None,
    classes: NDArray[Any],
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    sample_weight: NDArray[Any] | None = None,
) -> keras.Layer | None:
    """Return a layer that calibrates scores, learned from rows that no score was trained on.

    Labels with too few rows keep their scores, and a warning names them. The result is None if no
    label is calibrated.
    """
    if method is None:
        return None
    is_used = np.True_ if sample_weight is None else sample_weight.reshape(len(y_true), -1) > 0
    n_fewer = np.minimum((y_true & is_used).sum(axis=0), (~y_true & is_used).sum(axis=0))
    enough = n_fewer >= _MIN_ROWS[method]
    if not enough.all():
        least = counted(_MIN_ROWS[method], "row")
        warn(
            f"{(~enough).sum()} of {len(classes)} labels keep their scores, because calibration="
            f"{method!r} needs {least} or more with the label, and as many without it: "
            f"{abbreviate(classes[~enough])}."
        )
    if not enough.any():
        return None
    learn = _learn_platt if method == "platt" else _learn_isotonic
    return learn(y_true, y_score, enough, sample_weight)


def apply_calibration(
    calibration: keras.Layer | None, y_score: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the scores that a model with this last layer returns."""
    if calibration is None:
        return y_score
    calibrated = np.empty_like(y_score)
    for start in range(0, len(y_score), _ROWS_PER_CHUNK):
        rows = slice(start, start + _ROWS_PER_CHUNK)
        calibrated[rows] = calibration(y_score[rows])
    return calibrated


def with_calibration(model: keras.Model, calibration: keras.Layer | None) -> keras.Model:
    """Return a model of the same layers whose scores pass through one more layer."""
    if calibration is None:
        return model
    with using_dtype_policy(model.dtype_policy):
        return keras.Model(model.input, calibration(model.output), name=model.name)


def without_calibration(model: keras.Model) -> keras.Model:
    """Return the model as it was before `with_calibration`, with the same layers."""
    if {CALIBRATION, PROBABILITIES}.isdisjoint(layer.name for layer in model.layers):
        return model
    with using_dtype_policy(model.dtype_policy):
        return keras.Model(model.input, model.get_layer(SCORES).output, name=model.name)


def saved_calibration(weights: list[NDArray[Any]] | None, n_labels: int) -> keras.Layer | None:
    """Return the layer that has these weights in a saved file; None if the file has none."""
    if weights is None:
        return None
    first = weights[0]
    if first.ndim == 1:
        calibration: keras.Layer = PlattCalibration(name=CALIBRATION)
        is_increasing = (first >= 0).all()
    else:
        calibration = IsotonicCalibration(first.shape[-1], name=CALIBRATION)
        curves = np.stack(weights)
        is_increasing = ((curves >= 0) & (curves <= 1)).all() and (np.diff(curves) >= 0).all()
    # `_set_weights` compares the shapes. A function that falls would be wrong silently.
    if not (is_increasing and np.isfinite(weights).all() and len(first) == n_labels):
        msg = f"The layer {CALIBRATION!r} in the file has no increasing function for each label."
        raise ArtefactError(msg)
    calibration.build((None, n_labels))
    return calibration


def _learn_platt(
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    enough: NDArray[np.bool_],
    sample_weight: NDArray[Any] | None,
) -> keras.Layer:
    calibration = PlattCalibration(name=CALIBRATION)
    calibration.build((None, len(enough)))
    slope, intercept = np.ones(len(enough)), np.zeros(len(enough))
    log_odds = np.empty((len(y_score), enough.sum()), dtype=np.float32)
    for rows in row_blocks(y_score.shape):
        log_odds[rows] = calibration.log_odds(y_score[rows, enough])
    true = y_true if enough.all() else y_true[:, enough]
    if sample_weight is not None and sample_weight.ndim == 2:
        sample_weight = sample_weight[:, enough]
    scaling = PlattScaling.fit(log_odds, true, sample_weight)
    slope[enough], intercept[enough] = scaling.slope, scaling.intercept
    calibration.set_weights([slope, intercept])
    return calibration


def _learn_isotonic(
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    enough: NDArray[np.bool_],
    sample_weight: NDArray[Any] | None,
) -> keras.Layer:
    weight = np.ones(len(y_true)) if sample_weight is None else sample_weight
    weights = np.broadcast_to(weight.reshape(len(y_true), -1), y_true.shape)
    used = weights > 0
    curves = [
        _isotonic_curve(*(each[used[:, label], label] for each in (y_true, y_score, weights)))
        if enough[label]
        else np.array([[0, 1], [0, 1]], dtype=np.float32)
        for label in range(len(enough))
    ]
    n_knots = max(curve.shape[1] for curve in curves)
    # All labels have the same number of knots; further ones repeat the last.
    padded = [
        np.pad(curve, ((0, 0), (0, n_knots - curve.shape[1])), mode="edge") for curve in curves
    ]
    calibration = IsotonicCalibration(n_knots, name=CALIBRATION)
    calibration.build((None, len(enough)))
    calibration.set_weights([*np.stack(padded, axis=1)])
    return calibration


def _isotonic_curve(
    y_true: NDArray[np.bool_], y_score: NDArray[np.float32], weight: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the scores and the values of the knots of one label, of shape ``(2, n_knots)``.

    Isotonic regression has blocks of scores of equal value. A step function would give equal
    scores to all rows of a block, so the curve is linear between the centres of blocks [1]_. The
    targets are those of Platt, between 0 and 1, so that the curve rises up to both ends.

    References
    ----------
    .. [1] A. P. Oron and N. Flournoy, "Centered isotonic regression: point and interval estimation
       for dose-response studies", Statistics in Biopharmaceutical Research 9(3), 2017.
    """
    weight = weight / weight.mean()
    target = np.where(y_true, 1 - 1 / (weight[y_true].sum() + 2), 1 / (weight[~y_true].sum() + 2))
    scores, position = np.unique(y_score.astype(np.float64), return_inverse=True)
    weights = np.bincount(position, weight)
    means = np.bincount(position, weight * target) / weights
    levels = isotonic_regression(means, sample_weight=weights)
    # Blocks of equal values are one block, whatever the rounding errors of their means.
    values, block = np.unique(levels.round(12), return_inverse=True)
    centres = np.bincount(block, weights * scores) / np.bincount(block, weights)
    n_inner = IsotonicCalibration.MAX_KNOTS - 2
    kept = np.unique(np.linspace(0, len(values) - 1, min(n_inner, len(values))).round().astype(int))
    knots = np.stack([centres, values]).astype(np.float32)[:, kept]
    start = [[[0], [0]]] if knots[0, 0] > 0 else []
    end = [[[1], [1]]] if knots[0, -1] < 1 else []
    return np.concatenate([*start, knots, *end], axis=1, dtype=np.float32)
