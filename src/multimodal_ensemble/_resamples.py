"""What the values of a score on bootstrap resamples say; NaN is a resample without a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimodal_ensemble._validation import FloatArray


def mean_of_defined(values: FloatArray, axis: int) -> FloatArray:
    """Return the mean over an axis of the values that are not NaN; NaN if there are none."""
    defined = ~np.isnan(values)
    n_defined = defined.sum(axis=axis)
    sums = np.where(defined, values, 0.0).sum(axis=axis)
    return np.where(n_defined > 0, sums / np.maximum(n_defined, 1), np.nan)


def percentile_interval(values: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of the percentile interval of each column of values.

    Values that are NaN are left out; the bounds of a column without other values are NaN.
    """
    tail = np.full(values.shape[1], (1 - level) / 2)
    return column_quantiles(values, tail), column_quantiles(values, 1 - tail)


def column_quantiles(values: FloatArray, probabilities: FloatArray) -> FloatArray:
    """Return one quantile per column of the values that are not NaN."""
    bounds = np.full(values.shape[1], np.nan)
    for column, probability in enumerate(probabilities):
        defined = values[:, column][~np.isnan(values[:, column])]
        if len(defined):
            bounds[column] = np.quantile(defined, probability)
    return bounds


def is_resolved(row: Any) -> bool:
    """Return whether the interval of a row's difference excludes 0."""
    return bool(row.difference_low > 0 or row.difference_high < 0)
