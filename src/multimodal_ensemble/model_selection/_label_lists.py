"""A label matrix as lists, with which loops take time in proportion to the number of ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


class LabelLists:
    """The labels of each row and the rows of each label, both in ascending order."""

    def __init__(self, y: NDArray[np.bool_]) -> None:
        rows, labels = np.nonzero(y)
        self.labels_of = _split(labels, rows, y.shape[0])
        by_label = np.argsort(labels, kind="stable")
        self.rows_of = _split(rows[by_label], labels[by_label], y.shape[1])


def _split(values: NDArray[np.intp], owners: NDArray[np.intp], n_owners: int) -> list[list[int]]:
    """Return the values of each owner; the owners are in ascending order."""
    bounds = np.searchsorted(owners, np.arange(n_owners + 1)).tolist()
    numbers = values.tolist()
    return [numbers[start:end] for start, end in pairwise(bounds)]
