"""Features of several encoders, centred, scaled and joined without a dense copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Numbers that are converted to float64 at once: 32 MiB.
_NUMBERS_PER_CHUNK = 2**22


@dataclass(frozen=True, eq=False)
class Block:
    """Features of one encoder with the mean and the factor that standardise them.

    Row i of the block is ``(matrix[i] - mean) * factor``, or zeros where the row lacks the
    modality. The mean squared norm of the other rows is 1, so that blocks of different sizes have
    the same influence in a joined model.

    Parameters
    ----------
    matrix : ndarray or sparse matrix of shape (n_samples, n_features)
        Features.
    mean : ndarray of shape (n_features,)
        What is subtracted.
    factor : ndarray of shape (n_features,)
        What the difference is multiplied by; 0 for constant features.
    present : ndarray of shape (n_samples,)
        1 where a row has the modality, else 0.

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
    present: NDArray[np.float64]

    @classmethod
    def fit(
        cls, matrix: Any, *, standardize: bool, present: Any = None, sample_weight: Any = None
    ) -> Block:
        """Learn mean and factor from the rows of a matrix.

        Parameters
        ----------
        matrix : ndarray or sparse matrix of shape (n_samples, n_features)
            Features of the training rows.
        standardize : bool
            Whether each feature is divided by its standard deviation before the whole block is
            scaled.
        present : ndarray of shape (n_samples,), optional
            Whether each row has the modality; the others are rows of zeros. Default: all have it.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        Block
            The standardised rows.
        """
        if hasattr(matrix, "tocsr"):
            matrix = matrix.tocsr()
        n_rows = matrix.shape[0]
        present = np.ones(n_rows) if present is None else np.asarray(present, dtype=np.float64)
        weight = present if sample_weight is None else sample_weight * present
        share = weight / max(weight.sum(), np.finfo(np.float64).tiny)
        mean, variance = _moments(matrix, share)
        # Rounding leaves a variance of about 1e-16 of the square in a constant column.
        constant = variance <= np.maximum(1e-12 * mean**2, 1e-60)
        variance = np.where(constant, 0.0, variance)
        factor = np.where(constant, 0.0, 1.0)
        if standardize:
            factor = np.divide(1.0, np.sqrt(variance), out=factor, where=~constant)
        norm = np.sqrt((variance * factor**2).sum())
        return cls(matrix, mean, factor / norm if norm > 0 else factor, present)

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is sparse."""
        return hasattr(self.matrix, "tocsr")

    def rows(self, rows: slice) -> NDArray[np.float64]:
        """Return standardised rows as a dense float64 array."""
        part = self.matrix[rows]
        part = part.toarray() if self.is_sparse else part
        centred = np.asarray(part, dtype=np.float64) - self.mean
        result: NDArray[np.float64] = self.present[rows, np.newaxis] * centred * self.factor
        return result

    def outer(self) -> NDArray[np.float64]:
        """Return the inner products of all pairs of rows."""
        if not self.is_sparse:
            rows = self.rows(slice(None))
            return rows @ rows.T
        scaled = self.matrix.astype(np.float64).multiply(self.factor[np.newaxis]).tocsr()
        offset = self.mean * self.factor
        along = np.asarray(scaled @ offset).ravel()
        products: NDArray[np.float64] = (scaled @ scaled.T).toarray()
        products -= np.outer(along, self.present)
        products -= np.outer(self.present, along - self.present * (offset @ offset))
        return products

    def dot(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of the rows and a matrix of shape (n_features, k)."""
        scaled = self.factor[:, np.newaxis] * right
        if self.is_sparse:
            product: NDArray[np.float64] = self.matrix @ scaled
            return product - np.outer(self.present, self.mean @ scaled)
        return np.concatenate([self.rows(part) @ right for part in self.parts()])

    def transposed_dot(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of the transposed rows and a matrix of shape (n_samples, k)."""
        if self.is_sparse:
            product: NDArray[np.float64] = self.matrix.T @ right
            product -= np.outer(self.mean, self.present @ right)
            scaled: NDArray[np.float64] = self.factor[:, np.newaxis] * product
            return scaled
        return sum(
            (self.rows(part).T @ right[part] for part in self.parts()),
            start=np.zeros((len(self.mean), right.shape[1])),
        )

    def parts(self) -> Iterator[slice]:
        """Yield slices of rows that are small enough to be converted at once."""
        return _parts(self.matrix.shape[0], len(self.mean))


@dataclass(frozen=True, eq=False)
class JoinedBlocks:
    """Blocks side by side, with rows multiplied by the roots of their weights.

    Parameters
    ----------
    blocks : sequence of Block
        Blocks with the same rows.
    root_weight : ndarray of shape (n_samples,)
        Square roots of the weights of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear._block import Block, JoinedBlocks
    >>> block = Block.fit(np.array([[1.0], [3.0]]), standardize=True)
    >>> JoinedBlocks([block, block], np.ones(2)).gram().tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """

    blocks: Sequence[Block]
    root_weight: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return len(self.root_weight), sum(len(block.mean) for block in self.blocks)

    def gram(self) -> NDArray[np.float64]:
        """Return the inner products of all pairs of features."""
        n_rows, n_features = self.shape
        total = np.zeros((n_features, n_features))
        for part in _parts(n_rows, n_features):
            rows = np.hstack([block.rows(part) for block in self.blocks])
            rows *= self.root_weight[part, np.newaxis]
            total += rows.T @ rows
        return total

    def outer(self) -> NDArray[np.float64]:
        """Return the inner products of all pairs of rows."""
        n_rows = self.shape[0]
        total = np.zeros((n_rows, n_rows))
        for block in self.blocks:
            total += block.outer()
        return total * self.root_weight * self.root_weight[:, np.newaxis]

    def dot(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of the rows and a matrix of shape (n_features, k)."""
        parts = self.split(right)
        total = np.zeros((self.shape[0], right.shape[1]))
        for block, part in zip(self.blocks, parts, strict=True):
            total += block.dot(part)
        return total * self.root_weight[:, np.newaxis]

    def transposed_dot(self, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the product of the transposed rows and a matrix of shape (n_samples, k)."""
        weighted = right * self.root_weight[:, np.newaxis]
        return np.concatenate([block.transposed_dot(weighted) for block in self.blocks])

    def split(self, joined: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the rows of a matrix of shape (n_features, k) that belong to each block."""
        ends = np.cumsum([len(block.mean) for block in self.blocks])
        return np.split(joined, ends[:-1])


def _moments(
    matrix: Any, share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted mean and variance of each column."""
    if hasattr(matrix, "tocsr"):
        mean = np.asarray(matrix.T @ share).ravel()
        squares = np.asarray(matrix.multiply(matrix).T @ share).ravel()
        return mean, np.maximum(squares - mean**2, 0.0)
    mean = np.zeros(matrix.shape[1])
    for part in _parts(*matrix.shape):
        mean += share[part] @ np.asarray(matrix[part], dtype=np.float64)
    variance = np.zeros(matrix.shape[1])
    for part in _parts(*matrix.shape):
        variance += share[part] @ (np.asarray(matrix[part], dtype=np.float64) - mean) ** 2
    return mean, variance


def _parts(n_rows: int, n_columns: int) -> Iterator[slice]:
    step = max(1, _NUMBERS_PER_CHUNK // max(1, n_columns))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
