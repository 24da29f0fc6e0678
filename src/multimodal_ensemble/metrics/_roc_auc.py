"""Area under the ROC curve of each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble._validation import FloatArray, ScoreArray, check_choice
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.metrics._columns import (
    read_weighted_columns,
    roc_auc,
    sort_by_class,
    weighted_roc_auc,
)
from multimodal_ensemble.metrics._inputs import read_inputs


@overload
def mean_roc_auc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    average: Literal["macro"] = "macro",
    sample_weight: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> float: ...
@overload
def mean_roc_auc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    average: None,
    sample_weight: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> FloatArray: ...
def mean_roc_auc(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    average: Literal["macro"] | None = "macro",
    sample_weight: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> float | FloatArray:
    """Return the ROC-AUC of each label, or its mean over labels.

    The ROC-AUC of a label is undefined if all its rows are of one class. Such labels are excluded
    from the mean and named in a warning.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of any range, higher for the positive class.
    average : {"macro", None}, default="macro"
        "macro" returns the unweighted mean over the labels with both classes. None returns one
        value per label.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
        Non-negative weights of the rows, or of the rows for each label. Rows with weight 0 are
        ignored.
    labels : sequence of str of length n_labels, default=None
        Names for the warning. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers otherwise.

    Returns
    -------
    float or ndarray of shape (n_labels,), float64
        From 0 to 1; 0.5 is chance. The value of a label with a single class is NaN. The mean is
        NaN if every label has a single class.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or non-finite values,
        `average` is unknown, or `sample_weight` or `labels` has the wrong length or values.

    Warns
    -----
    sklearn.exceptions.UndefinedMetricWarning
        If any label has a single class; the warning names all of them.

    See Also
    --------
    label_report : This and other metrics of each label.

    Notes
    -----
    The area under the ROC curve is the fraction of pairs of a positive and a negative row in which
    the positive row has the higher score; ties count half [1]_. It is counted exactly from the
    sorted scores of both classes. With weights, a pair counts as the product of its weights. One
    label is sorted at a time, so that memory does not grow with the number of labels.

    References
    ----------
    .. [1] T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import mean_roc_auc
    >>> y_true = [[0, 1], [0, 0], [1, 1], [1, 0]]
    >>> y_score = [[0.1, 0.9], [0.4, 0.2], [0.3, 0.8], [0.8, 0.1]]
    >>> round(mean_roc_auc(y_true, y_score), 3)
    0.875
    >>> mean_roc_auc(y_true, y_score, average=None).tolist()
    [0.75, 1.0]
    """
    check_choice(average, ("macro", None), name="average")
    given = read_inputs(
        y_true, y_score, sample_weight=sample_weight, labels=labels, may_be_unknown=True
    )
    values = roc_auc_by_label(given.positive, given.scores, given.weights, given.known)
    warn_of_one_class_labels(values, given.names, numbered=given.labels is None)
    if average is None:
        return values
    defined = ~np.isnan(values)
    return float(values[defined].mean()) if defined.any() else float("nan")


def roc_auc_by_label(
    positive: NDArray[np.bool_],
    scores: ScoreArray,
    weights: FloatArray | None = None,
    known: NDArray[np.bool_] | None = None,
) -> FloatArray:
    """Return the ROC-AUC of each label from checked inputs; NaN for a label with one class."""
    values = np.full(positive.shape[1], np.nan)
    columns = read_weighted_columns(positive, scores, weights, known)
    for column, (true, score, weight) in enumerate(columns):
        if true.any() and not true.all():
            values[column] = (
                roc_auc(*sort_by_class(true, score))
                if weight is None
                else weighted_roc_auc(true, score, weight)
            )
    return values


def warn_of_one_class_labels(values: FloatArray, names: Sequence[str], *, numbered: bool) -> None:
    """Issue one warning that names every label whose ROC-AUC is NaN."""
    undefined = [name for name, value in zip(names, values, strict=True) if np.isnan(value)]
    if not undefined:
        return
    listed = ", ".join(undefined if numbered else map(repr, undefined))
    msg = (
        "ROC-AUC needs rows of both classes. It is NaN, and excluded from any mean, for "
        f"{'label columns' if numbered else 'labels'} {listed}: all rows with positive weight have "
        "the same value in y_true."
    )
    warn(msg, UndefinedMetricWarning)
