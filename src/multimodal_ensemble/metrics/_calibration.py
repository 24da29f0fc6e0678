"""How well scores agree with the shares of positives, from checked inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray

# The number of bins that published calibration errors mostly use.
N_BINS = 10


def are_probabilities(scores: FloatArray) -> bool:
    """Return whether all scores are in 0..1."""
    return bool(((scores >= 0) & (scores <= 1)).all())


def brier_scores(positive: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
    """Return the Brier score of each label; NaN for scores that are no probabilities."""
    if not are_probabilities(scores):
        return np.full(scores.shape[1], np.nan)
    mean: FloatArray = ((scores - positive) ** 2).mean(axis=0)
    return mean


def calibration_errors(positive: NDArray[np.bool_], scores: FloatArray) -> FloatArray:
    """Return the calibration error of each label; NaN for scores that are no probabilities."""
    errors = np.full(scores.shape[1], np.nan)
    if are_probabilities(scores):
        for column in range(len(errors)):
            bins, _ = bin_rows(scores[:, column], N_BINS)
            excess = scores[:, column] - positive[:, column]
            errors[column] = np.abs(np.bincount(bins, weights=excess)).sum() / len(bins)
    return errors


def bin_rows(scores: FloatArray, n_bins: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the bin of each row, and the number of rows in each bin.

    Bins hold about equally many rows in the order of their scores. Rows of equal score share a
    bin, that of the first of them, so that the order of the rows does not matter. Empty bins are
    left out.
    """
    first = np.searchsorted(np.sort(scores), scores, side="left")
    _, bins, n_rows = np.unique(
        first * n_bins // len(scores), return_inverse=True, return_counts=True
    )
    return bins, n_rows
