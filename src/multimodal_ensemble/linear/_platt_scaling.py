"""Scores as probabilities: one logistic function per label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from multimodal_ensemble._validation import FloatArray, ScoreArray, row_blocks
from multimodal_ensemble.linear._rare_labels import own_share

_N_STEPS = 60
_N_HALVINGS = 12


@dataclass(frozen=True, eq=False)
class PlattScaling:
    """Log-odds of each label as ``slope * score + intercept``.

    Parameters
    ----------
    slope : ndarray of shape (n_labels,)
        Not negative. 0 where a higher score does not make the label more likely.
    intercept : ndarray of shape (n_labels,)
        Log-odds at score 0.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import PlattScaling
    >>> y = np.array([[0], [0], [1], [0], [1], [1]], dtype=bool)
    >>> scaling = PlattScaling.fit(np.arange(6.0)[:, np.newaxis], y)
    >>> bool(scaling.slope[0] > 0)
    True
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]

    @classmethod
    def fit(
        cls, y_score: ScoreArray, y_true: NDArray[np.bool_], sample_weight: Any = None
    ) -> PlattScaling:
        """Fit slope and intercept by maximum likelihood, with Platt's smoothed targets [1]_.

        The slope of a label that n rows have (or lack, if these are fewer) is then drawn towards
        the mean of all labels, with the weights ``n / (n + 30)`` and ``30 / (n + 30)``, in units of
        the standard deviation of the scores. Few rows cannot tell a useful score from chance.

        Parameters
        ----------
        y_score : ndarray of shape (n_samples, n_labels), float32 or float64
            Scores of rows from a model that was not trained on them. Rows are read in blocks, so
            that memory does not grow with their number.
        y_true : ndarray of shape (n_samples, n_labels)
            True labels.
        sample_weight : ndarray of shape (n_samples,) or (n_samples, n_labels), optional
            Weights of the rows, or of the rows for each label.

        Returns
        -------
        PlattScaling
            The scaling.

        References
        ----------
        .. [1] J. Platt, "Probabilistic outputs for support vector machines", 1999; the Newton
           iteration with step halving follows H.-T. Lin, C.-J. Lin and R. C. Weng, "A note on
           Platt's probabilistic outputs for support vector machines", Machine Learning 68, 2007.
        """
        rows = _Rows(y_score, y_true, sample_weight)
        prior = prior_log_odds(y_true, sample_weight)
        slope, intercept = _newton(rows, prior)
        # A negative slope is chance: a score that ranks rows worse than at random says nothing.
        slope = np.where(rows.is_constant, 0.0, np.maximum(slope, 0.0))
        fewer = np.where(rows.is_constant, 0.0, np.minimum(rows.positives, rows.negatives))
        if (n_rows := fewer.sum()) > 0:
            trust = own_share(fewer)
            drawn = trust * slope + (1 - trust) * (fewer @ slope / n_rows)
            slope = np.where(rows.is_constant, 0.0, drawn)
        intercept = _fit_intercept(rows, slope, intercept)
        slope /= rows.unit
        intercept = np.where(slope > 0, intercept - slope * rows.centre, prior)
        return cls(slope, intercept)

    def log_odds(self, y_score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds of scores.

        Parameters
        ----------
        y_score : ndarray of shape (n_samples, n_labels)
            Scores.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            ``slope * score + intercept``.
        """
        return self.slope * y_score + self.intercept


def prior_log_odds(y_true: NDArray[np.bool_], sample_weight: Any = None) -> NDArray[np.float64]:
    """Return the log-odds of the shares of labels, with half a row more on both sides.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples, n_labels)
        True labels.
    sample_weight : ndarray of shape (n_samples,) or (n_samples, n_labels), optional
        Weights of the rows, or of the rows for each label, in any unit.

    Returns
    -------
    ndarray of shape (n_labels,)
        Finite log-odds.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import prior_log_odds
    >>> prior_log_odds(np.array([[True, False], [False, False]])).round(3).tolist()
    [0.0, -1.609]
    """
    weight = _normalise(sample_weight, y_true.shape)
    blocks = list(row_blocks(y_true.shape))
    positives = sum((weight[rows] * y_true[rows]).sum(axis=0) for rows in blocks)
    negatives = sum((weight[rows] * ~y_true[rows]).sum(axis=0) for rows in blocks)
    log_odds: FloatArray = np.log(positives + 0.5) - np.log(negatives + 0.5)
    return log_odds


def _normalise(sample_weight: Any, shape: tuple[int, int]) -> FloatArray:
    """Return weights of rows, or of rows and labels, with two axes.

    The mean of those that are positive is 1.
    """
    if sample_weight is None:
        return np.broadcast_to(np.ones(1), (shape[0], 1))
    weight = np.asarray(sample_weight)
    weight = weight[:, np.newaxis] if weight.ndim == 1 else weight
    n_used = np.count_nonzero(weight, axis=0)
    normalised: FloatArray = weight * (n_used / np.maximum(weight.sum(axis=0), 1e-300))
    return normalised


class _Rows:
    """Standardised scores and Platt's targets, block by block: copies of all rows may not fit."""

    def __init__(self, y_score: ScoreArray, y_true: NDArray[np.bool_], sample_weight: Any) -> None:
        self._y_score, self._y_true = y_score, y_true
        self._weight = _normalise(sample_weight, y_true.shape)
        self._blocks = list(row_blocks(y_true.shape))
        self.positives = self._sum(lambda rows: self._weight[rows] * y_true[rows])
        self.negatives = self._sum(lambda rows: self._weight[rows] * ~y_true[rows])
        self._target_of_positive = (self.positives + 1) / (self.positives + 2)
        self._target_of_negative = 1 / (self.negatives + 2)
        # The slope of standardised scores has a size that does not depend on their unit.
        self.centre = self._sum(self._scores) / len(y_true)
        squares = self._sum(lambda rows: (self._scores(rows) - self.centre) ** 2)
        spread = np.sqrt(squares / len(y_true))
        largest = np.zeros(y_true.shape[1])
        for rows in self._blocks:
            np.maximum(largest, np.abs(self._scores(rows)).max(axis=0), out=largest)
        self.is_constant = spread <= 1e-12 * np.maximum(largest, 1e-300)
        self.unit = np.where(self.is_constant, 1.0, spread)

    def read(self) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Yield the standardised scores, targets and weights of blocks of rows."""
        for rows in self._blocks:
            scores = self._scores(rows) - self.centre
            scores /= self.unit
            scores[:, self.is_constant] = 0.0
            is_positive = self._y_true[rows]
            target = np.where(is_positive, self._target_of_positive, self._target_of_negative)
            yield scores, target, self._weight[rows]

    def _scores(self, rows: slice) -> FloatArray:
        return self._y_score[rows].astype(np.float64, copy=False)

    def _sum(self, values: Callable[[slice], FloatArray]) -> FloatArray:
        total: FloatArray = sum(
            (values(rows).sum(axis=0) for rows in self._blocks), np.zeros(self._y_true.shape[1])
        )
        return total


def _log_loss(rows: _Rows, slope: FloatArray, intercept: FloatArray) -> FloatArray:
    """Return the weighted sum of the logistic loss of each label."""
    total = np.zeros_like(slope)
    for scores, target, weight in rows.read():
        log_odds = slope * scores + intercept
        total += (weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum(axis=0)
    return total


def _fit_intercept(rows: _Rows, slope: FloatArray, intercept: FloatArray) -> FloatArray:
    """Minimise the logistic loss of all labels over the intercept alone."""
    for _ in range(_N_STEPS):
        curvature, gradient = np.zeros_like(slope), np.zeros_like(slope)
        for scores, target, weight in rows.read():
            share = expit(slope * scores + intercept)
            curvature += (weight * share * (1 - share)).sum(axis=0)
            gradient += (weight * (share - target)).sum(axis=0)
        # Newton's steps could overshoot far from the minimum.
        step = np.clip(gradient / (curvature + 1e-10), -1, 1)
        intercept = intercept - step
        if (np.abs(step) < 1e-9).all():
            break
    return intercept


def _newton(rows: _Rows, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Minimise the logistic loss of all labels at once."""
    slope, intercept = np.zeros_like(prior), prior.copy()
    loss = _log_loss(rows, slope, intercept)
    for _ in range(_N_STEPS):
        by_slope, by_intercept, a, b, c = np.zeros((5, len(prior)))
        for scores, target, weight in rows.read():
            share = expit(slope * scores + intercept)
            curvature = weight * share * (1 - share)
            residual = weight * (share - target)
            by_slope += (residual * scores).sum(axis=0)
            by_intercept += residual.sum(axis=0)
            a += (curvature * scores**2).sum(axis=0)
            b += (curvature * scores).sum(axis=0)
            c += curvature.sum(axis=0)
        a, c = a + 1e-10, c + 1e-10
        determinant = a * c - b**2
        step_slope = (c * by_slope - b * by_intercept) / determinant
        step_intercept = (a * by_intercept - b * by_slope) / determinant
        size = np.ones_like(prior)
        for _ in range(_N_HALVINGS):
            new_slope = slope - size * step_slope
            new_intercept = intercept - size * step_intercept
            new_loss = _log_loss(rows, new_slope, new_intercept)
            if (better := new_loss <= loss).all():
                break
            size = np.where(better, size, size / 2)
        moved = new_loss <= loss
        slope = np.where(moved, new_slope, slope)
        intercept = np.where(moved, new_intercept, intercept)
        done = loss - new_loss <= 1e-10 * np.abs(loss)
        loss = np.where(moved, new_loss, loss)
        if done.all():
            break
    return slope, intercept
