"""Files of predictions, written block by block."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._errors import CommandError

if TYPE_CHECKING:
    import pandas as pd

_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
LABEL_SEPARATOR = "|"


def check_suffix(path: Path) -> None:
    """Raise an error if predictions cannot be written to a file of such a name."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        msg = f"The file of predictions must end in {', '.join(_SUFFIXES)}. Received {path}."
        raise CommandError(msg)
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        msg = (
            "Parquet files need pyarrow: pip install pyarrow, or name a "
            f".csv or .jsonl file. Received {path}."
        )
        raise CommandError(msg)


def partial_path(path: Path) -> Path:
    """Return the file that has the rows until all are written."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def check_labels(path: Path, classes: Sequence[str]) -> None:
    """Raise a CommandError if a text file cannot separate the labels of a row."""
    odd = [label for label in classes if LABEL_SEPARATOR in label]
    if path.suffix.lower() in (".csv", ".tsv") and odd:
        msg = (
            f"{LABEL_SEPARATOR!r} separates the labels of a row, and the label {odd[0]!r} has it; "
            "write a .jsonl or .parquet file, which have lists of labels."
        )
        raise CommandError(msg)


class PredictionFile:
    """A file that gets its name once it is complete.

    Parameters
    ----------
    path : Path
        The file. Until it is complete, its rows are in `partial`, in the same folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = partial_path(path)
        self.n_rows = 0
        self._suffix = path.suffix.lower()
        self._file = self.partial.open("wb")
        self._parquet: Any = None

    def write(self, rows: pd.DataFrame) -> None:
        """Add rows, whose column ``labels`` has lists, or ``label`` one class each."""
        if self._suffix == ".parquet":
            self._write_parquet(rows)
        elif self._suffix == ".jsonl":
            text = rows.to_json(orient="records", lines=True, force_ascii=False, double_precision=7)
            self._file.write(text.encode())
        else:
            if "labels" in rows:
                rows = rows.assign(labels=rows["labels"].map(LABEL_SEPARATOR.join))
            text = rows.to_csv(
                index=False,
                header=not self.n_rows,
                sep="\t" if self._suffix == ".tsv" else ",",
                float_format="%.6g",
                lineterminator="\n",
            )
            self._file.write(text.encode())
        self.n_rows += len(rows)

    def _write_parquet(self, rows: pd.DataFrame) -> None:
        import pyarrow as pa
        from pandas.api.types import is_object_dtype
        from pyarrow import parquet

        # Values of a column may have several types in a text file.
        rows = rows.copy()
        for name in rows.columns.drop("labels", errors="ignore"):
            if is_object_dtype(rows[name]):
                rows[name] = [None if value is None else str(value) for value in rows[name]]
        table = pa.Table.from_pandas(rows, preserve_index=False)
        if self._parquet is None:
            # The first rows may have no label, and no row may have an error.
            schema = table.schema
            kinds = {"labels": pa.list_(pa.string()), "label": pa.string(), "error": pa.string()}
            for name, kind in kinds.items():
                if (place := schema.get_field_index(name)) >= 0:
                    schema = schema.set(place, pa.field(name, kind))
            self._parquet = parquet.ParquetWriter(self._file, schema)
        self._parquet.write_table(table.cast(self._parquet.schema))

    def close(self) -> None:
        """Complete the rows that are written so far."""
        if self._parquet is not None:
            self._parquet.close()
        self._file.close()

    def finish(self) -> None:
        """Give the complete file its name; an older one is replaced."""
        self.close()
        self.partial.replace(self.path)

    def discard(self) -> None:
        """Remove the rows that are written so far."""
        try:
            # A full disk refuses the last rows again.
            with suppress(OSError):
                self.close()
        finally:
            self.partial.unlink(missing_ok=True)
