"""A matrix that is read slice by slice, like features in files."""

import numpy as np


class LazyRows:
    """Rows of a matrix; it counts the rows that are read and refuses anything but slices."""

    def __init__(self, matrix):
        self._matrix = matrix
        self.shape = matrix.shape
        self.dtype = np.dtype(matrix.dtype)
        self.is_sparse = hasattr(matrix, "tocsr")
        self.n_read = 0

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        part = self._matrix[rows]
        self.n_read += part.shape[0]
        return part
