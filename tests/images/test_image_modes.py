"""Every kind of pixel, compared with expected values from formulas."""

import os
import struct
import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import _convert, read_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RGB[:, :, 0]
ALPHA = RGB[:, :, 1]


def grey_rgb(grey):
    return np.repeat(np.asarray(grey, dtype=np.uint8)[:, :, None], 3, axis=2)


def over_white(rgb, alpha):
    share = np.asarray(alpha, dtype=float)[:, :, None] / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(int)


def scaled(values):
    return grey_rgb(np.rint(np.asarray(values, dtype=float) / 257))


def assert_close(pixels, expected, atol=1):
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.astype(int), np.asarray(expected).astype(int), atol=atol)


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "TIFF", "PPM", "TGA", "WebP"])
def test_rgb_files_are_read_exactly(encode, file_format):
    options = {"lossless": True} if file_format == "WebP" else {}
    content = encode(Image.fromarray(RGB), file_format, **options)
    np.testing.assert_array_equal(read_image(content, (5, 7)), RGB)


def test_the_result_is_a_writable_copy():
    pixels = read_image(RGB, (5, 7))
    pixels[:] = 0
    assert pixels.flags.writeable
    assert RGB.any()


def test_ycbcr_jpeg(encode):
    content = encode(Image.new("RGB", (16, 16), (200, 30, 60)), "JPEG", quality=95)
    assert_close(read_image(content, 16), np.full((16, 16, 3), (200, 30, 60)), atol=4)


def test_ycbcr_image():
    image = Image.new("YCbCr", (2, 2), (76, 85, 255))
    assert_close(read_image(image, 2), np.full((2, 2, 3), (254, 0, 0)), atol=2)


def test_hsv_and_rgbx_images():
    assert_close(read_image(Image.new("HSV", (2, 2), (0, 255, 255)), 2), [[[255, 0, 0]] * 2] * 2)
    assert_close(read_image(Image.new("RGBX", (1, 1), (1, 2, 3, 4)), 1), [[[1, 2, 3]]])


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "GIF", "PPM"])
def test_grey_files(encode, file_format):
    content = encode(Image.fromarray(GREY), file_format)
    np.testing.assert_array_equal(read_image(content, (5, 7)), grey_rgb(GREY))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "PPM", "GIF"])
def test_one_bit_files(encode, file_format):
    bits = GREY > 127
    content = encode(Image.fromarray(bits), file_format)
    np.testing.assert_array_equal(read_image(content, (5, 7)), grey_rgb(255 * bits))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_are_composited_over_white(encode, file_format, mode):
    colours = GREY[:, :, None] if mode == "LA" else RGB
    image = Image.fromarray(np.dstack([colours, ALPHA]))
    assert image.mode == mode
    content = encode(image, file_format)
    assert_close(
        read_image(content, (5, 7)), over_white(np.broadcast_to(colours, RGB.shape), ALPHA)
    )


def test_colours_of_transparent_pixels_do_not_affect_resized_pixels():
    rgba = np.zeros((4, 4, 4), dtype=np.uint8)
    rgba[:, 2:] = (10, 20, 30, 255)
    halves = read_image(rgba, (2, 2), resampling="box")
    assert_close(halves, [[[255, 255, 255], [10, 20, 30]]] * 2)


@pytest.mark.parametrize("mode", ["RGBa", "La"])
def test_premultiplied_alpha(mode):
    plain = Image.new(
        {"RGBa": "RGBA", "La": "LA"}[mode],
        (2, 2),
        {"RGBa": (100, 100, 100, 51), "La": (100, 51)}[mode],
    )
    assert_close(read_image(plain.convert(mode), 2), np.full((2, 2, 3), 255 - 31), atol=2)


def palette_image():
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.frombytes(b"\0\1\2")
    return image


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette_files(encode, file_format):
    content = encode(palette_image(), file_format)
    np.testing.assert_array_equal(
        read_image(content, (1, 3)), [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    )


@pytest.mark.parametrize(
    ("file_format", "transparency", "expected"),
    [
        ("PNG", 1, [[255, 0, 0], [255, 255, 255], [0, 0, 255]]),
        ("GIF", 1, [[255, 0, 0], [255, 255, 255], [0, 0, 255]]),
        ("PNG", bytes([255, 0, 51]), [[255, 0, 0], [255, 255, 255], [204, 204, 255]]),
    ],
)
def test_palette_with_transparency(encode, file_format, transparency, expected):
    content = encode(palette_image(), file_format, transparency=transparency)
    assert_close(read_image(content, (1, 3)), [expected])


def test_palette_with_an_alpha_channel():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 255, 0, 0, 255, 0], "RGBA")
    image.frombytes(b"\0\1")
    assert_close(read_image(image, (1, 2)), [[[255, 0, 0], [255, 255, 255]]])
    assert_close(read_image(image.convert("PA"), (1, 2)), [[[255, 0, 0], [255, 255, 255]]])


