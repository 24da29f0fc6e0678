"""Weights and vectors of tokens from how often rows hold them, alone and together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

# The exponent of Levy, Goldberg and Dagan (2015), after that of word2vec: a rare context gets
# less weight.
_CONTEXT_EXPONENT = 0.75
_SEED = 0
# More passes, and float64, take three times as long and give labels of the same quality.
_N_PASSES = 2


def inverse_frequencies(counts: csr_matrix) -> NDArray[np.float64]:
    """Return ``ln((1 + n) / (1 + df)) + 1`` for tokens that df of n rows hold."""
    n_rows, n_tokens = counts.shape
    document_frequencies = np.bincount(counts.indices, minlength=n_tokens)
    return np.asarray(np.log((1 + n_rows) / (1 + document_frequencies)) + 1)


def positive_pmi(bags: csr_matrix) -> csr_matrix:
    """Return how much more often two tokens share a row than independent ones would.

    Parameters
    ----------
    bags : sparse matrix of shape (n, n_tokens)
        1 where a row holds a token.

    Returns
    -------
    sparse matrix of shape (n_tokens, n_tokens)
        ``max(0, ln(p(i, j) / (p(i) q(j))))`` for the token i and the other token j, its context.
        p is the distribution of the pairs, and q that of the contexts with the exponent 0.75.
    """
    pairs = (bags.T @ bags).tocoo()
    is_pair = pairs.row != pairs.col
    rows, columns, together = pairs.row[is_pair], pairs.col[is_pair], pairs.data[is_pair]
    n_pairs = np.bincount(rows, weights=together, minlength=bags.shape[1])
    contexts = n_pairs**_CONTEXT_EXPONENT
    contexts /= max(contexts.sum(), 1)
    pmi = np.log(together / (n_pairs[rows] * contexts[columns]))
    matrix = csr_matrix((np.maximum(pmi, 0), (rows, columns)), shape=pairs.shape)
    matrix.eliminate_zeros()
    return matrix


def factorize(matrix: csr_matrix, dim: int) -> NDArray[np.float32]:
    """Return vectors of length 1 whose products approximate a square matrix.

    Parameters
    ----------
    matrix : sparse matrix of shape (n_tokens, n_tokens)
        What `positive_pmi` returned.
    dim : int
        Largest size of the vectors.

    Returns
    -------
    ndarray of shape (n_tokens, n_dimensions)
        The left singular vectors, scaled by the square roots of their singular values and then
        each row to length 1. Rows of zeros stay. There are as many dimensions as the matrix has
        singular values above 0, between 1 and `dim`.
    """
    n_components = min(dim, matrix.shape[0])
    single = matrix.astype(np.float32)
    left, values, _ = randomized_svd(single, n_components, n_iter=_N_PASSES, random_state=_SEED)
    rank = np.count_nonzero(values > values[0] * matrix.shape[0] * np.finfo(np.float32).eps)
    scaled = (left * np.sqrt(values))[:, : max(rank, 1)]
    vectors: NDArray[np.float32] = normalize(scaled).astype(np.float32)
    return vectors


def less_centre(parts: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return parts of a row that add up to the row less a centre.

    Each part takes the share of the centre that it has of the row, its product with the row.
    """
    row = parts.sum(axis=0)
    length = float(row @ row)
    return parts - np.outer(parts @ row / length, centre) if length else parts
