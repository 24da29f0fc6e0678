"""Iterative stratification: sharing rows out so that each part gets its share of every label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def assign_parts(
    y: NDArray[np.bool_], shares: Sequence[int], rng: np.random.RandomState | None
) -> NDArray[np.intp]:
    """Return for each row the number of the part that it goes to.

    Labels take turns, the one with the fewest rows left first; its rows go one by one to the part
    that still lacks the most rows of that label.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels), bool
        Multi-hot labels.
    shares : sequence of int
        How large each part is in relation to the others, at least 1 each.
    rng : RandomState or None
        Decides the order of the rows; None leaves them in theirs.

    Returns
    -------
    ndarray of shape (n_samples,), int
        Parts, from 0. A part holds its exact share of the rows, rounded up or down.
    """
    order = np.arange(len(y)) if rng is None else rng.permutation(len(y))
    # Columns are what is read below.
    shuffled = np.asfortranarray(y[order])
    places = _Places(shuffled, shares)
    parts = np.empty(len(y), dtype=np.intp)
    unplaced = np.ones(len(y), dtype=bool)
    n_left = shuffled.sum(axis=0)
    while n_left.any():
        label = int(np.argmin(np.where(n_left > 0, n_left, len(y) + 1)))
        rows = np.flatnonzero(shuffled[:, label] & unplaced)
        parts[order[rows]] = [places.take(row, label) for row in rows.tolist()]
        unplaced[rows] = False
        n_left -= shuffled[rows].sum(axis=0)
    # Rows without a label come last and fill up what is short of rows.
    rows = np.flatnonzero(unplaced)
    parts[order[rows]] = [places.take(row, None) for row in rows.tolist()]
    return parts


class _Places:
    """What each part still lacks: rows, and rows of every label.

    Plain lists of whole numbers: for a handful of parts they are faster than arrays, and their
    ties are exact.
    """

    def __init__(self, y: NDArray[np.bool_], shares: Sequence[int]) -> None:
        total = sum(shares)
        rows, labels = np.nonzero(y)
        self._starts = np.searchsorted(rows, np.arange(len(y) + 1)).tolist()
        self._labels = labels.tolist()
        self._shares = list(shares)
        # Whole rows only: of a label of two rows, a part of four fifths lacks one and a part of one
        # fifth lacks none. The other row goes where it is needed for other reasons; otherwise the
        # largest part would take all rows of all rare labels.
        self._lacks = (np.outer(y.sum(axis=0), shares) // total).tolist()
        self._sizes = [0] * len(shares)
        self._floors = [len(y) * share // total for share in shares]
        self._ceilings = [-(-len(y) * share // total) for share in shares]
        self._n_above_floor = len(y) - sum(self._floors)

    def take(self, row: int, label: int | None) -> int:
        """Return the part of a row whose turn came with a label, and take note of it."""
        labels = self._labels[self._starts[row] : self._starts[row + 1]]
        limits = self._ceilings if self._n_above_floor else self._floors
        parts = [part for part, limit in enumerate(limits) if self._sizes[part] < limit]
        if label is not None:
            lacks = self._lacks[label]
            most = max(lacks[part] for part in parts)
            parts = [part for part in parts if lacks[part] == most]
        # Ties go to the part that lacks the row's other labels, and then rows, the most.
        part = (
            parts[0] if len(parts) == 1 else max(parts, key=lambda part: self._need(part, labels))
        )
        if self._sizes[part] >= self._floors[part]:
            self._n_above_floor -= 1
        self._sizes[part] += 1
        for each in labels:
            self._lacks[each][part] -= 1
        return part

    def _need(self, part: int, labels: list[int]) -> tuple[float, float]:
        share = self._shares[part]
        # The second is Webster's rule for sharing out seats, which favours no size of part.
        return (
            sum([self._lacks[label][part] for label in labels]) / share,
            -(2 * self._sizes[part] + 1) / share,
        )
