"""Encoded images at addresses such as ``s3://bucket/4.jpg``, read with fsspec."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from multimodal_ensemble.images._downloads import DOWNLOADS

# One letter before the colon is a drive of Windows.
_ADDRESS = re.compile(r"(?!https?:|file:)[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
# Their addresses name a bucket of a service that the user has set up, or a place in memory.
_OBJECT_STORES = frozenset(
    ("abfs", "abfss", "adl", "az", "gcs", "gs", "hf", "memory", "oci", "oss", "s3", "s3a", "tos")
)
_WEB = re.compile(r"https?://", re.IGNORECASE)


def is_remote(source: object) -> TypeGuard[str]:
    """Return whether a source is an address that fsspec may read.

    A `pathlib.Path` is none, because it joins slashes. Neither are addresses of the web, which are
    fetched only on request: a table of unknown origin could name any server.

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

    Raises
    ------
    Exception
        Whatever the file system raises.
    """
    content = DOWNLOADS.get(address)
    if content is None:
        system, path = _locate(address)
        content = system.cat_file(path)
        DOWNLOADS.keep(address, content)
    return content


def _locate(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem
        from fsspec.registry import known_implementations
    except ImportError as error:
        msg = (
            f"Reading {address!r} needs fsspec, and the package for its scheme, such as s3fs for "
            "s3://. Install them with: pip install fsspec s3fs."
        )
        raise ImportError(msg) from error
    scheme = address.partition("://")[0].lower()
    if "::" in address:
        msg = "chains of addresses, which may lead to any server, are not read"
        raise ValueError(msg)
    # What is not known was registered by the user's own program or a package.
    if scheme in known_implementations and scheme not in _OBJECT_STORES and scheme != "local":
        msg = (
            f"addresses of the scheme {scheme!r} may lead to any server, so only those of object "
            f"stores are read ({', '.join(sorted(_OBJECT_STORES))}); read such files with fsspec, "
            "and pass their bytes"
        )
        raise ValueError(msg)
    # An ImportError of fsspec names the package that a scheme needs.
    system, path = url_to_fs(address)
    if isinstance(system, LocalFileSystem):
        msg = "pass the path of a local file without a scheme"
        raise ValueError(msg)
    return system, path
