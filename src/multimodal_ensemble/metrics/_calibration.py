"""How well scores agree with the shares of positives, from checked inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, ScoreArray

# The number of bins that published calibration errors mostly use.
N_BINS = 10


def are_probabilities(scores: ScoreArray) -> bool:
    """Return whether all scores are in 0..1."""
    return bool(scores.min() >= 0 and scores.max() <= 1)


def calibration_error(excess: FloatArray, scores: ScoreArray) -> float:
    """Return the calibration error of a label whose scores are probabilities.

    `excess` is the score minus 0 or 1.
    """
    bins, _ = bin_rows(scores, N_BINS)
    return float(np.abs(np.bincount(bins, weights=excess)).sum() / len(bins))


def bin_rows(scores: ScoreArray, n_bins: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the bin of each row, and the number of rows in each bin.

    Bins hold about equally many rows in the order of their scores. Rows of equal score share a
    bin, that of the first of them, so that the order of the rows does not matter. Empty bins are
    left out.
    """
    ranked = np.sort(scores)
    # A bin after the first one starts at this position or at the next that has another score.
    positions = -(-len(scores) * np.arange(1, n_bins) // n_bins)
    positions = positions[positions < len(scores)]
    starts = np.searchsorted(ranked, ranked[positions], side="left")
    later = np.searchsorted(ranked, ranked[positions], side="right")
    starts = np.where(starts < positions, later, positions)
    limits = ranked[np.unique(starts[starts < len(scores)])]
    # A comparison with each of a few limits is faster than a binary search per row.
    bins = np.zeros(len(scores), dtype=np.intp)
    for limit in limits:
        bins += scores >= limit
    return bins, np.bincount(bins)
