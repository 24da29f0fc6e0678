"""DeLong's test of the ROC-AUC of two models on the same rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from multimodal_ensemble._validation import FloatArray, ScoreArray, check_level
from multimodal_ensemble.metrics._columns import count_other_class_below, read_columns
from multimodal_ensemble.metrics._inputs import read_inputs
from multimodal_ensemble.metrics._roc_auc import warn_of_one_class_labels


def delong_test(
    y_true: ArrayLike,
    y_score: ArrayLike,
    y_score_other: ArrayLike,
    *,
    level: float = 0.95,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Test for each label whether two models have the same ROC-AUC.

    Both models score the same rows, so their errors are correlated; the test accounts for that.
    With many labels, some p-values are small by chance. Holm's correction keeps the probability
    of any wrong rejection among all labels below the significance level.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Finite scores of one model, of any range, higher for the positive class.
    y_score_other : array-like of shape (n_samples, n_labels)
        Scores of the other model on the same rows.
    level : float, default=0.95
        Confidence level of the intervals, between 0 and 1.
    labels : sequence of str of length n_labels, default=None
        Names of the labels. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers as strings otherwise.

    Returns
    -------
    pandas.DataFrame
        The index is named ``label``. The columns are float64: ``roc_auc`` and ``roc_auc_other``
        (0..1), ``difference`` (the first minus the other), ``standard_error``, ``low`` and
        ``high`` (the confidence interval of the difference, for each label alone), ``p_value``
        (two-sided) and ``p_value_holm`` (corrected for the number of labels).

        A label with fewer than two positives or two negatives has no standard error. Nor has one
        whose estimated standard error is 0 although the models differ, which happens with very
        few rows. Their interval and p-values are NaN, and the correction leaves them out. If both
        models order all pairs alike, the difference and its standard error are 0 and the p-value
        is 1.

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, scores have another shape or non-finite values, `level` is
        not between 0 and 1, or `labels` has the wrong length or contains duplicates.

    Warns
    -----
    sklearn.exceptions.UndefinedMetricWarning
        If any label has a single class; the warning names all of them.

    See Also
    --------
    compare_scores : Intervals of other metrics, of any number of models, and of rows in groups.

    Notes
    -----
    The test is that of [1]_ with the midranks of [2]_, and the correction that of [3]_. It takes
    rows as independent; for rows in groups, use `compare_scores` with `groups`.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or
       more correlated receiver operating characteristic curves", Biometrics 44, 1988.
    .. [2] X. Sun and W. Xu, "Fast implementation of DeLong's algorithm for comparing the areas
       under correlated receiver operating characteristic curves", IEEE Signal Processing Letters
       21, 2014.
    .. [3] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
       of Statistics 6, 1979.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import delong_test
    >>> y_true = [[0], [0], [0], [0], [1], [1], [1], [1]]
    >>> both = [[0.1], [0.3], [0.2], [0.6], [0.5], [0.7], [0.9], [0.8]]
    >>> tags = [[0.4], [0.3], [0.2], [0.6], [0.5], [0.1], [0.9], [0.3]]
    >>> test = delong_test(y_true, both, tags, labels=["Drama"])
    >>> print(test[["difference", "standard_error", "p_value"]].round(3))
           difference  standard_error  p_value
    label
    Drama       0.406           0.254     0.11
    """
    check_level(level)
    given = read_inputs(y_true, y_score, labels=labels, may_be_unknown=True)
    other = read_inputs(y_true, y_score_other, labels=labels, may_be_unknown=True)
    pairs = zip(
        read_columns(given.positive, given.scores, given.known),
        read_columns(other.positive, other.scores, other.known),
        strict=True,
    )
    compared = [_compare(true, one, two) for (true, one), (_, two) in pairs]
    roc_auc, roc_auc_other, standard_error = np.array(compared).T
    warn_of_one_class_labels(roc_auc, given.names, numbered=given.labels is None)
    difference = roc_auc - roc_auc_other
    # Equal models have a difference and a standard error of 0.
    z = difference / np.where(standard_error == 0, 1, standard_error)
    p_value = 2 * ndtr(-np.abs(z))
    margin = ndtri((1 + level) / 2) * standard_error
    return pd.DataFrame(
        {
            "roc_auc": roc_auc,
            "roc_auc_other": roc_auc_other,
            "difference": difference,
            "standard_error": standard_error,
            "low": difference - margin,
            "high": difference + margin,
            "p_value": p_value,
            "p_value_holm": _holm(p_value),
        },
        index=pd.Index(given.names, name="label"),
    )


def _compare(
    true: NDArray[np.bool_], score: ScoreArray, score_other: ScoreArray
) -> tuple[float, float, float]:
    """Return two ROC-AUCs and the standard error of their difference; NaN if undefined."""
    n_positives = int(true.sum())
    n_negatives = len(true) - n_positives
    if not n_positives or not n_negatives:
        return np.nan, np.nan, np.nan
    # Twice the numbers of pairs, in which ties count half, so they are exact.
    counts = count_other_class_below(true, score)
    roc_auc = float(counts[true].sum()) / (2 * n_positives * n_negatives)
    counts_other = count_other_class_below(true, score_other)
    roc_auc_other = float(counts_other[true].sum()) / (2 * n_positives * n_negatives)
    counts -= counts_other
    if min(n_positives, n_negatives) < 2:
        return roc_auc, roc_auc_other, np.nan
    if not counts.any():
        return roc_auc, roc_auc_other, 0.0
    differences = counts / 2
    variance = differences[true].var(ddof=1) / n_negatives**2 / n_positives
    variance += differences[~true].var(ddof=1) / n_positives**2 / n_negatives
    return roc_auc, roc_auc_other, float(np.sqrt(variance)) if variance > 0 else np.nan


def _holm(p_value: FloatArray) -> FloatArray:
    """Return p-values that are corrected for their number; NaN stays and does not count."""
    corrected = np.full(p_value.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p_value))
    order = tested[np.argsort(p_value[tested])]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(factors * p_value[order]), 1)
    return corrected
