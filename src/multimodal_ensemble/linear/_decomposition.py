"""The directions of a set of rows, exact where possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, qr

from multimodal_ensemble.linear._block import JoinedBlocks

# Up to this number of rows or of features, whichever is smaller, all directions are kept.
MAX_EXACT = 2500
# Beyond, this many directions are kept, or as many as this much memory holds for all rows.
_TRUNCATED = 1500
_MAX_BYTES = 2**32
# Directions without length: relative to the longest.
_SMALLEST = 1e-11
# Passes over the rows, and additional directions, that make the truncated directions accurate.
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
    left: NDArray[np.float64]
    squares: NDArray[np.float64]
    right: NDArray[np.float64] | None
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
            return self.right @ scaled
        return self.rows.transposed_dot(self.left @ (scaled / np.sqrt(self.squares)[:, np.newaxis]))


def decompose(rows: JoinedBlocks, *, seed: int = 0) -> Decomposition:
    """Decompose rows through the smaller of the two matrices of inner products.

    With more than 2,500 rows and features, the 1,500 leading directions are computed by a
    randomised method [1]_, or as many as 4 GiB hold.

    Parameters
    ----------
    rows : JoinedBlocks
        Standardised rows.
    seed : int, default=0
        Seed of the randomised method.

    Returns
    -------
    Decomposition
        Directions with a length of more than 1e-11 of the longest (squared).

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
    max_exact = min(MAX_EXACT, _MAX_BYTES // (8 * n_rows))
    if min(n_rows, n_features) > max_exact:
        return _decompose_truncated(rows, seed)
    if n_features <= n_rows:
        squares, right = _positive_eigen(rows.gram())
        left = rows.dot(right) / np.sqrt(squares)
        return Decomposition(rows, left, squares, right, is_exact=True)
    squares, left = _positive_eigen(rows.outer())
    return Decomposition(rows, left, squares, None, is_exact=True)


def _positive_eigen(
    matrix: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    values, vectors = eigh(matrix, overwrite_a=True, check_finite=False)
    kept = values > max(_SMALLEST * values.max(initial=0.0), np.finfo(np.float64).tiny)
    return values[kept], np.ascontiguousarray(vectors[:, kept])


def _decompose_truncated(rows: JoinedBlocks, seed: int) -> Decomposition:
    n_rows, n_features = rows.shape
    rank = min(_TRUNCATED, n_rows, n_features, max(1, _MAX_BYTES // (8 * n_rows)))
    width = min(rank + _N_EXTRA, n_rows, n_features)
    sample = np.random.default_rng(seed).normal(size=(n_features, width))
    for _ in range(_N_PASSES):
        basis = _orthonormal(rows.dot(sample))
        sample = _orthonormal(rows.transposed_dot(basis))
    # The rows in the basis of the features: a thin matrix, decomposed through its inner products.
    thin = rows.dot(sample)
    values, vectors = _positive_eigen(thin.T @ thin)
    values, vectors = values[-rank:], vectors[:, -rank:]
    left = thin @ vectors / np.sqrt(values)
    return Decomposition(rows, left, values, sample @ vectors, is_exact=False)


def _orthonormal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    basis: NDArray[np.float64] = qr(matrix, mode="economic", overwrite_a=True, check_finite=False)[
        0
    ]
    return basis
