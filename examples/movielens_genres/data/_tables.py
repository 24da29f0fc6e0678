"""Read MovieLens tables: by pandas where that is provably right, else line by line."""

import codecs
import csv
import dataclasses
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._errors import DataError
from ._findings import Findings

MAX_JOINED = 5
# The C engine of pandas accepts no separator of two characters; no keyboard has this one.
_STAND_IN = "\x1f"
_STARTS_ROW = re.compile(r'\s*"?[0-9]+"?\s*,')
_UNPACK = "unpack it and name the file within"
_SAVE_AS_CSV = "save it as CSV in UTF-8"
_SIGNATURES = {
    b"PK\x03\x04": ("a zip archive or a workbook", f"{_UNPACK}, or {_SAVE_AS_CSV}"),
    b"\x1f\x8b": ("a gzip archive", _UNPACK),
    b"7z\xbc\xaf": ("a 7z archive", _UNPACK),
    b"Rar!": ("a rar archive", _UNPACK),
    b"\xd0\xcf\x11\xe0": ("a workbook", _SAVE_AS_CSV),
    codecs.BOM_UTF16_LE: ("text in UTF-16", _SAVE_AS_CSV),
    codecs.BOM_UTF16_BE: ("text in UTF-16", _SAVE_AS_CSV),
}


def read_table(
    path: Path,
    columns: Sequence[str],
    findings: Findings,
    *,
    optional: Sequence[str] = (),
    ids: Sequence[str] = (),
    text: str | None = None,
) -> pd.DataFrame:
    """Read columns of a table unchanged, and report the problems in it.

    Parameters
    ----------
    path : Path
        A ``.dat`` file has no header, and ``::`` separates its cells. Any other file is CSV with
        a header.
    columns : sequence of str
        The columns to read; for a ``.dat`` file, all columns in their order.
    findings : Findings
        Receives each problem with its number of rows.
    optional : sequence of str
        Columns that are read from a CSV file if it has them; the last ones of a ``.dat`` file.
    ids : sequence of str
        Columns that are returned as int64, which is faster, if all of their cells fit.
    text : str, optional
        A column of free text, the only one that may contain ``::`` in a ``.dat`` file.

    Returns
    -------
    table : DataFrame
        Columns of dtype str, or int64 for some of `ids`; "NA" is an ordinary word. Blank lines
        are skipped. Lines with too many or too few cells, or with a quote that stays open, are
        dropped and counted in `findings`.

    Raises
    ------
    DataError
        If the file cannot be read, is not text, lacks a column, or has lines but no valid row.
    """
    raw = _read_text(path)
    layout: _Csv | _Dat
    if path.suffix.lower() == ".dat":
        layout, body = _Dat([*columns, *optional], text), raw
        wanted = layout.names
    else:
        n_blank = len(raw) - len(raw.lstrip(b"\n"))
        header, _, body = raw[n_blank:].partition(b"\n")
        layout = _Csv(_read_header(path, header, columns), n_blank + 1)
        wanted = [*columns, *(name for name in optional if name in layout.names)]
    if repeated := [name for name in wanted if layout.names.count(name) > 1]:
        msg = f"{str(path)!r} names the column(s) {repeated} more than once; rename or remove one."
        raise DataError(msg)
    positions = [layout.names.index(name) for name in wanted]
    dtypes = dict.fromkeys(ids, np.dtype(np.int64))
    # In pandas 3 text has its own dtype. In pandas 2 it is object, which may hold anything.
    text_dtype = pd.Series([""]).dtype
    if text is not None and not pd.api.types.is_object_dtype(text_dtype):
        dtypes[text] = text_dtype
    inferred = {layout.names.index(name): dtype for name, dtype in dtypes.items() if name in wanted}
    table = _read_fast(body, layout, positions, inferred)
    if table is None:
        rows = _read_carefully(body, layout, path, findings)
        table = pd.DataFrame({at: [row[at] for row in rows] for at in positions}, dtype=str)
    return table.set_axis(wanted, axis="columns")


class _Row(NamedTuple):
    """The row that starts at a line: its cells, its number of lines, a problem and its rule."""

    cells: list[str]
    n_lines: int = 1
    remark: tuple[str, str] | None = None


