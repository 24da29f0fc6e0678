"""The kinds of image source: how each is recognised, opened and described in messages."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble._regular_files import open_regular
from multimodal_ensemble._tables import is_missing
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images._data_uri import decode_data_uri, describe_data_uri, is_data_uri
from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._remote import (
    check_remote,
    is_remote,
    is_web_address,
    read_remote,
)
from multimodal_ensemble.images._web import read_web

# A path, an address or a data URI, the bytes of an encoded file, a PIL image, an array, or a
# mapping with the bytes or the path; None is a missing image.
ImageSource: TypeAlias = (
    str
    | os.PathLike[str]
    | bytes
    | Image.Image
    | NDArray[np.uint8]
    | NDArray[np.uint16]
    | Mapping[str, Any]
    | None
)

#: File name suffixes of common image formats that Pillow reads, in lower case.
IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_FILE_URL = re.compile(r"file:/", re.IGNORECASE)


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a source is a path or an address."""
    return isinstance(source, str | os.PathLike)


def is_record(source: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether a source is a record of Hugging Face: the bytes of a file, or its path."""
    return isinstance(source, Mapping) and {*source} <= {"bytes", "path"} and len(source) > 0


def local_path(source: object, root: str | os.PathLike[str] | None = None) -> str | None:
    """Return the path of a local file.

    Parameters
    ----------
    source : object
        What a table has in place of an image.
    root : str or os.PathLike, default=None
        The folder that relative paths start from. None is the working directory.

    Returns
    -------
    str or None
        None if the source is an address, a data URI or no string or path.

    Examples
    --------
    >>> from multimodal_ensemble.images import local_path
    >>> local_path("4.jpg", "posters"), local_path("file:///data/4.jpg")
    ('posters/4.jpg', '/data/4.jpg')
    >>> local_path("s3://bucket/4.jpg")
    """
    if not is_path(source) or is_remote(source) or is_web_address(source) or is_data_uri(source):
        return None
    path = os.fspath(source)
    if isinstance(source, str) and _FILE_URL.match(source):
        parts = urlsplit(source)
        if parts.netloc.lower() not in ("", "localhost"):
            # The path of another machine.
            return None
        return url2pathname(parts.path)
    # Joining an empty path to a folder would yield the folder and hide the mistake.
    return path if root is None or not path else os.fspath(Path(root) / path)


def resolve(source: Any, root: str | os.PathLike[str] | None = None) -> ImageSource:
    """Return a source as a path, an address, bytes, or an image in memory.

    Records are replaced by their bytes or their path, data URIs by their content, ``file:`` URLs by
    paths, and relative paths are joined to `root`.
    """
    if is_record(source):
        content = source.get("bytes")
        return resolve(source.get("path"), root) if content is None else resolve(content)
    if is_data_uri(source):
        try:
            return decode_data_uri(source)
        except ValueError as error:
            raise unreadable(source, error) from error
    if not is_path(source):
        image: ImageSource = source
        return image
    path = local_path(source, root)
    if path is None and not (is_remote(source) or is_web_address(source)):
        raise unreadable(source, "a file: URL with the name of a machine is not read")
    return source if path is None else path


def source_name(source: object) -> str:
    """Return a short name of an image source for a message.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, ndarray or None
        An image as `read_image` accepts it, or any other value.

    Returns
    -------
    str
        A path exactly as it was passed, or a description of any other source.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import source_name
    >>> source_name("posters/4.jpg")
    'posters/4.jpg'
    >>> source_name(np.zeros((9, 6), dtype=np.uint8))
    'array of shape (9, 6), dtype uint8'
    """
    if is_data_uri(source):
        return describe_data_uri(source)
    if is_path(source):
        return str(os.fspath(source))
    if is_record(source) and source.get("path"):
        return str(source["path"])
    return str(source) if is_missing(source) else describe(source)


def looks_like_image(value: Any) -> bool:
    """Return whether a value in memory looks like an image that `read_image` can read.

    Parameters
    ----------
    value : object
        Any value, for example a cell of a table.

    Returns
    -------
    bool
        True for a PIL image, for a uint8 or uint16 array with two or three dimensions, for bytes
        that Pillow identifies as an image file, and for a record of Hugging Face, a mapping with
        the "bytes" or the "path" of a file. No pixels are decoded. A path is not an image in
        memory; compare its suffix with `IMAGE_SUFFIXES`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import looks_like_image
    >>> looks_like_image(np.zeros((9, 6, 3), dtype=np.uint8)), looks_like_image(b"no image")
    (True, False)
    """
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3) and value.dtype in ("u1", "u2")
    if isinstance(value, bytes):
        try:
            Image.open(BytesIO(value)).close()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return False
        return True
    if is_record(value):
        return isinstance(value.get("bytes"), bytes) or isinstance(value.get("path"), str)
    return isinstance(value, Image.Image)


def describe(source: object) -> str:
    """Describe a source by its kind and name, for the subject of a sentence."""
    if is_data_uri(source):
        return describe_data_uri(source)
    if is_record(source):
        content = source.get("bytes")
        return describe(source.get("path") if content is None else content)
    if is_web_address(source):
        return f"image at {source!r}"
    if is_path(source):
        # repr, because names with control characters or broken encodings cannot be printed.
        return f"image file {os.fspath(source)!r}"
    if isinstance(source, bytes):
        return f"image bytes ({len(source)} bytes)"
    if isinstance(source, Image.Image):
        filename = getattr(source, "filename", "")
        is_named = is_path(filename) and os.fspath(filename)
        opened_from = f", opened from {os.fspath(filename)!r}" if is_named else ""
        return f"PIL image (mode {source.mode}, {source.width}x{source.height}{opened_from})"
    if isinstance(source, np.ndarray):
        return f"array of shape {source.shape}, dtype {source.dtype}"
    return "image"


def unreadable(source: object, cause: Exception | str) -> ImageReadError:
    """Return an error that names the source and the reason; `strerror` is the reason alone."""
    reason = cause if isinstance(cause, str) else _reason(cause)
    error = ImageReadError(f"Cannot read {describe(source)}: {reason}.")
    error.strerror = reason
    return error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):
        # File systems of fsspec give only the path.
        return os.strerror(errno.ENOENT)
    text = str(error).strip().rstrip(".")
    # The message of a Pillow plugin is often clear only together with the exception's type.
    is_worded = type(error) in {OSError, ValueError} and len(text.split()) > 2
    return text if is_worded else f"{type(error).__name__}: {text}" if text else repr(error)


def check_source(source: object, fetch: FetchOptions | None) -> None:
    """Raise a TypeError or an ImageReadError unless a resolved source is of a readable kind."""
    if is_missing(source):
        raise unreadable(source, "missing (None/NaN)")
    if is_path(source):
        if not os.fspath(source):
            raise unreadable(source, "the path is empty")
        if is_web_address(source) and fetch is None:
            raise unreadable(
                source,
                "addresses of the web are not fetched without fetch=FetchOptions(), which "
                "multimodal_ensemble.images has",
            )
        if is_remote(source):
            try:
                check_remote(source)
            except (ImportError, MemoryError):
                raise
            except Exception as error:
                # Whatever a file system raises when it connects.
                raise unreadable(source, error) from error
    elif isinstance(source, np.ndarray):
        _check_array(source)
    elif not isinstance(source, bytes | Image.Image):
        msg = (
            "An image must be a path (str or os.PathLike), the bytes of an encoded file, "
            "a PIL.Image.Image, a NumPy array of uint8 or uint16, or a mapping with 'bytes' or "
            "'path'. "
            f"Received {type(source).__name__}: {source!r:.80}."
        )
        raise TypeError(msg)


def _check_array(array: NDArray[Any]) -> None:
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        msg = (
            "An image array must be of dtype uint8 (0..255) or uint16 (0..65535). "
            f"Received an {describe(array)}. Scale it to 0..255 and convert it first: "
            'np.rint(array * 255).astype("uint8") if its values lie in 0..1.'
        )
        raise TypeError(msg)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        reason = "an image array must have shape (height, width) or (height, width, 1, 3 or 4)"
        raise unreadable(array, reason)
    if array.size == 0:
        raise unreadable(array, "it has no pixels")


@contextmanager
def open_encoded(
    source: str | os.PathLike[str] | bytes, fetch: FetchOptions | None
) -> Iterator[BytesIO | BufferedReader]:
    """Open the encoded content of a path, an address or bytes for the duration of the block."""
    if isinstance(source, bytes):
        yield BytesIO(source)
    elif fetch is not None and is_web_address(source):
        yield BytesIO(read_web(source, fetch))
    elif is_remote(source):
        yield BytesIO(read_remote(source))
    else:
        with open_regular(source) as file:
            yield file
