"""Which labels are predicted from scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.metrics import apply_thresholds


def choose_labels(
    scores: FloatArray, thresholds: FloatArray, target_type: str
) -> NDArray[np.bool_]:
    """Return which labels `predict_labels` returns for rows with these scores.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_labels)
        What `predict_proba` returned.
    thresholds : ndarray of shape (n_labels,)
        The thresholds; of two classes, that of the second one alone.
    target_type : {"multilabel", "binary", "multiclass"}
        The `target_type_` of the estimator.

    Returns
    -------
    ndarray of shape (n_rows, n_labels)
        True for the labels.
    """
    if target_type == "multilabel":
        return apply_thresholds(scores, thresholds).astype(bool)
    if target_type == "binary":
        is_second = apply_thresholds(scores[:, 1:], thresholds).astype(bool)
        return np.hstack([~is_second, is_second])
    best = (scores.astype(np.float64) / thresholds).argmax(axis=1)
    chosen: NDArray[np.bool_] = best[:, np.newaxis] == np.arange(scores.shape[1])
    return chosen
