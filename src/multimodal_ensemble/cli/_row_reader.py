"""Rows of files, block by block: delimited text, JSON lines and Parquet."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._text_rows import (
    MISSING,
    BadRow,
    check_names,
    find_delimiter,
    find_encoding,
    name_delimiter,
    read_delimited,
    read_json_lines,
)

if TYPE_CHECKING:
    import argparse

    import pandas as pd

    from multimodal_ensemble.cli._console import Console

SUFFIXES = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "delimited",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_ROWS_PER_BLOCK = 8192
_N_LISTED = 5


class RowReader:
    """The rows of a file.

    Each block is a DataFrame whose index has the numbers of the rows, from 1. Rows that are
    damaged are left out; `take_bad` returns them.

    Parameters
    ----------
    path : str
        A file of a known kind, by its suffix, or a folder of Parquet files.
    delimiter, encoding : str, optional
        Those of a text file. Default: they are found.
    """

    def __init__(
        self, path: str, *, delimiter: str | None = None, encoding: str | None = None
    ) -> None:
        self.path = Path(path)
        check_exists(self.path)
        self._kind = "parquet" if self.path.is_dir() else SUFFIXES.get(self.path.suffix.lower())
        if self._kind is None:
            msg = (
                f"{path!r} has no known suffix. Files of rows end in {', '.join(SUFFIXES)}; save "
                "spreadsheets as CSV."
            )
            raise CommandError(msg)
        self._delimiter = delimiter
        self._encoding = encoding
        self.columns: list[str] = []
        self._bad: list[BadRow] = []
        # The part of the file that has been read, 0..1.
        self.share = 0.0
        self.description = "Parquet" if self._kind == "parquet" else "JSON lines"

    def take_bad(self) -> list[BadRow]:
        """Return the damaged rows since the last call."""
        taken, self._bad = self._bad, []
        return taken

    def blocks(self, n_rows: int = _ROWS_PER_BLOCK) -> Iterator[pd.DataFrame]:
        """Yield the rows in tables of at most `n_rows`."""
        if self._kind == "parquet":
            yield from self._parquet_blocks(n_rows)
            return
        with self._open() as file:
            rows = self._delimited(file) if self._kind == "delimited" else self._lines(file)
            size = max(1, self.path.stat().st_size)
            while block := list(itertools.islice(rows, n_rows)):
                self.share = min(1.0, file.buffer.tell() / size)
                yield self._frame(block)

    def _frame(self, block: list[tuple[int, dict[str, Any]]]) -> pd.DataFrame:
        import pandas as pd

        numbers = [number for number, _ in block]
        values = {
            name: pd.Series([row.get(name) for _, row in block], index=numbers, dtype=object)
            for name in self.columns
        }
        return pd.DataFrame(values, index=numbers)

    def _delimited(self, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
        if self._delimiter is None:
            is_tab = self.path.suffix.lower() == ".tsv"
            self._delimiter = "\t" if is_tab else find_delimiter(file)
        encoding = file.encoding.upper().replace("-SIG", " with a byte order mark")
        self.description = f"{encoding}, delimiter {name_delimiter(self._delimiter)}"
        records = read_delimited(file, self._delimiter, str(self.path))
        self.columns = list(next(records))  # type: ignore[arg-type]
        for number, record in enumerate(records, start=1):
            if isinstance(record, BadRow):
                self._bad.append(record)
                continue
            stripped = (value.strip() for value in record)
            values = (None if value in MISSING else value for value in stripped)
            yield number, dict(zip(self.columns, values, strict=True))

    def _lines(self, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, record in enumerate(read_json_lines(file), start=1):
            if isinstance(record, BadRow):
                self._bad.append(record)
                continue
            self.columns.extend(name for name in record if name not in self.columns)
            yield number, record

    def _parquet_blocks(self, n_rows: int) -> Iterator[pd.DataFrame]:
        from multimodal_ensemble._table_files import TableFile

        table = TableFile.open(self.path)
        self.columns = [*table.columns]
        check_names(self.columns, str(self.path))
        n_done = 0
        for block in table.blocks(n_rows):
            n_done += len(block)
            self.share = n_done / max(1, len(table))
            block.index = block.index + 1
            yield block

    @contextmanager
    def _open(self) -> Iterator[TextIO]:
        encoding = self._encoding or find_encoding(self.path)
        try:
            file = self.path.open(encoding=encoding, newline="")
        except LookupError as error:
            msg = f"There is no encoding {encoding!r}; utf-8, cp1252 and utf-16 are usual ones."
            raise CommandError(msg) from error
        with file:
            try:
                yield file
            except UnicodeError as error:
                msg = (
                    f"{str(self.path)!r} is no text in {encoding} ({error}). Name its encoding, "
                    "for example with --encoding cp1252."
                )
                raise CommandError(msg) from error


def open_rows(path: str, values: argparse.Namespace) -> RowReader:
    """Return a reader of a file with the options of a command."""
    return RowReader(path, delimiter=values.delimiter, encoding=values.encoding)


def read_table(path: str, values: argparse.Namespace, console: Console) -> pd.DataFrame:
    """Return all rows of a file, and say what it is and which rows are damaged."""
    import pandas as pd

    from multimodal_ensemble._tables import counted

    reader = open_rows(path, values)
    blocks = list(reader.blocks())
    report_bad_rows(reader.take_bad(), console, what="damaged and left out")
    if not blocks:
        msg = f"{path!r} has no rows."
        raise CommandError(msg)
    table = pd.concat(blocks)
    counts = f"{counted(len(table), 'row')}, {counted(len(reader.columns), 'column')}"
    console.note(f"{path}: {counts} ({reader.description})")
    return table


def report_bad_rows(
    bad: list[BadRow], console: Console, *, what: str, n_bad: int | None = None
) -> None:
    """Warn of rows that cannot be used, with the first of them; there may be more, `n_bad`."""
    n_bad = len(bad) if n_bad is None else n_bad
    if not n_bad:
        return
    count = "1 row is" if n_bad == 1 else f"{n_bad:,} rows are"
    lines = [f"{count} {what}:", *(f"  {each}" for each in bad[:_N_LISTED])]
    if n_bad > _N_LISTED:
        lines.append(f"  and {n_bad - _N_LISTED:,} more")
    console.warn("\n".join(lines))


def check_exists(path: Path) -> None:
    """Raise a CommandError if there is no such file or folder."""
    if not path.exists():
        msg = f"There is no file {str(path)!r}."
        raise CommandError(msg)
