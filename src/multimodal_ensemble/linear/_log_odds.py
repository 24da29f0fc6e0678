"""Log-odds of scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def log_odds(score: ArrayLike, *, finite: bool = True) -> NDArray[np.float64]:
    """Return ``log(score / (1 - score))``.

    Parameters
    ----------
    score : array-like
        Scores in 0..1, of any shape.
    finite : bool, default=True
        Whether scores of 0 and 1 have finite log-odds: score and ``1 - score`` are then at least
        the smallest normal number of float32, so that log-odds are within -87.4..87.4.

    Returns
    -------
    ndarray
        Log-odds in the shape of the scores.

    Examples
    --------
    >>> from multimodal_ensemble.linear import log_odds
    >>> log_odds([0.25, 0.5, 1.0]).round(2).tolist()
    [-1.1, 0.0, 87.34]
    """
    smallest = float(np.finfo(np.float32).tiny) if finite else 0.0
    share = np.asarray(score, dtype=np.float64)
    with np.errstate(divide="ignore"):
        odds: NDArray[np.float64] = np.log(np.maximum(share, smallest)) - np.log(
            np.maximum(1 - share, smallest)
        )
    return odds