_OPEN_QUOTE = _Row([], remark=("a quote is not closed", "dropped"))


@dataclasses.dataclass(frozen=True)
class _Csv:
    names: list[str]
    header_lines: int
    separator = ","

    def for_parser(self, body: bytes) -> tuple[bytes, dict[str, Any]] | None:
        return body, {}

    def split(self, lines: Sequence[str], at: int) -> _Row:
        if '"' not in lines[at]:
            return _Row(lines[at].split(","))
        # The reader enters the second, empty line only to search for a closing quote.
        reader = csv.reader([lines[at] + "\n", ""])
        try:
            cells = next(reader)
            return _Row(cells) if reader.line_num == 1 else self._join(lines, at)
        except csv.Error:
            return _OPEN_QUOTE

    def _join(self, lines: Sequence[str], at: int) -> _Row:
        """Return a row with line breaks within quotes; raise csv.Error if it is not one."""
        joined = [lines[at] + "\n"]
        for line in lines[at + 1 : at + 1 + MAX_JOINED]:
            # Two stray quotes on different lines must not join the lines between them.
            if line.count(",") >= len(self.names) - 1 and _STARTS_ROW.match(line):
                break
            joined.append(line + "\n")
        reader = csv.reader(joined, strict=True)
        cells = [cell.replace("\n", " ") for cell in next(reader)]
        if len(cells) != len(self.names):
            return _OPEN_QUOTE
        remark = ("a line break within quotes", "kept, the break becomes a blank")
        return _Row(cells, reader.line_num, remark)


@dataclasses.dataclass(frozen=True)
class _Dat:
    names: list[str]
    text: str | None
    separator = "::"
    header_lines = 0

    def for_parser(self, body: bytes) -> tuple[bytes, dict[str, Any]] | None:
        # With three colons in a row, the column decides which two are the separator.
        if b":::" in body or _STAND_IN.encode() in body:
            return None
        body = body.replace(self.separator.encode(), _STAND_IN.encode())
        return body, {"sep": _STAND_IN, "quoting": csv.QUOTE_NONE}

    def split(self, lines: Sequence[str], at: int) -> _Row:
        if self.text is None:
            return _Row(lines[at].split(self.separator))
        before = self.names.index(self.text)
        cells = lines[at].split(self.separator, before)
        cells += cells.pop().rsplit(self.separator, len(self.names) - before - 1)
        if len(cells) == len(self.names) and self.separator in cells[before]:
            return _Row(cells, remark=(f"'::' within the {self.text}", "kept, joined again"))
        return _Row(cells)


def _read_text(path: Path) -> bytes:
    """Return the file without a byte order mark, with line feeds as line ends."""
    try:
        if path.is_dir():
            msg = f"Expected a file, but {str(path)!r} is a folder; name a file within it."
            raise DataError(msg)
        raw = path.read_bytes()
    except FileNotFoundError as error:
        msg = f"The file {str(path)!r} does not exist; check its name and folder."
        raise DataError(msg) from error
    except OSError as error:
        msg = f"The file {str(path)!r} cannot be read ({error.strerror}); check its permissions."
        raise DataError(msg) from error
    kind = next((kind for start, kind in _SIGNATURES.items() if raw.startswith(start)), None)
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if kind is None and raw[:256].lstrip().startswith(b"<"):
        kind = ("a web page", "download the file itself")
    # A stray NUL is removed. If every tenth character is one, the file is not text.
    if kind is None and raw[:4096].count(b"\0") * 10 > len(raw[:4096]):
        kind = ("binary data", _SAVE_AS_CSV)
    if kind is not None:
        msg = f"Expected a table as text, but {str(path)!r} holds {kind[0]}; {kind[1]}."
        raise DataError(msg)
    if not raw.strip():
        msg = f"The file {str(path)!r} is empty; download or unpack it again."
        raise DataError(msg)
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw


