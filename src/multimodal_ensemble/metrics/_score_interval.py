"""A score with its confidence interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class ScoreInterval:
    """A score with the bounds of its confidence interval, from `bootstrap_interval`.

    For a metric of one label, each number is an ndarray of shape (n_labels,).

    Parameters
    ----------
    score : float or ndarray
        The score on all rows.
    low, high : float or ndarray
        The bounds of the interval.
    n_incomplete : int or ndarray
        The number of resamples that left the score undefined, or left a label out of the mean; 0
        without resamples.
    method : str
        ``"percentile"``, ``"bca"`` or ``"normal"``.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import bootstrap_interval
    >>> interval = bootstrap_interval([[0], [0], [1]], [[0.1], [0.2], [0.3]])
    >>> interval.score, interval.low, interval.high
    (1.0, 1.0, 1.0)
    >>> interval.n_incomplete > 0
    True
    """

    score: Any
    low: Any
    high: Any
    n_incomplete: Any
    method: str
