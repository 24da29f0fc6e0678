"""A table of metrics with one row per label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.metrics._calibration import are_probabilities, calibration_error
from multimodal_ensemble.metrics._columns import (
    average_precision,
    read_columns,
    roc_auc,
    sort_by_class,
)
from multimodal_ensemble.metrics._inputs import read_inputs
from multimodal_ensemble.metrics._roc_auc import warn_of_one_class_labels
from multimodal_ensemble.metrics._thresholds import check_thresholds, predict_labels


def label_report(
    y_true: ArrayLike,
    y_score: ArrayLike,
    thresholds: ArrayLike,
    *,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return a table with the metrics of each label.

    ROC-AUC, average precision, Brier score and calibration error depend on the scores alone. The
    other columns depend on the labels that are predicted at the thresholds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range, higher for the positive class.
    thresholds : float or array-like of shape (n_labels,)
        One threshold per label, or a single threshold for all labels; see `tune_thresholds`.
    labels : sequence of str of length n_labels, default=None
        Names of the labels. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers as strings otherwise.

    Returns
    -------
    pandas.DataFrame
        The index is named ``label``. The columns are ``support`` (number of positives, int64),
        ``roc_auc``, ``average_precision``, ``threshold``, ``accuracy``, ``precision``,
        ``recall``, ``f1``, ``brier_score`` and ``calibration_error`` (float64, from 0 to 1 except
        for the threshold). Greater is better, except for the last two. ROC-AUC is NaN for a label
        with a single class, and average precision is NaN for a label without positives. Precision,
        recall and F1 are 0 where they would be 0 / 0. The Brier score and the calibration error
        need probabilities: both are NaN for all labels if any score is outside 0..1.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or non-finite values,
        `thresholds` has the wrong length or contains NaN, or `labels` has the wrong length or
        contains duplicates.

    Warns
    -----
    sklearn.exceptions.UndefinedMetricWarning
        If any label has a single class; the warning names all of them.

    See Also
    --------
    mean_roc_auc : The mean of the column ``roc_auc``.
    mean_accuracy : The mean of the column ``accuracy``.
    reliability_curve : What the calibration error is computed from.

    Notes
    -----
    Precision is tp / (tp + fp), recall tp / (tp + fn), and F1 2 tp / (2 tp + fp + fn) [1]_. Average
    precision is that of `sklearn.metrics.average_precision_score`: the mean of the precisions at
    each score, weighted by the increase in recall.

    The Brier score is that of `sklearn.metrics.brier_score_loss`: the mean of
    ``(score - y_true) ** 2``. The expected calibration error [2]_ is the mean over rows of the
    distance between the mean score and the share of positives in the bin of the row. There are up
    to ten bins of about equally many rows, which estimate the error with less bias than bins of
    equal width [3]_; rows of equal score share a bin. With few rows it is above 0 even for
    perfectly calibrated scores.

    References
    ----------
    .. [1] T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.
    .. [2] M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities
       using Bayesian binning", AAAI, 2015.
    .. [3] R. Roelofs, N. Cain, J. Shlens and M. C. Mozer, "Mitigating bias in calibration error
       estimation", AISTATS, 2022.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import label_report
    >>> y_true = [[0, 1], [0, 0], [1, 1], [1, 0]]
    >>> y_score = [[0.1, 0.9], [0.4, 0.2], [0.3, 0.8], [0.8, 0.1]]
    >>> report = label_report(y_true, y_score, [0.25, 0.5], labels=["Drama", "Comedy"])
    >>> print(report[["support", "roc_auc", "accuracy", "recall"]])
            support  roc_auc  accuracy  recall
    label
    Drama         2     0.75      0.75     1.0
    Comedy        2     1.00      1.00     1.0
    """
    given = read_inputs(y_true, y_score, labels=labels, may_be_unknown=True)
    positive, scores, names = given.positive, given.scores, given.names
    limits = check_thresholds(given.read_thresholds(thresholds), scores.shape)

    n_labels = len(names)
    roc_aucs, precisions = np.full(n_labels, np.nan), np.full(n_labels, np.nan)
    accuracies, brier_scores, errors = (np.full(n_labels, np.nan) for _ in range(3))
    support, n_predicted, tp = (np.empty(n_labels, dtype=np.int64) for _ in range(3))
    have_probabilities = are_probabilities(scores)
    for column, (true, score) in enumerate(read_columns(positive, scores, given.known)):
        positives, negatives = sort_by_class(true, score)
        support[column] = len(positives)
        if len(positives):
            precisions[column] = average_precision(positives, negatives)
        if len(positives) and len(negatives):
            roc_aucs[column] = roc_auc(positives, negatives)
        del positives, negatives
        predicted = predict_labels(score, limits[column : column + 1])
        n_predicted[column], tp[column] = predicted.sum(), (predicted & true).sum()
        if not len(true):
            continue
        accuracies[column] = (predicted == true).mean()
        if have_probabilities:
            excess = score.astype(np.float64)
            excess -= true
            errors[column] = calibration_error(excess, score)
            brier_scores[column] = (excess @ excess) / len(excess)
    warn_of_one_class_labels(roc_aucs, names, numbered=labels is None)
    return pd.DataFrame(
        {
            "support": support,
            "roc_auc": roc_aucs,
            "average_precision": precisions,
            "threshold": limits,
            "accuracy": accuracies,
            "precision": _ratio(tp, n_predicted),
            "recall": _ratio(tp, support),
            "f1": _ratio(2 * tp, n_predicted + support),
            "brier_score": brier_scores,
            "calibration_error": errors,
        },
        index=pd.Index(names, name="label"),
    )


def _ratio(numerator: NDArray[np.int_], denominator: NDArray[np.int_]) -> FloatArray:
    ratio: FloatArray = np.zeros(numerator.shape)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
