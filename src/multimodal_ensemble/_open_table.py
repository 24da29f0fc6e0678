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
from multimodal_ensemble._tables import abbreviate, from_arrow, to_frame

# Rows of tables from an iterator that are written at once.
_ROWS_PER_WRITE = 65_536


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
        msg = f"An iterator as X is written to a temporary file. {NEEDS_PYARROW}"
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
