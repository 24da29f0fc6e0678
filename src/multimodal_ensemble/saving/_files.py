"""Files that other processes see complete or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing whose content replaces `path` in one step, at the end of the block.

    Until then, and if an exception leaves the block, the file at `path` stays as it is. The
    content is written under a new temporary name in the same folder, so that several writers of
    one path do not collide. The last one to finish wins.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    binary file
        The temporary file. A killed process leaves it behind as ``.<name>.<digits>.tmp``.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from multimodal_ensemble.saving import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "notes.txt")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"complete")
    ...     path.read_text()
    'complete'
    """
    # The beginning of the name identifies the file; the whole name could be too long.
    temporary = path.parent / f".{path.name[:40]}.{uuid.uuid4().hex}{SUFFIX}"
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
    """Make the new name survive a power failure, on systems that support it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
