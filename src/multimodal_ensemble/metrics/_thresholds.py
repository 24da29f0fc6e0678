"""Choose one threshold per label, and apply thresholds to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._validation import FloatArray, ScoreArray, check_not_masked
from multimodal_ensemble.metrics._columns import (
    ascending_order,
    count_at_positives,
    read_weighted_columns,
    sort_by_class,
)
from multimodal_ensemble.metrics._criteria import (
    CRITERIA,
    LOWERED_BY_FALSE_POSITIVES,
    CriterionFunction,
    CriterionName,
    check_criterion,
    evaluate_callable,
)
from multimodal_ensemble.metrics._inputs import read_inputs, read_scores


def tune_thresholds(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    criterion: CriterionName | CriterionFunction = "accuracy",
    sample_weight: ArrayLike | None = None,
) -> FloatArray:
    r"""Choose for each label the threshold that maximises a criterion.

    The search is exact: it compares all ways in which a threshold can divide the distinct scores.
    Choose thresholds on validation rows, never on the rows whose results are reported.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range, higher for the positive class. They are compared as float64.
    criterion : str or callable, default="accuracy"
        What to maximise: ``"accuracy"``, ``"balanced_accuracy"``, ``"f1"`` or ``"prevalence"``;
        see Notes. A callable is called once per label as
        ``criterion(tp, fp, fn, tn)``. The arguments are float64 arrays of shape (n_candidates,),
        from the highest threshold (never positive) to the lowest (always positive). It returns
        an array of the same shape. NaN ranks below any number, and warnings about divisions by
        zero are suppressed.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
        Non-negative weights of the rows, or of the rows for each label. Counts become sums of
        weights, and rows with weight 0 are ignored.

    Returns
    -------
    ndarray of shape (n_labels,), float64
        Thresholds for `apply_thresholds`: ``inf`` (never positive), ``-inf`` (always positive), or
        midway between two neighbouring distinct scores.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or non-finite values,
        `criterion` is unknown, or a callable returns another shape or only NaN.

    See Also
    --------
    apply_thresholds : Turn scores into labels.
    mean_accuracy, label_report : Evaluate predictions at thresholds.

    Notes
    -----
    Choose the criterion by what an error costs. With p positives and n negatives:

    accuracy, (tp + tn) / (p + n)
        Fewest wrong entries. A missed positive costs as much as a false positive. For a rare label
        whose positives the scores do not separate, the best threshold is rightly ``inf``: the
        label is never predicted.
    f1, 2 tp / (2 tp + fp + fn)
        Balances precision and recall, and ignores true negatives. It finds more rows of rare
        labels, at the cost of more false positives. It is 0 where it would be 0 / 0.
    balanced_accuracy, (tp / p + tn / n) / 2
        Weighs both classes equally, as Youden's index [1]_ does: a missed positive costs as much
        as n / p false positives. For rare labels it usually has the highest recall of these
        criteria and the most false positives. If a class is absent, the rate of the other class is
        used.
    prevalence, -\|fp - fn\|
        Predicts the label as often as it occurs, as the proportional cut [3]_ does. Precision and
        recall are then equal. It compromises between accuracy and f1, and is the default of the
        estimators of this package.

    If several thresholds have the same value of the criterion, the highest one is chosen, which
    predicts the fewest positives. A strictly increasing transform of the scores therefore does not
    change which of these rows are predicted positive. Sums of fractional weights are rounded, so
    equal values may not tie. If no float lies strictly between two neighbouring scores, the
    threshold is the upper score. The search takes O(n log n) per label, as a ROC curve does [2]_.

    References
    ----------
    .. [1] W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 1950.
    .. [2] T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.
    .. [3] Y. Yang, "A study of thresholding strategies for text categorization", Proceedings of
       SIGIR, 2001.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import tune_thresholds
    >>> y_true = [[0, 0], [0, 0], [1, 0], [1, 0]]
    >>> y_score = [[0.125, 0.5], [0.25, 0.5], [0.75, 0.25], [0.875, 0.125]]
    >>> tune_thresholds(y_true, y_score).tolist()
    [0.5, inf]
    """
    given = read_inputs(y_true, y_score, sample_weight=sample_weight, may_be_unknown=True)
    if not callable(criterion):
        check_criterion(criterion)
    # A label that is known in no row is never predicted.
    thresholds = np.full(given.positive.shape[1], np.inf)
    columns = read_weighted_columns(given.positive, given.scores, given.weights, given.known)
    for column, (positive, scores, weights) in enumerate(columns):
        if not len(scores):
            continue
        if weights is None and not callable(criterion):
            if criterion in LOWERED_BY_FALSE_POSITIVES:
                thresholds[column] = _tune_at_positives(scores, positive, CRITERIA[criterion])
            else:
                thresholds[column] = _tune_prevalence(scores, int(positive.sum()))
            continue
        distinct, counts = (
            _all_candidates(scores, positive)
            if weights is None
            else _all_weighted_candidates(scores, positive, weights)
        )
        if callable(criterion):
            values = evaluate_callable(criterion, counts, column=column)
        else:
            values = CRITERIA[criterion](*counts)
        thresholds[column] = _best_threshold(distinct, values)
    return thresholds


def apply_thresholds(y_score: ArrayLike, thresholds: ArrayLike) -> NDArray[np.int8]:
    """Predict each label whose score is at least its threshold.

    `tune_thresholds` evaluates its candidates with the same rule.

    Parameters
    ----------
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range.
    thresholds : float or array-like of shape (n_labels,)
        One threshold per label, or a single threshold for all labels. ``inf`` never predicts the
        label, and ``-inf`` always does.

    Returns
    -------
    ndarray of shape (n_samples, n_labels), int8
        1 where ``y_score >= thresholds``, compared as float64, and 0 elsewhere.

    Raises
    ------
    ValueError
        If `y_score` is not a matrix of finite numbers, or `thresholds` has the wrong length,
        contains NaN or is not numeric.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import apply_thresholds
    >>> apply_thresholds([[0.25, 0.5], [0.75, 0.125]], [0.25, float("inf")]).tolist()
    [[1, 0], [1, 0]]
    """
    scores, thresholds = read_scores(y_score, thresholds)
    return predict_labels(scores, check_thresholds(thresholds, scores.shape)).view(np.int8)


def predict_labels(scores: ScoreArray, limits: FloatArray) -> NDArray[np.bool_]:
    """Return whether checked scores reach the limits of `check_thresholds`."""
    # The ufunc converts float32 scores to float64 piece by piece, because the limits are an array:
    # NumPy 1 would compare them with a single number as float32.
    predicted: NDArray[np.bool_] = np.greater_equal(scores, limits)
    return predicted


def _tune_at_positives(
    scores: ScoreArray, positive: NDArray[np.bool_], criterion: CriterionFunction
) -> float:
    """Return the best threshold for a criterion that false positives never increase.

    It then lies just below the score of a positive row, or above all scores.
    """
    positives, negatives = sort_by_class(positive, scores)
    starts, n_below = count_at_positives(positives, negatives)
    tp = np.zeros(len(starts) + 1)
    fp = np.zeros(len(starts) + 1)
    tp[1:] = (len(positives) - starts)[::-1]
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


def _tune_prevalence(scores: ScoreArray, n_positive: int) -> float:
    """Return the highest threshold whose number of predictions is closest to that of positives.

    Only two candidates are close: just above and just below the score of the rank `n_positive`.
    """
    if n_positive == 0:
        return np.inf
    # The position in ascending order of the last row to predict.
    rank = len(scores) - n_positive
    at_rank = np.partition(scores, rank)[rank]
    is_above = scores > at_rank
    n_above = int(is_above.sum())
    n_from = int((scores >= at_rank).sum())
    if n_positive - n_above <= n_from - n_positive:
        return _midpoint(float(at_rank), float(scores[is_above].min())) if n_above else np.inf
    below = scores[scores < at_rank]
    return _midpoint(float(below.max()) if len(below) else -np.inf, float(at_rank))


def _all_candidates(
    scores: ScoreArray, positive: NDArray[np.bool_]
) -> tuple[ScoreArray, tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
    """Return the distinct scores in descending order, and tp, fp, fn, tn at each candidate.

    The first candidate predicts no row positive; one candidate follows for each distinct score.
    """
    positives, negatives = sort_by_class(positive, scores)
    ranked = np.sort(scores)[::-1]
    ends = _ends_of_runs(ranked)
    distinct = ranked[ends]
    tp = np.zeros(len(ends) + 1)
    fp = np.zeros(len(ends) + 1)
    # One of the two classes has few rows, which are quick to find among the distinct scores.
    fewer, of_fewer = (positives, tp) if len(positives) <= len(negatives) else (negatives, fp)
    at = len(distinct) - np.searchsorted(distinct[::-1], fewer)
    np.cumsum(np.bincount(at, minlength=len(of_fewer)), out=of_fewer)
    np.subtract(ends + 1, of_fewer[1:], out=(fp if of_fewer is tp else tp)[1:])
    return distinct, (tp, fp, tp[-1] - tp, fp[-1] - fp)


def _all_weighted_candidates(
    scores: ScoreArray, positive: NDArray[np.bool_], weights: FloatArray
) -> tuple[ScoreArray, tuple[FloatArray, FloatArray, FloatArray, FloatArray]]:
    """Return what `_all_candidates` returns, with sums of weights as counts."""
    order = ascending_order(scores)[::-1]
    ranked = scores[order]
    ends = _ends_of_runs(ranked)
    ranked_positive, ranked_weights = positive[order], weights[order]
    tp = np.zeros(len(ends) + 1)
    fp = np.zeros(len(ends) + 1)
    tp[1:] = np.cumsum(np.where(ranked_positive, ranked_weights, 0.0))[ends]
    fp[1:] = np.cumsum(np.where(ranked_positive, 0.0, ranked_weights))[ends]
    return ranked[ends], (tp, fp, tp[-1] - tp, fp[-1] - fp)


def _ends_of_runs(ranked: ScoreArray) -> NDArray[np.intp]:
    """Return the last position of each run of equal scores, which a threshold cannot divide."""
    is_end = np.ones(len(ranked), dtype=bool)
    np.not_equal(ranked[1:], ranked[:-1], out=is_end[:-1])
    return np.flatnonzero(is_end)


def _best_threshold(distinct: NDArray[Any], values: NDArray[Any]) -> float:
    # Candidates are in descending order and argmax returns the first, so the highest wins a tie.
    best = int(np.argmax(values))
    if best == 0:
        return np.inf
    lower = float(distinct[best]) if best < len(distinct) else -np.inf
    return _midpoint(lower, float(distinct[best - 1]))


def _midpoint(lower: float, upper: float) -> float:
    if lower == -np.inf:
        # No score lies below, so every row is predicted positive.
        return lower
    # Halve before adding, because the sum or the difference of huge scores overflows.
    middle = lower / 2 + upper / 2
    # Neighbouring floats have no midpoint; `>=` then needs the upper one.
    return middle if lower < middle <= upper else upper


def check_thresholds(thresholds: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    """Return one threshold per label as float64."""
    check_not_masked(thresholds, name="thresholds")
    array = np.asarray(thresholds)
    if array.dtype.kind not in "biuf":
        msg = (
            f"thresholds must be numbers. Received dtype {array.dtype}. "
            "Use float('inf') to never predict a label and float('-inf') to always predict it."
        )
        raise ValueError(msg)
    if array.shape not in ((), shape[1:]):
        msg = (
            f"thresholds must be one number, or one per label: shape {shape[1:]} for y_score of "
            f"shape {shape}. Received thresholds of shape {array.shape}."
        )
        raise ValueError(msg)
    limits = array.astype(np.float64)
    if np.isnan(limits).any():
        msg = (
            f"thresholds must not be NaN. Received {limits.tolist()}. "
            "Use float('inf') to never predict a label and float('-inf') to always predict it."
        )
        raise ValueError(msg)
    return np.broadcast_to(limits, shape[1:])
