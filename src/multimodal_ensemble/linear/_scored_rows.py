"""Leave-one-out scores of some rows, from their directions, which are computed part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.linear._decomposition import Decomposition
from multimodal_ensemble.linear._leave_one_out import leave_one_out
from multimodal_ensemble.linear._targets import Targets

# Directions that take no more bytes are kept for the next labels; others are computed again.
_MAX_KEPT = 2**28
# Scores of all penalties that are held at once, if directions are kept and if not.
_MAX_SCORES = {True: 2**23, False: 2**26}
# Numbers of directions, or of scores, of rows without groups that are computed at once.
_NUMBERS_PER_CHUNK = 2**22


class ScoredRows:
    """Rows whose leave-one-out scores are computed.

    Parameters
    ----------
    parts : Decomposition
        The decomposition of all rows.
    target : Targets
        Targets of all rows.
    positions : ndarray of shape (n_scored,)
        Which rows are scored, ascending.
    groups : ndarray of shape (n_samples,) or None
        Number of the group of each row.
    penalties : ndarray of shape (n_penalties,)
        Penalties, in the units of squared directions.
    """

    def __init__(
        self,
        parts: Decomposition,
        target: Targets,
        positions: NDArray[np.intp],
        groups: NDArray[np.intp] | None,
        penalties: NDArray[np.float64],
    ) -> None:
        self._parts = parts
        self._positions = positions
        self._n_rows = target.shape[0]
        self._target = target.take(positions)
        self._shrinkages = parts.squares / (parts.squares + penalties[:, np.newaxis])
        rank = max(1, len(parts.squares))
        row_bytes = rank * np.dtype(parts.dtype).itemsize
        is_kept = len(positions) * row_bytes <= _MAX_KEPT
        n_scores = len(penalties) * max(1, len(positions))
        n_at_once = max(1, _MAX_SCORES[is_kept] // n_scores)
        n_labels = target.shape[1]
        # Labels whose scores of all penalties are computed together.
        self.batches = [
            slice(start, min(start + n_at_once, n_labels))
            for start in range(0, n_labels, n_at_once)
        ]
        self._chunks: list[tuple[NDArray[np.intp], Sequence[NDArray[np.intp]]]]
        n_columns = max(rank, len(penalties) * min(n_at_once, n_labels))
        step = max(1, _NUMBERS_PER_CHUNK // n_columns)
        if groups is None:
            numbers = np.arange(len(positions))
            self._chunks = [(numbers[i : i + step], ()) for i in range(0, len(numbers), step)]
        else:
            # Fewer and larger chunks, because rows of a group may be far apart.
            self._chunks = list(_chunks_of_groups(groups[positions], 8 * step))
        self._kept: list[NDArray[Any]] | None = None
        if is_kept:
            self._kept = [parts.left_rows(positions[chunk]) for chunk, _ in self._chunks]

    @property
    def y(self) -> NDArray[np.bool_]:
        """Labels of the rows, of shape (n_scored, n_labels)."""
        labels: NDArray[np.bool_] = self._target.y
        return labels

    def of_all_penalties(self, labels: slice) -> NDArray[np.float64]:
        """Return the scores of some labels, of shape (n_penalties, n_scored, n_labels)."""
        n_labels = labels.stop - labels.start
        scores = np.empty((len(self._shrinkages), len(self._positions), n_labels))
        for chunk, left, groups in self._read():
            scores[:, chunk] = self._score(chunk, left, groups, self._shrinkages, labels)
        return scores

    def of_each_label(self, best: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the scores of all labels, of shape (n_scored, n_labels).

        `best` is the number of the penalty of each label.
        """
        scores = np.empty((len(self._positions), len(best)))
        for chunk, left, groups in self._read():
            for number in np.unique(best):
                labels = np.flatnonzero(best == number)
                shrinkages = self._shrinkages[[number]]
                [without] = self._score(chunk, left, groups, shrinkages, labels)
                scores[np.ix_(chunk, labels)] = without
        return scores

    def _score(
        self,
        chunk: NDArray[np.intp],
        left: NDArray[Any],
        groups: Sequence[NDArray[np.intp]],
        shrinkages: NDArray[np.float64],
        labels: Any,
    ) -> NDArray[np.float64]:
        return leave_one_out(
            left,
            shrinkages,
            self._parts.along[:, labels],
            self._target.of(chunk, labels),
            self._target.root_weight[chunk],
            # The mean of the weights is 1.
            float(self._n_rows),
            groups=groups,
        )

    def _read(
        self,
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[Any], Sequence[NDArray[np.intp]]]]:
        for number, (chunk, groups) in enumerate(self._chunks):
            left = (
                self._parts.left_rows(self._positions[chunk])
                if self._kept is None
                else self._kept[number]
            )
            yield chunk, left, groups


def _chunks_of_groups(
    groups: NDArray[np.intp], n_rows: int
) -> Iterator[tuple[NDArray[np.intp], list[NDArray[np.intp]]]]:
    """Yield rows of whole groups, about `n_rows` or one group, and the places of each group.

    Groups come in the order of their first rows, so that rows that are stored together are read
    together.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.intp)
    place[np.argsort(first)] = np.arange(len(first))
    number = place[number]
    ends = np.cumsum(np.bincount(number))
    of_chunk = (ends - 1) // max(1, n_rows)
    for chunk in np.unique(of_chunk):
        rows = np.flatnonzero(of_chunk[number] == chunk)
        order = np.argsort(number[rows], kind="stable")
        yield rows, np.split(order, np.flatnonzero(np.diff(number[rows][order])) + 1)
