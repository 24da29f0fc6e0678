"""The score of a model on each bootstrap resample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._resamples import mean_of_defined
from multimodal_ensemble._validation import FloatArray, ScoreArray, check_choice
from multimodal_ensemble.metrics._inputs import read_inputs
from multimodal_ensemble.metrics._resampled_metrics import (
    accuracy,
    average_precision,
    f1,
    micro_f1,
    roc_auc,
)
from multimodal_ensemble.metrics._scoring import ScoringFunction, check_scoring, compute_score
from multimodal_ensemble.metrics._thresholds import check_thresholds

# One value per label.
_OF_LABEL: dict[str, Callable[..., FloatArray]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "accuracy": accuracy,
    "f1": f1,
    "micro_f1": micro_f1,
}
_OF_PREDICTIONS = ("accuracy", "f1", "micro_f1")
# About this many counts are held as float64 at once.
N_HELD = 2**25
# Means over labels.
_MEANS = {
    "mean_roc_auc": "roc_auc",
    "mean_average_precision": "average_precision",
    "mean_accuracy": "accuracy",
    "macro_f1": "f1",
}
PER_LABEL = ("roc_auc", "average_precision", "accuracy", "f1")
METRICS = (*_MEANS, "micro_f1", *PER_LABEL)


def resample_scores(
    y_true: ArrayLike,
    y_score: ArrayLike,
    counts: ArrayLike,
    *,
    metric: str | ScoringFunction = "mean_roc_auc",
    thresholds: Any = None,
) -> FloatArray:
    """Return the score of a model on each bootstrap resample.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range, higher for the positive class.
    counts : array-like of shape (n_resamples, n_samples), int
        How often each row is in each resample, from `bootstrap_counts`.
    metric : str or callable, default="mean_roc_auc"
        ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"mean_accuracy"``, ``"macro_f1"``,
        ``"micro_f1"``, or, for one value per label, ``"roc_auc"``, ``"average_precision"``,
        ``"accuracy"`` or ``"f1"``. A callable is called once per resample, as
        ``metric(y_true, y_score)`` with the rows of the resample, and returns a number.
    thresholds : float or array-like of shape (n_labels,), default=None
        One threshold per label, or a single threshold for all labels, chosen on other rows.
        Accuracies and F1 need them; see `tune_thresholds`.

    Returns
    -------
    ndarray of shape (n_resamples,) or (n_resamples, n_labels), float64
        One value per resample, or per resample and label for metrics of one label. The value is
        NaN where the resample leaves it undefined.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or non-finite values, `counts`
        has another number of rows or is not made of whole numbers, `metric` is unknown, or
        `thresholds` are absent but needed, or do not fit the labels.
    TypeError
        If a callable does not return a number.

    See Also
    --------
    bootstrap_counts : The counts of resamples.
    compare_scores : Several models on the same resamples, with intervals.

    Notes
    -----
    A value is that of scikit-learn with ``sample_weight=counts[i]``, ties included. ROC-AUC and
    average precision are undefined for a label of which the resample has only one class, and F1
    for a label without a positive; a mean leaves that label out of that resample. Which labels
    these are depends on the rows alone, so they are the same ones for all models.

    The scores of each label are sorted once per 33 million counts. Weighted ranks then are
    cumulative sums of counts, so that a resample takes O(n) per label. One label is in memory at a
    time.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import bootstrap_counts, resample_scores
    >>> y_true = [[0, 1], [0, 0], [1, 1], [1, 0]]
    >>> y_score = [[0.1, 0.9], [0.4, 0.2], [0.3, 0.8], [0.8, 0.1]]
    >>> counts = [[1, 1, 1, 1], [0, 2, 2, 0]]
    >>> resample_scores(y_true, y_score, counts, metric="roc_auc").tolist()
    [[0.75, 1.0], [0.0, 1.0]]
    >>> resample_scores(y_true, y_score, counts).tolist()
    [0.875, 0.5]
    """
    given = read_inputs(y_true, y_score)
    check_metric(metric)
    by_label = score_labels(
        given.positive,
        given.scores,
        _check_counts(counts, len(given.positive)),
        metric=metric,
        thresholds=given.read_thresholds(thresholds),
    )
    return by_label if metric in PER_LABEL else mean_of_defined(by_label, axis=1)


def check_metric(metric: Any) -> None:
    """Check that a metric has a known name or can be called with labels and scores."""
    if callable(metric):
        check_scoring(metric, name="metric")
    else:
        check_choice(metric, METRICS, name="metric")


def score_labels(
    positive: NDArray[np.bool_],
    scores: ScoreArray,
    counts: NDArray[Any],
    *,
    metric: str | ScoringFunction,
    thresholds: Any,
) -> FloatArray:
    """Return the values per resample and label that a metric averages or consists of.

    Micro F1 and callables have one column, because they are no means over labels.
    """
    if callable(metric):
        return _call_on_resamples(metric, positive, scores, counts)
    limits = limits_of(metric, thresholds, scores.shape)
    size = max(1, N_HELD // len(positive))
    parts = [counts[start : start + size] for start in range(0, max(1, len(counts)), size)]
    of_label = _OF_LABEL[metric_of_label(metric)]
    return np.concatenate([of_label(positive, scores, limits, part) for part in parts])


def metric_of_label(metric: str) -> str:
    """Return the metric of one label that a metric is the mean of, or the metric itself."""
    return _MEANS.get(metric, metric)


def limits_of(metric: str, thresholds: Any, shape: tuple[int, ...]) -> FloatArray | None:
    """Return checked thresholds, or None if the metric depends on the scores alone."""
    if metric_of_label(metric) not in _OF_PREDICTIONS:
        return None
    if thresholds is None:
        msg = (
            f"metric={metric!r} depends on the predicted labels. Pass thresholds, one per label, "
            "such as those of tune_thresholds on validation rows."
        )
        raise ValueError(msg)
    return check_thresholds(thresholds, shape)


def _call_on_resamples(
    metric: ScoringFunction, positive: NDArray[np.bool_], scores: ScoreArray, counts: NDArray[Any]
) -> FloatArray:
    samples = (np.repeat(np.arange(len(positive)), drawn) for drawn in counts)
    values = [
        compute_score(metric, positive[sample], scores[sample].astype(np.float64), name="metric")
        if len(sample)
        else np.nan
        for sample in samples
    ]
    return np.array(values, dtype=np.float64)[:, np.newaxis]


def _check_counts(counts: ArrayLike, n_rows: int) -> NDArray[Any]:
    array = np.asarray(counts)
    if array.dtype.kind not in "iu":
        msg = (
            "counts must be whole numbers: how often each row is in each resample. Received dtype "
            f"{array.dtype}. Use the result of bootstrap_counts."
        )
        raise ValueError(msg)
    if array.ndim != 2 or array.shape[1] != n_rows:
        msg = (
            f"counts must have shape (n_resamples, {n_rows}), one column per row of y_true. "
            f"Received shape {array.shape}."
        )
        raise ValueError(msg)
    if array.size and array.min() < 0:
        resample, row = np.argwhere(array < 0)[0]
        msg = (
            f"counts must not be negative. Received {array[resample, row]} in resample {resample}, "
            f"row {row}."
        )
        raise ValueError(msg)
    return array
