"""Functions that write image files with known pixels."""

import struct
import zlib
from io import BytesIO

import pytest


@pytest.fixture(scope="session")
def encode():
    """Return a function that encodes a PIL image as the bytes of a file."""

    def encode_image(image, file_format, **options):
        file = BytesIO()
        image.save(file, file_format, **options)
        return file.getvalue()

    return encode_image


@pytest.fixture(scope="session")
def make_png():
    """Return a function that writes a PNG chunk by chunk, even with a false size."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    def make(width, height, rows, *, bit_depth=8, color_type=2, before=(), after=()):
        header = struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0)
        pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
        chunks = [(b"IHDR", header), *before, (b"IDAT", pixels), *after, (b"IEND", b"")]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)

    return make
