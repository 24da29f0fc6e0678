"""Read one image."""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError, __version__

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.images._convert import array_to_rgb, image_to_rgb, upright
from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._source import (
    ImageSource,
    check_source,
    open_encoded,
    resolve,
    unreadable,
)

# An image takes 8 bytes per pixel, and 12 with an orientation. Other threads read small images.
_LARGE_PIXELS = 2**24
_ONE_LARGE_IMAGE = threading.Lock()
_FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box")


def read_image(
    source: ImageSource,
    size: int | tuple[int, int],
    *,
    resampling: str = "bilinear",
    fetch: FetchOptions | None = None,
) -> NDArray[np.uint8]:
    """Read one image as RGB pixels of a given size.

    The result is always upright, has three channels of 8 bits, and shares no memory with the
    source.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, ndarray or mapping
        A path or ``file:`` URL, an address such as ``"s3://bucket/4.jpg"``, a data URI in base64,
        the bytes of an encoded file, a PIL image, an array, or a mapping with the "bytes" or else
        the "path" of a file, as Hugging Face has them. A PIL image is not changed; the current
        frame of an animated one is read. An array has shape ``(height, width)`` or
        ``(height, width, channels)`` with 1, 3 (RGB) or 4 (RGBA) channels, and dtype uint8
        (0..255) or uint16 (0..65535).
    size : int or tuple of int
        ``(height, width)`` of the result in pixels, at least 1; an int for a square. The image
        is stretched to this size, so its aspect ratio may change.
    resampling : {"nearest", "bilinear", "bicubic", "lanczos", "box"}, default="bilinear"
        The Pillow filter for resizing. All but "nearest" are antialiased: their support grows
        with the scale factor when an image is made smaller.
    fetch : FetchOptions, optional
        Permission to fetch addresses of the web, such as ``"https://example.org/4.jpg"``, and the
        limits. Default: they are refused.

    Returns
    -------
    ndarray of shape (height, width, 3)
        RGB pixels, uint8, 0..255.

    Raises
    ------
    ImageReadError
        If the image is missing (None or NaN), cannot be opened or decoded, exceeds Pillow's
        limit against decompression bombs, has floating-point pixels, or is an array that does
        not have the shape of an image. The message names the source and the reason. `strerror`
        holds the reason alone and ``__cause__`` the original exception.
    TypeError
        If the type of `source`, or the dtype of an array, is not supported.
    ImportError
        If an address is read and fsspec, or the package for its scheme, is not installed.
    ValueError
        If `size` or `resampling` is not one of the values above.

    See Also
    --------
    read_images : Read many images, with a policy for images that cannot be read.

    Notes
    -----
    Addresses of object stores, such as ``"s3://bucket/4.jpg"``, are read with `fsspec
    <https://filesystem-spec.readthedocs.io>`_ (extra ``remote``), and so are those of file systems
    that the program itself has registered there. Other schemes, such as ``ftp:``, are refused,
    because a table of unknown origin could name any server. A process downloads each file once,
    keeps up to 1 GiB of them in a temporary folder, and takes them as unchanged.

    The EXIF orientation is applied; damaged EXIF data is ignored. Transparent pixels are
    composited over white. The first frame of an animated file is read. Grey images of 16 bits
    are scaled to 8 bits as ``round(value / 257)``; Pillow reduces colour images of 16 bits to
    the high byte. CMYK is converted without profiles, and ICC profiles are ignored. EPS files
    are refused because Pillow would run an external program, Ghostscript, to read them.

    An image larger than ``PIL.Image.MAX_IMAGE_PIXELS`` is read, and Pillow issues a
    `PIL.Image.DecompressionBombWarning`. An image more than twice that size is an error. If
    warnings are turned into errors, a warning from Pillow also becomes an `ImageReadError`. Reading
    takes about 8 bytes per pixel, 1.4 GB at Pillow's limit, and one large image is read at a time.

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
    height, width = check_image_size(size)
    check_resampling(resampling)
    with open_rgb(source, fetch) as rgb:
        return np.array(rgb.resize((width, height), Image.Resampling[resampling.upper()]))


@contextmanager
def open_rgb(source: ImageSource, fetch: FetchOptions | None = None) -> Iterator[Image.Image]:
    """Open an image as upright RGB; errors while it is open become an `ImageReadError`."""
    source = resolve(source)
    check_source(source, fetch)
    try:
        with _open_rgb(source, fetch) as rgb:
            yield rgb
    except MemoryError:
        raise
    except Exception as error:
        # Pillow plugins raise nearly any type on malformed files; here they all mean the same.
        raise unreadable(source, error) from error


def check_image_size(size: Any, *, name: str = "size") -> tuple[int, int]:
    """Check an image size and return it as height and width.

    Parameters
    ----------
    size : int or sequence of two int
        Side of a square, or ``(height, width)``, in pixels, at least 1.
    name : str, default="size"
        What the message calls the size.

    Returns
    -------
    tuple of two int
        Height and width, in pixels.

    Raises
    ------
    ValueError
        If the size is neither.

    Examples
    --------
    >>> from multimodal_ensemble.images import check_image_size
    >>> check_image_size(224)
    (224, 224)
    """
    both = size if isinstance(size, tuple | list) else (size, size)
    try:
        if len(both) == 2 and not any(isinstance(side, bool) for side in both):
            height, width = (operator.index(side) for side in both)
            if height >= 1 and width >= 1:
                return height, width
    except TypeError:
        pass
    msg = (
        f"{name} must be a whole number of pixels, or a pair of them as (height, width), "
        f"at least 1. Received {name}={size!r}."
    )
    raise ValueError(msg)


def check_resampling(resampling: str) -> None:
    """Raise a ValueError that lists the filters unless `resampling` is one of them."""
    check_choice(resampling, _FILTERS, name="resampling")


@contextmanager
def _open_rgb(source: Any, fetch: FetchOptions | None) -> Iterator[Image.Image]:
    if isinstance(source, np.ndarray):
        yield array_to_rgb(source)
    elif isinstance(source, Image.Image):
        source.load()
        yield upright(image_to_rgb(source), source)
    else:
        with open_encoded(source, fetch) as file, _identify(file) as image:
            is_large = image.width * image.height > _LARGE_PIXELS
            with _ONE_LARGE_IMAGE if is_large else nullcontext(), _open_rgb(image, fetch) as rgb:
                yield rgb


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
