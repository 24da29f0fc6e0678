"""PNG files of a few pixels, for maps over pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from multimodal_ensemble._validation import FloatArray

# Black would hide the parts of dark pictures that it does not cover.
_GREY = 128


def shade_png(opacity: FloatArray) -> bytes:
    """Return a grey PNG file whose pixels have an opacity of 0..1, of shape (height, width).

    The format is that of the W3C recommendation "Portable Network Graphics": 8 bits of grey and
    of alpha per pixel.
    """
    height, width = opacity.shape
    pixels = np.full((height, width, 2), _GREY, np.uint8)
    pixels[..., 1] = np.round(255 * opacity)
    # Each line begins with the number of its filter.
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum
