"""What a model answered for a row of the gallery, and how confident it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow


class RowAnswers(NamedTuple):
    """One value per label, each of shape (n_labels,)."""

    is_true: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    # The score of a predicted label, and 1 minus the score of one that is not predicted.
    confidence: FloatArray


def read_answers(row: GalleryRow, labels: Sequence[str]) -> RowAnswers:
    """Return the answers of a row for all labels."""
    predicted = row.y_score >= row.thresholds
    confidence = np.where(predicted, row.y_score, 1 - row.y_score)
    return RowAnswers(np.isin(labels, list(row.labels)), predicted, confidence)
