"""How often labels occur among rows of similar score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from multimodal_ensemble._validation import FloatArray, check_at_least
from multimodal_ensemble.metrics._calibration import N_BINS, are_probabilities, bin_rows
from multimodal_ensemble.metrics._columns import read_columns
from multimodal_ensemble.metrics._inputs import read_inputs

_CONFIDENCE = 0.95


def reliability_curve(
    y_true: ArrayLike,
    y_score: ArrayLike,
    *,
    n_bins: int = N_BINS,
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Compare the mean score with the share of positives, in bins of rows of similar score.

    Scores are calibrated if both are equal up to chance: of the rows with a score of about 0.3,
    30 % then have the label.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, or NaN where it is unknown whether a row has a label. The row is
        then left out for this label.
    y_score : array-like of shape (n_samples, n_labels)
        Probabilities, from 0 to 1.
    n_bins : int, default=10
        Number of bins per label, at least 1. The bins of a label hold about equally many rows.
        Rows of equal score share a bin, so that there may be fewer bins.
    labels : sequence of str of length n_labels, default=None
        Names of the labels. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers as strings otherwise.

    Returns
    -------
    pandas.DataFrame
        One row per label and bin, in ascending order of scores. The columns are ``label`` (str),
        ``bin`` (from 0, int64), ``mean_score`` and ``share`` (of positives; float64, 0..1),
        ``n_rows`` (int64), and ``low`` and ``high``: the 95 % interval of the share (float64,
        0..1).

    Raises
    ------
    ValueError
        If `y_true` is not a 0/1 matrix, `y_score` has another shape or values outside 0..1,
        `n_bins` is below 1, or `labels` has the wrong length or contains duplicates.

    See Also
    --------
    label_report : Its column ``calibration_error`` sums up the curve of each label.
    multimodal_ensemble.reporting.plot_reliability : Plots the curves.

    Notes
    -----
    The interval is Wilson's [1]_, which also holds for shares near 0 and 1 and for few rows.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import reliability_curve
    >>> y_true = [[0], [0], [1], [0], [1], [1]]
    >>> y_score = [[0.1], [0.2], [0.3], [0.6], [0.8], [0.9]]
    >>> curve = reliability_curve(y_true, y_score, n_bins=2, labels=["Drama"])
    >>> print(curve.drop(columns="bin").round(2))
       label  mean_score  share  n_rows   low  high
    0  Drama        0.20   0.33       3  0.06  0.79
    1  Drama        0.77   0.67       3  0.21  0.94
    """
    check_at_least(n_bins, 1, name="n_bins")
    given = read_inputs(y_true, y_score, labels=labels, may_be_unknown=True)
    if not are_probabilities(given.scores):
        outside = (given.scores < 0) | (given.scores > 1)
        row, column = np.argwhere(outside)[0]
        msg = (
            "y_score must hold probabilities, from 0 to 1. Received "
            f"{given.scores[row, column]} for label {given.names[column]!r} in row {row}, and "
            f"{outside.sum()} such values in total. Use predict_proba, or calibrate the scores."
        )
        raise ValueError(msg)
    tables = []
    columns = read_columns(given.positive, given.scores, given.known)
    for name, (positive, scores) in zip(given.names, columns, strict=True):
        bins, n_rows = bin_rows(scores, n_bins)
        share = np.bincount(bins, weights=positive) / n_rows
        low, high = _wilson_interval(share, n_rows)
        curve = {
            "label": name,
            "bin": np.arange(len(n_rows)),
            "mean_score": np.bincount(bins, weights=scores) / n_rows,
            "share": share,
            "n_rows": n_rows,
            "low": low,
            "high": high,
        }
        tables.append(pd.DataFrame(curve))
    return pd.concat(tables, ignore_index=True)


def _wilson_interval(share: FloatArray, n_rows: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Return the limits between which a true share does not contradict the observed one."""
    z = float(norm.ppf((1 + _CONFIDENCE) / 2))
    scale = 1 + z**2 / n_rows
    centre = (share + z**2 / (2 * n_rows)) / scale
    half = z / scale * np.sqrt(share * (1 - share) / n_rows + (z / (2 * n_rows)) ** 2)
    # Rounding may leave 0..1 by the last digit.
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
