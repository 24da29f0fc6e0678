"""Rows of text files, one by one: delimited text and JSON lines."""

from __future__ import annotations

import codecs
import csv
import json
from collections import deque
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
# The mark of UTF-32 begins with that of UTF-16.
_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# Which of the first bytes are 0 with two ASCII letters in UTF-16 without a mark.
_WITHOUT_BOM: dict[tuple[bool, ...], str] = {
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
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
    for bom, name in _BOMS.items():
        if first.startswith(bom):
            return name
    return _WITHOUT_BOM.get(tuple(byte == 0 for byte in first), "utf-8")


def find_delimiter(file: TextIO) -> str:
    """Return the delimiter that divides most of the first rows as it divides the header.

    If none divides the header, it is one that divides as few rows as possible.
    """
    sample = file.read(_SAMPLE_CHARACTERS)
    file.seek(0)
    lines = sample.splitlines(keepends=True)
    if len(sample) == _SAMPLE_CHARACTERS:
        # The last line may be incomplete.
        lines = lines[:-1] or lines

    def quality(delimiter: str) -> tuple[bool, float, int]:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][:_SAMPLE_ROWS]
        width = len(rows[0]) if rows else 0
        n_equal = sum(len(row) == width for row in rows)
        return width > 1, n_equal / max(1, len(rows)), width

    return max(_DELIMITERS, key=quality)


def name_delimiter(delimiter: str) -> str:
    """Return what a delimiter is called."""
    return _DELIMITERS.get(delimiter, repr(delimiter))


def read_delimited(file: TextIO, delimiter: str, place: str) -> Iterator[list[str] | BadRow]:
    """Yield the header, then the values of each row, or what is wrong with it.

    Empty values behind the last column are ignored, as are empty names in the header there.
    """
    records = _Records(file, delimiter, place)
    header: list[str] | None = None
    number = 0
    for values in records:
        if values == []:
            continue
        if header is None:
            header = _read_header(values, place)
            yield header
            continue
        number += 1
        if values is None:
            reason = f"a quotation mark that is not closed (line {records.line})"
            yield BadRow(number, reason)
            continue
        while len(values) > len(header) and not values[-1].strip():
            values.pop()
        if len(values) == len(header):
            yield values
        else:
            yield BadRow(
                number, f"{len(values)} values for {len(header)} columns (line {records.line})"
            )
    if header is None:
        msg = f"{place} is empty; its first line must have the names of the columns."
        raise CommandError(msg)


def _read_header(values: list[str] | None, place: str) -> list[str]:
    if values is None:
        msg = f"{place}: the first line has a quotation mark that is not closed."
        raise CommandError(msg)
    header = [name.strip() for name in values]
    while len(header) > 1 and not header[-1]:
        header.pop()
    if not header[0] and any(header):
        # pandas writes and reads the numbers of rows so.
        header[0] = "Unnamed: 0"
    check_names(header, place)
    return header


class _Records:
    """The rows of delimited text; None for a line with a quotation mark that is not closed.

    Such a mark would make one value of all lines up to the next mark, or the end of the file.
    """

    def __init__(self, file: TextIO, delimiter: str, place: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._place = place
        # The number of the last line of the current row.
        self.line = 0
        # Lines that are read once more, and those of the current row.
        self._again: deque[str] = deque()
        self._lines: list[str] = []
        self._is_at_end = False

    def __iter__(self) -> Iterator[list[str] | None]:
        """Yield the values of each row, none for an empty line."""
        while True:
            reader = csv.reader(self._read_lines(), delimiter=self._delimiter)
            while True:
                self._lines = []
                # Between the rows, the limit of the process is as it was.
                limit = csv.field_size_limit(_MAX_FIELD)
                try:
                    values = next(reader, None)
                    is_sound = values is None or self._is_sound()
                except csv.Error as error:
                    if len(self._lines) < 2:
                        msg = f"{self._place} cannot be read near line {self.line}: {error}."
                        raise CommandError(msg) from error
                    is_sound = False
                finally:
                    csv.field_size_limit(limit)
                if not is_sound:
                    break
                if values is None:
                    return
                yield values
            self.line -= len(self._lines) - 1
            self._again.extendleft(reversed(self._lines[1:]))
            yield None

    def _read_lines(self) -> Iterator[str]:
        self._is_at_end = False
        while True:
            line = self._again.popleft() if self._again else self._file.readline()
            if not line:
                self._is_at_end = True
                return
            self.line += 1
            self._lines.append(line)
            yield line

    def _is_sound(self) -> bool:
        """Whether the quotation marks of a row fit, which is only checked in several lines."""
        if self._is_at_end:
            return False
        if len(self._lines) < 2:
            return True
        try:
            list(csv.reader(self._lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return False
        return True


def read_json_lines(file: TextIO) -> Iterator[dict[str, Any] | BadRow]:
    """Yield the object of each line, or what is wrong with it."""
    number = 0
    for line in file:
        if not line.strip():
            continue
        number += 1
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"no JSON ({error})")
            continue
        is_row = isinstance(value, dict) and "" not in value
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
