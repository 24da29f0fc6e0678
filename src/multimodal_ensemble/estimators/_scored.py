"""The rows that have leave-one-out scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import known_labels
from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble.estimators._rows import Rows


@dataclass(frozen=True, eq=False)
class Scored:
    """The rows whose leave-one-out scores give weights, calibration and thresholds.

    All training rows or, if there are more than 200,000, a random sample of them.
    """

    positions: NDArray[np.intp]
    y: NDArray[np.bool_]
    # Of rows, or of rows and labels.
    weight: NDArray[np.float64] | None

    @classmethod
    def choose(cls, rows: Rows, seed: int) -> Scored:
        """Choose rows, with whole groups."""
        positions = sample_rows(len(rows.y), groups=rows.groups, seed=seed)
        if len(positions) == len(rows.y):
            return cls(positions, rows.y, rows.weight)
        weight = None if rows.weight is None else rows.weight[positions]
        return cls(positions, rows.y[positions], weight)

    @property
    def truth(self) -> NDArray[Any]:
        """The labels, NaN where they are unknown or have no weight."""
        return known_labels(self.y, self.weight)
