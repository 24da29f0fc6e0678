"""What an image may be given as, and how each kind is opened and named in messages."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble.exceptions import ImageReadError

# A path, an encoded file's bytes, a PIL image, or an array; None is a missing image.
ImageSource: TypeAlias = (
    str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | NDArray[np.uint16] | None
)


def is_path(source: object) -> TypeGuard[str | os.PathLike[str]]:
    """Tell paths from the other kinds of source."""
    return isinstance(source, str | os.PathLike)


def is_missing(source: object) -> bool:
    """Tell whether this is how a DataFrame says that there is no image."""
    if isinstance(source, float | np.floating):
        return bool(np.isnan(source))
    # pandas' own markers are recognised by name, because this room does without pandas.
    return source is None or type(source).__name__ in {"NAType", "NaTType"}


def with_root(source: ImageSource, root: str | os.PathLike[str] | None) -> ImageSource:
    """Join a relative path to `root`; every other source is returned as it is."""
    # An empty path joined to a folder would name the folder and hide that the path is empty.
    if root is None or not is_path(source) or not os.fspath(source):
        return source
    return Path(root) / source


def describe(source: object) -> str:
    """Name a source in a message."""
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
    """Build the error that names the source and says why; its ``strerror`` is the why alone."""
    reason = cause if isinstance(cause, str) else _reason(cause)
    error = ImageReadError(f"Cannot read {describe(source)}: {reason}.")
    error.strerror = reason
    return error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    text = str(error).strip().rstrip(".")
    # What a plugin raises on a malformed file is often only understood with its type.
    is_worded = type(error) in {OSError, ValueError} and len(text.split()) > 2
    return text if is_worded else f"{type(error).__name__}: {text}" if text else repr(error)


def check_source(source: object) -> None:
    """Check that a source is of a kind that can be read.

    Raises
    ------
    TypeError
        If it is of any other type, or an array of any other dtype than uint8 and uint16.
    ImageReadError
        If it stands for a missing image, or is an array that has no shape of an image.
    """
    if is_missing(source):
        raise unreadable(source, "missing (None/NaN)")
    if is_path(source):
        if not os.fspath(source):
            raise unreadable(source, "the path is empty")
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
    """Open the encoded content of a path or bytes; closed on leaving, whatever happens."""
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    path = Path(source)
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        # Opening a named pipe would wait for ever, and a device need not end.
        msg = "it is not a regular file"
        raise OSError(msg)
    with path.open("rb") as file:
        yield file
