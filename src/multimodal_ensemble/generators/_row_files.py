"""Rows of one modality on disk, written in order and read block by block."""

from __future__ import annotations

import tempfile
import weakref
from abc import ABC, abstractmethod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from multimodal_ensemble._half_precision import from_half, to_half
from multimodal_ensemble._temporary_files import explaining_temporary_files

# Rows that are read at once. Fewer rows would be mixed better, and more rows need fewer reads.
ROWS_PER_BLOCK = 256


class RowFile(ABC):
    """A temporary file of rows; it is deleted with the object, or when the process ends.

    Rows are appended first and read afterwards, also from several threads.

    Parameters
    ----------
    shape : tuple of int
        Shape of one row.
    dtype : dtype
        Type of the values that are read.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.n_rows = 0
        self.n_bytes = 0
        # Without a name on Linux and macOS, so that not even a killed process leaves it behind.
        with explaining_temporary_files():
            self._file = tempfile.TemporaryFile(prefix="rows-", buffering=0)
        weakref.finalize(self, self._file.close)

    def __reduce__(self) -> NoReturn:
        """Refuse copies, which would share a file that only this object owns."""
        msg = (
            "Rows that do not fit into memory are in a temporary file, which can be neither copied "
            "nor sent to another process. Create the data set there from its table."
        )
        raise TypeError(msg)

    @abstractmethod
    def append(self, rows: Any) -> None:
        """Write rows after those that are there."""

    @abstractmethod
    def read(self, start: int, stop: int) -> Any:
        """Return rows as an array or a sparse matrix."""

    @abstractmethod
    def read_block(self, number: int) -> Any:
        """Return a block of rows for `take`."""

    @abstractmethod
    def take(
        self, blocks: list[tuple[Any, NDArray[np.intp]]], variants: NDArray[np.intp] | None
    ) -> NDArray[Any]:
        """Return the given rows of blocks as one array."""

    def _block_range(self, number: int) -> tuple[int, int]:
        """Return the first row of a block, and the first one after it."""
        start = number * ROWS_PER_BLOCK
        return start, min(start + ROWS_PER_BLOCK, self.n_rows)

    def _append_bytes(self, records: NDArray[Any]) -> None:
        waiting = memoryview(records.tobytes())
        with explaining_temporary_files():
            while waiting:
                n_written = self._file.write(waiting)
                self.n_bytes += n_written
                waiting = waiting[n_written:]

    def _read_records(self, dtype: np.dtype[Any], start: int, stop: int) -> NDArray[Any]:
        if start == stop:
            return np.empty(0, dtype)
        # Unlike a position in the file, this is shared with neither threads nor forked processes.
        mapped = np.memmap(self._file, dtype, "r", start * dtype.itemsize, (stop - start,))
        return np.array(mapped)


class DenseRowFile(RowFile):
    """One or more variants of each row, such as features of the plain row and of augmented views.

    Stored features that a store has rounded to half precision stay in half precision.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: DTypeLike, *, n_variants: int, is_half: bool
    ) -> None:
        super().__init__(shape, dtype)
        self.is_half = is_half
        fields: list[Any] = [("values", np.float16 if is_half else dtype, (n_variants, *shape))]
        if is_half:
            fields.append(("exponents", np.int16, (n_variants,)))
        self._record = np.dtype(fields)

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows of shape ``(n_variants, n, *shape)`` after those that are there."""
        records = np.empty(rows.shape[1], dtype=self._record)
        for variant, values in enumerate(rows):
            if self.is_half:
                values, records["exponents"][:, variant] = to_half(values)
            records["values"][:, variant] = values
        self._append_bytes(records)
        self.n_rows += len(records)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the first variant of rows."""
        return self._decode(self._read_records(self._record, start, stop), None)

    def read_block(self, number: int) -> NDArray[Any]:
        """Return a block of rows as it is in the file."""
        return self._read_records(self._record, *self._block_range(number))

    def take(
        self, blocks: list[tuple[Any, NDArray[np.intp]]], variants: NDArray[np.intp] | None
    ) -> NDArray[Any]:
        """Return the given rows of blocks, or a variant of each, as one array."""
        records = np.concatenate([block[rows] for block, rows in blocks])
        return self._decode(records, variants)

    def _decode(self, records: NDArray[Any], variants: NDArray[np.intp] | None) -> NDArray[Any]:
        place: Any = (slice(None), 0) if variants is None else (np.arange(len(records)), variants)
        values: NDArray[Any] = records["values"][place]
        return from_half(values, records["exponents"][place]) if self.is_half else values


