"""The kinds of image source: how each is recognised, opened and described in messages."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble._regular_files import open_regular
from multimodal_ensemble._tables import is_missing
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images._remote import check_remote, is_remote, read_remote

# A path or an address, the bytes of an encoded file, a PIL image, or an array; None is a missing
# image.
ImageSource: TypeAlias = (
    str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | NDArray[np.uint16] | None
)

#: File name suffixes of common image formats that Pillow reads, in lower case.
IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)

_DATA_URI = re.compile(r"data:(image/|application/octet-stream|;base64)", re.IGNORECASE)


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether a source is a path or an address."""
    return isinstance(source, str | os.PathLike)


def is_data_uri(source: object) -> TypeGuard[str]:
    """Return whether a source is a data URI, such as ``"data:image/png;base64,iVBORw0..."``.

    Parameters
    ----------
    source : object
        What a table has in place of an image.

    Returns
    -------
    bool
        True for a string that begins like one of an image; its content is not decoded.

    Examples
    --------
    >>> from multimodal_ensemble.images import is_data_uri
    >>> is_data_uri("data:image/gif;base64,R0lG"), is_data_uri("posters/4.jpg")
    (True, False)
    """
    return isinstance(source, str) and _DATA_URI.match(source) is not None


def with_root(source: ImageSource, root: str | os.PathLike[str] | None) -> ImageSource:
    """Join a relative path to `root`; return any other source unchanged."""
    # Joining an empty path to a folder would yield the folder and hide the mistake.
    if root is None or not is_path(source) or not os.fspath(source) or is_remote(source):
        return source
    return Path(root) / source


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
    if is_path(source):
        return str(os.fspath(source))
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
        True for a PIL image, for a uint8 or uint16 array with two or three dimensions, and for
        bytes that Pillow identifies as an image file. No pixels are decoded. A path is not an
        image in memory; compare its suffix with `IMAGE_SUFFIXES`.

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
    return isinstance(value, Image.Image)


def describe(source: object) -> str:
    """Describe a source by its kind and name, for the subject of a sentence."""
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


def check_source(source: object) -> None:
    """Raise a TypeError or an ImageReadError unless a source is of a kind that can be read."""
    if is_missing(source):
        raise unreadable(source, "missing (None/NaN)")
    if is_path(source):
        if not os.fspath(source):
            raise unreadable(source, "the path is empty")
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
            "a PIL.Image.Image, or a NumPy array of uint8 or uint16. "
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
def open_encoded(source: str | os.PathLike[str] | bytes) -> Iterator[BytesIO | BufferedReader]:
    """Open the encoded content of a path or bytes for the duration of the block."""
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    if is_remote(source):
        yield BytesIO(read_remote(source))
        return
    with open_regular(source) as file:
        yield file
