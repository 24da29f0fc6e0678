"""Files of predictions that are written part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import abbreviate
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
        self._is_single = is_single
        self._scores = [f"score_{label}" for label in classes]
        self._columns = list(columns)
        self._is_csv = is_csv
        self._is_first = True
        self._parquet: Any = None

    @classmethod
    @contextmanager
    def open(
        cls,
        path: str | PathLike[str],
        classes: Any,
        columns: Sequence[str],
        *,
        is_single: bool = False,
    ) -> Iterator[Self]:
        """Provide a writer of a file that replaces the one at `path` when all is written."""
        target = Path(path).expanduser()
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
        with replacing(target) as file:
            is_csv = suffix == ".csv"
            writer = cls(file, classes, columns, is_csv=is_csv, is_single=is_single)
            try:
                yield writer
            finally:
                writer.close()

    def write(
        self, rows: pd.DataFrame, labels: Sequence[Any], y_score: NDArray[np.float32]
    ) -> None:
        """Add rows."""
        if absent := [column for column in self._columns if column not in rows]:
            msg = f"X has no columns {absent}. It has {abbreviate(rows.columns)}."
            raise ValueError(msg)
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
        if self._is_csv:
            text = table.to_csv(index=False, header=self._is_first, lineterminator="\n")
            self._file.write(text.encode())
        else:
            self._write_parquet(table)
        self._is_first = False

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
        rows = pa.Table.from_pandas(table, preserve_index=False)
        if self._parquet is None:
            schema = rows.schema
            if not self._is_single:
                # The first rows may have no label.
                place = schema.get_field_index("labels")
                kind = pa.int64() if table["labels"].explode().dtype.kind == "i" else pa.string()
                schema = schema.set(place, pa.field("labels", pa.list_(kind)))
            self._parquet = parquet.ParquetWriter(self._file, schema)
        self._parquet.write_table(rows.cast(self._parquet.schema))