def test_transparent_colour_of_rgb_and_grey_png_files(make_png):
    rgb = make_png(2, 1, [bytes([1, 2, 3, 4, 5, 6])], before=[(b"tRNS", b"\0\1\0\2\0\3")])
    np.testing.assert_array_equal(read_image(rgb, (1, 2)), [[[255, 255, 255], [4, 5, 6]]])
    grey = make_png(2, 1, [bytes([7, 8])], color_type=0, before=[(b"tRNS", b"\0\7")])
    np.testing.assert_array_equal(read_image(grey, (1, 2)), grey_rgb([[255, 8]]))
    wide = make_png(
        2, 1, [b"\x10\x00\x20\x00"], bit_depth=16, color_type=0, before=[(b"tRNS", b"\x10\x00")]
    )
    np.testing.assert_array_equal(read_image(wide, (1, 2)), scaled([[65535, 0x2000]]))


def test_cmyk_jpeg_with_inverted_values_as_written_by_adobe(encode):
    content = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert b"Adobe" in content
    assert_close(read_image(content, 16), np.full((16, 16, 3), (255, 0, 0)), atol=3)


def test_cmyk_tiff(encode):
    ink = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 0], [51, 102, 0, 51]]])
    image = Image.frombytes("CMYK", (4, 1), ink.astype(np.uint8).tobytes())
    content = encode(image, "TIFF")
    share = ink / 255
    expected = 255 * (1 - share[:, :, :3]) * (1 - share[:, :, 3:])
    assert_close(read_image(content, (1, 4)), np.rint(expected), atol=1)


WIDE = np.array([[0, 128, 129, 256, 257], [12345, 32768, 65279, 65406, 65535]], dtype=np.uint16)


def test_sixteen_bit_values_are_rounded_to_the_nearest():
    assert scaled(WIDE)[:, :, 0].tolist() == [[0, 0, 1, 1, 1], [48, 128, 254, 254, 255]]


def wide_png(make_png):
    rows = [row.astype(">u2").tobytes() for row in WIDE]
    return make_png(5, 2, rows, bit_depth=16, color_type=0)


def wide_pgm(make_png):
    return b"P5 5 2 65535\n" + WIDE.astype(">u2").tobytes()


def wide_array(make_png):
    return WIDE


def wide_big_endian_array(make_png):
    return WIDE.astype(">u2")


def wide_mode(mode, dtype):
    def make(make_png):
        return Image.frombytes(mode, (5, 2), WIDE.astype(dtype).tobytes())

    make.__name__ = mode
    return make


@pytest.mark.parametrize(
    "make",
    [
        wide_png,
        wide_pgm,
        wide_array,
        wide_big_endian_array,
        wide_mode("I;16", "<u2"),
        wide_mode("I;16B", ">u2"),
        wide_mode("I;16L", "<u2"),
        wide_mode("I", "=i4"),
    ],
)
def test_sixteen_bit_grey(make_png, make):
    np.testing.assert_array_equal(read_image(make(make_png), (2, 5)), scaled(WIDE))


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_in_either_byte_order(order):
    pixels = WIDE.astype(order + "u2").tobytes()
    tags = [
        (256, 3, 5), (257, 3, 2), (258, 3, 16), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 3, 2), (279, 4, len(pixels)),
    ]  # fmt: skip
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(tags))
    for tag, kind, value in tags:
        field = struct.pack(
            order + ("HH" if kind == 3 else "I"), *([value, 0] if kind == 3 else [value])
        )
        directory += struct.pack(order + "HHI", tag, kind, 1) + field
    content = magic + struct.pack(order + "I", 8 + len(pixels)) + pixels + directory + bytes(4)
    np.testing.assert_array_equal(read_image(content, (2, 5)), scaled(WIDE))


def test_sixteen_bit_colour_png_is_reduced_to_the_high_byte(make_png):
    content = make_png(1, 1, [b"\x12\xff\x34\x00\xff\xff"], bit_depth=16, color_type=2)
    np.testing.assert_array_equal(read_image(content, 1), [[[0x12, 0x34, 0xFF]]])


