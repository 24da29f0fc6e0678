"""Recognising images among other values, without reading their pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

#: File name suffixes of common image formats that Pillow reads, in lower case.
IMAGE_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


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

    See Also
    --------
    read_image : Read the pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import looks_like_image
    >>> looks_like_image(np.zeros((9, 6, 3), dtype=np.uint8))
    True
    >>> looks_like_image(b"not an image")
    False
    """
    if isinstance(value, np.ndarray):
        return value.ndim in (2, 3) and value.dtype in ("u1", "u2")
    if isinstance(value, bytes):
        try:
            Image.open(io.BytesIO(value)).close()
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return False
        return True
    return isinstance(value, Image.Image)
