"""Read a file that `write_archive` wrote; nothing in it is run as code or unpacked to disk."""

from __future__ import annotations

import os
import reprlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from multimodal_ensemble._regular_files import open_regular
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._archive_format import (
    MANIFEST,
    check_ends,
    check_members,
    describe_reason,
    parse_manifest,
    read_array,
)


def read_archive(
    path: str | os.PathLike[str],
    *,
    format_name: str,
    max_version: int,
    error: type[Exception] = ArtefactError,
    advice: str = "Copy or download it again, or save it again.",
) -> tuple[dict[str, Any], ArrayReader]:
    """Return the document of a file that `write_archive` wrote, and a reader of its arrays.

    The reader keeps the file open: close it, or use it in a ``with`` statement. A file that is
    damaged, cut short, not of the format `format_name`, or of a newer version than `max_version`
    raises the given `error`, whose message ends with the `advice`. OSError passes.
    """
    arrays = ArrayReader(Path(path), error, advice)
    try:
        return arrays._read_document(format_name, max_version), arrays
    except BaseException:
        arrays.close()
        raise


class ArrayReader(Mapping[str, NDArray[Any]], AbstractContextManager["ArrayReader"]):
    """The arrays of an archive by name; each one is read and checked on access.

    A name that is not there raises the exception that was given to `read_archive`, never a
    KeyError, because the file is incomplete.
    """

    _archive: zipfile.ZipFile
    _members: dict[str, zipfile.ZipInfo]

    def __init__(self, path: Path, error: type[Exception], advice: str) -> None:
        self._path = path
        self._error = error
        self._advice = advice
        # The names of the arrays that `unpack_state` has returned.
        self.unpacked: set[str] = set()
        self._file = open_regular(path)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one array after a check of its CRC."""
        if name not in self:
            self._refuse(f"lacks the array {reprlib.repr(name)}, so it is incomplete")
        info = self._members[name]
        with self.explaining(f"the array {name!r} cannot be read"):
            if self._file.closed:
                msg = "the reader was closed before"
                raise ValueError(msg)
            with self._archive.open(info) as member:
                return read_array(member, info.file_size)

    def __contains__(self, name: object) -> bool:
        """Return whether there is an array of this name."""
        return isinstance(name, str) and name in self._members

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._members)

    def __len__(self) -> int:
        """Return the number of arrays."""
        return len(self._members)

    @property
    def n_bytes(self) -> int:
        """Size of all arrays."""
        return sum(info.file_size for info in self._members.values())

    @contextmanager
    def explaining(self, problem: str) -> Iterator[None]:
        """Turn exceptions about the content into one about the file.

        OSError and MemoryError pass. `problem` says what is wrong, for example ``"its parts do not
        fit together"``.
        """
        try:
            yield
        except (OSError, MemoryError, self._error):
            raise
        except Exception as cause:
            # Malformed bytes make the readers raise almost any exception.
            self._refuse(f"cannot be loaded: {problem} ({describe_reason(cause)})", cause=cause)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self.close()

    def _refuse(
        self, problem: str, *, advice: str | None = None, cause: Exception | None = None
    ) -> NoReturn:
        msg = f"The file {str(self._path)!r} {problem}. {advice or self._advice}"
        raise self._error(msg) from cause

    def _read_document(self, format_name: str, max_version: int) -> dict[str, Any]:
        with self.explaining("its layout is not that of an archive"):
            check_ends(self._file)
            self._archive = zipfile.ZipFile(self._file)
            manifest, self._members = check_members(self._archive)
        with self.explaining(f"its {MANIFEST} cannot be read"):
            document = parse_manifest(self._archive.read(manifest))
        received = document.get("format")
        if received != format_name:
            is_ours = isinstance(received, str) and received.startswith("multimodal_ensemble ")
            advice = (
                "Pass a file of that format. MultimodalClassifier.load and "
                "MultimodalEnsemble.load read estimators, and resume_from reads checkpoints."
            )
            self._refuse(
                f"does not have the format {format_name!r}. "
                f"Received format={reprlib.repr(received)}",
                advice=advice if is_ours else None,
            )
        version = document.get("format_version")
        if type(version) is not int or version < 1:
            self._refuse(
                "must have a whole number of at least 1 as its format_version. "
                f"Received {reprlib.repr(version)}"
            )
        if version > max_version:
            writer = reprlib.repr(document.get("library_version"))
            self._refuse(
                f"was written by version {writer} of multimodal_ensemble, in version "
                f"{reprlib.repr(version)} of its format; this version reads up to {max_version}",
                advice="Upgrade multimodal_ensemble to load it.",
            )
        return document
