"""Writing the rows of one modality to a file."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from multimodal_ensemble.encoders import Encoder, ItemsEncoder
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.generators._row_files import DenseRowFile, RowFile, SparseRowFile
from multimodal_ensemble.generators._row_sources import EncodedRows, FileRows, StoredRows


def is_stored(encoder: Encoder, store: FeatureStore | None) -> bool:
    """Return whether a store holds the features of an encoder."""
    return store is not None and encoder.frozen_part() is not None


class RowWriter:
    """Writes the rows of one modality to a file, once it is known whether they are sparse."""

    def __init__(self, encoder: Encoder, store: FeatureStore | None) -> None:
        self._encoder = encoder
        self._store = store
        self._file: RowFile | None = None
        # Rows that lack the modality, before the first one that has it.
        self._n_missing = 0

    def append(self, source: EncodedRows | StoredRows | FileRows, *, has_any: bool) -> None:
        """Write the rows of a source, some of which have the modality if `has_any`."""
        if isinstance(source, EncodedRows) and not has_any:
            # Their matrix would be dense.
            self._write_missing(len(source))
            return
        rows: Any = source.variants if isinstance(source, StoredRows) else source.matrix()
        is_sparse = hasattr(rows, "tocsr")
        rows = rows if is_sparse or isinstance(source, StoredRows) else rows[np.newaxis]
        if self._file is None:
            self._file = (
                SparseRowFile(rows.shape[1])
                if is_sparse
                else DenseRowFile(
                    rows.shape[2:], rows.dtype, n_variants=len(rows), is_half=self._is_half()
                )
            )
            self._write_missing(self._n_missing)
        self._file.append(rows)

    def finish(self) -> RowFile:
        """Return the complete file."""
        if self._file is None:
            self._file = SparseRowFile(int(self._encoder.input_shape[0] or 1))
            self._write_missing(self._n_missing)
        return self._file

    def _write_missing(self, n_rows: int) -> None:
        if self._file is None:
            self._n_missing += n_rows
        elif isinstance(self._file, SparseRowFile):
            self._file.append(csr_array((n_rows, *self._file.shape), dtype=np.float32))
        else:
            self._file.append(np.zeros((1, n_rows, *self._file.shape), self._file.dtype))

    def _is_half(self) -> bool:
        # Means of the features of several items have more digits than those of the store.
        encoder, store = self._encoder, self._store
        is_pooled = isinstance(encoder, ItemsEncoder) and encoder.items is not None
        return (
            store is not None
            and is_stored(encoder, store)
            and store.dtype == "float16"
            and not is_pooled
        )
