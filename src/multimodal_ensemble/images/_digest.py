"""Identify an image by its content."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._source import (
    ImageSource,
    check_source,
    open_encoded,
    resolve,
    unreadable,
)

# Distinct prefixes ensure that a file never shares the digest of an image in memory, even if its
# bytes equal the hashed representation of that image.
_FILE = b"multimodal_ensemble:image-file:1\0"
_PIL = b"multimodal_ensemble:image-pil:1\0"
_ARRAY = b"multimodal_ensemble:image-array:1\0"


def content_digest(
    source: ImageSource,
    *,
    root: str | os.PathLike[str] | None = None,
    fetch: FetchOptions | None = None,
) -> bytes:
    """Return a digest of an image's content, for use as a cache key.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, ndarray or mapping
        An image as `read_image` accepts it.
    root : str or os.PathLike, default=None
        The folder that relative paths start from. None is the working directory.
    fetch : FetchOptions, optional
        Permission to fetch addresses of the web; see `read_image`.

    Returns
    -------
    bytes of length 32
        A SHA-256 digest. For a path or bytes, it covers the content of the encoded file, so
        that copies under different names have the same digest. For an array, it covers the
        dtype, shape and pixels. For a PIL image, it covers the mode, size, pixels, palette,
        transparency and EXIF orientation. A file never has the digest of an image in memory.

    Raises
    ------
    ImageReadError
        If the image is missing (None or NaN), its file cannot be read, or a PIL image cannot
        be loaded. Files are not decoded, so a file that is not an image also has a digest.
    TypeError
        If the type of `source`, or the dtype of an array, is not supported.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import content_digest
    >>> black = np.zeros((2, 2), dtype=np.uint8)
    >>> content_digest(black) == content_digest(black.copy())
    True
    >>> content_digest(black) == content_digest(black.astype(np.uint16))
    False
    """
    content: Any = resolve(source, root)
    check_source(content, fetch)
    try:
        if isinstance(content, np.ndarray):
            return _digest(_ARRAY, (content.dtype.str, content.shape), content.tobytes())
        if isinstance(content, Image.Image):
            return _digest(_PIL, _pil_header(content), content.tobytes())
        with open_encoded(content, fetch) as file:
            return hashlib.file_digest(file, lambda: hashlib.sha256(_FILE)).digest()
    except MemoryError:
        raise
    except Exception as error:
        raise unreadable(content, error) from error


def _pil_header(image: Image.Image) -> tuple[object, ...]:
    image.load()
    palette = image.palette
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except MemoryError:
        raise
    except Exception:
        # Damaged EXIF data is ignored, as in read_image.
        orientation = None
    return (
        image.mode,
        image.size,
        None if palette is None else (palette.mode, palette.rawmode, bytes(palette.palette)),
        image.info.get("transparency"),
        orientation,
    )


def _digest(opening: bytes, header: tuple[object, ...], pixels: bytes) -> bytes:
    spelled = repr(header).encode()
    digest = hashlib.sha256(opening)
    # The length prevents the end of the header from being read as the start of the pixels.
    digest.update(len(spelled).to_bytes(8, "big"))
    digest.update(spelled)
    digest.update(pixels)
    return digest.digest()
