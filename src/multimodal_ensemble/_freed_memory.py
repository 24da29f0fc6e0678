"""Memory that is free, but that the process still holds."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def return_freed_memory() -> None:
    """Return freed memory to the system.

    The C library of most Linux systems, glibc, keeps it for later. After a training, or after rows
    of a large table were read, it lies between blocks that are in use, so that the next large
    arrays would not fit into it.
    """
    with suppress(OSError, AttributeError, TypeError):
        # Other C libraries have no such function; on Windows, None names no library.
        ctypes.CDLL(None).malloc_trim(0)
