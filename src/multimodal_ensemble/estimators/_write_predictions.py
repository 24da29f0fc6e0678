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
from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.saving import replacing

_SEPARATOR = "|"


class _NotWriting(Exception):  # noqa: N818 - it reports no error of its own
    """Ends `replacing` after an error of reading, which it would report as one of writing."""


class PredictionWriter:
    """Writes columns of the data, labels and scores to a CSV or Parquet file."""

    def __init__(
        self,
        file: BinaryIO,
        columns: Sequence[str],
        scores: Sequence[str],
        *,
        is_csv: bool,
        labels_are_numbers: bool,
    ) -> None:
        self._file = file
        self._columns = list(columns)
        self._scores = list(scores)
        self._is_csv = is_csv
        self._labels_are_numbers = labels_are_numbers
        self._is_first = True
        self._is_writing = False
        self._parquet: Any = None

    @classmethod
    @contextmanager
    def open(
        cls, path: str | PathLike[str], classes: Any, columns: Sequence[str]
    ) -> Iterator[Self]:
        """Provide a writer of a file that replaces the one at `path` when all is written."""
        target = Path(path).expanduser()
        suffix = target.suffix.lower()
        if suffix not in (".csv", ".parquet"):
            msg = f"The name of the file must end in .csv or .parquet. Received {str(path)!r}."
            raise ValueError(msg)
        if suffix == ".csv" and (odd := [each for each in classes if _SEPARATOR in str(each)]):
            msg = (
                f"In a CSV file, {_SEPARATOR!r} separates the labels of a row. The names of "
                f"{abbreviate(odd)} contain it. Write a .parquet file, which has lists of labels."
            )
            raise ValueError(msg)
        scores = [f"score_{label}" for label in classes]
        if repeated := find_repeated([*columns, "labels", *scores]):
            msg = f"The file would have the columns {repeated} more than once; rename those of X."
            raise ValueError(msg)
        are_numbers = np.asarray(classes).dtype.kind in "iu"
        error_of_reading = None
        with suppress(_NotWriting), replacing(target) as file:
            writer = cls(
                file, columns, scores, is_csv=suffix == ".csv", labels_are_numbers=are_numbers
            )
            try:
                yield writer
            except OSError as error:
                if writer._is_writing:
                    raise
                error_of_reading = error
                raise _NotWriting from error
            finally:
                writer.close()
        if error_of_reading is not None:
            raise error_of_reading

    def checked(self, table: pd.DataFrame | TableFile) -> pd.DataFrame | TableFile:
        """Return a table, or raise a ValueError if it lacks a column that is copied."""
        if absent := [column for column in self._columns if column not in table.columns]:
            msg = f"X has no columns {absent}. It has {abbreviate(table.columns)}."
            raise ValueError(msg)
        return table

    def write(
        self, rows: pd.DataFrame, labels: Sequence[tuple[Any, ...]], y_score: NDArray[np.float32]
    ) -> None:
        """Add rows."""
        self._is_writing = True
        said: list[Any] = [
            list(each) if self._labels_are_numbers else [str(label) for label in each]
            for each in labels
        ]
        if self._is_csv:
            said = [_SEPARATOR.join(map(str, each)) for each in said]
        table = rows[self._columns].reset_index(drop=True)
        scores = pd.DataFrame(y_score, columns=self._scores)
        table = pd.concat([table, pd.Series(said, name="labels", dtype=object), scores], axis=1)
        if self._is_csv:
            text = table.to_csv(index=False, header=self._is_first, lineterminator="\n")
            self._file.write(text.encode())
        else:
            self._write_parquet(table)
        self._is_first = False
        self._is_writing = False

    def close(self) -> None:
        """Complete the file."""
        if self._parquet is not None:
            self._parquet.close()

    def _write_parquet(self, table: pd.DataFrame) -> None:
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            msg = (
                "Parquet files need pyarrow: pip install 'multimodal-ensemble[parquet]', or write "
                "a .csv file."
            )
            raise ImportError(msg) from error
        try:
            rows = pa.Table.from_pandas(table, preserve_index=False)
            if self._parquet is None:
                # The first rows may have no label, and no value in a column.
                types = {field.name: field.type for field in rows.schema}
                types["labels"] = pa.list_(pa.int64() if self._labels_are_numbers else pa.string())
                schema = pa.schema(
                    (name, pa.string() if pa.types.is_null(kind) else kind)
                    for name, kind in types.items()
                )
                self._parquet = parquet.ParquetWriter(self._file, schema)
            rows = rows.cast(self._parquet.schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            msg = (
                f"A column of X has values of different types, which a Parquet file cannot hold: "
                f"{error}. Convert the column to one type, or write a .csv file."
            )
            raise ValueError(msg) from error
        self._parquet.write_table(rows)