@pytest.mark.parametrize("values", [[[-1, 5]], [[0, 65536]]])
def test_integers_of_more_than_sixteen_bits_raise(values):
    image = Image.fromarray(np.array(values, dtype=np.int32))
    with pytest.raises(
        ImageReadError, match=r"mode I, 2x1.*integer pixels range from .* to .*0\.\.65535"
    ):
        read_image(image, 1)


def test_floating_point_images_raise_and_the_message_suggests_scaling(encode):
    image = Image.fromarray(np.full((3, 3), 0.5, dtype=np.float32))
    for source in (image, encode(image, "TIFF")):
        with pytest.raises(ImageReadError, match=r"floating-point.*mode F.*scale them to 0\.\.255"):
            read_image(source, 2)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_arrays(shape, dtype):
    array = RNG.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    before = array.copy()
    eight = array if dtype == np.uint8 else np.rint(array / 257)
    eight = eight.reshape(5, 7, -1)
    expected = over_white(eight[:, :, :3], eight[:, :, 3]) if eight.shape[2] == 4 else eight
    assert_close(
        read_image(array, (5, 7)), np.broadcast_to(expected, (5, 7, 3)), atol=shape[2:] == (4,)
    )
    np.testing.assert_array_equal(array, before)


def test_views_and_read_only_arrays():
    view = np.ascontiguousarray(RGB.transpose(1, 0, 2)).transpose(1, 0, 2)[::-1]
    view.flags.writeable = False
    np.testing.assert_array_equal(read_image(view, (5, 7)), RGB[::-1])


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def exif_of(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WebP", {"lossless": True}),
        ("JPEG", {"quality": 100, "subsampling": 0}),
    ],
)
def test_exif_orientation(encode, file_format, options, orientation):
    blocks = np.kron(RGB[:2, :3], np.ones((8, 8, 1), dtype=np.uint8))
    content = encode(Image.fromarray(blocks), file_format, exif=exif_of(orientation), **options)
    expected = UPRIGHT[orientation](blocks)
    pixels = read_image(content, expected.shape[:2])
    assert_close(pixels, expected, atol=4 if file_format == "JPEG" else 0)


def test_exif_orientation_stored_after_the_pixels_of_a_png(make_png):
    rows = [bytes([1, 1, 1, 2, 2, 2])]
    content = make_png(2, 1, rows, after=[(b"eXIf", exif_of(6).tobytes()[6:])])
    np.testing.assert_array_equal(read_image(content, (2, 1)), [[[1, 1, 1]], [[2, 2, 2]]])


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_invalid_orientations_are_ignored(encode, orientation):
    content = encode(Image.fromarray(RGB), "PNG", exif=exif_of(orientation))
    np.testing.assert_array_equal(read_image(content, (5, 7)), RGB)


@pytest.mark.parametrize(
    "damaged", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\x7f", b"Exif\0\0garbage"]
)
def test_damaged_exif_data_is_ignored(encode, damaged):
    content = encode(Image.new("RGB", (8, 8), "white"), "JPEG", exif=damaged)
    with warnings.catch_warnings():
        # Pillow warns about some of these when it opens the file.
        warnings.simplefilter("ignore")
        pixels = read_image(content, 8)
    assert_close(pixels, np.full((8, 8, 3), 255))


