"""The layout of an archive, a zip file of one JSON document and ``.npy`` arrays, and its checks.

No size that a file claims is used before it is verified. The checks raise a ValueError that says
what is wrong; `read_archive` adds the file.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import reprlib
import zipfile
from typing import IO, Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

MANIFEST = "manifest.json"
MAX_MEMBERS = 100_000
MAX_MANIFEST_BYTES = 64 * 2**20
# A parsed document may take 30 times the memory of its text: lists, objects and their keys take
# about 300 bytes each with their copies, and other values about 60.
MAX_MANIFEST_PARTS = 2**20
MAX_MANIFEST_VALUES = 2**22
# Reading an empty array needs no bytes of the file, and a loop over its rows would need memory.
MAX_EMPTY_AXIS = 2**16
MAX_NAME_LENGTH = 200
# Space for MAX_MEMBERS names of MAX_NAME_LENGTH characters in the zip file's list of members.
MAX_DIRECTORY_BYTES = MAX_MEMBERS * (MAX_NAME_LENGTH + 128)
_MAX_REASON_LENGTH = 300
# Booleans, signed and unsigned integers, floats.
NUMERIC_KINDS = "biuf"

_ARRAY_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_MEMBER_NAME = re.compile(r"arrays/(.+)\.npy")
# The header that numpy writes for a plain array. Its parser never receives anything else.
_NPY_HEADER = re.compile(
    rb"\{'descr': '[<>|][biuf][0-9]{1,2}', 'fortran_order': False, "
    rb"'shape': \((|[0-9]{1,19},|[0-9]{1,19}(, [0-9]{1,19})+)\), \} *\n"
)
# Possessive, because it must take linear time on any bytes.
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_CHUNK_BYTES = 2**20

# Marks and sizes of the parts of a zip file (PKWARE APPNOTE, sections 4.3.7 to 4.3.16).
_LOCAL_HEADER = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_DIRECTORY_ENTRY = b"PK\x01\x02"
_END, _END_BYTES = b"PK\x05\x06", 22
_LARGE_END, _LARGE_END_BYTES = b"PK\x06\x06", 56
_LARGE_LOCATOR, _LARGE_LOCATOR_BYTES = b"PK\x06\x07", 20


def is_array_name(name: object) -> bool:
    """Return whether an archive may hold an array of this name."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME_LENGTH
        and _ARRAY_NAME.fullmatch(name) is not None
        and not {".", ".."} & set(name.split("/"))
    )


def check_ends(file: BinaryIO) -> None:
    """Check the first and last bytes of the file before a parser reads what lies between.

    The reader of the standard library accepts any bytes before and after an archive, and lists
    members without a limit.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(4)
    if size == 0:
        _refuse("it is empty")
    if start != _LOCAL_HEADER:
        _refuse("it is not a zip archive")
    all_ends = _LARGE_END_BYTES + _LARGE_LOCATOR_BYTES + _END_BYTES
    file.seek(max(0, size - all_ends))
    tail = file.read()
    end = tail[-_END_BYTES:]
    if end[:4] != _END or end[20:] != b"\0\0":
        _refuse("its end is missing: it is cut short, or something was added to it")
    length, offset, n_end_bytes = end[12:16], end[16:20], _END_BYTES
    if tail[-_END_BYTES - _LARGE_LOCATOR_BYTES :][:4] == _LARGE_LOCATOR:
        # Archives of more than 4 GiB or 65,535 members store the larger numbers before the end.
        length, offset, n_end_bytes = tail[40:48], tail[48:56], all_ends
        if tail[:4] != _LARGE_END:
            _refuse("its end is not that of a zip archive")
    directory_bytes = int.from_bytes(length, "little")
    position = size - n_end_bytes - directory_bytes
    if int.from_bytes(offset, "little") != position:
        _refuse("its list of members is at the wrong position: bytes are missing or were added")
    file.seek(position)
    # Each entry begins with this mark, so counting the marks bounds the number of entries.
    if (
        directory_bytes > MAX_DIRECTORY_BYTES
        or file.read(directory_bytes).count(_DIRECTORY_ENTRY) > MAX_MEMBERS
    ):
        _refuse(f"it has more than {MAX_MEMBERS:,} members")


def check_members(archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, dict[str, zipfile.ZipInfo]]:
    """Return the manifest, and the arrays by name, after a check that no two share bytes."""
    manifest: zipfile.ZipInfo | None = None
    arrays: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        # The reader may take another name from an extra field, so the original one is checked.
        member = info.orig_filename
        match = _MEMBER_NAME.fullmatch(member)
        name = match[1] if match is not None and is_array_name(match[1]) else None
        is_manifest = member == MANIFEST
        problem = None
        if info.filename != member or (name is None and not is_manifest):
            problem = "is neither the manifest nor an array"
        elif name in arrays or (is_manifest and manifest is not None):
            problem = "occurs twice"
        elif info.flag_bits & 0x41:
            problem = "is encrypted"
        elif info.compress_type != zipfile.ZIP_STORED:
            problem = "is compressed, which these archives never are"
        elif info.compress_size != info.file_size:
            problem = "has two sizes"
        if problem is not None:
            _refuse(f"its member {reprlib.repr(member)} {problem}")
        if name is None:
            manifest = info
        else:
            arrays[name] = info
    if manifest is None:
        _refuse(f"it has no {MANIFEST}")
    check_no_overlap([manifest, *arrays.values()], archive.start_dir)
    if manifest.file_size > MAX_MANIFEST_BYTES:
        _refuse(f"its {MANIFEST} is larger than {MAX_MANIFEST_BYTES:,} bytes")
    return manifest, arrays


def check_no_overlap(members: list[zipfile.ZipInfo], end: int) -> None:
    """Check that no two members share bytes, so that their sizes add up to less than the file's."""
    members = sorted(members, key=lambda info: info.header_offset)
    next_starts = [*(info.header_offset for info in members[1:]), end]
    for info, next_start in zip(members, next_starts, strict=True):
        start = info.header_offset
        n_bytes = _LOCAL_HEADER_BYTES + len(info.filename) + info.file_size
        if start < 0 or start + n_bytes > next_start:
            _refuse(f"its member {info.filename!r} claims more bytes than are available for it")


