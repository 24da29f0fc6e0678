"""Blocks side by side, read part by part.

Products of parts are added in float64, whatever the precision of the parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from multimodal_ensemble.linear._block import Block
from multimodal_ensemble.linear._row_parts import row_parts


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
    >>> from multimodal_ensemble.linear import Block
    >>> from multimodal_ensemble.linear._joined_blocks import JoinedBlocks
    >>> block = Block.fit(np.array([[1.0], [3.0]]), standardize=True)
    >>> gram, along = JoinedBlocks([block, block], np.ones(2)).inner_products(np.eye(2))
    >>> gram.tolist(), along.tolist()
    ([[2.0, 2.0], [2.0, 2.0]], [[-1.0, 1.0], [-1.0, 1.0]])
    """

    blocks: Sequence[Block]
    root_weight: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and of features."""
        return len(self.root_weight), sum(len(block.mean) for block in self.blocks)

    def take(self, positions: NDArray[np.intp]) -> JoinedBlocks:
        """Return the rows at ascending positions."""
        blocks = [block.take(positions) for block in self.blocks]
        return JoinedBlocks(blocks, self.root_weight[positions])

    def inner_products(
        self, target: Any, dtype: DTypeLike = np.float64
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return inner products of all pairs of features, and of features and targets.

        Parameters
        ----------
        target : object whose slices are ndarrays of shape (n, k)
            Targets of the rows.
        dtype : dtype, default=float64
            Precision of the products of a part.

        Returns
        -------
        gram : ndarray of shape (n_features, n_features)
            Inner products of features.
        along : ndarray of shape (n_features, k)
            Inner products of features and targets.
        """
        n_features, n_labels = self.shape[1], target.shape[1]
        gram = np.zeros((n_features, n_features))
        # Of the features, with the targets and with the root weights of each block's rows.
        along = np.zeros((n_features, n_labels + len(self.blocks)))
        here_along = np.zeros((len(self.blocks), n_labels + len(self.blocks)))
        places = self._places()
        for part, here, scaled in self._read(n_labels, dtype):
            beside = np.hstack([target[part], here])
            here_along += here.T @ beside
            beside = beside.astype(dtype)
            for place, one in zip(places, scaled, strict=True):
                along[place] += one.T @ beside
                for other_place, other in zip(places, scaled, strict=True):
                    if other_place.start <= place.start:
                        gram[place, other_place] += _dense(one.T @ other)
        # Rows of sparse blocks are centred here: (S - H O')'(S - H O').
        offsets = self._offsets()
        with_here = along[:, n_labels:]
        gram -= with_here @ offsets.T
        gram -= offsets @ (with_here - offsets @ here_along[:, n_labels:]).T
        for place in places:
            gram[: place.start, place] = gram[place, : place.start].T
        return gram, along[:, :n_labels] - offsets @ here_along[:, :n_labels]

    def outer(self, dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """Return the inner products of all pairs of rows, which are all read at once."""
        n_rows = self.shape[0]
        total = np.zeros((n_rows, n_rows), dtype=dtype)
        everything = slice(0, n_rows)
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
        for part, projected in self.projected(right):
            product[part] = projected
        return product

    def projected(self, right: NDArray[Any]) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield slices of rows, and their products with a matrix of shape (n_features, k)."""
        centre = self._centre(right)
        for part, here, scaled in self._read(right.shape[1], right.dtype):
            yield part, self._project(scaled, here, right, centre)

    def transposed_dot(self, right: NDArray[Any]) -> NDArray[np.float64]:
        """Return the product of the transposed rows and a matrix of shape (n_samples, k)."""
        product = np.zeros((self.shape[1], right.shape[1]))
        for part, here, scaled in self._read(right.shape[1], right.dtype):
            self._add_transposed(product, scaled, here, right[part])
        return product

    def squared_dot(self, right: NDArray[Any]) -> NDArray[np.float64]:
        """Return the product of transposed rows, rows and `right`; rows are read once."""
        product = np.zeros(right.shape)
        centre = self._centre(right)
        for _, here, scaled in self._read(right.shape[1], right.dtype):
            self._add_transposed(product, scaled, here, self._project(scaled, here, right, centre))
        return product

    def split(self, joined: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Return the rows of a matrix of shape (n_features, k) that belong to each block."""
        ends = np.cumsum([len(block.mean) for block in self.blocks])
        return np.split(joined, ends[:-1])

    def _centre(self, right: NDArray[Any]) -> NDArray[Any]:
        """Return the products of the offsets and a matrix of shape (n_features, k)."""
        centre: NDArray[Any] = self._offsets().astype(right.dtype).T @ right
        return centre

    def _project(
        self,
        scaled: Sequence[Any],
        here: NDArray[np.float64],
        right: NDArray[Any],
        centre: NDArray[Any],
    ) -> NDArray[Any]:
        """Return the product of rows and a matrix of shape (n_features, k)."""
        product: NDArray[Any] = here.astype(right.dtype) @ -centre
        for place, one in zip(self._places(), scaled, strict=True):
            product += one @ right[place]
        return product

    def _add_transposed(
        self,
        product: NDArray[np.float64],
        scaled: Sequence[Any],
        here: NDArray[np.float64],
        right: NDArray[Any],
    ) -> None:
        """Add the product of transposed rows and a matrix of shape (n, k)."""
        product -= self._offsets() @ (here.T @ right)
        for place, one in zip(self._places(), scaled, strict=True):
            product[place] += one.T @ right

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
        if block.is_sparse:
            return scaled.multiply(weight).tocsr()
        scaled *= weight
        return scaled

    def _read(
        self, n_columns: int, dtype: DTypeLike
    ) -> Iterator[tuple[slice, NDArray[np.float64], list[Any]]]:
        """Yield slices of rows that are converted at once, with `_here` and each block's rows.

        `n_columns` is the number of columns of what is computed beside them.
        """
        dense = sum(len(block.mean) for block in self.blocks if not block.is_sparse)
        for part in row_parts(self.shape[0], max(dense, n_columns)):
            yield part, self._here(part), [self._scaled(b, part, dtype) for b in self.blocks]


def _dense(product: Any) -> NDArray[Any]:
    dense: NDArray[Any] = product.toarray() if hasattr(product, "toarray") else product
    return dense
