"""One file of a JSON document and arrays: a plain zip archive, read without trust in its content.

Nothing in such a file is code, nothing is unpacked to disk, and nothing that a file claims about
its sizes is believed before the bytes are there.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import reprlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._files import replacing

MANIFEST = "manifest.json"
MAX_MEMBERS = 100_000
# A parsed document takes some twenty times the memory of its text.
MAX_MANIFEST = 64 * 2**20
# Room for MAX_MEMBERS names of MAX_NAME characters in the zip's own list of members.
MAX_NAME = 200
MAX_DIRECTORY = MAX_MEMBERS * (MAX_NAME + 128)
NUMERIC = "biuf"

_ARRAY_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_MEMBER = re.compile(r"arrays/(.+)\.npy")
# What numpy writes for a plain array. Its parser never sees anything else.
_HEADER = re.compile(
    rb"\{'descr': '[<>|][biuf][0-9]{1,2}', 'fortran_order': False, "
    rb"'shape': \((|[0-9]{1,19},|[0-9]{1,19}(, [0-9]{1,19})+)\), \} *\n"
)
_CHUNK = 2**20
_MAX_REASON = 300
# Well below the 4 GiB from which on an entry of a zip archive needs its larger form.
_LARGE = 2**30


def write_archive(
    path: str | os.PathLike[str], document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write a document and named arrays to one file, whole or not at all.

    Equal content gives equal bytes: the file holds no times, and its arrays are sorted by name.
    An older file of that name is replaced at the end, in one step.

    Parameters
    ----------
    path : path
        The file.
    document : mapping
        JSON values only; numbers must be finite.
    arrays : mapping of str to ndarray
        Booleans and numbers. Names are parts of ASCII letters, digits, ``.``, ``_`` and ``-``,
        with ``/`` between them.

    Raises
    ------
    OSError
        If the file cannot be written. An older file of that name is as it was.
    TypeError, ValueError
        If the document is not JSON, or an array or its name is none of those above.
    """
    path = Path(path)
    manifest = _manifest_bytes(document)
    _check_arrays(arrays)
    try:
        with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(_member(MANIFEST), "w") as member:
                member.write(manifest)
            for name in sorted(arrays):
                array = np.asarray(arrays[name], order="C")
                # Beforehand, because the size of an entry's header depends on it.
                large = array.nbytes >= _LARGE
                with archive.open(_member(f"arrays/{name}.npy"), "w", force_zip64=large) as member:
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
    except OSError as error:
        msg = (
            f"The file could not be written ({error.strerror or error}); "
            "an older file of that name is unchanged"
        )
        if error.errno is None:
            msg = f"{msg}: {str(path)!r}"
            raise type(error)(msg) from error
        # With its number, OSError becomes the same subclass again.
        raise OSError(error.errno, msg, str(path)) from error


def read_archive(
    path: str | os.PathLike[str], *, format_name: str, max_version: int
) -> tuple[dict[str, Any], ArrayReader]:
    """Open a file that `write_archive` wrote; its arrays are read when they are asked for.

    Parameters
    ----------
    path : path
        The file.
    format_name : str
        What the document must have under ``"format"``.
    max_version : int
        The highest ``"format_version"`` that the caller understands.

    Returns
    -------
    document : dict
        The JSON document.
    arrays : ArrayReader
        The arrays by name. It keeps the file open: close it, or use it in a ``with`` statement.

    Raises
    ------
    ArtefactError
        If the file is not such an archive, is damaged or cut short, is not of this format, or
        comes from a newer version.
    OSError
        If the file cannot be opened or read.
    """
    path = Path(path)
    file = path.open("rb")
    try:
        with _blame(path, "it is not laid out as it should be"):
            _check_ends(file)
            archive = zipfile.ZipFile(file)
            members = _check_members(archive)
        with _blame(path, f"its {MANIFEST} cannot be read"):
            document = _parse_manifest(archive.read(members.pop(MANIFEST)))
        _check_format(document, path, format_name, max_version)
    except BaseException:
        file.close()
        raise
    return document, ArrayReader(path, file, archive, members)


