"""Centred and weighted targets, computed for some rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._row_views import take_rows
from multimodal_ensemble.linear._row_parts import row_parts


@dataclass(frozen=True, eq=False)
class Targets:
    """Labels less their weighted means, times the roots of the weights of the rows.

    Parameters
    ----------
    y : ndarray or rows that are read slice by slice, of shape (n_samples, n_labels)
        Labels, bool.
    mean : ndarray of shape (n_labels,)
        Their weighted means.
    root_weight : ndarray of shape (n_samples,)
        Roots of the weights, whose mean is 1.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear._targets import Targets
    >>> Targets.fit(np.array([[True], [False]]), None)[0:2].tolist()
    [[0.5], [-0.5]]
    """

    y: Any
    mean: NDArray[np.float64]
    root_weight: NDArray[np.float64]

    @classmethod
    def fit(cls, y: Any, sample_weight: NDArray[np.float64] | None) -> Targets:
        """Compute the means of labels."""
        n_rows, n_labels = y.shape
        # One number stands for all rows without weights.
        weight = np.broadcast_to(1.0, n_rows)
        if sample_weight is not None:
            weight = sample_weight / sample_weight.mean()
        total = np.zeros(n_labels)
        for part in row_parts(n_rows, n_labels):
            total += weight[part] @ y[part]
        root_weight = weight if sample_weight is None else np.sqrt(weight)
        return cls(y, total / weight.sum(), root_weight)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of labels."""
        return len(self.root_weight), len(self.mean)

    def __getitem__(self, rows: slice) -> NDArray[np.float64]:
        """Return the targets of some rows."""
        return self.of(rows)

    def of(self, rows: Any, labels: Any = slice(None)) -> NDArray[np.float64]:
        """Return the targets of some rows and labels."""
        root = self.root_weight[rows, np.newaxis]
        targets: NDArray[np.float64] = root * (self.y[rows][:, labels] - self.mean[labels])
        return targets

    def take(self, positions: NDArray[np.intp]) -> Targets:
        """Return the targets of the rows at ascending positions, with their labels in memory."""
        y = take_rows(self.y, positions)[0 : len(positions)]
        return Targets(y, self.mean, self.root_weight[positions])
