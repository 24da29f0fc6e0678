"""Every kind of source that cannot be read, under every policy."""

import gc
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble.exceptions import ImageReadError, MultimodalEnsembleError
from multimodal_ensemble.images import UnreadableImageWarning, read_image, read_images

GOOD = np.full((6, 6, 3), 200, dtype=np.uint8)


class Files:
    """Creates each kind of unreadable source."""

    def __init__(self, folder, encode, make_png):
        self.folder, self.encode, self.make_png = folder, encode, make_png

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path

    def gradient(self):
        return Image.fromarray(
            np.arange(64 * 64 * 3, dtype=np.uint16).astype(np.uint8).reshape(64, 64, 3)
        )

    def absent(self):
        return self.folder / "absent.jpg"

    def in_an_absent_folder(self):
        return str(self.folder / "no" / "such" / "folder.jpg")

    def below_a_file(self):
        return self.write("file.jpg", b"x") / "poster.jpg"

    def directory(self):
        return self.folder

    def too_long_a_name(self):
        return "x" * 5000 + ".jpg"

    def nul_in_the_name(self):
        return "a\0b.jpg"

    def empty_name(self):
        return ""

    def zero_bytes(self):
        return self.write("zero.jpg", b"")

    def empty_content(self):
        return b""

    def html_named_jpg(self):
        return self.write("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>")

    def text_content(self):
        return b"not an image at all"

    def truncated_jpeg(self):
        content = self.encode(self.gradient(), "JPEG")
        return self.write("half.jpg", content[: len(content) // 2])

    def truncated_png(self):
        content = self.encode(self.gradient(), "PNG")
        return content[: len(content) // 2]

    def magic_number_only(self):
        return b"\xff\xd8\xff\xe0"

    def broken_checksum(self):
        content = bytearray(self.make_png(1, 1, [b"\0\0\0"]))
        content[29] ^= 1
        return bytes(content)

    def bomb(self):
        return self.write("bomb.png", self.make_png(60_000, 60_000, [b"\0" * 100]))

    def largest_png(self):
        return self.make_png(2**31 - 1, 2**31 - 1, [b"\0"])

    def postscript(self):
        return self.write(
            "drawing.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EOF\n"
        )

    def unicode_name(self):
        return self.write("Amélie 😀.jpg", b"nope")

    def none(self):
        return None

    def nan(self):
        return float("nan")

    def numpy_nan(self):
        return np.float32("nan")

    def floats(self):
        return Image.new("F", (2, 2))

    def no_pixels(self):
        return Image.new("RGB", (0, 5))

    def closed(self):
        image = Image.open(self.write("closed.png", self.encode(Image.new("L", (1, 1)), "PNG")))
        image.close()
        return image

    def two_channels(self):
        return np.zeros((4, 4, 2), dtype=np.uint8)

    def one_dimension(self):
        return np.zeros(4, dtype=np.uint8)

    def no_rows(self):
        return np.zeros((0, 4, 3), dtype=np.uint8)


KINDS = {
    "absent": r"image file '.*absent\.jpg': No such file or directory\.",
    "in_an_absent_folder": r"image file '.*folder\.jpg': No such file or directory\.",
    "below_a_file": r"image file '.*poster\.jpg': Not a directory\.",
    "directory": r"image file '.*': Is a directory\.",
    "too_long_a_name": r"File name too long\.",
    "nul_in_the_name": r"image file 'a\\x00b\.jpg': .*(null byte|null character)",
    "empty_name": r"image file '': the path is empty\.",
    "zero_bytes": r"image file '.*zero\.jpg': it is empty \(0 bytes\)\.",
    "empty_content": r"image bytes \(0 bytes\): it is empty \(0 bytes\)\.",
    "html_named_jpg": r"page\.jpg': it is not an image .* it begins with b'<!DOCTYPE html>",
    "text_content": r"\(19 bytes\): it is not an image .* begins with b'not an image at '",
    "truncated_jpeg": r"half\.jpg': .*truncated",
    "truncated_png": r"image bytes \(\d+ bytes\): .*truncated",
    "magic_number_only": r"image bytes \(4 bytes\): ",
    "broken_checksum": r"image bytes \(\d+ bytes\): ",
    "bomb": r"bomb\.png': .*DecompressionBombError: Image size \(3600000000 pixels\) exceeds limit",
    "largest_png": r"DecompressionBombError",
    "postscript": r"drawing\.jpg': EPS is a program for Ghostscript.*convert it to PNG or JPEG",
    "unicode_name": r"image file '.*Amélie 😀\.jpg': it is not an image",
    "none": r"Cannot read image: missing \(None/NaN\)\.",
    "nan": r"Cannot read image: missing \(None/NaN\)\.",
    "numpy_nan": r"Cannot read image: missing \(None/NaN\)\.",
    "floats": r"PIL image \(mode F, 2x2\): its pixels are floating-point",
    "no_pixels": r"PIL image \(mode RGB, 0x5\): it has no pixels\.",
    "closed": r"PIL image \(mode L, 1x1, opened from '.*closed\.png'\): ",
    "two_channels": r"array of shape \(4, 4, 2\), dtype uint8: an image array must have shape",
    "one_dimension": r"array of shape \(4,\), dtype uint8: an image array must have shape",
    "no_rows": r"array of shape \(0, 4, 3\), dtype uint8: it has no pixels\.",
}


@pytest.fixture
def files(tmp_path, encode, make_png):
    return Files(tmp_path, encode, make_png)


@pytest.fixture(params=KINDS)
def bad(request, files):
    return getattr(files, request.param)(), KINDS[request.param]


def test_reading_one_image_raises(bad):
    source, match = bad
    with pytest.raises(ImageReadError, match=match) as caught:
        read_image(source, 4)
    assert isinstance(caught.value, OSError)
    assert isinstance(caught.value, MultimodalEnsembleError)
    assert caught.value.strerror in str(caught.value)


@pytest.mark.parametrize("workers", [1, 3])
def test_on_error_raise(bad, workers):
    source, match = bad
    with pytest.raises(ImageReadError, match=match) as caught:
        read_images([GOOD, source, GOOD, None], 4, workers=workers)
    assert "number 1 (from 0) of 4 images" in str(caught.value)
    assert 'on_error="blank"' in str(caught.value)
    assert 'on_error="drop"' in str(caught.value)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("on_error", ["blank", "drop"])
def test_on_error_blank_and_drop(bad, on_error, workers):
    source, _ = bad
    with pytest.warns(UnreadableImageWarning, match="^1 of 3 images could not be read") as caught:
        batch = read_images([GOOD, source, GOOD], (4, 5), on_error=on_error, workers=workers)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    bright = np.full((4, 5, 3), 200)
    rows = [bright, 0 * bright, bright] if on_error == "blank" else [bright, bright]
    np.testing.assert_array_equal(batch.images, rows)
    assert batch.kept.tolist() == ([0, 1, 2] if on_error == "blank" else [0, 2])
    (failure,) = batch.failures
    assert failure.position == 1
    if isinstance(source, str | os.PathLike):
        assert failure.source == str(source)
    with pytest.raises(ImageReadError) as error:
        read_image(source, 4)
    assert failure.reason == error.value.strerror


def test_the_original_exception_is_the_cause(files):
    with pytest.raises(ImageReadError) as caught:
        read_image(files.absent(), 4)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(ImageReadError) as caught:
        read_images([files.absent()], 4)
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_permission_denied(files, monkeypatch):
    path = files.write("secret.jpg", b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):  # The superuser may read every file.

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageReadError, match=r"secret\.jpg': Permission denied"):
        read_image(path, 4)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems only")
def test_a_named_pipe_raises_instead_of_blocking(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageReadError, match=r"pipe\.jpg': .*not a regular file"):
        read_image(tmp_path / "pipe.jpg", 4)


@pytest.mark.skipif(sys.platform != "linux", reason="file names on other systems are Unicode")
def test_a_file_whose_name_is_not_unicode_can_be_read_and_named(tmp_path, encode):
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    with pytest.raises(ImageReadError) as caught:
        read_image(name, 4)
    assert str(caught.value).encode()
    Path(name).write_bytes(encode(Image.fromarray(GOOD), "PNG"))
    assert read_image(name, 4).max() == 200


@pytest.mark.parametrize("marker", ["NA", "NaT"])
def test_pandas_markers_are_missing_images(marker):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ImageReadError, match=r"missing \(None/NaN\)"):
        read_image(getattr(pandas, marker), 4)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (3, r"must be a path .* Received int: 3\."),
        (1.5, r"Received float: 1\.5\."),
        ([1, 2], r"Received list: \[1, 2\]\."),
        (bytearray(b"x"), r"Received bytearray"),
        (
            np.zeros((2, 2, 3)),
            r"uint8 .* or uint16 .*array of shape \(2, 2, 3\), dtype float64.*Scale it",
        ),
        (np.zeros((2, 2), dtype=bool), r"dtype bool"),
        (np.zeros((2, 2), dtype=np.int64), r"dtype int64"),
        (np.zeros((2, 2), dtype=np.uint32), r"dtype uint32"),
        (np.array("a.jpg"), r"dtype <U5"),
    ],
)
@pytest.mark.parametrize("on_error", ["raise", "drop"])
def test_unsupported_types_raise_under_every_policy(source, match, on_error):
    with pytest.raises(TypeError, match=match):
        read_image(source, 4)
    with pytest.raises(TypeError, match=match) as caught:
        read_images([GOOD, source], 4, on_error=on_error)
    assert caught.value.__notes__ == ["It is number 1 (from 0) of 2 images."]


