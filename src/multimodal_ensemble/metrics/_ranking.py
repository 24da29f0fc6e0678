"""The scores of one label, sorted apart for its positive and its negative rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sort_by_class(
    scores: NDArray[Any], positive: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ascending scores of positive rows, and those of negative rows.

    Sorting values is several times faster than `numpy.argsort` with the picking that follows it,
    and counting in one sorted class how many scores lie above each score of the other one is all
    that a ROC curve needs.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Finite scores; a column of a matrix will do.
    positive : ndarray of shape (n_samples,)
        Whether each row is positive.

    Returns
    -------
    positives, negatives : ndarray
        Of the dtype of `scores`.
    """
    # Contiguous copies, because picking from a strided column takes as long as sorting it.
    scores = np.ascontiguousarray(scores)
    positive = np.ascontiguousarray(positive)
    positives, negatives = scores[positive], scores[~positive]
    positives.sort()
    negatives.sort()
    return positives, negatives