def _read_header(path: Path, header: bytes, columns: Sequence[str]) -> list[str]:
    line, _ = _decode(header)
    names = [name.strip() for name in _Csv([], 1).split([line.replace("\0", "")], 0).cells]
    if absent := [name for name in columns if name not in names]:
        msg = (
            f"{str(path)!r} lacks the column(s) {absent}; its first line must name the columns, "
            f"separated by commas, but it is {line[:60]!r}."
        )
        raise DataError(msg)
    return names


def _read_fast(
    body: bytes, layout: _Csv | _Dat, positions: list[int], inferred: dict[int, Any]
) -> pd.DataFrame | None:
    """Return the table if each line is certainly one row of the layout, else None.

    Reading is faster for columns whose dtype is inferred, where the result is the same.
    """
    if body.endswith(b"\n\n"):
        body = body.rstrip(b"\n")
    prepared = None if b"\0" in body else layout.for_parser(body)
    if prepared is None:
        return None
    data, options = prepared
    n_cells = len(layout.names)
    try:
        with warnings.catch_warnings():
            # Columns of mixed types are not used, or are read again below.
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            table = pd.read_csv(
                io.BytesIO(data),
                header=None,
                names=range(n_cells),
                dtype={at: str for at in positions if at not in inferred},
                # A tag may be "null" or "NA".
                na_filter=False,
                **options,
            )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return None
    # There are fewer rows than lines if a line is blank or a quote spans a line end. The index
    # differs if the first line has too many cells; the parser reports later lines itself.
    n_lines = body.count(b"\n") + (not body.endswith(b"\n"))
    if len(table) != n_lines or not isinstance(table.index, pd.RangeIndex):
        return None
    # The parser pads lines that have too few cells, so their last cell is empty.
    last = table[n_cells - 1]
    empty = [] if pd.api.types.is_numeric_dtype(last) else np.flatnonzero(last == "")
    if len(empty):
        lines = body.decode().split("\n")
        if any(len(layout.split(lines, row).cells) != n_cells for row in empty):
            return None
    right = {at: dtype for at, dtype in inferred.items() if table[at].dtype == dtype}
    if len(right) < len(inferred):
        return _read_fast(body, layout, positions, right)
    return table[positions]


def _read_carefully(
    body: bytes, layout: _Csv | _Dat, path: Path, findings: Findings
) -> list[list[str]]:
    """Return the rows with the right number of cells, and report everything else."""
    notes: dict[tuple[str, str], tuple[int, str]] = {}
    lines: list[str] = []
    rows: list[list[str]] = []

    def note(problem: str, rule: str, at: int) -> None:
        example = f"line {at + 1 + layout.header_lines}: {lines[at]}"
        count, first = notes.get((problem, rule), (0, example))
        notes[problem, rule] = (count + 1, first)

    for at, raw_line in enumerate(body.split(b"\n")):
        line, is_utf8 = _decode(raw_line)
        lines.append(line)
        if not is_utf8:
            note("not UTF-8", "kept, decoded as Latin-1", at)
        if "\0" in line:
            lines[at] = line.replace("\0", "")
            note("NUL characters", "kept without them", at)
    at = 0
    while at < len(lines):
        if not lines[at].strip(" \t"):
            at += 1
            continue
        row = layout.split(lines, at)
        if row.remark is not None:
            note(*row.remark, at)
        elif len(row.cells) != len(layout.names):
            note(f"not {len(layout.names)} columns", "dropped", at)
        if len(row.cells) == len(layout.names):
            rows.append(row.cells)
        at += row.n_lines
    first = next((line for line in lines if line.strip(" \t")), None)
    if not rows and first is not None:
        msg = (
            f"No line of {str(path)!r} is a row of the columns {layout.names}, separated by "
            f"{layout.separator!r}; the first line is {first[:60]!r}. Download the file again."
        )
        raise DataError(msg)
    for (problem, rule), (count, example) in notes.items():
        findings.add(path.name, problem, count, rule, example)
    return rows


def _decode(line: bytes) -> tuple[str, bool]:
    """Return the text and whether it is UTF-8."""
    try:
        return line.decode(), True
    except UnicodeDecodeError:
        pass
    try:
        # This is Latin-1 with curly quotes and dashes in place of control characters.
        return line.decode("cp1252"), False
    except UnicodeDecodeError:
        return line.decode("latin-1"), False
