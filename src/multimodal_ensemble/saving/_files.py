"""Files that other processes see complete or not at all, and what killed processes leave behind."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO

if sys.platform != "win32":
    import fcntl

# A temporary file whose owner cannot be asked, because it ran on another machine, counts as
# abandoned after a day without a change. Clocks may differ by less than that.
_ABANDONED_SECONDS = 24 * 3600
_TOKEN_DIGITS = 32


@contextmanager
def replacing(path: Path, *, tidy: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing whose content replaces `path` in one step, at the end of the block.

    If an exception leaves the block, the file at `path` stays as it is. The temporary file has a
    new name in the same folder, so that several writers of one path do not collide: the last one
    to finish wins. A killed process leaves it behind as ``.<name>.<token>.tmp``; with `tidy`, the
    next writer of the same path removes it.

    Raises
    ------
    OSError
        If the file cannot be written; the message names `path` and not the temporary file.
    """
    # The beginning of the name identifies the file; the whole name could be too long.
    prefix = f".{path.name[:40]}."
    if tidy:
        _remove_leftovers(path.parent, prefix)
    temporary = path.parent / f"{prefix}{make_token()}.tmp"
    try:
        with temporary.open("wb") as file:
            lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        msg = (
            f"The file could not be written ({error.strerror or error}); "
            "an older file of that name is unchanged"
        )
        if error.errno is None:
            msg = f"{msg}: {str(path)!r}"
            raise type(error)(msg) from error
        # With the error number, OSError creates the same subclass again.
        raise OSError(error.errno, msg, str(path)) from error
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


def make_token() -> str:
    """Return 32 new hexadecimal digits for the name of a temporary file.

    They begin with eight digits of this machine since its last start, and eight of this process.
    """
    rest = uuid.uuid4().hex[: _TOKEN_DIGITS - 16]
    return f"{_machine_digits()}{os.getpid():08x}{rest}"


def lock(file: IO[Any]) -> None:
    """Mark an open file as in use until it is closed or the process ends, where that is possible.

    On Windows, an open file cannot be removed in any case.
    """
    if sys.platform != "win32":
        # Some network file systems have no locks.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def is_in_use(path: Path, token: str, now: float) -> bool | None:
    """Return whether a temporary file still belongs to a running process; None if not known.

    The kernel that runs the owner answers for certain: the file is locked, or the process exists.
    For owners elsewhere without a visible lock, the answer is None for a day after the last change
    of the file, and then False. `now` is the result of `file_system_time`, so that no clocks of
    two machines are compared.
    """
    if _is_locked(path):
        return True
    # Windows has no safe way to ask for a process.
    is_of_this_machine = len(token) == _TOKEN_DIGITS and token.startswith(_machine_digits())
    if is_of_this_machine and sys.platform != "win32":
        return _is_running(int(token[8:16], 16))
    try:
        age = now - path.lstat().st_mtime
    except FileNotFoundError:
        return False
    return False if age > _ABANDONED_SECONDS else None


def file_system_time(folder: Path) -> float:
    """Return the time that a file written to a folder now receives, in seconds since 1970."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        # Nothing can be removed from a read-only folder, whatever the time.
        return time.time()


def _remove_leftovers(folder: Path, prefix: str) -> None:
    """Remove the temporary files of killed writers of one path."""
    pattern = re.compile(re.escape(prefix) + r"([0-9a-f]{32})\.tmp")
    with suppress(OSError):
        for entry in list(os.scandir(folder)):
            match = pattern.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            if is_in_use(Path(entry.path), match[1], file_system_time(folder)) is False:
                Path(entry.path).unlink()


def _is_locked(path: Path) -> bool:
    if sys.platform == "win32":
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


@lru_cache(maxsize=1)
def _machine_digits() -> str:
    """Return digits that no other machine has, nor this one after its next start.

    Containers of one machine count as several, because they do not see each other's processes.
    """
    try:
        name = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        name += str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        name = platform.node()
    return hashlib.sha256(name.encode()).hexdigest()[:8]
