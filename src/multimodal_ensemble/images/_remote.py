"""Encoded images at addresses such as ``s3://bucket/4.jpg``, read with fsspec."""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, TypeGuard

# One letter before the colon is a drive of Windows.
_ADDRESS = re.compile(r"(?!https?:)[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
# About 20,000 posters.
_KEPT_BYTES = 2**30


def is_remote(source: object) -> TypeGuard[str]:
    """Return whether a source is an address that fsspec may read.

    A `pathlib.Path` is none, because it joins slashes. Neither are addresses of web pages, which
    are not fetched: a table of unknown origin could name any server.

    Parameters
    ----------
    source : object
        What a table has in place of an image.

    Returns
    -------
    bool
        True for a string such as ``"s3://bucket/4.jpg"``.

    Examples
    --------
    >>> from multimodal_ensemble.images import is_remote
    >>> is_remote("s3://bucket/4.jpg"), is_remote("posters/4.jpg")
    (True, False)
    """
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def is_web_address(source: object) -> TypeGuard[str]:
    """Return whether a source is an address of the web, which is fetched only on request.

    Parameters
    ----------
    source : object
        What a table has in place of an image.

    Returns
    -------
    bool
        True for a string that begins with ``http://`` or ``https://``.

    Examples
    --------
    >>> from multimodal_ensemble.images import is_web_address
    >>> is_web_address("https://example.org/4.jpg"), is_web_address("posters/4.jpg")
    (True, False)
    """
    return isinstance(source, str) and _WEB.match(source) is not None


def check_remote(address: str) -> None:
    """Raise an ImportError that names the missing package, or a ValueError for an unknown scheme.

    Nothing is read.
    """
    _locate(address)


def read_remote(address: str) -> bytes:
    """Return the content of a remote file, which this process downloads only once.

    The content is needed for its digest, and again for its pixels. Files that were not used for
    the longest time are downloaded again after `_KEPT_BYTES` of others.

    Raises
    ------
    Exception
        Whatever the file system raises.
    """
    content = _DOWNLOADS.get(address)
    if content is None:
        system, path = _locate(address)
        content = system.cat_file(path)
        _DOWNLOADS.keep(address, content)
    return content


def _locate(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem
    except ImportError as error:
        msg = (
            f"Reading {address!r} needs fsspec, and the package for its scheme, such as s3fs for "
            "s3://. Install them with: pip install 'multimodal-ensemble[remote]' s3fs."
        )
        raise ImportError(msg) from error
    # An ImportError of fsspec names the package that a scheme needs.
    system, path = url_to_fs(address)
    if isinstance(system, LocalFileSystem):
        msg = "pass the path of a local file without a scheme"
        raise ValueError(msg)
    return system, path


class _Downloads:
    """Files in a temporary folder that is deleted at the end of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        # By address, the least recently used first: the file and its size.
        self._files: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._n_bytes = 0

    def get(self, address: str) -> bytes | None:
        with self._lock:
            if address not in self._files:
                return None
            self._files.move_to_end(address)
            path, _ = self._files[address]
        try:
            return path.read_bytes()
        except OSError:
            # Another thread, or somebody who clears temporary files, has deleted it.
            return None

    def keep(self, address: str, content: bytes) -> None:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="multimodal-ensemble-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            path = self._folder / hashlib.sha256(address.encode()).hexdigest()
            try:
                path.write_bytes(content)
            except OSError:
                # A full disk only costs a second download.
                path.unlink(missing_ok=True)
                return
            self._n_bytes += len(content) - self._files.pop(address, (path, 0))[1]
            self._files[address] = path, len(content)
            while self._n_bytes > _KEPT_BYTES:
                _, (oldest, n_bytes) = self._files.popitem(last=False)
                self._n_bytes -= n_bytes
                oldest.unlink(missing_ok=True)


_DOWNLOADS = _Downloads()
