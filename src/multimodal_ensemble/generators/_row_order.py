"""The order of rows in a pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


class RowOrder(ABC):
    """The order of the rows of one pass."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """Return the row numbers at some places of the pass."""


class FullOrder(RowOrder):
    """An order that is in memory."""

    def __init__(self, order: NDArray[np.intp]) -> None:
        self._order = order

    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """Return the row numbers at some places of the pass."""
        return self._order[start:stop]


class SequentialOrder(RowOrder):
    """The order of the rows themselves."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows

    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """Return the row numbers at some places of the pass."""
        return np.arange(start, min(stop, self._n_rows))


class BlockOrder(RowOrder):
    """A random order of rows that are read from disk in blocks.

    The blocks have a random order. So have the rows of each group of blocks that follow one another
    in it, of which the memory holds no more. Nothing but the order of blocks is kept.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    rows_per_block : int
        Number of rows in each block but the last one, which may have fewer.
    blocks_per_group : int
        Number of blocks whose rows are mixed.
    seed : list of int
        Seed of the order.

    Examples
    --------
    >>> from multimodal_ensemble.generators._row_order import BlockOrder
    >>> order = BlockOrder(6, rows_per_block=2, blocks_per_group=2, seed=[0])
    >>> order.rows(0, 6).tolist()
    [0, 4, 5, 1, 2, 3]
    """

    def __init__(
        self, n_rows: int, *, rows_per_block: int, blocks_per_group: int, seed: list[int]
    ) -> None:
        n_blocks = -(-n_rows // rows_per_block)
        self._n_rows = n_rows
        self._rows_per_block = rows_per_block
        self._seed = seed
        self._blocks = np.random.default_rng(seed).permutation(n_blocks)
        self._firsts = range(0, n_blocks, blocks_per_group)
        self._blocks_per_group = blocks_per_group
        sizes = np.minimum(n_rows - self._blocks * rows_per_block, rows_per_block)
        ends = np.cumsum(np.add.reduceat(sizes, self._firsts))
        # Where each group begins in the pass, and the end of the last one.
        self._starts = [0, *ends.tolist()]
        # A batch may have rows of two groups.
        self._group = lru_cache(maxsize=2)(self._make_group)

    def rows(self, start: int, stop: int) -> NDArray[np.intp]:
        """Return the row numbers at some places of the pass."""
        stop = min(stop, self._n_rows)
        number = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts = [np.zeros(0, dtype=np.intp)]
        while start < stop:
            begin, end = self._starts[number : number + 2]
            parts.append(self._group(number)[start - begin : stop - begin])
            start, number = end, number + 1
        return np.concatenate(parts)

    def _make_group(self, number: int) -> NDArray[np.intp]:
        first = self._firsts[number]
        blocks = self._blocks[first : first + self._blocks_per_group, np.newaxis]
        rows = (blocks * self._rows_per_block + np.arange(self._rows_per_block)).ravel()
        rows = rows[rows < self._n_rows]
        return np.random.default_rng([*self._seed, number]).permutation(rows)
