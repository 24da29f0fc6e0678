"""The benchmark of the command ``compare``: the more frequent answer for each label."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.dummy import DummyClassifier


class TrivialClassifier(DummyClassifier):
    """Scores each row with the shares of the labels, and predicts those of half the rows."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn the shares of the labels."""
        super().fit(X, y, sample_weight)
        # Thresholds that are tuned on constant scores may predict a label that few rows have.
        self.thresholds_ = np.full(np.shape(y)[1] if np.ndim(y) == 2 else 1, 0.5)
        return self
