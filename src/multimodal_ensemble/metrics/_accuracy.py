"""Mean accuracy over labels at given thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from multimodal_ensemble._validation import row_blocks
from multimodal_ensemble.metrics._inputs import read_inputs
from multimodal_ensemble.metrics._thresholds import check_thresholds, predict_labels


def mean_accuracy(
    y_true: ArrayLike,
    y_score: ArrayLike,
    thresholds: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the mean over labels of the accuracy at each label's threshold.

    Each entry of the label matrix counts separately, whether or not the rest of its row is
    predicted correctly.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores, of any range.
    thresholds : float or array-like of shape (n_labels,)
        One threshold per label, or a single threshold for all labels; see `tune_thresholds`.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
        Non-negative weights of the rows, or of the rows for each label.

    Returns
    -------
    float
        From 0 to 1; 1 is best.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or non-finite values, or
        `thresholds` has the wrong length or contains NaN.

    Notes
    -----
    This is the fraction of the n_samples times n_labels entries that are predicted correctly,
    which is one minus the Hamming loss [1]_. It differs from `sklearn.metrics.accuracy_score`,
    which requires whole rows to be correct. With rare labels, a model that predicts no label at
    all has a high accuracy. Compare with
    ``mean_accuracy(y_true, y_score, float("inf"))``, the accuracy of such a model. With unknown
    labels or weights of each label, labels count in proportion to their known entries or weights.

    References
    ----------
    .. [1] R. E. Schapire and Y. Singer, "BoosTexter: A boosting-based system for text
       categorization", Machine Learning 39, 2000.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import mean_accuracy
    >>> y_true = [[0, 1], [1, 1]]
    >>> y_score = [[0.25, 0.5], [0.75, 0.125]]
    >>> mean_accuracy(y_true, y_score, [0.5, 0.25])
    0.75
    """
    given = read_inputs(y_true, y_score, sample_weight=sample_weight, may_be_unknown=True)
    limits = check_thresholds(given.read_thresholds(thresholds), given.scores.shape)
    n_correct = n_entries = 0.0
    for rows in row_blocks(given.positive.shape):
        correct = predict_labels(given.scores[rows], limits) == given.positive[rows]
        weights = np.ones(1) if given.weights is None else given.weights[rows]
        weights = np.broadcast_to(weights if weights.ndim == 2 else weights[:, None], correct.shape)
        known = slice(None) if given.known is None else given.known[rows]
        n_correct += float(weights[known][correct[known]].sum())
        n_entries += float(weights[known].sum())
    return n_correct / n_entries if n_entries else float("nan")
