"""Confidence intervals from the values of a statistic on bootstrap resamples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from multimodal_ensemble._resamples import column_quantiles
from multimodal_ensemble._validation import FloatArray


def bca_interval(
    values: FloatArray,
    estimates: FloatArray,
    jackknife: FloatArray,
    strata: NDArray[np.intp],
    level: float,
) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of the bias-corrected and accelerated interval of each column.

    Parameters
    ----------
    values : ndarray of shape (n_resamples, n_columns)
        Each statistic on each resample; NaN is left out.
    estimates : ndarray of shape (n_columns,)
        Each statistic on all rows.
    jackknife : ndarray of shape (n_units, n_columns)
        Each statistic without one unit that is drawn, a row or a group; NaN is left out.
    strata : ndarray of shape (n_units,)
        The number of each unit's stratum.
    level : float
        The coverage.

    Notes
    -----
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, equations 14.9 to 14.15. Ties
    of resamples with the estimate count half. For strata, the acceleration is that of several
    samples, as in `scipy.stats.bootstrap`.
    """
    n_values = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    below = ((values < estimates).sum(axis=0) + (values <= estimates).sum(axis=0)) / 2
    # If all resamples are on one side, the bias is beyond what they can show; half a resample.
    below = np.clip(below, 0.5, n_values - 0.5)
    bias = ndtri(below / n_values)
    acceleration = _acceleration(jackknife, strata)
    tail = ndtri((1 - level) / 2)

    def corrected(z: float) -> FloatArray:
        shifted = bias + z
        probability: FloatArray = ndtr(bias + shifted / (1 - acceleration * shifted))
        return probability

    return column_quantiles(values, corrected(tail)), column_quantiles(values, corrected(-tail))


def normal_interval(
    estimates: FloatArray, influence: FloatArray, strata: NDArray[np.intp], level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of the normal interval of each column.

    Parameters
    ----------
    estimates : ndarray of shape (n_columns,)
        Each statistic on all rows.
    influence : ndarray of shape (n_units, n_columns)
        The derivative of each statistic by the weight of each unit that is drawn.
    strata : ndarray of shape (n_units,)
        The number of each unit's stratum.
    level : float
        The coverage.

    Notes
    -----
    The variance is that of bootstrap resamples of the linearised statistic, which needs none: the
    infinitesimal jackknife of Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    section 21.3.
    """
    n_units = np.bincount(strata)
    variances = [
        (np.bincount(strata, column**2) - np.bincount(strata, column) ** 2 / n_units).sum()
        for column in influence.T
    ]
    # Rounding may leave a variance of 0 slightly negative.
    margin = ndtri((1 + level) / 2) * np.sqrt(np.maximum(variances, 0.0))
    return estimates - margin, estimates + margin


def _acceleration(jackknife: FloatArray, strata: NDArray[np.intp]) -> FloatArray:
    cubes = np.zeros(jackknife.shape[1])
    squares = np.zeros(jackknife.shape[1])
    for stratum in range(int(strata.max()) + 1):
        without = jackknife[strata == stratum]
        defined = ~np.isnan(without)
        n_units = np.maximum(defined.sum(axis=0), 1)
        mean = np.where(defined, without, 0.0).sum(axis=0) / n_units
        influence = (n_units - 1) * np.where(defined, mean - without, 0.0)
        cubes += (influence**3).sum(axis=0) / n_units**3
        squares += (influence**2).sum(axis=0) / n_units**2
    acceleration: FloatArray = np.zeros_like(cubes)
    np.divide(cubes, 6 * squares**1.5, out=acceleration, where=squares > 0)
    return acceleration
