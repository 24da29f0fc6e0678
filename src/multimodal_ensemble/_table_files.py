"""Tables in Parquet files, read block by block."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._parquet_parts import Stamp, read_part, read_unchanged, size_of, stamp_of
from multimodal_ensemble._tables import from_arrow

# Rows of a table that are read at once, and how much memory those of a table in files take.
_ROWS_PER_PART = 32_768
_BYTES_PER_PART = 2**27
NEEDS_PYARROW = "Parquet files need pyarrow: pip install pyarrow, or pass a DataFrame."


class TableFile:
    """The rows of Parquet files, of which only one block is in memory at a time.

    It has the `columns`, the length and the method `take` of a DataFrame. Opening it reads the
    sizes of the files, but no rows.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Any, int, int, Stamp | None]],
        schema: Any,
        columns: Sequence[str],
        *,
        rows: NDArray[np.intp] | None = None,
        owner: Any = None,
    ) -> None:
        # Pieces of the files with their numbers of rows and of bytes in memory, and their file's
        # state when it was opened.
        self._parts = parts
        self._schema = schema
        self.columns = list(columns)
        # The positions of these rows in the files, ascending; None for all of them.
        self._rows = rows
        # A temporary folder, which exists as long as some table needs it.
        self._owner = owner

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, owner: Any = None) -> Self:
        """Open a Parquet file, or all Parquet files of a folder in the order of their names."""
        found = Path(path).expanduser()
        # An empty string would be the current folder.
        if not os.fspath(path) or not (found.is_file() or found.is_dir()):
            msg = f"There is no file or folder {str(path)!r}."
            raise FileNotFoundError(msg)
        try:
            import pyarrow as pa
            from pyarrow import dataset
        except ImportError as error:
            raise ImportError(NEEDS_PYARROW) from error
        try:
            files = dataset.dataset(found, format="parquet", partitioning="hive")
            # Where all values of a file are missing, only the other files show their type.
            schemas = [files.schema, *(each.physical_schema for each in files.get_fragments())]
            schema = pa.unify_schemas(schemas, promote_options="permissive")
            parts = [
                (part, *size_of(part), stamp)
                for fragment in files.get_fragments()
                for stamp in [stamp_of(fragment.path)]
                for part in fragment.split_by_row_group()
            ]
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            fix = (
                "All files of a folder must be Parquet files, and a column must have the same type "
                "in all of them. Move other files away, or convert the column."
                if found.is_dir()
                else "Read other files with pandas, and pass the DataFrame."
            )
            msg = f"{str(path)!r} cannot be read as Parquet with distinct columns: {error}. {fix}"
            raise ValueError(msg) from error
        if not parts:
            msg = f"The folder {str(path)!r} has no Parquet files."
            raise ValueError(msg)
        index = (files.schema.pandas_metadata or {}).get("index_columns", ())
        columns = [name for name in schema.names if name not in index]
        return cls(parts, schema, columns, owner=owner)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._n_in_files if self._rows is None else len(self._rows)

    @property
    def n_bytes(self) -> int:
        """Approximate size of the values of all columns in memory."""
        total = sum(n_bytes for _, _, n_bytes, _ in self._parts)
        return total * len(self) // max(1, self._n_in_files)

    @property
    def _n_in_files(self) -> int:
        return sum(n_rows for _, n_rows, *_ in self._parts)

    def take(self, rows: NDArray[np.intp]) -> TableFile:
        """Return the table of the rows at ascending positions."""
        rows = np.asarray(rows, dtype=np.intp)
        if (np.diff(rows) <= 0).any():
            msg = "Rows of a file are read in their order, so positions must be ascending."
            raise ValueError(msg)
        in_files = rows if self._rows is None else self._rows[rows]
        return self._like(self.columns, in_files)

    def without(self, column: str) -> TableFile:
        """Return the table without a column."""
        return self._like([name for name in self.columns if name != column], self._rows)

    def select(self, columns: Sequence[str]) -> TableFile:
        """Return the table of some columns."""
        return self._like(columns, self._rows)

    @property
    def schema(self) -> Any:
        """The names and types of the columns, as pyarrow has them."""
        import pyarrow as pa

        return pa.schema([self._schema.field(column) for column in self.columns])

    def blocks(self, n_rows: int) -> Iterator[pd.DataFrame]:
        """Yield the rows in tables of `n_rows`, the last of which may be shorter.

        Their index has the positions of the rows in this table.
        """
        import pyarrow as pa

        if not self.columns:
            for start in range(0, len(self), n_rows):
                yield pd.DataFrame(index=pd.RangeIndex(start, min(start + n_rows, len(self))))
            return
        waiting: list[Any] = []
        n_waiting = n_done = 0
        for batch in itertools.chain(self._batches(n_rows), [None]):
            if batch is not None:
                waiting.append(batch)
                n_waiting += batch.num_rows
            while n_waiting >= n_rows or (batch is None and n_waiting):
                table = pa.Table.from_batches(waiting)
                frame = from_arrow(table.slice(0, n_rows))
                waiting = table.slice(n_rows).to_batches()
                n_waiting -= len(frame)
                frame.index = pd.RangeIndex(n_done, n_done + len(frame))
                n_done += len(frame)
                yield frame

    def frame(self) -> pd.DataFrame:
        """Return all rows in memory."""
        return next(self.blocks(max(1, len(self))), pd.DataFrame(columns=self.columns))

    def _like(self, columns: Sequence[str], rows: NDArray[np.intp] | None) -> TableFile:
        return TableFile(self._parts, self._schema, columns, rows=rows, owner=self._owner)

    def _batches(self, n_rows: int) -> Iterator[Any]:
        """Yield batches of pyarrow with these rows and columns."""
        import pyarrow as pa

        start = 0
        for part, n_part, _, stamp in self._parts:
            stop = start + n_part
            if self._rows is not None:
                first, last = np.searchsorted(self._rows, [start, stop])
                if first == last:
                    start = stop
                    continue
            batches = read_part(part, self._schema, self.columns, n_rows)
            for batch in read_unchanged(part.path, batches, stamp):
                end = start + batch.num_rows
                if self._rows is not None:
                    first, last = np.searchsorted(self._rows, [start, end])
                    batch = batch.take(pa.array(self._rows[first:last] - start))
                start = end
                if batch.num_rows:
                    yield batch


def rows_per_part(table: pd.DataFrame | TableFile) -> int:
    """Return how many rows of a table are read at once, so that they take little memory."""
    if not isinstance(table, TableFile):
        return _ROWS_PER_PART
    n_bytes = max(1, table.n_bytes // max(1, len(table)))
    return max(1, min(_ROWS_PER_PART, _BYTES_PER_PART // n_bytes))


def blocks_of(table: pd.DataFrame | TableFile, n_rows: int | None = None) -> Iterator[pd.DataFrame]:
    """Yield the rows of a table in tables of `n_rows`, the last of which may be shorter.

    Default: as many as `rows_per_part` returns.
    """
    n_rows = rows_per_part(table) if n_rows is None else n_rows
    if isinstance(table, TableFile):
        yield from table.blocks(n_rows)
        return
    for start in range(0, len(table), n_rows):
        yield table.iloc[start : start + n_rows]


def take_rows(table: pd.DataFrame | TableFile, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Return the rows at some positions, in any order."""
    if isinstance(table, pd.DataFrame):
        return table.iloc[rows]
    ascending, places = np.unique(rows, return_inverse=True)
    return table.take(ascending).frame().set_axis(ascending).iloc[places]