class ArrayReader:
    """The arrays of an archive by name; each is read, and checked, when it is asked for.

    A name that is not there is an ArtefactError, never a KeyError: the file lacks something.
    """

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        archive: zipfile.ZipFile,
        members: Mapping[str, zipfile.ZipInfo],
    ) -> None:
        self._path = path
        self._file = file
        self._archive = archive
        self._members = {
            name.removeprefix("arrays/").removesuffix(".npy"): info
            for name, info in members.items()
        }

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one array, checked against its CRC."""
        if name not in self:
            msg = (
                f"The file {str(self._path)!r} lacks the array {reprlib.repr(name)}, so it is not "
                "complete. Save it again."
            )
            raise ArtefactError(msg)
        info = self._members[name]
        with _blame(self._path, f"the array {name!r} cannot be read"):
            if self._file.closed:
                msg = "it was closed before"
                raise ValueError(msg)
            with self._archive.open(info) as member:
                return _read_array(member, info.file_size)

    def __contains__(self, name: object) -> bool:
        """Return whether there is an array of this name."""
        return isinstance(name, str) and name in self._members

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._members)

    def __len__(self) -> int:
        """Return how many arrays there are."""
        return len(self._members)

    def keys(self) -> list[str]:
        """Return the names of the arrays."""
        return list(self._members)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()
        self._file.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()


# -- writing ---------------------------------------------------------------------------------


def _manifest_bytes(document: Mapping[str, Any]) -> bytes:
    try:
        # As ASCII, because a file's name may hold half a surrogate pair, which UTF-8 has not.
        text = json.dumps(dict(document), allow_nan=False, ensure_ascii=True, indent=1)
    except RecursionError as error:
        msg = "The document is nested too deeply, or holds itself."
        raise ValueError(msg) from error
    if len(text) > MAX_MANIFEST:
        msg = (
            f"The document must be at most {MAX_MANIFEST} bytes of JSON. Received {len(text)}. "
            "Keep large values in the arrays."
        )
        raise ValueError(msg)
    return text.encode("ascii")


def _check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    if len(arrays) >= MAX_MEMBERS:
        msg = f"An archive holds fewer than {MAX_MEMBERS} arrays. Received {len(arrays)}."
        raise ValueError(msg)
    for name, array in arrays.items():
        if not is_array_name(name):
            msg = (
                "An array's name must be parts of ASCII letters, digits, '.', '_' and '-' with '/' "
                f"between them, of at most {MAX_NAME} characters. Received {name!r}."
            )
            raise ValueError(msg)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in NUMERIC:
            received = getattr(array, "dtype", type(array).__name__)
            msg = f"The array {name!r} must hold booleans or numbers. Received {received}."
            raise TypeError(msg)


def is_array_name(name: object) -> bool:
    """Return whether an archive may hold an array of this name."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME
        and _ARRAY_NAME.fullmatch(name) is not None
        and not {".", ".."} & set(name.split("/"))
    )


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    # The same on every system, for equal bytes.
    info.create_system = 3
    info.external_attr = 0o600 << 16
    return info


# -- reading ---------------------------------------------------------------------------------


@contextmanager
def _blame(path: Path, what: str) -> Iterator[None]:
    """Turn whatever odd bytes make the readers raise into an error that names the file."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        if len(reason) > _MAX_REASON:
            # The readers' messages quote names, which may be as long as the file.
            reason = f"{reason[:_MAX_REASON]}..."
        msg = (
            f"The file {str(path)!r} cannot be loaded: {what} ({reason}). "
            "It is damaged, or no saved artefact: copy or download it again, or save it again."
        )
        raise ArtefactError(msg) from error


def _check_ends(file: BinaryIO) -> None:
    """Check the file's first bytes and its last, before anything parses what is between.

    The standard library's reader accepts anything in front of an archive and behind it, and lists
    members without a limit.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(4)
    if size == 0:
        msg = "it is empty"
        raise ValueError(msg)
    if start != b"PK\x03\x04":
        msg = "it is not a zip archive"
        raise ValueError(msg)
    file.seek(max(0, size - 98))
    tail = file.read()
    end = tail[-22:]
    if end[:4] != b"PK\x05\x06" or end[20:] != b"\0\0":
        msg = "its end is missing: it is cut short, or something was added to it"
        raise ValueError(msg)
    length, offset, behind = end[12:16], end[16:20], 22
    if tail[-42:-38] == b"PK\x06\x07":
        # Of more than 4 GiB or 65,535 members: the larger numbers stand in front.
        length, offset, behind = tail[40:48], tail[48:56], 98
        if tail[:4] != b"PK\x06\x06":
            msg = "its end is not that of a zip archive"
            raise ValueError(msg)
    directory_size = int.from_bytes(length, "little")
    position = size - behind - directory_size
    if int.from_bytes(offset, "little") != position:
        msg = "its list of members is not where it should be: something is missing or was added"
        raise ValueError(msg)
    file.seek(position)
    # Each entry begins with this mark, and none is shorter than it says.
    if (
        directory_size > MAX_DIRECTORY
        or file.read(directory_size).count(b"PK\x01\x02") > MAX_MEMBERS
    ):
        msg = f"it has more than {MAX_MEMBERS:,} members"
        raise ValueError(msg)


