"""Tables in Parquet files, read block by block, and tables from iterators."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import abbreviate, from_arrow, to_frame
from multimodal_ensemble._validation import find_repeated

_NEEDS_PYARROW = (
    "Parquet files need pyarrow: pip install 'multimodal-ensemble[parquet]', or pass a DataFrame."
)
# Rows of tables from an iterator that are written at once.
_ROWS_PER_WRITE = 65_536


class TableFile:
    """The rows of Parquet files, of which only one block is in memory at a time.

    It has the `columns`, the length and the method `take` of a DataFrame. Opening it reads the
    sizes of the files, but no rows.
    """

    def __init__(
        self,
        parts: Sequence[tuple[Any, int]],
        schema: Any,
        columns: Sequence[str],
        *,
        rows: NDArray[np.intp] | None = None,
        owner: Any = None,
    ) -> None:
        # Pieces of the files with their numbers of rows.
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
        if not found.exists():
            msg = f"There is no file or folder {str(path)!r}."
            raise FileNotFoundError(msg)
        try:
            import pyarrow as pa
            from pyarrow import dataset
        except ImportError as error:
            raise ImportError(_NEEDS_PYARROW) from error
        try:
            files = dataset.dataset(found, format="parquet", partitioning="hive")
            # Where all values of a file are missing, only the other files show their type.
            schemas = [files.schema, *(each.physical_schema for each in files.get_fragments())]
            schema = pa.unify_schemas(schemas, promote_options="permissive")
            parts = [
                (part, sum(group.num_rows for group in part.row_groups))
                for fragment in files.get_fragments()
                for part in fragment.split_by_row_group()
            ]
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            msg = (
                f"{str(path)!r} cannot be read as Parquet: {error}. Read other files with pandas, "
                "and pass the DataFrame."
            )
            raise ValueError(msg) from error
        if not parts:
            msg = f"The folder {str(path)!r} has no Parquet files."
            raise ValueError(msg)
        index = (files.schema.pandas_metadata or {}).get("index_columns", ())
        columns = [name for name in schema.names if name not in index]
        if repeated := find_repeated(columns):
            msg = (
                f"The columns of {str(path)!r} must have distinct names. {repeated} occur more "
                "than once."
            )
            raise ValueError(msg)
        return cls(parts, schema, columns, owner=owner)

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(n for _, n in self._parts) if self._rows is None else len(self._rows)

    @property
    def n_bytes(self) -> int:
        """Approximate size of the values of all columns, as the files state it."""
        groups = [group for part, _ in self._parts for group in part.row_groups]
        n_rows = sum(n for _, n in self._parts)
        total = sum(int(group.total_byte_size) for group in groups)
        return total * len(self) // max(1, n_rows)

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

    def blocks(self, n_rows: int) -> Iterator[pd.DataFrame]:
        """Yield the rows in tables of `n_rows`, the last of which may be shorter.

        Their index has the positions of the rows in this table.
        """
        import pyarrow as pa

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
        for part, n_part in self._parts:
            stop = start + n_part
            if self._rows is not None:
                first, last = np.searchsorted(self._rows, [start, stop])
                if first == last:
                    start = stop
                    continue
            # Without readahead, which would hold many batches in memory.
            batches = part.to_batches(
                schema=self._schema,
                columns=self.columns,
                batch_size=n_rows,
                batch_readahead=1,
                fragment_readahead=1,
            )
            for batch in batches:
                end = start + batch.num_rows
                if self._rows is not None:
                    first, last = np.searchsorted(self._rows, [start, end])
                    batch = batch.take(pa.array(self._rows[first:last] - start))
                start = end
                if batch.num_rows:
                    yield batch


def blocks_of(table: pd.DataFrame | TableFile, n_rows: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a table in tables of `n_rows`, the last of which may be shorter."""
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


def open_table(data: Any) -> pd.DataFrame | TableFile:
    """Return the table of a container, a path or an iterator of tables."""
    if isinstance(data, str | os.PathLike):
        return TableFile.open(data)
    if isinstance(data, Iterator):
        return write_tables(read_tables(data))
    if isinstance(data, TableFile):
        return data
    table = from_arrow(data, name="data")
    return table if isinstance(table, pd.DataFrame) else to_frame(table)


def read_tables(tables: Iterator[Any]) -> Iterator[pd.DataFrame]:
    """Yield the tables of an iterator as DataFrames, or raise a ValueError."""
    columns = None
    for number, table in enumerate(tables):
        frame = from_arrow(table)
        if isinstance(frame, Mapping) and not hasattr(frame, "toarray"):
            frame = to_frame(frame)
        if not isinstance(frame, pd.DataFrame):
            msg = (
                "An iterator as X must yield tables: DataFrames, or mappings of columns. Its item "
                f"{number} is of type {type(table).__name__}."
            )
            raise ValueError(msg)
        columns = list(frame.columns) if columns is None else columns
        if list(frame.columns) != columns:
            msg = (
                "All tables of an iterator must have the same columns in the same order. Item 0 "
                f"has {abbreviate(columns)}, and item {number} has {abbreviate(frame.columns)}."
            )
            raise ValueError(msg)
        yield frame


def write_tables(tables: Iterator[pd.DataFrame]) -> TableFile:
    """Write tables to a temporary Parquet file, to read them more than once."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        msg = f"An iterator as X is written to a temporary file. {_NEEDS_PYARROW}"
        raise ImportError(msg) from error
    folder = _TemporaryFolder()
    n_files = 0
    for part in _in_large_parts(tables):
        try:
            table = pa.Table.from_pandas(part, preserve_index=False)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            msg = (
                "The tables of an iterator are written to temporary Parquet files, which cannot "
                f"hold these values: {error}. Pass images as paths or bytes."
            )
            raise ValueError(msg) from error
        parquet.write_table(table, folder.path / f"{n_files:09d}.parquet")
        n_files += 1
    if not n_files:
        msg = "The iterator X yields no table with rows."
        raise ValueError(msg)
    return TableFile.open(folder.path, owner=folder)


class _TemporaryFolder:
    """A folder that is deleted with the last table that needs it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="rows-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _in_large_parts(tables: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the rows of tables in fewer, larger tables."""
    waiting: list[pd.DataFrame] = []
    for table in tables:
        for part in blocks_of(table, _ROWS_PER_WRITE):
            if waiting and sum(map(len, waiting)) + len(part) > _ROWS_PER_WRITE:
                yield pd.concat(waiting)
                waiting = []
            waiting.append(part)
    if waiting:
        yield pd.concat(waiting)
