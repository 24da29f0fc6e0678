"""Read one image."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, __version__

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.images._convert import array_to_rgb, image_to_rgb, upright
from multimodal_ensemble.images._source import (
    ImageSource,
    check_source,
    open_encoded,
    unreadable,
)

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def read_image(
    source: ImageSource, size: int | tuple[int, int], *, resampling: str = "bilinear"
) -> NDArray[np.uint8]:
    """Read one image as RGB pixels of a given size.

    Whatever the source, the result is upright, has three channels of 8 bits, and is an array
    of its own.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image or ndarray
        A path; the bytes of an encoded file; a PIL image, which is not changed (of an animated
        one the frame it stands at is read); or an array of shape ``(height, width)`` or
        ``(height, width, channels)`` with 1, 3 (RGB) or 4 (RGBA) channels, of dtype uint8
        (0..255) or uint16 (0..65535).
    size : int or tuple of int
        ``(height, width)`` of the result in pixels, at least 1; an int for a square. The image
        is stretched to it: its aspect ratio is not kept.
    resampling : {"nearest", "bilinear", "bicubic", "lanczos", "box"}, default="bilinear"
        The filter for resizing, as Pillow has it: all but "nearest" are antialiased, that is,
        they widen with the scale when an image is made smaller.

    Returns
    -------
    ndarray of shape (height, width, 3)
        RGB pixels, uint8, 0..255.

    Raises
    ------
    ImageReadError
        If the image is missing (None or NaN), cannot be opened or decoded, exceeds Pillow's
        limit against decompression bombs, has floating-point pixels, or is an array that is
        not shaped like an image. The message names the source and says why; the reason alone
        is in ``strerror``, and the first cause in ``__cause__``.
    TypeError
        If `source` is of another type, or an array of another dtype.
    ValueError
        If `size` or `resampling` is not one of the values above.

    See Also
    --------
    read_images : Read many images, with a policy for those that cannot be read.

    Notes
    -----
    The EXIF orientation is applied (damaged EXIF data is ignored). What is transparent is
    composited over white. Of an animated file the first frame is read. Grey images of 16 bits
    are scaled to 8 by ``value / 257``, rounded; of colour files of 16 bits Pillow keeps the
    high byte. CMYK is converted without profiles, and ICC profiles are ignored. EPS files are
    refused, because Pillow would run another program, Ghostscript, on them.

    Between one and two times the limit ``PIL.Image.MAX_IMAGE_PIXELS`` Pillow warns
    (`PIL.Image.DecompressionBombWarning`) and the image is read; above, it is an error.
    Where warnings are turned into errors, a warning of Pillow's is an `ImageReadError` too.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import read_image
    >>> grey = np.array([[0, 255], [255, 0]], dtype=np.uint8)
    >>> pixels = read_image(grey, (4, 6), resampling="nearest")
    >>> pixels.shape, pixels.dtype
    ((4, 6, 3), dtype('uint8'))
    >>> pixels[:, :, 0]
    array([[  0,   0,   0, 255, 255, 255],
           [  0,   0,   0, 255, 255, 255],
           [255, 255, 255,   0,   0,   0],
           [255, 255, 255,   0,   0,   0]], dtype=uint8)
    """
    height, width = check_size(size)
    check_resampling(resampling)
    check_source(source)
    try:
        with _open_rgb(source) as rgb:
            return np.array(rgb.resize((width, height), _FILTERS[resampling]))
    except MemoryError:
        raise
    except Exception as error:
        # Pillow's plugins raise nearly any type on malformed files; all mean the same here.
        raise unreadable(source, error) from error


def check_size(size: Any) -> tuple[int, int]:
    """Return `size` as ``(height, width)``, both at least 1."""
    both = size if isinstance(size, tuple | list) else (size, size)
    try:
        if len(both) == 2 and not any(isinstance(side, bool) for side in both):
            height, width = (operator.index(side) for side in both)
            if height >= 1 and width >= 1:
                return height, width
    except TypeError:
        pass
    msg = (
        "size must be a whole number of pixels, or a pair of them as (height, width), "
        f"at least 1. Received size={size!r}."
    )
    raise ValueError(msg)


def check_resampling(resampling: str) -> None:
    """Raise a ValueError that lists the filters unless this is one."""
    check_choice(resampling, tuple(_FILTERS), name="resampling")


@contextmanager
def _open_rgb(source: Any) -> Iterator[Image.Image]:
    if isinstance(source, np.ndarray):
        yield array_to_rgb(source)
    elif isinstance(source, Image.Image):
        yield _loaded_to_rgb(source)
    else:
        with open_encoded(source) as file, _identify(file) as image:
            yield _loaded_to_rgb(image)


def _identify(file: Any) -> Image.Image:
    try:
        image = Image.open(file)
    except UnidentifiedImageError as error:
        file.seek(0)
        start = file.read(16)
        msg = (
            f"it is not an image that Pillow {__version__} can identify; it begins with {start!r}"
            if start
            else "it is empty (0 bytes)"
        )
        raise OSError(msg) from error
    if image.format == "EPS":
        image.close()
        msg = "EPS is a program for Ghostscript, not pixels; convert it to PNG or JPEG first"
        raise OSError(msg)
    return image


def _loaded_to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    return upright(image_to_rgb(image), image)
