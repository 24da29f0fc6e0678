"""A score with its confidence interval."""

from __future__ import annotations

from typing import Any, NamedTuple


class ScoreInterval(NamedTuple):
    """A score with the bounds of its confidence interval, from `bootstrap_interval`.

    For a metric of one label, each field is an ndarray of shape (n_labels,).

    Attributes
    ----------
    score : float or ndarray
        The score on all rows.
    low, high : float or ndarray
        The bounds of the interval.
    n_incomplete : int or ndarray
        The number of resamples that left the score undefined, or left a label out of the mean.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import bootstrap_interval
    >>> score, low, high, n_incomplete = bootstrap_interval([[0], [0], [1]], [[0.1], [0.2], [0.3]])
    >>> score, low, high
    (1.0, 1.0, 1.0)
    >>> n_incomplete > 0
    True
    """

    score: Any
    low: Any
    high: Any
    n_incomplete: Any
