"""Features of several encoders, centred, scaled and joined without a dense copy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from multimodal_ensemble._row_views import is_sparse, take_rows
from multimodal_ensemble.linear._row_parts import row_parts


@dataclass(frozen=True, eq=False)
class Block:
    """Features of one encoder with the mean and the factor that standardise them.

    Row i of the block is ``(matrix[i] - mean) * factor``, or zeros where the row lacks the
    modality. The mean squared norm of the other rows is 1, so that blocks of different sizes have
    the same influence in a joined model.

    Parameters
    ----------
    matrix : ndarray, sparse matrix or lazy matrix of shape (n_samples, n_features)
        Features. A lazy matrix has the attributes ``shape`` and ``is_sparse``, and returns slices
        of rows as arrays or sparse matrices; it is read once or more for each fit.
    mean : ndarray of shape (n_features,)
        What is subtracted.
    factor : ndarray of shape (n_features,)
        What the difference is multiplied by; 0 for constant features.
    present : ndarray of shape (n_samples,)
        Whether each row has the modality, bool.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import Block
    >>> block = Block.fit(np.array([[1.0, 5.0], [3.0, 5.0]]), standardize=True)
    >>> block.rows(slice(0, 2)).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    matrix: Any
    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    present: NDArray[np.bool_]

    @classmethod
    def fit(
        cls,
        matrix: Any,
        *,
        standardize: bool,
        present: Any = None,
        sample_weight: Any = None,
        zeros_are_missing: bool = False,
    ) -> Block:
        """Learn mean and factor from the rows of a matrix, which are read once.

        Parameters
        ----------
        matrix : ndarray, sparse matrix or lazy matrix of shape (n_samples, n_features)
            Features of the training rows.
        standardize : bool
            Whether each feature is divided by its standard deviation before the whole block is
            scaled.
        present : ndarray of shape (n_samples,), optional
            Whether each row has the modality; the others are rows of zeros. Default: all have it.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights of the rows.
        zeros_are_missing : bool, default=False
            Whether a row of zeros lacks the modality.

        Returns
        -------
        Block
            The standardised rows.
        """
        if hasattr(matrix, "tocsr"):
            matrix = matrix.tocsr()
        n_rows = matrix.shape[0]
        present = np.ones(n_rows, dtype=bool) if present is None else np.array(present, dtype=bool)
        moments = _Moments(matrix.shape[1], is_sparse=is_sparse(matrix))
        for part in row_parts(n_rows, 0 if is_sparse(matrix) else matrix.shape[1]):
            rows = matrix[part]
            if zeros_are_missing:
                present[part] &= np.asarray((rows != 0).sum(axis=1)).ravel() > 0
            weight = present[part].astype(np.float64)
            moments.add(rows, weight if sample_weight is None else weight * sample_weight[part])
        mean, variance = moments.mean, moments.variance
        # Rounding leaves a variance of about 1e-16 of the square in a constant column.
        constant = variance <= np.maximum(1e-12 * mean**2, 1e-60)
        variance = np.where(constant, 0.0, variance)
        factor = np.where(constant, 0.0, 1.0)
        if standardize:
            factor = np.divide(1.0, np.sqrt(variance), out=factor, where=~constant)
        norm = np.sqrt((variance * factor**2).sum())
        return cls(matrix, mean, factor / norm if norm > 0 else factor, present)

    def take(self, rows: NDArray[Any]) -> Block:
        """Return a block of some rows, with the same mean and factor.

        Parameters
        ----------
        rows : ndarray
            Positions, ascending for a lazy matrix, or True for the rows to take.

        Returns
        -------
        Block
            The block itself if all rows are True.
        """
        if rows.dtype == bool:
            if rows.all():
                return self
            rows = np.flatnonzero(rows)
        return Block(take_rows(self.matrix, rows), self.mean, self.factor, self.present[rows])

    def recentre(self, sample_weight: NDArray[np.float64]) -> Block:
        """Return a block whose mean is that of its own rows, with the same factor.

        Parameters
        ----------
        sample_weight : ndarray of shape (n_samples,)
            Weights of the rows.

        Returns
        -------
        Block
            The same rows, less another mean.
        """
        n_rows, n_features = self.matrix.shape
        moments = _Moments(n_features, is_sparse=self.is_sparse)
        for part in row_parts(n_rows, 0 if self.is_sparse else n_features):
            moments.add(self.matrix[part], self.present[part] * sample_weight[part])
        return replace(self, mean=moments.mean)

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is sparse."""
        return is_sparse(self.matrix)

    @property
    def offset(self) -> NDArray[np.float64]:
        """What is left to subtract from `scaled` rows that have the modality."""
        return self.mean * self.factor if self.is_sparse else np.zeros_like(self.mean)

    def scaled(self, rows: slice, dtype: DTypeLike = np.float64) -> Any:
        """Return rows times the factor: dense and centred, or sparse and not yet centred.

        Parameters
        ----------
        rows : slice
            Which rows.
        dtype : dtype, default=float64
            Type of the result.

        Returns
        -------
        ndarray or sparse matrix of shape (n, n_features)
            The rows. Those of a sparse block are centred by subtracting `offset`.
        """
        part = self.matrix[rows]
        if self.is_sparse:
            return part.multiply(self.factor[np.newaxis]).tocsr().astype(dtype)
        centred = np.subtract(part, self.mean, dtype=dtype, casting="same_kind")
        centred *= self.factor.astype(dtype)
        centred *= self.present[rows, np.newaxis].astype(dtype)
        return centred

    def rows(self, rows: slice) -> NDArray[np.float64]:
        """Return standardised rows.

        Parameters
        ----------
        rows : slice
            Which rows.

        Returns
        -------
        ndarray of shape (n, n_features)
            The rows, dense.
        """
        scaled = self.scaled(rows)
        if self.is_sparse:
            scaled = scaled.toarray() - np.outer(self.present[rows], self.offset)
        dense: NDArray[np.float64] = scaled
        return dense


class _Moments:
    """Weighted mean and variance of each column, from parts of the rows."""

    def __init__(self, n_columns: int, *, is_sparse: bool) -> None:
        self._is_sparse = is_sparse
        self._weight = 0.0
        self.mean = np.zeros(n_columns)
        # About the mean; of sparse rows about 0.
        self._squares = np.zeros(n_columns)

    def add(self, rows: Any, weight: NDArray[np.float64]) -> None:
        """Add rows with their weights."""
        here = float(weight.sum())
        share = weight / max(here, np.finfo(np.float64).tiny)
        # In float32, the difference of two close numbers would be rounding.
        rows = rows.astype(np.float64)
        mine = here / max(self._weight + here, np.finfo(np.float64).tiny)
        with np.errstate(invalid="ignore"):
            # Of numbers that are not finite, the mean is NaN or infinite.
            mean = np.asarray(rows.T @ share).ravel()
            difference = mean - self.mean
            if self._is_sparse:
                squares = np.asarray(rows.multiply(rows).T @ share).ravel()
                self._squares += mine * (squares - self._squares)
            else:
                rows -= mean
                squares = share @ np.square(rows, out=rows)
                self._squares += mine * (squares - self._squares)
                self._squares += mine * (1 - mine) * difference**2
            self.mean = mean if mine == 1 else self.mean + mine * difference
        self._weight += here

    @property
    def variance(self) -> NDArray[np.float64]:
        """The variance of each column."""
        with np.errstate(invalid="ignore"):
            squares = self._squares - self.mean**2 if self._is_sparse else self._squares
        return np.maximum(squares, 0.0)
