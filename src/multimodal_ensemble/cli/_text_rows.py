"""Rows of text files, one by one: delimited text and JSON lines."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from multimodal_ensemble.cli._errors import CommandError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
# Values that stand for a missing one, as in pandas.
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "none", "-")
)
_SAMPLE_CHARACTERS = 2**16
_SAMPLE_ROWS = 50
# A larger field is most likely a quotation mark that is never closed.
_MAX_FIELD = 2**24
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: its number, from 1 below the header, and why."""

    row: int
    reason: str

    def __str__(self) -> str:
        """Return one line of text."""
        return f"row {self.row}: {self.reason}"


def find_encoding(path: Path) -> str:
    """Return the encoding that the first bytes of a file announce, or UTF-8."""
    with path.open("rb") as file:
        first = file.read(4)
    return next((name for bom, name in _BOMS.items() if first.startswith(bom)), "utf-8")


def find_delimiter(file: TextIO) -> str:
    """Return the delimiter that divides most of the first rows as it divides the header."""
    sample = file.read(_SAMPLE_CHARACTERS)
    file.seek(0)
    lines = sample.splitlines(keepends=True)
    if len(sample) == _SAMPLE_CHARACTERS:
        # The last line may be incomplete.
        lines = lines[:-1] or lines

    def quality(delimiter: str) -> tuple[float, int]:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][:_SAMPLE_ROWS]
        width = len(rows[0]) if rows else 0
        if width < 2:
            return 0.0, 0
        return sum(len(row) == width for row in rows) / len(rows), width

    return max(_DELIMITERS, key=quality)


def name_delimiter(delimiter: str) -> str:
    """Return what a delimiter is called."""
    return _DELIMITERS.get(delimiter, repr(delimiter))


def read_delimited(file: TextIO, delimiter: str, place: str) -> Iterator[list[str] | BadRow]:
    """Yield the header, then the values of each row, or what is wrong with it."""
    reader = csv.reader(file, delimiter=delimiter)
    header: list[str] | None = None
    number = 0
    try:
        for values in _with_long_fields(reader):
            if not values:
                continue
            if header is None:
                header = [name.strip() for name in values]
                check_names(header, place)
                yield header
                continue
            number += 1
            if len(values) == len(header):
                yield values
            else:
                yield BadRow(
                    number,
                    f"{len(values)} values for {len(header)} columns (line {reader.line_num})",
                )
    except csv.Error as error:
        msg = f"{place} cannot be read near line {reader.line_num}: {error}."
        raise CommandError(msg) from error
    if header is None:
        msg = f"{place} is empty; its first line must have the names of the columns."
        raise CommandError(msg)


def _with_long_fields(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield the rows; between them, the limit of the process is as it was."""
    while True:
        limit = csv.field_size_limit(_MAX_FIELD)
        try:
            values = next(reader, None)
        finally:
            csv.field_size_limit(limit)
        if values is None:
            return
        yield values


def read_json_lines(file: TextIO) -> Iterator[dict[str, Any] | BadRow]:
    """Yield the object of each line, or what is wrong with it."""
    number = 0
    for line in file:
        if not line.strip():
            continue
        number += 1
        try:
            value = json.loads(line)
        except ValueError as error:
            yield BadRow(number, f"no JSON ({error})")
            continue
        is_row = isinstance(value, dict)
        yield value if is_row else BadRow(number, "no JSON object with a value for each column")


def check_names(names: Sequence[str], place: str) -> None:
    """Raise a CommandError unless the names of columns are distinct and not empty."""
    if (empty := names.count("")) > 0:
        position = list(names).index("") + 1
        msg = (
            f"{place}: {empty} of {len(names)} columns have no name, the first is column "
            f"{position}. The first line must name all columns."
        )
        raise CommandError(msg)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        msg = f"{place}: the column {repeated[0]!r} occurs more than once; rename one of them."
        raise CommandError(msg)
