"""Sources of the rows of one modality: encoded batch by batch, stored features, or a file."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from multimodal_ensemble._encoder_calls import checked_digests, checked_encode, checked_prepare
from multimodal_ensemble._tables import locating_errors
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.generators._row_files import ROWS_PER_BLOCK, RowFile, RowsOnDisk

# Vectors are encoded once if all of them take no more than this: 400 tags of 40,000 movies. Larger
# ones are encoded batch by batch, which takes about 2 % of a training from a sparse matrix.
_KEPT_BYTES = 2**26


class EncodedRows:
    """Raw values that are encoded on demand, or once if they are small vectors.

    `values` belong to the rows that are `present`. `numbers` are the positions of all rows in the
    data of the user, for messages.
    """

    def __init__(
        self,
        encoder: Encoder,
        values: Any,
        present: NDArray[np.bool_],
        numbers: NDArray[np.intp],
        *,
        augment: bool,
    ) -> None:
        self._encoder = encoder
        self._present = present
        self._numbers = numbers
        # The position of each row among the rows that have the modality.
        self._position = np.cumsum(present) - 1
        n_rows = int(present.sum())
        shape = encoder.input_shape
        self._kept: NDArray[Any] | None = None
        self._sparse: Any = None
        self._digests: list[bytes] = []
        if not n_rows:
            return
        with locating_errors(numbers[present]):
            prepared = checked_prepare(encoder, values)
            # Where it is sparse, it is the encoded rows.
            self._sparse = prepared if hasattr(prepared, "tocsr") else None
            if augment and encoder.augmentation is not None:
                self._digests = checked_digests(encoder, prepared)
            if len(shape) == 1 and 4 * n_rows * (shape[0] or math.inf) <= _KEPT_BYTES:
                self._kept = checked_encode(encoder, prepared)
            else:
                self._prepared = prepared

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._present)

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return encoded rows, or the given view of each; zeros where the modality is missing."""
        present = self._present[rows]
        if present.all():
            return self._encode(rows, views)
        if not self._present.any():
            # Trained layers must take rows of length 1.
            shape = [1 if size is None else size for size in self._encoder.input_shape]
            return np.zeros((len(rows), *shape), dtype=self._encoder.input_dtype)
        sample, positions = rows[present], np.flatnonzero(present)
        if not present.any():
            # Keras needs batches of one dtype, which another row of the data determines.
            sample, positions = np.flatnonzero(self._present)[:1], np.array([0])
        encoded = self._encode(sample, None if views is None else views[positions])
        taken = np.zeros((len(rows), *encoded.shape[1:]), dtype=encoded.dtype)
        taken[present] = encoded[: present.sum()]
        return taken

    def matrix(self) -> Any:
        """Return all rows as vectors: a sparse matrix where the encoder prepares one."""
        if None in self._encoder.input_shape:
            msg = (
                f"Rows of modality {self._encoder.name!r} differ in length, so they are no "
                "vectors. Use an encoder with a backbone that returns vectors, or a network."
            )
            raise ModalityError(msg)
        if self._sparse is None:
            rows = np.arange(len(self._present))
            vectors: NDArray[Any] = np.empty((0, 0))
            for part in np.array_split(rows, -(-len(rows) // 1024)):
                taken = self.take(part).reshape(len(part), -1)
                if not len(vectors):
                    vectors = np.empty((len(rows), taken.shape[1]), dtype=taken.dtype)
                vectors[part] = taken
            return vectors
        if self._present.all():
            return self._sparse.tocsr()
        # Rows that lack the modality are rows of zeros.
        rows = np.flatnonzero(self._present)
        place = (np.ones(len(rows)), (rows, np.arange(len(rows))))
        shape = (len(self._present), len(rows))
        return (csr_array(place, shape=shape, dtype=np.float32) @ self._sparse).tocsr()

    def _encode(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None) -> NDArray[Any]:
        positions = self._position[rows]
        encoded: NDArray[Any]
        if self._kept is not None:
            encoded = self._kept[positions]
        else:
            with locating_errors(self._numbers[rows]):
                encoded = checked_encode(self._encoder, self._prepared[positions])
        if views is not None:
            digests = [self._digests[position] for position in positions]
            encoded = self._encoder.augmentation.apply(encoded, digests, views)
        return encoded


class StoredRows:
    """Features of rows, then of each augmented view, of shape ``(1 + views, n, ...)``."""

    is_stored = True

    def __init__(self, encoder: Encoder, features: NDArray[np.float32]) -> None:
        self._encoder = encoder
        self.variants = features
        self._frozen_weights = _frozen_weights(encoder)

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return the features of rows, or of the given view of each."""
        taken: NDArray[Any] = self.variants[0 if views is None else 1 + views, rows]
        return taken

    @property
    def features(self) -> NDArray[np.float32]:
        """The features of all rows, without augmentation."""
        plain: NDArray[np.float32] = self.variants[0]
        return plain

    def matrix(self) -> NDArray[np.float32]:
        """Return the features of all rows as vectors."""
        plain = self.features
        vectors: NDArray[np.float32] = plain.reshape(len(plain), -1)
        return vectors

    def is_current(self) -> bool:
        """Return whether the frozen layers are still those that computed the features."""
        return _frozen_weights(self._encoder) == self._frozen_weights


def make_source(
    encoder: Encoder,
    values: Any,
    present: NDArray[np.bool_],
    numbers: NDArray[np.intp],
    *,
    augment: bool,
) -> EncodedRows | StoredRows:
    """Return rows that are encoded on demand, or the features that a store has for missing rows.

    These are zeros, which stand for rows of different lengths if all of them are missing: no length
    is known that the frozen layers can take.
    """
    if not present.any() and None in encoder.input_shape:
        frozen = encoder.frozen_part()
        shape = () if frozen is None else frozen.output_shape[1:]
        if frozen is not None and None not in shape:
            has_views = augment and encoder.augmentation is not None
            n_variants = 1 + int(encoder.augmentation.views if has_views else 0)
            zeros = np.zeros((n_variants, len(present), *shape), dtype=np.float32)
            return StoredRows(encoder, zeros)
    return EncodedRows(encoder, values, present, numbers, augment=augment)


class FileRows:
    """Rows in a file, of which the blocks that were read last are kept in memory.

    The rows are stored features where `is_stored`, and encoded rows otherwise. At most `n_cached`
    blocks are kept.
    """

    def __init__(self, encoder: Encoder, file: RowFile, *, is_stored: bool, n_cached: int) -> None:
        self._encoder = encoder
        self._file = file
        self.is_stored = is_stored
        self._frozen_weights = _frozen_weights(encoder) if is_stored else None
        self._n_cached = n_cached
        self._blocks: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return rows, or the given view of each."""
        if views is None and len(rows) != 1 and (np.diff(rows) == 1).all():
            start = int(rows[0]) if len(rows) else 0
            read = self._file.read(start, start + len(rows))
            dense: NDArray[Any] = read.toarray() if hasattr(read, "toarray") else read
            return dense
        order = np.argsort(rows, kind="stable")
        numbers, starts = np.unique(rows[order] // ROWS_PER_BLOCK, return_index=True)
        parts = [
            (self._block(number), part % ROWS_PER_BLOCK)
            for number, part in zip(
                numbers.tolist(), np.split(rows[order], starts[1:]), strict=True
            )
        ]
        taken = self._file.take(parts, None if views is None else 1 + views[order])
        in_order = np.empty_like(taken)
        in_order[order] = taken
        return in_order

    @property
    def features(self) -> RowsOnDisk:
        """The rows without augmentation, read slice by slice."""
        return RowsOnDisk(self._file, self._file.shape)

    def matrix(self) -> RowsOnDisk:
        """Return the rows as vectors, read slice by slice."""
        return RowsOnDisk(self._file, (math.prod(self._file.shape),))

    def is_current(self) -> bool:
        """Return whether the rows are features of the layers that are frozen now."""
        return self.is_stored and _frozen_weights(self._encoder) == self._frozen_weights

    def _block(self, number: int) -> Any:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
        block = self._file.read_block(number)
        with self._lock:
            self._blocks[number] = block
            while len(self._blocks) > self._n_cached:
                self._blocks.popitem(last=False)
        return block


def _frozen_weights(encoder: Encoder) -> list[int] | None:
    frozen = encoder.frozen_part()
    return None if frozen is None else [id(weight) for weight in frozen.weights]
