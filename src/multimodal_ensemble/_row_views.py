"""Rows of a matrix that is read slice by slice: some of the rows, or a function of them.

A matrix that does not fit in memory has the attributes `shape` and `is_sparse`, and a slice of its
rows is an array or a sparse matrix. Nothing else of it is used here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack

# Rows that are read at once to take some of them.
_ROWS_PER_READING = 8192


class SelectedRows:
    """Some rows of a matrix, in ascending order, read when they are needed."""

    def __init__(self, matrix: Any, positions: NDArray[np.intp]) -> None:
        self.matrix = matrix
        self.positions = positions
        self.shape = (len(positions), *matrix.shape[1:])
        self.is_sparse = is_sparse(matrix)

    def __getitem__(self, rows: slice) -> Any:
        """Return rows in memory."""
        positions = self.positions[rows]
        if not is_lazy(self.matrix):
            return self.matrix[positions]
        parts = [
            self.matrix[int(some[0]) : int(some[-1]) + 1][some - some[0]]
            for some in _neighbours(positions)
        ]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return self.matrix[0:0]
        return vstack(parts, format="csr") if self.is_sparse else np.concatenate(parts)

    def take_rows(self, positions: NDArray[np.intp]) -> SelectedRows:
        """Return some of these rows."""
        return SelectedRows(self.matrix, self.positions[positions])


class MappedRows:
    """A function of each row of a matrix, computed when rows are read.

    The function takes some rows, a dense array of shape (n, n_inputs), and returns one of shape
    (n, n_outputs).
    """

    is_sparse = False

    def __init__(
        self, matrix: Any, function: Callable[[NDArray[Any]], NDArray[Any]], n_outputs: int
    ) -> None:
        self.matrix = matrix
        self.function = function
        self.shape = (matrix.shape[0], n_outputs)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return the function of the rows."""
        read = self.matrix[rows]
        return self.function(read.toarray() if hasattr(read, "toarray") else read)

    def take_rows(self, positions: NDArray[np.intp]) -> MappedRows:
        """Return the function of some of the rows, which is computed for these alone."""
        return MappedRows(take_rows(self.matrix, positions), self.function, self.shape[1])

    def in_memory(self) -> NDArray[Any]:
        """Return the function of all rows, computed slice by slice."""
        first = self[0:1]
        result = np.empty(self.shape, dtype=first.dtype)
        for start in range(0, len(result), _ROWS_PER_READING):
            part = slice(start, start + _ROWS_PER_READING)
            result[part] = self[part]
        return result


def is_lazy(matrix: Any) -> bool:
    """Return whether rows are read when they are needed, so that only slices can be taken."""
    return not (isinstance(matrix, np.ndarray) or hasattr(matrix, "tocsr"))


def is_sparse(matrix: Any) -> bool:
    """Return whether slices of rows are sparse matrices."""
    return hasattr(matrix, "tocsr") or bool(getattr(matrix, "is_sparse", False))


def take_rows(matrix: Any, positions: NDArray[np.intp]) -> Any:
    """Return rows at ascending positions: in memory if the matrix is."""
    if hasattr(matrix, "take_rows"):
        return matrix.take_rows(positions)
    return SelectedRows(matrix, positions) if is_lazy(matrix) else matrix[positions]


def _neighbours(positions: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Yield runs of positions that are close enough to be read at once."""
    start = 0
    while start < len(positions):
        stop = int(np.searchsorted(positions, positions[start] + _ROWS_PER_READING))
        yield positions[start:stop]
        start = stop
