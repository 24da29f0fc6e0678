"""Files that are seen whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path, *, part: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file for writing whose content takes the place of `path` in one step, at the end.

    Until then, and if anything goes wrong, what is at `path` stays as it is.

    Parameters
    ----------
    path : Path
        The file.
    part : Path, optional
        What the file is called until it is whole, in the same folder; a killed process leaves it
        there. Default: a dot, the name's beginning, something new each time, `SUFFIX`.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    # The name's beginning tells what it is; the whole could be too long.
    temporary = part or path.parent / f".{path.name[:40]}.{uuid.uuid4().hex}{SUFFIX}"
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
