"""Iterative stratification: divide rows into parts with equal label frequencies."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.model_selection._label_lists import LabelLists


def assign_parts(
    y: NDArray[np.bool_], shares: Sequence[int], rng: np.random.RandomState | None
) -> NDArray[np.intp]:
    """Assign each row to a part, from 0, so that every label is about as frequent in all parts.

    The label with the fewest unassigned rows is processed first. Each of its rows goes to the part
    that still needs the most rows of that label. The size of a part is its share of the rows,
    rounded up or down. `rng` shuffles the rows; None keeps their order.
    """
    order = np.arange(len(y)) if rng is None else rng.permutation(len(y))
    lists = LabelLists(y[order])
    places = _Places(lists, shares)
    parts = np.full(len(y), -1)
    n_left = [len(rows) for rows in lists.rows_of]
    # Numbers of rows that have changed since they were added to the queue are skipped.
    queue = [(n, label) for label, n in enumerate(n_left) if n]
    heapq.heapify(queue)
    while queue:
        n, label = heapq.heappop(queue)
        if n != n_left[label]:
            continue
        touched = set()
        for row in lists.rows_of[label]:
            if parts[order[row]] < 0:
                parts[order[row]] = places.take(row, label)
                for each in lists.labels_of[row]:
                    n_left[each] -= 1
                    touched.add(each)
        for each in touched:
            if n_left[each]:
                heapq.heappush(queue, (n_left[each], each))
    # Rows without labels come last and fill the parts that have too few rows.
    for row in np.flatnonzero(parts[order] < 0).tolist():
        parts[order[row]] = places.take(row, None)
    return parts


class _Places:
    """The rows, and the rows of each label, that each part still needs.

    With few parts, lists of whole numbers are faster than arrays, and ties are exact.
    """

    def __init__(self, lists: LabelLists, shares: Sequence[int]) -> None:
        total = sum(shares)
        n_rows = len(lists.labels_of)
        counts = [len(rows) for rows in lists.rows_of]
        self._labels_of = lists.labels_of
        self._shares = list(shares)
        # Needs are rounded down to whole rows. For a label with two rows, a part of four fifths
        # needs one row and a part of one fifth needs none. Other needs decide where the second row
        # goes; otherwise the largest part would take all rows of all rare labels.
        self._needs = (np.outer(counts, shares) // total).tolist()
        self._sizes = [0] * len(shares)
        self._floors = [n_rows * share // total for share in shares]
        self._ceilings = [-(-n_rows * share // total) for share in shares]
        self._n_above_floor = n_rows - sum(self._floors)

    def take(self, row: int, label: int | None) -> int:
        """Choose the part of a row that is processed for a label, and update the counts."""
        labels = self._labels_of[row]
        limits = self._ceilings if self._n_above_floor else self._floors
        parts = [part for part, limit in enumerate(limits) if self._sizes[part] < limit]
        if label is not None:
            needs = self._needs[label]
            most = max(needs[part] for part in parts)
            parts = [part for part in parts if needs[part] == most]
        # Ties go to the part with the greatest need for all labels of the row, then for rows.
        part = (
            parts[0]
            if len(parts) == 1
            else max(parts, key=lambda part: self._total_need(part, labels))
        )
        if self._sizes[part] >= self._floors[part]:
            self._n_above_floor -= 1
        self._sizes[part] += 1
        for each in labels:
            self._needs[each][part] -= 1
        return part

    def _total_need(self, part: int, labels: list[int]) -> tuple[float, float]:
        share = self._shares[part]
        # The second item is Webster's apportionment rule, which favours no size of part.
        return (
            sum([self._needs[label][part] for label in labels]) / share,
            -(2 * self._sizes[part] + 1) / share,
        )
