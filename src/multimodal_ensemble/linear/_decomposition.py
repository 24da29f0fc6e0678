"""The directions of a set of rows, exact where possible."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr

from multimodal_ensemble.linear._joined_blocks import JoinedBlocks

# Up to this number of rows or of features, whichever is smaller, all directions are kept.
MAX_EXACT = 2500
# Beyond, this many directions are kept.
_TRUNCATED = 1500
# Products of rows that take more than this as float64 are computed in float32.
_MAX_BYTES = 2**31
# Up to this number of rows or features, leading directions come from inner products.
_MAX_INNER_PRODUCTS = 6000
# Directions without length, relative to the longest: what rounding leaves in each precision.
_SMALLEST = {8: 1e-11, 4: 1e-6}
# Passes over the rows, and additional directions, that make randomised directions accurate.
_N_PASSES = 2
_N_EXTRA = 50


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Orthogonal directions of rows: ``rows = left @ diag(sqrt(squares)) @ right.T``.

    Parameters
    ----------
    rows : JoinedBlocks
        What was decomposed.
    squares : ndarray of shape (rank,)
        Squared singular values, positive.
    along : ndarray of shape (rank, n_labels)
        Inner products of the columns of `left` and the targets.
    left : ndarray of shape (n_samples, rank) or None
        Orthonormal columns. None if they follow from `right`, which saves memory.
    right : ndarray of shape (n_features, rank) or None
        Orthonormal columns. None if they follow from `left`.
    dtype : dtype
        Precision of `left`.
    is_exact : bool
        Whether no direction was left out.
    """

    rows: JoinedBlocks
    squares: NDArray[Any]
    along: NDArray[np.float64]
    left: NDArray[Any] | None
    right: NDArray[Any] | None
    dtype: Any
    is_exact: bool

    def left_rows(self, positions: NDArray[np.intp]) -> NDArray[Any]:
        """Return some rows of `left`.

        Parameters
        ----------
        positions : ndarray of shape (n,)
            Which rows, in ascending order.

        Returns
        -------
        ndarray of shape (n, rank)
            The rows, in the precision of the decomposition.
        """
        if self.left is not None:
            rows: NDArray[Any] = self.left[positions]
            return rows
        return self.rows.take(positions).dot(self._projection)

    @cached_property
    def _projection(self) -> NDArray[Any]:
        """What turns rows into those of `left`."""
        projection: NDArray[Any] = (self.right / np.sqrt(self.squares)).astype(self.dtype)
        return projection

    def coefficients(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coefficients of features from those of the columns of `left`.

        Parameters
        ----------
        scores : ndarray of shape (rank, n_labels)
            Coefficients, so that ``left @ scores`` are the fitted values.

        Returns
        -------
        ndarray of shape (n_features, n_labels)
            Coefficients ``c`` with ``rows @ c == left @ scores``.
        """
        scaled = scores / np.sqrt(self.squares)[:, np.newaxis]
        if self.right is not None:
            coefficients: NDArray[np.float64] = self.right @ scaled
            return coefficients
        return self.rows.transposed_dot(self.left @ (scaled / np.sqrt(self.squares)[:, np.newaxis]))


def decompose(rows: JoinedBlocks, target: Any, *, seed: int = 0) -> Decomposition:
    """Decompose rows through the smaller of the two matrices of inner products.

    With more than 2,500 rows and features, the 1,500 leading directions are computed in float32;
    with more than 6,000 of both, by a randomised method [1]_ that reads the rows three times. Of
    more than 2 GiB of numbers, products of parts are computed in float32 and added in float64. No
    memory is needed for all rows, unless there are more features than rows.

    Parameters
    ----------
    rows : JoinedBlocks
        Standardised rows.
    target : object whose slices are ndarrays of shape (n, n_labels)
        Targets of the rows.
    seed : int, default=0
        Seed of the randomised method.

    Returns
    -------
    Decomposition
        Directions whose squared length is more than 1e-11 of that of the longest (1e-6 in float32).

    References
    ----------
    .. [1] N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM
       Review 53(2), 2011, algorithms 4.4 and 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import Block
    >>> from multimodal_ensemble.linear._decomposition import decompose
    >>> from multimodal_ensemble.linear._joined_blocks import JoinedBlocks
    >>> block = Block.fit(np.array([[1.0], [3.0]]), standardize=True)
    >>> decompose(JoinedBlocks([block], np.ones(2)), np.eye(2)).squares.round(9).tolist()
    [2.0]
    """
    n_rows, n_features = rows.shape
    smaller = min(n_rows, n_features)
    is_exact = smaller <= MAX_EXACT
    rank = smaller if is_exact else min(_TRUNCATED, smaller)
    # Half the memory and time where there is much to compute.
    is_double = is_exact and 8 * n_rows * smaller <= _MAX_BYTES
    dtype = np.float64 if is_double else np.float32
    if smaller > _MAX_INNER_PRODUCTS:
        return _decompose_randomised(rows, target, rank, seed)
    if n_features <= n_rows:
        gram, with_target = rows.inner_products(target, dtype)
        squares, right = _leading(gram.astype(dtype, copy=False), rank)
        along = _along(right, squares, with_target)
        return Decomposition(rows, squares, along, None, right, dtype, is_exact)
    squares, left = _leading(rows.outer(dtype), rank)
    along = left.T @ target[0:n_rows]
    return Decomposition(rows, squares, along, left, None, dtype, is_exact)


def _leading(matrix: NDArray[Any], rank: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest eigenvalues that are positive, and their eigenvectors."""
    n = len(matrix)
    some = None if rank == n else (n - rank, n - 1)
    values, vectors = eigh(matrix, subset_by_index=some, overwrite_a=True, check_finite=False)
    smallest = _SMALLEST[matrix.itemsize] * values.max(initial=0.0)
    kept = values > max(smallest, np.finfo(matrix.dtype).tiny)
    return values[kept], np.ascontiguousarray(vectors[:, kept])


def _decompose_randomised(rows: JoinedBlocks, target: Any, rank: int, seed: int) -> Decomposition:
    n_rows, n_features = rows.shape
    width = min(rank + _N_EXTRA, n_rows, n_features)
    sample = np.random.default_rng(seed).normal(size=(n_features, width)).astype(np.float32)
    for _ in range(_N_PASSES):
        sample = _orthonormal(rows.squared_dot(sample).astype(np.float32))
    # The rows in the basis of the features: a thin matrix, decomposed through its inner products.
    gram = np.zeros((width, width))
    with_target = np.zeros((width, target.shape[1]))
    for part, thin in rows.projected(sample):
        gram += thin.T @ thin
        with_target += thin.T @ target[part].astype(np.float32)
    squares, vectors = _leading(gram.astype(np.float32), rank)
    along = _along(vectors, squares, with_target)
    right = sample @ vectors
    return Decomposition(rows, squares, along, None, right, np.float32, is_exact=False)


def _along(
    right: NDArray[Any], squares: NDArray[Any], with_target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return inner products of left directions and targets from those of features and targets."""
    along: NDArray[np.float64] = (right / np.sqrt(squares)).T @ with_target
    return along


def _orthonormal(matrix: NDArray[Any]) -> NDArray[Any]:
    basis: NDArray[Any] = qr(matrix, mode="economic", overwrite_a=True, check_finite=False)[0]
    return basis
