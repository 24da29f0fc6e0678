"""Checks of an archive's bytes; no size that the file claims is used before it is verified.

Every function raises a ValueError that says what is wrong. `read_archive` adds the file.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import reprlib
import zipfile
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.saving import _archive_layout as layout

# The header that numpy writes for a plain array. Its parser never receives anything else.
_NPY_HEADER = re.compile(
    rb"\{'descr': '[<>|][biuf][0-9]{1,2}', 'fortran_order': False, "
    rb"'shape': \((|[0-9]{1,19},|[0-9]{1,19}(, [0-9]{1,19})+)\), \} *\n"
)
_CHUNK_BYTES = 2**20

# Marks and sizes of the parts of a zip file (PKWARE APPNOTE, sections 4.3.7 to 4.3.16).
_LOCAL_HEADER = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_DIRECTORY_ENTRY = b"PK\x01\x02"
_END, _END_BYTES = b"PK\x05\x06", 22
_LARGE_END, _LARGE_END_BYTES = b"PK\x06\x06", 56
_LARGE_LOCATOR, _LARGE_LOCATOR_BYTES = b"PK\x06\x07", 20


def check_ends(file: BinaryIO) -> None:
    """Check the first and last bytes of the file before a parser reads what lies between.

    The reader of the standard library accepts any bytes before and after an archive, and lists
    members without a limit.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(4)
    if size == 0:
        msg = "it is empty"
        raise ValueError(msg)
    if start != _LOCAL_HEADER:
        msg = "it is not a zip archive"
        raise ValueError(msg)
    all_ends = _LARGE_END_BYTES + _LARGE_LOCATOR_BYTES + _END_BYTES
    file.seek(max(0, size - all_ends))
    tail = file.read()
    end = tail[-_END_BYTES:]
    if end[:4] != _END or end[20:] != b"\0\0":
        msg = "its end is missing: it is cut short, or something was added to it"
        raise ValueError(msg)
    length, offset, n_end_bytes = end[12:16], end[16:20], _END_BYTES
    if tail[-_END_BYTES - _LARGE_LOCATOR_BYTES :][:4] == _LARGE_LOCATOR:
        # Archives of more than 4 GiB or 65,535 members store the larger numbers before the end.
        length, offset, n_end_bytes = tail[40:48], tail[48:56], all_ends
        if tail[:4] != _LARGE_END:
            msg = "its end is not that of a zip archive"
            raise ValueError(msg)
    directory_bytes = int.from_bytes(length, "little")
    position = size - n_end_bytes - directory_bytes
    if int.from_bytes(offset, "little") != position:
        msg = "its list of members is at the wrong position: bytes are missing or were added"
        raise ValueError(msg)
    file.seek(position)
    # Each entry begins with this mark, so counting the marks bounds the number of entries.
    if (
        directory_bytes > layout.MAX_DIRECTORY_BYTES
        or file.read(directory_bytes).count(_DIRECTORY_ENTRY) > layout.MAX_MEMBERS
    ):
        msg = f"it has more than {layout.MAX_MEMBERS:,} members"
        raise ValueError(msg)


def check_members(archive: zipfile.ZipFile) -> tuple[zipfile.ZipInfo, dict[str, zipfile.ZipInfo]]:
    """Return the manifest, and the arrays by name, after a check that no two share bytes."""
    manifest: zipfile.ZipInfo | None = None
    arrays: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        # The reader may take another name from an extra field, so the original one is checked.
        member = info.orig_filename
        name = layout.array_name(member)
        is_manifest = member == layout.MANIFEST
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
            msg = f"its member {reprlib.repr(member)} {problem}"
            raise ValueError(msg)
        if name is None:
            manifest = info
        else:
            arrays[name] = info
    if manifest is None:
        msg = f"it has no {layout.MANIFEST}"
        raise ValueError(msg)
    _check_no_overlap([manifest, *arrays.values()], archive.start_dir)
    if manifest.file_size > layout.MAX_MANIFEST_BYTES:
        msg = f"its {layout.MANIFEST} is larger than {layout.MAX_MANIFEST_BYTES} bytes"
        raise ValueError(msg)
    return manifest, arrays


def _check_no_overlap(members: list[zipfile.ZipInfo], end: int) -> None:
    """Check that no two members share bytes, so that their sizes add up to less than the file's."""
    members = sorted(members, key=lambda info: info.header_offset)
    next_starts = [*(info.header_offset for info in members[1:]), end]
    for info, next_start in zip(members, next_starts, strict=True):
        start = info.header_offset
        n_bytes = _LOCAL_HEADER_BYTES + len(info.filename) + info.file_size
        if start < 0 or start + n_bytes > next_start:
            msg = f"its member {info.filename!r} claims more bytes than are available for it"
            raise ValueError(msg)


def parse_manifest(content: bytes) -> dict[str, Any]:
    """Return the JSON object in the manifest; its numbers are finite and its keys distinct."""
    try:
        document = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_number,
            parse_float=_parse_float,
            object_pairs_hook=_check_distinct_keys,
        )
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error
    if not isinstance(document, dict):
        msg = f"it must be a JSON object, not of type {type(document).__name__}"
        raise ValueError(msg)
    return document


def _refuse_number(text: str) -> float:
    msg = f"the number {reprlib.repr(text)} is not finite"
    raise ValueError(msg)


def _parse_float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _check_distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key occurs twice"
        raise ValueError(msg)
    return found


def read_array(member: IO[bytes], size: int) -> NDArray[Any]:
    """Read one array; allocate its memory only if the member has the bytes to fill it."""
    if np.lib.format.read_magic(member) != (1, 0):
        msg = "it does not have version 1.0 of the npy format"
        raise ValueError(msg)
    length = member.read(2)
    header = member.read(int.from_bytes(length, "little"))
    if not _NPY_HEADER.fullmatch(header):
        msg = "its header is not that of an array of booleans or numbers in C order"
        raise ValueError(msg)
    shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(length + header))
    available = size - np.lib.format.MAGIC_LEN - len(length) - len(header)
    needed = math.prod(shape) * dtype.itemsize
    if needed != available:
        msg = f"its shape {reprlib.repr(shape)} needs {needed} bytes, and it has {available}"
        raise ValueError(msg)
    array: NDArray[Any] = np.empty(shape, dtype)
    content = array.reshape(-1).view(np.uint8)
    for start in range(0, available, _CHUNK_BYTES):
        part = member.read(_CHUNK_BYTES)
        content[start : start + len(part)] = np.frombuffer(part, np.uint8)
    # Reading to the end of the member makes the zip reader compare its CRC.
    if member.read(1):
        msg = "it is longer than it claims"
        raise ValueError(msg)
    if dtype.kind == "b" and available and content.max() > 1:
        msg = "its booleans are neither 0 nor 1"
        raise ValueError(msg)
    return array
