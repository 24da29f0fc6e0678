"""Small JPEG files of images, for reports."""

from __future__ import annotations

import io

from PIL import Image

from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.images._read import check_image_size, open_rgb
from multimodal_ensemble.images._source import ImageSource

_QUALITIES = (75, 60, 45, 30, 15)


def make_thumbnail(
    source: ImageSource, size: int | tuple[int, int] = (138, 92), *, max_bytes: int = 8192
) -> bytes:
    """Return a small JPEG file of an image, with the proportions of the image.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or ndarray
        An image as `read_image` accepts it.
    size : int or tuple of int, default=(138, 92)
        The largest ``(height, width)`` in pixels; an int for a square. Smaller images keep their
        size.
    max_bytes : int, default=8192
        The largest size of the file, at least 1024 bytes. The quality is lowered until the file
        fits, and then the number of pixels.

    Returns
    -------
    bytes
        A JPEG file.

    Raises
    ------
    ImageReadError
        If the image cannot be read; see `read_image`.
    ValueError
        If `size` or `max_bytes` is not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import make_thumbnail, read_image
    >>> image = np.full((300, 200, 3), 128, dtype=np.uint8)
    >>> read_image(make_thumbnail(image), 1).tolist()
    [[[128, 128, 128]]]
    """
    height, width = check_image_size(size)
    check_at_least(max_bytes, 1024, name="max_bytes")
    with open_rgb(source) as rgb:
        small = rgb.copy()
    while True:
        small.thumbnail((width, height), Image.Resampling.LANCZOS)
        for quality in _QUALITIES:
            file = io.BytesIO()
            small.save(file, "JPEG", quality=quality, optimize=True)
            if file.tell() <= max_bytes:
                return file.getvalue()
        width, height = max(1, width * 3 // 4), max(1, height * 3 // 4)
