"""Files of predictions that are written part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._tables import abbreviate, to_python
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.saving import replacing

_SEPARATOR = "|"


class PredictionWriter:
    """Writes columns of the data, labels and scores to a CSV or Parquet file.

    With `is_single`, a row has one class in place of a tuple of labels.
    """

    def __init__(
        self,
        file: BinaryIO,
        classes: Any,
        columns: Sequence[str],
        *,
        is_csv: bool,
        is_single: bool,
    ) -> None:
        self._file = file
        self._classes = classes
        self._is_single = is_single
        self._scores = [f"score_{label}" for label in classes]
        self._columns = list(columns)
        self._is_csv = is_csv
        self._is_first = True
        self._schema: Any = None
        self._parquet: Any = None
        # Why rows could not be written, such as a full disk.
        self._fault: OSError | None = None

    @classmethod
    @contextmanager
    def open(
        cls,
        path: str | PathLike[str],
        classes: Any,
        columns: Sequence[str],
        *,
        source: Any = None,
        is_single: bool = False,
    ) -> Iterator[Self]:
        """Provide a writer of a file that replaces the one at `path` when all is written.

        The rows are read from `source`.
        """
        target = Path(path).expanduser()
        _check_target(target, source)
        suffix = target.suffix.lower()
        if suffix not in (".csv", ".parquet"):
            msg = f"The name of the file must end in .csv or .parquet. Received {str(path)!r}."
            raise ValueError(msg)
        odd = [] if is_single else [each for each in classes if _SEPARATOR in str(each)]
        if suffix == ".csv" and odd:
            msg = (
                f"In a CSV file, {_SEPARATOR!r} separates the labels of a row. The names of "
                f"{abbreviate(odd)} contain it. Write a .parquet file, which has lists of labels."
            )
            raise ValueError(msg)
        label = "label" if is_single else "labels"
        names = [*columns, label, *(f"score_{label}" for label in classes)]
        if repeated := find_repeated(names):
            msg = f"The file would have the columns {repeated} more than once; rename those of X."
            raise ValueError(msg)
        unread: OSError | None = None
        with suppress(_UnreadError), replacing(target) as file:
            is_csv = suffix == ".csv"
            writer = cls(file, classes, columns, is_csv=is_csv, is_single=is_single)
            try:
                yield writer
            except OSError as error:
                if error is writer._fault:
                    raise
                # `replacing` would report that the file cannot be written.
                unread = error
                raise _UnreadError from error
            finally:
                writer.close()
        if unread is not None:
            raise unread

    def begin(self, table: pd.DataFrame | TableFile) -> None:
        """Check the columns of a table whose rows follow."""
        if absent := [column for column in self._columns if column not in table.columns]:
            msg = f"X has no columns {absent}. It has {abbreviate(table.columns)}."
            raise ValueError(msg)
        if not self._is_csv and self._schema is None:
            self._schema = self._make_schema(table)

    def write(
        self, rows: pd.DataFrame, labels: Sequence[Any], y_score: NDArray[np.float32]
    ) -> None:
        """Add rows."""
        if self._is_single:
            said = pd.Series(labels, name="label")
        else:
            held: list[Any] = (
                [_SEPARATOR.join(map(str, each)) for each in labels]
                if self._is_csv
                else [list(each) for each in labels]
            )
            said = pd.Series(held, name="labels", dtype=object)
        table = rows[self._columns].reset_index(drop=True)
        scores = pd.DataFrame(y_score, columns=self._scores)
        table = pd.concat([table, said, scores], axis=1)
        try:
            if self._is_csv:
                text = table.to_csv(index=False, header=self._is_first, lineterminator="\n")
                self._file.write(text.encode())
            else:
                self._write_parquet(table)
        except OSError as error:
            self._fault = error
            raise
        self._is_first = False

    def close(self) -> None:
        """Complete the file."""
        if self._parquet is not None:
            self._parquet.close()

    def _make_schema(self, table: pd.DataFrame | TableFile) -> Any:
        """Return the types of all columns, so that they do not depend on the first rows."""
        try:
            import pyarrow as pa
        except ImportError as error:
            msg = "Parquet files need pyarrow: pip install pyarrow, or write a .csv file."
            raise ImportError(msg) from error
        with _explaining_types():
            copied = (
                table.select(self._columns).schema
                if isinstance(table, TableFile)
                else pa.Schema.from_pandas(table[self._columns], preserve_index=False)
            )
        kinds = {int: pa.int64(), bool: pa.bool_()}
        label = kinds.get(type(to_python(self._classes[0])), pa.string())
        name, kind = ("label", label) if self._is_single else ("labels", pa.list_(label))
        scores = [pa.field(score, pa.float32()) for score in self._scores]
        return pa.schema([*copied, pa.field(name, kind), *scores])

    def _write_parquet(self, table: pd.DataFrame) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        with _explaining_types():
            rows = pa.Table.from_pandas(table, self._schema, preserve_index=False)
        if self._parquet is None:
            self._parquet = parquet.ParquetWriter(self._file, self._schema)
        self._parquet.write_table(rows)


class _UnreadError(Exception):
    """The rows of X could not be read, so that the file is not complete."""


def _check_target(target: Path, source: Any) -> None:
    """Refuse a file that the rows are read from, or that would become one of these."""
    if not isinstance(source, str | PathLike):
        return
    rows, file = Path(source).expanduser().resolve(), target.resolve()
    if rows == file or rows in file.parents:
        msg = (
            f"X is read from {str(source)!r}, so its predictions cannot be written to "
            f"{str(target)!r}. Choose a file elsewhere."
        )
        raise ValueError(msg)


@contextmanager
def _explaining_types() -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (ValueError, TypeError, pa.ArrowException) as error:
        msg = (
            f"The columns to copy do not fit into a Parquet file: {error}. Convert each of them to "
            "one type, or write a .csv file."
        )
        raise ValueError(msg) from error