class SparseRowFile(RowFile):
    """Rows of a sparse matrix, which take what their numbers that are not 0 take."""

    _RECORD = np.dtype([("column", np.int32), ("value", np.float32)])

    def __init__(self, n_columns: int) -> None:
        super().__init__((n_columns,), np.float32)
        self._counts: list[NDArray[np.int32]] = []
        # Where each block begins in the file, in records, once all rows are written.
        self._starts: NDArray[np.int64] | None = None

    def append(self, rows: Any) -> None:
        """Write the rows of a sparse matrix after those that are there."""
        rows = rows.tocsr()
        rows.sum_duplicates()
        records = np.empty(rows.nnz, dtype=self._RECORD)
        records["column"], records["value"] = rows.indices, rows.data
        self._append_bytes(records)
        self._counts.append(np.diff(rows.indptr).astype(np.int32))
        self._starts = None
        self.n_rows += rows.shape[0]

    def read(self, start: int, stop: int) -> csr_array:
        """Return rows as a sparse matrix."""
        ends, records = self._read_rows(start, stop)
        shape = (stop - start, *self.shape)
        return csr_array((records["value"].copy(), records["column"].copy(), ends), shape=shape)

    def read_block(self, number: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return a block of rows: where each ends, and the columns and values of all."""
        return self._read_rows(*self._block_range(number))

    def take(
        self, blocks: list[tuple[Any, NDArray[np.intp]]], variants: NDArray[np.intp] | None
    ) -> NDArray[np.float32]:
        """Return the given rows of blocks as one dense array."""
        del variants
        dense = np.zeros((sum(len(rows) for _, rows in blocks), *self.shape), dtype=np.float32)
        place = 0
        for (ends, records), rows in blocks:
            for row in rows.tolist():
                held = records[ends[row] : ends[row + 1]]
                dense[place, held["column"]] = held["value"]
                place += 1
        return dense

    def _read_rows(self, start: int, stop: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        if self._starts is None:
            self._counts = [np.concatenate(self._counts)]
            first_rows = np.arange(0, self.n_rows, ROWS_PER_BLOCK)
            sizes = np.add.reduceat(self._counts[0], first_rows, dtype=np.int64)
            self._starts = np.concatenate([[0], np.cumsum(sizes)])
        (counts,) = self._counts
        block = start // ROWS_PER_BLOCK
        before = counts[block * ROWS_PER_BLOCK : start].sum(dtype=np.int64)
        ends = np.concatenate([[0], np.cumsum(counts[start:stop], dtype=np.int64)])
        first = int(self._starts[block] + before)
        return ends, self._read_records(self._RECORD, first, first + int(ends[-1]))


class RowsOnDisk:
    """Rows of a file as an array that is read slice by slice.

    Attributes
    ----------
    shape : tuple of int
        Shape of all rows.
    ndim : int
        Number of axes.
    dtype : dtype
        Type of the values that are read.
    is_sparse : bool
        Whether slices are sparse matrices.
    is_half : bool
        Whether the values have the 11 significant bits of float16.
    """

    def __init__(self, file: RowFile, shape: tuple[int, ...]) -> None:
        self._file = file
        self.shape = (file.n_rows, *shape)
        self.ndim = len(self.shape)
        self.dtype = file.dtype
        self.is_sparse = isinstance(file, SparseRowFile)
        self.is_half = isinstance(file, DenseRowFile) and file.is_half

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        """Return the rows of a slice without a step."""
        start, stop, _ = rows.indices(len(self))
        read = self._file.read(start, max(start, stop))
        return read if self.is_sparse else read.reshape(len(read), *self.shape[1:])
