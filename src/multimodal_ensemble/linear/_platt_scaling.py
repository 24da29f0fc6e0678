"""Scores as probabilities: one logistic function per label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from multimodal_ensemble.linear._rare_labels import own_share

_N_STEPS = 60
_N_HALVINGS = 12
# Numbers of several matrices that are held at once: 32 MiB each.
_NUMBERS_PER_CHUNK = 2**22


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
        cls, y_score: NDArray[np.float64], y_true: NDArray[np.bool_], sample_weight: Any = None
    ) -> PlattScaling:
        """Fit slope and intercept by maximum likelihood, with Platt's smoothed targets [1]_.

        The slope of a label that n rows have (or lack, if these are fewer) is then drawn towards
        the mean of all labels, with the weights ``n / (n + 30)`` and ``30 / (n + 30)``, in units of
        the standard deviation of the scores. Few rows cannot tell a useful score from chance. A
        label of one class has the mean slope, unless its scores are constant.

        Parameters
        ----------
        y_score : ndarray of shape (n_samples, n_labels)
            Scores of rows from a model that was not trained on them.
        y_true : ndarray of shape (n_samples, n_labels)
            True labels.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights of the rows.

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
        n_rows, n_labels = y_true.shape
        weight = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight)
        weight = (weight / weight.mean())[:, np.newaxis]
        prior = prior_log_odds(y_true, sample_weight)
        # The slope of standardised scores has a size that does not depend on their unit.
        centre, unit, fewer, slope, intercept = np.empty((5, n_labels))
        is_constant = np.empty(n_labels, dtype=bool)
        batches = _batches(n_rows, n_labels)
        for labels in batches:
            part, y = y_score[:, labels], y_true[:, labels]
            centre[labels], spread = part.mean(axis=0), part.std(axis=0)
            largest = np.abs(part).max(axis=0, initial=0)
            is_constant[labels] = spread <= 1e-12 * np.maximum(largest, 1e-300)
            unit[labels] = np.where(is_constant[labels], 1.0, spread)
            positives, negatives = (weight * y).sum(axis=0), (weight * ~y).sum(axis=0)
            fewer[labels] = np.where(is_constant[labels], 0.0, np.minimum(positives, negatives))
            scores = np.where(is_constant[labels], 0.0, (part - centre[labels]) / unit[labels])
            slope[labels], intercept[labels] = _newton(
                scores, _smoothed(y, weight), weight, prior[labels]
            )
        # A negative slope is chance: a score that ranks rows worse than at random says nothing.
        slope = np.where(is_constant, 0.0, np.maximum(slope, 0.0))
        if (n_fewer := fewer.sum()) > 0:
            trust = own_share(fewer)
            drawn = trust * slope + (1 - trust) * (fewer @ slope / n_fewer)
            slope = np.where(is_constant, 0.0, drawn)
        for labels in batches:
            offset = slope[labels] * (y_score[:, labels] - centre[labels]) / unit[labels]
            target = _smoothed(y_true[:, labels], weight)
            intercept[labels] = _fit_intercept(offset, target, weight, intercept[labels])
        slope /= unit
        intercept = np.where(slope > 0, intercept - slope * centre, prior)
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
    sample_weight : ndarray of shape (n_samples,), optional
        Weights of the rows, in any unit.

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
    weight = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight)
    weight = weight / weight.mean()
    log_odds: NDArray[np.float64] = np.log(weight @ y_true + 0.5) - np.log(weight @ ~y_true + 0.5)
    return log_odds


def _batches(n_rows: int, n_labels: int) -> list[slice]:
    """Return slices of so many labels that their scores have no more numbers than a chunk."""
    step = max(1, _NUMBERS_PER_CHUNK // max(1, n_rows))
    return [slice(start, start + step) for start in range(0, n_labels, step)]


def _smoothed(y_true: NDArray[np.bool_], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Platt's targets, which are a little above 0 and below 1."""
    positives, negatives = (weight * y_true).sum(axis=0), (weight * ~y_true).sum(axis=0)
    targets: NDArray[np.float64] = np.where(
        y_true, (positives + 1) / (positives + 2), 1 / (negatives + 2)
    )
    return targets


def _log_loss(
    log_odds: NDArray[np.float64], target: NDArray[Any], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted sum of the logistic loss of each label."""
    total: NDArray[np.float64] = (weight * (np.logaddexp(0, log_odds) - target * log_odds)).sum(
        axis=0
    )
    return total


def _fit_intercept(
    offset: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    intercept: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Minimise the logistic loss of all labels over the intercept alone."""
    for _ in range(_N_STEPS):
        share = expit(offset + intercept)
        curvature = (weight * share * (1 - share)).sum(axis=0) + 1e-10
        # Newton's steps could overshoot far from the minimum.
        step = np.clip((weight * (share - target)).sum(axis=0) / curvature, -1, 1)
        intercept = intercept - step
        if (np.abs(step) < 1e-9).all():
            break
    return intercept


def _newton(
    scores: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    prior: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Minimise the logistic loss of all labels at once."""
    slope, intercept = np.zeros_like(prior), prior.copy()
    loss = _log_loss(slope * scores + intercept, target, weight)
    for _ in range(_N_STEPS):
        log_odds = slope * scores + intercept
        share = expit(log_odds)
        curvature = weight * share * (1 - share)
        residual = weight * (share - target)
        by_slope, by_intercept = (residual * scores).sum(axis=0), residual.sum(axis=0)
        a = (curvature * scores**2).sum(axis=0) + 1e-10
        b = (curvature * scores).sum(axis=0)
        c = curvature.sum(axis=0) + 1e-10
        determinant = a * c - b**2
        step_slope = (c * by_slope - b * by_intercept) / determinant
        step_intercept = (a * by_intercept - b * by_slope) / determinant
        size = np.ones_like(prior)
        for _ in range(_N_HALVINGS):
            new_slope = slope - size * step_slope
            new_intercept = intercept - size * step_intercept
            new_loss = _log_loss(new_slope * scores + new_intercept, target, weight)
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