def _check_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name; all are of the file's own bytes, and of no others."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.orig_filename
        problem = None
        match = _MEMBER.fullmatch(name)
        # The reader may take another name from an extra field.
        if info.filename != name or (
            name != MANIFEST and (match is None or not is_array_name(match[1]))
        ):
            problem = "is neither the manifest nor an array"
        elif name in members:
            problem = "is there twice"
        elif info.flag_bits & 0x41:
            problem = "is encrypted"
        elif info.compress_type != zipfile.ZIP_STORED:
            problem = "is compressed, which these archives never are"
        elif info.compress_size != info.file_size:
            problem = "has two sizes"
        if problem is not None:
            msg = f"its member {reprlib.repr(name)} {problem}"
            raise ValueError(msg)
        members[name] = info
    if MANIFEST not in members:
        msg = f"it has no {MANIFEST}"
        raise ValueError(msg)
    _check_spans(list(members.values()), archive.start_dir)
    if members[MANIFEST].file_size > MAX_MANIFEST:
        msg = f"its {MANIFEST} is larger than {MAX_MANIFEST} bytes"
        raise ValueError(msg)
    return members


def _check_spans(members: list[zipfile.ZipInfo], end: int) -> None:
    """Check that no two members share bytes: the sizes then add up to less than the file's."""
    members = sorted(members, key=lambda info: info.header_offset)
    following_starts = [*(info.header_offset for info in members[1:]), end]
    for info, following in zip(members, following_starts, strict=True):
        start = info.header_offset
        if start < 0 or start + 30 + len(info.filename) + info.file_size > following:
            msg = f"its member {info.filename!r} claims more bytes than there are for it"
            raise ValueError(msg)


def _parse_manifest(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(
            content.decode("utf-8"),
            parse_constant=_refuse_number,
            parse_float=_finite,
            object_pairs_hook=_distinct,
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


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        msg = "a key is there twice"
        raise ValueError(msg)
    return found


def _check_format(
    document: Mapping[str, Any], path: Path, format_name: str, max_version: int
) -> None:
    received = document.get("format")
    if received != format_name:
        msg = (
            f"The file {str(path)!r} is not of the format {format_name!r}. "
            f"Received format={reprlib.repr(received)}. It was written by something else."
        )
        raise ArtefactError(msg)
    version = document.get("format_version")
    if type(version) is not int or version < 1:
        msg = (
            f"The file {str(path)!r} must have a whole number of at least 1 as its format_version. "
            f"Received {reprlib.repr(version)}. It is damaged: save it again."
        )
        raise ArtefactError(msg)
    if version > max_version:
        writer = reprlib.repr(document.get("library_version"))
        msg = (
            f"The file {str(path)!r} was written by version {writer} of multimodal_ensemble, in "
            f"version {reprlib.repr(version)} of its format; this version reads up to "
            f"{max_version}. Upgrade multimodal_ensemble to load it."
        )
        raise ArtefactError(msg)


def _read_array(member: Any, size: int) -> NDArray[Any]:
    """Read one array; its memory is taken only once its size is known to be that of the bytes."""
    if np.lib.format.read_magic(member) != (1, 0):
        msg = "it is of another version of the npy format than 1.0"
        raise ValueError(msg)
    length = member.read(2)
    header = member.read(int.from_bytes(length, "little"))
    if not _HEADER.fullmatch(header):
        msg = "its header is not that of an array of booleans or numbers in C order"
        raise ValueError(msg)
    shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(length + header))
    available = size - np.lib.format.MAGIC_LEN - len(length) - len(header)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != available:
        msg = f"its shape {reprlib.repr(shape)} needs {claimed} bytes, and there are {available}"
        raise ValueError(msg)
    array: NDArray[Any] = np.empty(shape, dtype)
    content = array.reshape(-1).view(np.uint8)
    for start in range(0, available, _CHUNK):
        part = member.read(_CHUNK)
        content[start : start + len(part)] = np.frombuffer(part, np.uint8)
    # The CRC is compared at the end of the member.
    if member.read(1):
        msg = "it is longer than it says"
        raise ValueError(msg)
    if dtype.kind == "b" and available and content.max() > 1:
        msg = "its booleans are neither 0 nor 1"
        raise ValueError(msg)
    return array
