"""Convert pixels of any mode to upright RGB pixels of 8 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_16_BIT = 65535
_STRIP_PIXELS = 2**22


def array_to_rgb(array: NDArray[Any]) -> Image.Image:
    """Convert an array that has passed `check_source` to an RGB image."""
    values = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if values.dtype.itemsize == 2:
        values = _to_8_bit(values)
    return image_to_rgb(Image.fromarray(np.ascontiguousarray(values)))


def image_to_rgb(image: Image.Image) -> Image.Image:
    """Convert a loaded image to RGB over white; the result may be the image itself."""
    if image.width == 0 or image.height == 0:
        msg = "it has no pixels"
        raise ValueError(msg)
    if image.mode == "F":
        msg = (
            "its pixels are floating-point numbers (mode F), and their range is unknown; "
            "scale them to 0..255 and convert them to 8 bits first, "
            'for example PIL.Image.fromarray(scaled.astype("uint8"))'
        )
        raise ValueError(msg)
    if image.mode == "I" or image.mode.startswith("I;"):
        return _in_strips(image, _grey_16_bit_to_rgb)
    if image.has_transparency_data:
        return _in_strips(image, _over_white)
    return image if image.mode == "RGB" else image.convert("RGB")


def _in_strips(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    """Convert a large image part by part, because a conversion takes up to 20 bytes per pixel."""
    n_rows = max(1, _STRIP_PIXELS // image.width)
    if n_rows >= image.height:
        return convert(image)
    rgb = Image.new("RGB", image.size)
    for top in range(0, image.height, n_rows):
        box = (0, top, image.width, min(top + n_rows, image.height))
        rgb.paste(convert(image.crop(box)), box)
    return rgb


def upright(rgb: Image.Image, source: Image.Image) -> Image.Image:
    """Apply the EXIF orientation of `source`, which is already loaded, to `rgb`."""
    try:
        # Read after loading, because a PNG may store EXIF after its pixels and Pillow rotates a
        # TIFF while loading it.
        orientation = source.getexif().get(ExifTags.Base.Orientation)
        method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    except MemoryError:
        raise
    except Exception:
        # Pillow raises many types on damaged EXIF data; the pixels are valid without it.
        return rgb
    return rgb if method is None else rgb.transpose(method)


def _to_8_bit(values: NDArray[Any]) -> NDArray[np.uint8]:
    # 257 = 65535 / 255, so 8 bits stretched to 16 are restored exactly. An odd divisor has no ties.
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _grey_16_bit_to_rgb(image: Image.Image) -> Image.Image:
    values = np.array(image.convert("I"))
    least, most = int(values.min()), int(values.max())
    if least < 0 or most > _MAX_16_BIT:
        msg = (
            f"its integer pixels range from {least} to {most}, but grey of more than 8 bits must "
            f"lie in 0..{_MAX_16_BIT}; scale them to 8 bits first"
        )
        raise ValueError(msg)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        values[values == transparent] = _MAX_16_BIT
    return Image.fromarray(_to_8_bit(values)).convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    # Pillow cannot convert premultiplied grey directly to RGBA without losing the alpha channel.
    rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    canvas = Image.new("RGB", rgba.size, "white")
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return canvas
