"""Features of several encoders, centred, scaled and joined without a dense copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

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

    def take(self, rows: NDArray[Any]) -> Block:
        """Return a block of some rows, with the same mean and factor.

        Parameters
        ----------
        rows : ndarray
            Positions, or True for the rows to take.

        Returns
        -------
        Block
            The block itself if all rows are True.
        """
        if rows.dtype == bool and rows.all():
            return self
        return Block(self.matrix[rows], self.mean, self.factor, self.present[rows])

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is sparse."""
        return hasattr(self.matrix, "tocsr")

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

    def gram(self, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the inner products of all pairs of features."""
        n_features = self.shape[1]
        total = np.zeros((n_features, n_features), dtype=dtype)
        along = np.zeros((n_features, len(self.blocks)), dtype=dtype)
        places = self._places()
        for part in self._parts():
            scaled = [self._scaled(block, part, dtype) for block in self.blocks]
            here = self._here(part).astype(dtype)
            for place, one in zip(places, scaled, strict=True):
                along[place] += one.T @ here
                for other_place, other in zip(places, scaled, strict=True):
                    if other_place.start <= place.start:
                        total[place, other_place] += _dense(one.T @ other)
        # Rows of sparse blocks are centred here: (S - H O')'(S - H O').
        offsets = self._offsets().astype(dtype)
        here = self._here(slice(None))
        total -= along @ offsets.T
        total -= offsets @ (along - offsets @ (here.T @ here).astype(dtype)).T
        for place in places:
            total[: place.start, place] = total[place, : place.start].T
        return total

    def outer(self, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the inner products of all pairs of rows."""
        n_rows = self.shape[0]
        total = np.zeros((n_rows, n_rows), dtype=dtype)
        everything = slice(None)
        for block in self.blocks:
            scaled = self._scaled(block, everything, dtype)
            total += _dense(scaled @ scaled.T)
            if block.is_sparse:
                here = (self.root_weight * block.present).astype(dtype)
                along = scaled @ block.offset.astype(dtype)
                total -= np.outer(along, here)
                total -= np.outer(here, along - here * float(block.offset @ block.offset))
        return total

    def dot(self, right: NDArray[Any]) -> NDArray[Any]:
        """Return the product of the rows and a matrix of shape (n_features, k), in its dtype."""
        product = np.empty((self.shape[0], right.shape[1]), dtype=right.dtype)
        places = self._places()
        centre = self._offsets().astype(right.dtype).T @ right
        for part in self._parts(right.shape[1]):
            product[part] = self._here(part).astype(right.dtype) @ -centre
            for place, block in zip(places, self.blocks, strict=True):
                product[part] += self._scaled(block, part, right.dtype) @ right[place]
        return product

    def transposed_dot(self, right: NDArray[Any]) -> NDArray[Any]:
        """Return the product of the transposed rows and a matrix of shape (n_samples, k)."""
        here = self._here(slice(None)).astype(right.dtype)
        product: NDArray[Any] = -self._offsets().astype(right.dtype) @ (here.T @ right)
        places = self._places()
        for part in self._parts(right.shape[1]):
            for place, block in zip(places, self.blocks, strict=True):
                product[place] += self._scaled(block, part, right.dtype).T @ right[part]
        return product

    def split(self, joined: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the rows of a matrix of shape (n_features, k) that belong to each block."""
        ends = np.cumsum([len(block.mean) for block in self.blocks])
        return np.split(joined, ends[:-1])

    def _places(self) -> list[slice]:
        """Return where the features of each block are."""
        ends = [int(end) for end in np.cumsum([len(block.mean) for block in self.blocks])]
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _offsets(self) -> NDArray[np.float64]:
        """Return the offset of each block in a column of its own, (n_features, n_blocks)."""
        offsets = np.zeros((self.shape[1], len(self.blocks)))
        for column, (place, block) in enumerate(zip(self._places(), self.blocks, strict=True)):
            offsets[place, column] = block.offset
        return offsets

    def _here(self, part: slice) -> NDArray[np.float64]:
        """Return the root weights of the rows that have each modality, (n, n_blocks)."""
        present = np.stack([block.present[part] for block in self.blocks], axis=1)
        weighted: NDArray[np.float64] = present * self.root_weight[part, np.newaxis]
        return weighted

    def _scaled(self, block: Block, part: slice, dtype: DTypeLike) -> Any:
        scaled = block.scaled(part, dtype)
        weight = self.root_weight[part, np.newaxis].astype(dtype)
        return scaled.multiply(weight).tocsr() if block.is_sparse else scaled * weight

    def _parts(self, n_columns: int = 0) -> Iterator[slice]:
        """Yield slices of rows that are small enough to be converted at once."""
        dense = sum(len(block.mean) for block in self.blocks if not block.is_sparse)
        return _parts(self.shape[0], max(dense, n_columns))


def _dense(product: Any) -> NDArray[Any]:
    dense: NDArray[Any] = product.toarray() if hasattr(product, "toarray") else product
    return dense


def _moments(
    matrix: Any, share: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weighted mean and variance of each column."""
    if hasattr(matrix, "tocsr"):
        # The difference of two close numbers below would be rounding in float32.
        matrix = matrix.astype(np.float64)
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
