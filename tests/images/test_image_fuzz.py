"""Whatever bytes come: an image of the right shape or ImageReadError, and nothing else."""

import os
import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import content_digest, read_image

# For a long run: IMAGE_FUZZ_EXAMPLES=20000 pytest tests/images/test_image_fuzz.py
EXAMPLES = int(os.environ.get("IMAGE_FUZZ_EXAMPLES", "150"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

MAGIC = [
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBPVP8 ", b"II*\0", b"MM\0*",
    b"BM", b"P6 3 3 255\n", b"\0\0\1\0\1\0", b"8BPS\0\1", b"\0\0\0\x0cjP  \r\n\x87\n", b"DDS ",
    b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x01\xda\x01\x01", b"qoif", b"icns", b"\x0a\x05\x01\x08",
]  # fmt: skip


def valid_files():
    pixels = np.random.default_rng(0).integers(0, 256, (24, 17, 4), dtype=np.uint8)
    rgba = Image.fromarray(pixels)
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("P")
    wide = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Software] = "fuzz"
    wanted = [
        (rgb, "JPEG", {"exif": exif}),
        (rgb, "JPEG", {"progressive": True}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgba, "PNG", {"exif": exif}),
        (palette, "PNG", {"transparency": b"\0\x80"}),
        (wide, "PNG", {}),
        (rgb, "PNG", {"save_all": True, "append_images": [rgb.rotate(180)]}),
        (palette, "GIF", {"save_all": True, "append_images": [grey], "transparency": 3}),
        (rgb, "WebP", {"exif": exif.tobytes()}),
        (rgba, "WebP", {"lossless": True, "save_all": True, "append_images": [rgba.rotate(180)]}),
        (rgb, "TIFF", {"exif": exif}),
        (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "TIFF", {"compression": "jpeg"}),
        (wide, "TIFF", {"compression": "tiff_deflate"}),
        (rgb.convert("CMYK"), "TIFF", {}),
        (grey.convert("F"), "TIFF", {}),
        (rgb, "BMP", {}),
        (palette, "BMP", {}),
        (rgb, "PPM", {}),
        (rgba, "ICO", {}),
        (rgb, "TGA", {"compression": "tga_rle"}),
        (rgb, "PCX", {}),
        (rgba, "DDS", {}),
        (rgb, "SGI", {}),
    ]  # fmt: skip
    files = []
    for image, file_format, options in wanted:
        file = BytesIO()
        image.save(file, file_format, **options)
        files.append(file.getvalue())
    return files


VALID = valid_files()


@pytest.fixture(scope="module", autouse=True)
def _small_bombs():
    # A mutated size may claim 100 million pixels within Pillow's limit: right, but slow.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
        yield


def read_or_error(content):
    try:
        return read_image(content, (5, 4))
    except ImageReadError as error:
        return error


def check(content):
    for action in ("error", "ignore"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            outcome = read_or_error(content)
        if isinstance(outcome, ImageReadError):
            assert str(outcome).startswith(f"Cannot read image bytes ({len(content)} bytes): ")
            assert outcome.strerror
        else:
            assert outcome.shape == (5, 4, 3)
            assert outcome.dtype == np.uint8
    assert len(content_digest(content)) == 32


@st.composite
def mutated(draw):
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 8))):
        # Headers are at the start: mutate there more often than chance would.
        end = draw(st.sampled_from([64, 256, len(content)]))
        at = draw(st.integers(0, max(0, min(end, len(content)) - 1)))
        replaced = draw(st.integers(0, 4))
        content[at : at + replaced] = draw(
            st.binary(min_size=replaced, max_size=replaced) | st.binary(max_size=6)
        )
    return bytes(content[: draw(st.none() | st.integers(0, len(content)))])


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes(content):
    check(content)


@FUZZ
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_random_bytes_behind_a_magic_number(magic, content):
    check(magic + content)


@FUZZ
@given(mutated())
def test_mutated_files(content):
    check(content)


@pytest.mark.parametrize("content", VALID, ids=range(len(VALID)))
def test_every_truncation_of_a_file(content):
    step = max(1, len(content) // 40)
    for length in [*range(min(64, len(content))), *range(64, len(content), step)]:
        check(content[:length])
