"""Tables from containers, paths and iterators."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from multimodal_ensemble._table_files import NEEDS_PYARROW, TableFile, blocks_of
from multimodal_ensemble._tables import abbreviate, check_columns, from_arrow, to_frame
from multimodal_ensemble._temporary_files import explaining_temporary_files

# Rows of tables from an iterator that are written at once.
_ROWS_PER_WRITE = 65_536
NO_ROWS = (
    "The iterator X yields no table with rows. An iterator can be read only once; create a new one "
    "for each call."
)


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
        check_columns(frame)
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
        msg = f"An iterator as X is written to a temporary file. {NEEDS_PYARROW}"
        raise ImportError(msg) from error
    folder = _TemporaryFolder()
    n_files = 0
    for part in _in_large_parts(tables):
        try:
            table = pa.Table.from_pandas(part, preserve_index=False)
        except (ValueError, TypeError, pa.ArrowException) as error:
            msg = (
                "The tables of an iterator are written to temporary Parquet files, which cannot "
                f"hold these values: {error}. Convert the column to one type, paths of images to "
                "strings, and images to bytes."
            )
            raise ValueError(msg) from error
        with explaining_temporary_files():
            parquet.write_table(table, folder.path / f"{n_files:09d}.parquet")
        n_files += 1
    if not n_files:
        raise ValueError(NO_ROWS)
    try:
        return TableFile.open(folder.path, owner=folder)
    except ValueError as error:
        msg = (
            "A column must have the same type in all tables of an iterator. Convert it in each of "
            f"them. {error.__cause__}"
        )
        raise ValueError(msg) from error


class _TemporaryFolder:
    """A folder that is deleted with the last table that needs it."""

    def __init__(self) -> None:
        with explaining_temporary_files():
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