@pytest.mark.parametrize(
    "size", [0, -1, (4, 0), (4,), (4, 4, 3), 2.5, "4", None, True, (True, 4), ()]
)
def test_invalid_sizes_raise(size):
    for read in (lambda: read_image(GOOD, size), lambda: read_images([], size)):
        with pytest.raises(ValueError, match=r"\(height, width\), at least 1\. Received size="):
            read()


def test_unknown_options_raise():
    with pytest.raises(
        ValueError, match=r"resampling must be one of .*Received resampling=\'cubic\'"
    ):
        read_image(GOOD, 4, resampling="cubic")
    with pytest.raises(ValueError, match="resampling must be one of"):
        read_images([], 4, resampling="cubic")
    with pytest.raises(ValueError, match="on_error must be one of 'raise', 'blank', 'drop'"):
        read_images([], 4, on_error="ignore")


def test_pillow_warns_up_to_twice_its_limit_and_raises_above(encode, monkeypatch):
    content = encode(Image.new("L", (12, 12)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(
        ImageReadError, match=r"DecompressionBombWarning: Image size \(144 pixels\)"
    ):
        read_image(content, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.warns(Image.DecompressionBombWarning):
            assert read_image(content, 4).shape == (4, 4, 3)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 71)
    with pytest.raises(ImageReadError, match="DecompressionBombError"):
        read_image(content, 4)


def test_the_limit_of_pillow_is_not_changed(files):
    limit = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageReadError):
        read_image(files.bomb(), 4)
    assert limit == Image.MAX_IMAGE_PIXELS
    assert limit is not None


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("workers", [1, 2])
def test_errors_unrelated_to_the_file_are_not_caught(monkeypatch, error, workers):
    def fail(*args):
        raise error

    monkeypatch.setattr(Image.Image, "resize", fail)
    with pytest.raises(error):
        read_images([GOOD, GOOD], 4, on_error="drop", workers=workers)


@pytest.mark.parametrize("name", ["getexif", "load"])
def test_memory_errors_while_loading_are_not_caught(monkeypatch, name):
    def fail(*args):
        raise MemoryError

    image = Image.fromarray(GOOD)
    monkeypatch.setattr(Image.Image, name, fail)
    with pytest.raises(MemoryError):
        read_image(image, 4)


def test_all_files_are_closed(files, encode):
    good = files.write("good.tif", encode(files.gradient(), "TIFF", compression="tiff_lzw"))
    animated = files.write(
        "a.gif", encode(files.gradient(), "GIF", save_all=True, append_images=[files.gradient()])
    )
    sources = [
        good,
        animated,
        files.truncated_jpeg(),
        files.html_named_jpg(),
        files.bomb(),
        files.postscript(),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_images(sources, 4, on_error="drop")
        gc.collect()
    assert [str(each.message) for each in caught if each.category is ResourceWarning] == []
    folder = Path("/proc/self/fd")
    if folder.exists():
        still_open = {os.path.realpath(each) for each in folder.iterdir()}
        assert not still_open & {str(each.resolve()) for each in sources}