def check_manifest_size(content: bytes) -> None:
    """Check that a JSON document has no more parts than memory is meant for."""
    # Strings may hold any character, so they are left out if this matters.
    if _has_many_parts(content) and _has_many_parts(_JSON_STRING.sub(b"", content)):
        _refuse(
            f"it has more than {MAX_MANIFEST_PARTS:,} lists, objects and keys, or more than "
            f"{MAX_MANIFEST_VALUES:,} values"
        )


def _has_many_parts(text: bytes) -> bool:
    n_parts = sum(text.count(mark) for mark in (b"[", b"{", b":"))
    return n_parts > MAX_MANIFEST_PARTS or text.count(b",") > MAX_MANIFEST_VALUES


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Return the JSON object in the manifest; its numbers are finite and its keys distinct."""
    check_manifest_size(content)
    try:
        document = json.loads(
            content.decode("utf-8"),
            # The constants are NaN and the infinities.
            parse_constant=_parse_float,
            parse_float=_parse_float,
            object_pairs_hook=_check_distinct_keys,
        )
    except RecursionError:
        _refuse("it is nested too deeply")
    if not isinstance(document, dict):
        _refuse(f"it must be a JSON object, not of type {type(document).__name__}")
    return document


def _parse_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        _refuse(f"the number {reprlib.repr(text)} is not finite")
    return number


def _check_distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse("a key occurs twice")
    return found


def check_empty_shape(shape: tuple[int, ...]) -> None:
    """Check that an array without elements has no long axis."""
    if 0 in shape and max(shape) > MAX_EMPTY_AXIS:
        _refuse(f"its shape {reprlib.repr(shape)} has no elements, and more than 65,536 rows")


def read_array(member: IO[bytes], size: int) -> NDArray[Any]:
    """Read one array; allocate its memory only if the member has the bytes to fill it."""
    if np.lib.format.read_magic(member) != (1, 0):
        _refuse("it does not have version 1.0 of the npy format")
    length = member.read(2)
    header = member.read(int.from_bytes(length, "little"))
    if not _NPY_HEADER.fullmatch(header):
        _refuse("its header is not that of an array of booleans or numbers in C order")
    shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(length + header))
    available = size - np.lib.format.MAGIC_LEN - len(length) - len(header)
    needed = math.prod(shape) * dtype.itemsize
    if needed != available:
        _refuse(f"its shape {reprlib.repr(shape)} needs {needed} bytes, and it has {available}")
    array: NDArray[Any] = np.empty(shape, dtype)
    check_empty_shape(shape)
    content = array.reshape(-1).view(np.uint8)
    for start in range(0, available, _CHUNK_BYTES):
        part = member.read(_CHUNK_BYTES)
        content[start : start + len(part)] = np.frombuffer(part, np.uint8)
    # Reading to the end of the member makes the zip reader compare its CRC.
    if member.read(1):
        _refuse("it is longer than it claims")
    if dtype.kind == "b" and available and content.max() > 1:
        _refuse("its booleans are neither 0 nor 1")
    return array


def describe_reason(error: Exception) -> str:
    """Return the message of an exception of a reader, cut to a length that people read."""
    reason = (str(error) or type(error).__name__).rstrip(".")
    # The readers' messages quote names, which may be as long as the file.
    return reason if len(reason) <= _MAX_REASON_LENGTH else f"{reason[:_MAX_REASON_LENGTH]}..."


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
