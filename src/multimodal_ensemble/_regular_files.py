"""Opening files that users or other files name: only regular files are opened."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file, or a symbolic link to one, to read its bytes.

    Opening a named pipe waits until another process writes to it, and a device may never end.

    Raises
    ------
    OSError
        If the file cannot be opened, or is a folder, a named pipe, a device or the like.
    """
    mode = Path(path).stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", os.fspath(path))
    return Path(path).open("rb")
