"""Choosing one threshold a label, and applying it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._validation import (
    FloatArray,
    check_label_matrix,
    check_sample_weight,
    check_scores,
)
from multimodal_ensemble.metrics._criteria import (
    CRITERIA,
    CriterionFunction,
    CriterionName,
    check_criterion,
    evaluate_callable,
)
from multimodal_ensemble.metrics._ranking import sort_by_class


def tune_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    criterion: CriterionName | CriterionFunction = "accuracy",
    sample_weight: ArrayLike | None = None,
) -> FloatArray:
    """Choose for every label the threshold that maximises a criterion.

    The search is exact: it looks at every division that a threshold can make of the distinct
    scores. Choose thresholds on validation rows, never on the rows that are reported on.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_score : array-like of shape (n_samples, n_labels)
        Scores of any finite range, higher for the positive class; compared as float64.
    criterion : {"accuracy", "balanced_accuracy", "f1"} or callable, default="accuracy"
        What to maximise. A callable is called once a label as ``criterion(tp, fp, fn, tn)`` with
        four float64 arrays of shape (n_candidates,), from the highest threshold (never positive)
        to the lowest (always positive), and returns an array of that shape. NaN is worse than any
        number; warnings of divisions by zero within it are silenced.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, not negative; counts become sums of weights. A row of weight 0 is left out.

    Returns
    -------
    ndarray of shape (n_labels,), float64
        Thresholds for `apply_thresholds`: ``inf`` (never positive), ``-inf`` (always positive), or
        midway between two neighbouring distinct scores.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or values that are not finite,
        `criterion` is unknown, or a callable returns another shape or only NaN.

    See Also
    --------
    apply_thresholds : Turn scores into labels.

    Notes
    -----
    With p positives and n negatives, accuracy is (tp + tn) / (p + n); balanced accuracy is
    (tp / p + tn / n) / 2, highest where Youden's index [1]_ is, and only the rate of the class
    that is there where the other is absent; F1 is 2 tp / (2 tp + fp + fn), and 0 where that is
    0 / 0.

    Of thresholds with the same value of the criterion the highest wins, that is, the one with the
    fewest positive predictions; so a strictly increasing transform of the scores does not change
    which of these rows are predicted positive. The tie is exact for whole weights and for none;
    sums of fractional weights are rounded, and values that differ by rounding are not tied.

    Between scores so close that no float lies strictly between them the threshold is the upper
    score. One sort and cumulative sums make O(n log n) a label, as for a ROC curve [2]_.

    References
    ----------
    .. [1] W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 1950.
    .. [2] T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import tune_thresholds
    >>> y_true = [[0, 0], [0, 0], [1, 0], [1, 0]]
    >>> y_score = [[0.125, 0.5], [0.25, 0.5], [0.75, 0.25], [0.875, 0.125]]
    >>> tune_thresholds(y_true, y_score).tolist()
    [0.5, inf]
    """
    positive = check_label_matrix(y_true)
    scores = check_scores(y_score, positive.shape)
    weights = check_sample_weight(sample_weight, len(positive))
    if not callable(criterion):
        check_criterion(criterion)
    # float32 has the same order as it has in float64, and sorts faster.
    ranking = np.asarray(y_score) if np.asarray(y_score).dtype == np.float32 else scores
    if weights is not None and not weights.all():
        used = weights > 0
        positive, ranking, weights = positive[used], ranking[used], weights[used]

    thresholds = np.empty(positive.shape[1])
    for column in range(positive.shape[1]):
        column_scores, column_positive = ranking[:, column], positive[:, column]
        if weights is None and not callable(criterion):
            thresholds[column] = _tune_at_positives(
                column_scores, column_positive, CRITERIA[criterion]
            )
            continue
        distinct, counts = _all_candidates(column_scores, column_positive, weights)
        if callable(criterion):
            values = evaluate_callable(criterion, counts, column=column)
        else:
            values = CRITERIA[criterion](*counts)
        thresholds[column] = _best_threshold(distinct, values)
    return thresholds


def apply_thresholds(y_score: ArrayLike, thresholds: ArrayLike) -> NDArray[np.int8]:
    """Predict a label wherever its score is at least its threshold.

    This is the predicate that `tune_thresholds` chooses its thresholds with.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores, of any range.
    thresholds : float or array-like of shape (n_labels,)
        One threshold a label, or one for all; ``inf`` is never and ``-inf`` always.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), int8
        1 where ``y_score >= thresholds``, both as float64, else 0.

    Raises
    ------
    ValueError
        If `y_score` is not a matrix of finite numbers, or `thresholds` has another length, holds
        NaN or is not numeric.

    See Also
    --------
    tune_thresholds : Choose the thresholds.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import apply_thresholds
    >>> apply_thresholds([[0.25, 0.5], [0.75, 0.125]], [0.25, float("inf")]).tolist()
    [[1, 0], [1, 0]]
    """
    scores = check_scores(y_score)
    limits = _check_thresholds(thresholds, scores.shape)
    return (scores >= limits).view(np.int8)


def _tune_at_positives(
    scores: NDArray[Any], positive: NDArray[np.bool_], criterion: CriterionFunction
) -> float:
    """Return the best threshold of a criterion that false positives can only lower.

    That holds for each criterion with a name. Then the best division of the scores lies just
    below the score of a positive row, or above all scores, so only those are tried.
    """
    positives, negatives = sort_by_class(scores, positive)
    is_first = np.ones(len(positives), dtype=bool)
    np.not_equal(positives[1:], positives[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    tp = np.zeros(len(starts) + 1)
    fp = np.zeros(len(starts) + 1)
    tp[1:] = (len(positives) - starts)[::-1]
    n_below = np.searchsorted(negatives, positives[starts], side="left")
    fp[1:] = (len(negatives) - n_below)[::-1]
    best = int(np.argmax(criterion(tp, fp, len(positives) - tp, len(negatives) - fp)))
    if best == 0:
        return np.inf
    start, below = starts[-best], n_below[-best]
    lower = max(
        float(positives[start - 1]) if start else -np.inf,
        float(negatives[below - 1]) if below else -np.inf,
    )
    return _midpoint(lower, float(positives[start]))


def _all_candidates(
    scores: NDArray[Any], positive: NDArray[np.bool_], weights: FloatArray | None
) -> tuple[NDArray[Any], tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
    """Return the distinct scores from high to low, and tp, fp, fn, tn at every candidate.

    The first candidate is never, and there is one more for each score.
    """
    order = np.argsort(scores)[::-1]
    ranked = scores[order]
    # The last row of each run of equal scores: a threshold cannot part such a run.
    is_end = np.ones(len(ranked), dtype=bool)
    np.not_equal(ranked[1:], ranked[:-1], out=is_end[:-1])
    ends = np.flatnonzero(is_end)
    ranked_positive = positive[order]
    tp = np.zeros(len(ends) + 1)
    fp = np.zeros(len(ends) + 1)
    if weights is None:
        tp[1:] = np.cumsum(ranked_positive, dtype=np.int64)[ends]
        np.subtract(ends + 1, tp[1:], out=fp[1:])
    else:
        ranked_weights = weights[order]
        tp[1:] = np.cumsum(np.where(ranked_positive, ranked_weights, 0.0))[ends]
        fp[1:] = np.cumsum(np.where(ranked_positive, 0.0, ranked_weights))[ends]
    return ranked[ends], (tp, fp, tp[-1] - tp, fp[-1] - fp)


def _best_threshold(distinct: NDArray[Any], values: NDArray[Any]) -> float:
    # Candidates run from the highest threshold down and argmax takes the first: the tie rule.
    best = int(np.argmax(values))
    if best == 0:
        return np.inf
    lower = float(distinct[best]) if best < len(distinct) else -np.inf
    return _midpoint(lower, float(distinct[best - 1]))


def _midpoint(lower: float, upper: float) -> float:
    if lower == -np.inf:
        # There is no score below: always positive.
        return lower
    # Halved before they are added, because the sum or the difference of huge scores overflows.
    middle = lower / 2 + upper / 2
    # Neighbouring floats have nothing between them; the predicate `>=` needs lower < threshold.
    return middle if lower < middle <= upper else upper


def _check_thresholds(thresholds: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(thresholds)
    if array.dtype.kind not in "biuf":
        msg = (
            f"thresholds must be numbers. Received dtype {array.dtype}. "
            "Use float('inf') for never and float('-inf') for always."
        )
        raise ValueError(msg)
    if array.shape not in ((), shape[1:]):
        msg = (
            f"thresholds must be one number, or one a label: shape {shape[1:]} for y_score of "
            f"shape {shape}. Received thresholds of shape {array.shape}."
        )
        raise ValueError(msg)
    limits = array.astype(np.float64)
    if np.isnan(limits).any():
        msg = (
            f"thresholds must not be NaN. Received {limits.tolist()}. "
            "Use float('inf') for never and float('-inf') for always."
        )
        raise ValueError(msg)
    return limits
