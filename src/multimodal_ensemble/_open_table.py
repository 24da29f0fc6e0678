"""Tables from containers, paths and iterators."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._table_files import NEEDS_PYARROW, TableFile, blocks_of
from multimodal_ensemble._tables import (
    abbreviate,
    as_object_array,
    check_columns,
    from_arrow,
    table_names,
    to_frame,
)
from multimodal_ensemble._temporary_files import explaining_temporary_files

# Rows of tables from an iterator that are written at once.
_ROWS_PER_WRITE = 65_536
NO_ROWS = (
    "The iterator X yields no table with rows. An iterator can be read only once; create a new one "
    "for each call."
)


def is_lazy(data: Any) -> bool:
    """Return whether data is a table in files, or an iterator of tables."""
    return isinstance(data, str | os.PathLike | Iterator | TableFile)


def open_lazy(data: Any) -> TableFile:
    """Return the table in files of data for which `is_lazy` is true."""
    if isinstance(data, TableFile):
        return data
    return write_tables(read_tables(data)) if isinstance(data, Iterator) else TableFile.open(data)


def as_table(data: Any, *, name: str = "X") -> Any:
    """Return columns of any container as a DataFrame, and other data as it is."""
    data = from_arrow(data, name=name)
    # One kind of sparse matrix is also a mapping.
    is_columns = isinstance(data, Mapping) and not hasattr(data, "toarray")
    return to_frame(data) if is_columns else data


def split_labels(X: Any, y: Any) -> tuple[Any, Any]:
    """Return X without the column that y names, and that column; others as they are."""
    if not isinstance(y, str):
        return X, y
    if is_lazy(X):
        X = open_lazy(X)
    names = table_names(X) if not isinstance(X, Mapping) else list(X)
    if y not in (names or []):
        msg = (
            f"y={y!r} names a column of X, which X does not have. X has {abbreviate(names or [])}. "
            "Otherwise, pass the labels of each row."
        )
        raise ValueError(msg)
    if isinstance(X, TableFile):
        return X.without(y), X.select([y])
    if isinstance(X, Mapping):
        labels = from_arrow(X[y], name=repr(y))
        # A list of lists would be a matrix if all lists had the same length.
        labels = as_object_array(labels) if isinstance(labels, list | tuple) else labels
        return {name: X[name] for name in X if name != y}, labels
    X = from_arrow(X)
    return X.drop(columns=y), X[y].map(as_list)


def as_list(row: Any) -> Any:
    """Return a list of labels that pandas or pyarrow has read as an array."""
    return row.tolist() if isinstance(row, np.ndarray) else row


def read_tables(tables: Iterator[Any]) -> Iterator[pd.DataFrame]:
    """Yield the tables of an iterator that have rows as DataFrames, or raise a ValueError."""
    columns, n_rows = None, 0
    for number, table in enumerate(tables):
        frame = as_table(table)
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
        if len(frame):
            n_rows += len(frame)
            yield frame
    if not n_rows:
        raise ValueError(NO_ROWS)


def write_tables(tables: Iterator[pd.DataFrame]) -> TableFile:
    """Write tables to a temporary Parquet file, to read them more than once."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        msg = f"An iterator as X is written to a temporary file. {NEEDS_PYARROW}"
        raise ImportError(msg) from error
    folder = _TemporaryFolder()
    for number, part in enumerate(_in_large_parts(tables)):
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
            parquet.write_table(table, folder.path / f"{number:09d}.parquet")
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
