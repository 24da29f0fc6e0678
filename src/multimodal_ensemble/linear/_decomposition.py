"""The directions of a set of rows, exact where possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr

from multimodal_ensemble.linear._block import JoinedBlocks

# Up to this number of rows or of features, whichever is smaller, all directions are kept.
MAX_EXACT = 2500
# Beyond, this many directions are kept, or as many as this much memory holds for all rows.
_TRUNCATED = 1500
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
    left : ndarray of shape (n_samples, rank)
        Orthonormal columns.
    squares : ndarray of shape (rank,)
        Squared singular values, positive.
    right : ndarray of shape (n_features, rank) or None
        Orthonormal columns. None if it follows from `left`, which saves memory.
    is_exact : bool
        Whether no direction was left out.
    """

    rows: JoinedBlocks
    left: NDArray[Any]
    squares: NDArray[Any]
    right: NDArray[Any] | None
    is_exact: bool

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


def decompose(rows: JoinedBlocks, *, seed: int = 0) -> Decomposition:
    """Decompose rows through the smaller of the two matrices of inner products.

    With more than 2,500 rows and features, the 1,500 leading directions are computed, or as many
    as 2 GiB hold, in float32; with more than 6,000 of both, by a randomised method [1]_.

    Parameters
    ----------
    rows : JoinedBlocks
        Standardised rows.
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
    >>> from multimodal_ensemble.linear._block import JoinedBlocks
    >>> from multimodal_ensemble.linear._decomposition import decompose
    >>> block = Block.fit(np.array([[1.0], [3.0]]), standardize=True)
    >>> decompose(JoinedBlocks([block], np.ones(2))).squares.round(9).tolist()
    [2.0]
    """
    n_rows, n_features = rows.shape
    smaller = min(n_rows, n_features)
    is_small = smaller <= min(MAX_EXACT, _MAX_BYTES // (8 * n_rows))
    rank = smaller if is_small else min(_TRUNCATED, smaller, max(1, _MAX_BYTES // (4 * n_rows)))
    is_exact = rank == smaller
    # Half the memory and time where there is much to compute.
    dtype = np.float64 if is_small else np.float32
    if smaller > _MAX_INNER_PRODUCTS:
        return _decompose_randomised(rows, rank, seed)
    if n_features <= n_rows:
        squares, right = _leading(rows.gram(dtype), rank)
        left = rows.dot((right / np.sqrt(squares)).astype(dtype))
        return Decomposition(rows, left, squares, right, is_exact)
    squares, left = _leading(rows.outer(dtype), rank)
    return Decomposition(rows, left, squares, None, is_exact)


def _leading(matrix: NDArray[Any], rank: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the largest eigenvalues that are positive, and their eigenvectors."""
    n = len(matrix)
    some = None if rank == n else (n - rank, n - 1)
    values, vectors = eigh(matrix, subset_by_index=some, overwrite_a=True, check_finite=False)
    smallest = _SMALLEST[matrix.itemsize] * values.max(initial=0.0)
    kept = values > max(smallest, np.finfo(matrix.dtype).tiny)
    return values[kept], np.ascontiguousarray(vectors[:, kept])


def _decompose_randomised(rows: JoinedBlocks, rank: int, seed: int) -> Decomposition:
    n_rows, n_features = rows.shape
    width = min(rank + _N_EXTRA, n_rows, n_features)
    sample = np.random.default_rng(seed).normal(size=(n_features, width)).astype(np.float32)
    for _ in range(_N_PASSES):
        sample = _orthonormal(rows.transposed_dot(rows.dot(sample)))
    # The rows in the basis of the features: a thin matrix, decomposed through its inner products.
    thin = rows.dot(sample)
    squares, vectors = _leading(thin.T @ thin, rank)
    del thin
    right = sample @ vectors
    left = rows.dot(right / np.sqrt(squares))
    return Decomposition(rows, left, squares, right, is_exact=False)


def _orthonormal(matrix: NDArray[Any]) -> NDArray[Any]:
    basis: NDArray[Any] = qr(matrix, mode="economic", overwrite_a=True, check_finite=False)[0]
    return basis
