"""Files that other processes see complete or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing whose content replaces `path` in one step, at the end of the block.

    If an exception leaves the block, the file at `path` stays as it is. The temporary file has a
    new name in the same folder, so that several writers of one path do not collide: the last one
    to finish wins. A killed process leaves it behind as ``.<name>.<digits>.tmp``.
    """
    # The beginning of the name identifies the file; the whole name could be too long.
    temporary = path.parent / f".{path.name[:40]}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()
    # Make the new name survive a power failure, on systems that support it.
    with suppress(OSError):
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