def test_the_orientation_of_a_pil_image_is_applied_without_changing_the_image(encode, tmp_path):
    path = tmp_path / "turned.png"
    path.write_bytes(encode(Image.fromarray(RGB), "PNG", exif=exif_of(6)))
    with Image.open(path) as image:
        pixels = read_image(image, (7, 5))
        np.testing.assert_array_equal(pixels, np.rot90(RGB, -1))
        np.testing.assert_array_equal(np.asarray(image), RGB)
        assert image.getexif()[ExifTags.Base.Orientation] == 6


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16"])
def test_pil_images_are_not_changed(mode):
    image = Image.new(mode, (4, 3))
    image.info["transparency"] = 0
    before = (image.mode, image.size, dict(image.info), image.tobytes(), image.getpalette())
    if mode in {"CMYK", "YCbCr"}:
        del image.info["transparency"]
        before[2].clear()
    assert read_image(image, (2, 2)).shape == (2, 2, 3)
    assert (image.mode, image.size, dict(image.info), image.tobytes(), image.getpalette()) == before


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WebP", "TIFF"])
def test_the_first_frame_of_an_animated_file_is_read(encode, file_format):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if file_format == "WebP" else {}
    content = encode(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    np.testing.assert_array_equal(read_image(content, 1), [[[255, 0, 0]]])


def test_the_current_frame_of_an_animated_pil_image_is_read(encode, tmp_path):
    path = tmp_path / "a.gif"
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    path.write_bytes(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    with Image.open(path) as image:
        image.seek(1)
        np.testing.assert_array_equal(read_image(image, 1), [[[0, 255, 0]]])
        assert image.tell() == 1


def test_an_icc_profile_is_ignored(encode):
    content = encode(Image.fromarray(RGB), "PNG", icc_profile=b"not a profile")
    np.testing.assert_array_equal(read_image(content, (5, 7)), RGB)


def test_path_bytes_pil_image_and_array_yield_equal_pixels(encode, tmp_path):
    content = encode(Image.fromarray(RGB), "PNG")
    path = tmp_path / "ünï😀 code.jpg"
    path.write_bytes(content)
    expected = read_image(RGB, (3, 9))
    for source in (path, str(path), os.fspath(path), content, Image.fromarray(RGB)):
        np.testing.assert_array_equal(read_image(source, (3, 9)), expected)


KERNELS = {
    "box": (0.5, lambda x: ((x > -0.5) & (x <= 0.5)).astype(float)),
    "bilinear": (1.0, lambda x: np.maximum(0, 1 - np.abs(x))),
    "bicubic": (
        2.0,
        lambda x: np.where(
            np.abs(x) < 1,
            1.5 * np.abs(x) ** 3 - 2.5 * np.abs(x) ** 2 + 1,
            np.where(
                np.abs(x) < 2,
                -0.5 * (np.abs(x) ** 3 - 5 * np.abs(x) ** 2 + 8 * np.abs(x) - 4),
                0,
            ),
        ),
    ),
    "lanczos": (3.0, lambda x: np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)),
}


def weights(n_in, n_out, resampling):
    support, kernel = KERNELS[resampling]
    scale = n_in / n_out
    widened = max(scale, 1.0)
    matrix = np.zeros((n_out, n_in))
    for row in range(n_out):
        centre = (row + 0.5) * scale
        first = max(0, int(centre - support * widened + 0.5))
        last = min(n_in, int(centre + support * widened + 0.5))
        columns = np.arange(first, last)
        values = kernel((columns + 0.5 - centre) / widened)
        matrix[row, columns] = values / values.sum()
    return matrix


@pytest.mark.parametrize("resampling", KERNELS)
@pytest.mark.parametrize("size", [(4, 6), (30, 50), (5, 60), (1, 1), (20, 32)])
def test_resampling_equals_the_formula(resampling, size):
    # The values are far from 0 and 255 so that no filter overshoots. Pillow clips between its two
    # passes, and their order depends on the version.
    pixels = RNG.integers(100, 156, (20, 32, 3), dtype=np.uint8)
    across = np.einsum("ox,yxc->yoc", weights(32, size[1], resampling), pixels)
    expected = np.einsum("oy,yxc->oxc", weights(20, size[0], resampling), across)
    assert 0 < expected.min() <= expected.max() < 255
    assert_close(read_image(pixels, size, resampling=resampling), expected.round())


def test_nearest_selects_the_pixel_at_the_centre():
    rows = [int((row + 0.5) * 5 / 3) for row in range(3)]
    columns = [int((column + 0.5) * 7 / 10) for column in range(10)]
    pixels = read_image(RGB, (3, 10), resampling="nearest")
    np.testing.assert_array_equal(pixels, RGB[rows][:, columns])


def test_an_int_size_is_a_square_and_bilinear_is_the_default():
    np.testing.assert_array_equal(
        read_image(RGB, 4), read_image(RGB, (4, 4), resampling="bilinear")
    )
    assert read_image(RGB, np.int64(2)).shape == (2, 2, 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "P"])
def test_large_images_are_converted_in_strips(mode, monkeypatch):
    rng = np.random.default_rng(0)
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 65536, (37, 20), dtype="uint16"))
    else:
        channels = {"RGBA": 4, "LA": 2, "P": 3}[mode]
        image = Image.fromarray(rng.integers(0, 256, (37, 20, channels), dtype="uint8"))
        if mode == "P":
            image = image.convert("P")
            image.info["transparency"] = 3
    whole = read_image(image, (37, 20), resampling="nearest")
    monkeypatch.setattr(_convert, "_STRIP_PIXELS", 100)
    np.testing.assert_array_equal(read_image(image, (37, 20), resampling="nearest"), whole)
