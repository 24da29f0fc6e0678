"""Errors about temporary files, such as a full disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def explaining_temporary_files() -> Iterator[None]:
    """Replace an OSError by one that says how to choose another folder for temporary files."""
    try:
        yield
    except OSError as error:
        msg = (
            "Rows that do not fit into memory could not be written to a temporary file "
            f"({error.strerror or error}). Set the environment variable TMPDIR to a folder with "
            f"enough space. It is in {tempfile.tempdir!r} now."
        )
        # With the error number, OSError creates the same subclass again.
        raise (OSError(msg) if error.errno is None else OSError(error.errno, msg)) from error
