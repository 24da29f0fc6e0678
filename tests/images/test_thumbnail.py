"""Small JPEG files of images."""

import io

import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import make_thumbnail


def open_jpeg(content):
    image = Image.open(io.BytesIO(content))
    assert image.format == "JPEG"
    return image


@pytest.mark.parametrize(
    ("shape", "expected"), [((600, 400), (92, 138)), ((300, 600), (92, 46)), ((20, 10), (10, 20))]
)
def test_the_proportions_are_kept_and_small_images_are_not_enlarged(shape, expected):
    image = np.full((*shape, 3), 90, np.uint8)
    assert open_jpeg(make_thumbnail(image)).size == expected


@pytest.mark.parametrize("max_bytes", [1024, 2000, 8192])
def test_even_noise_fits_the_largest_size(max_bytes):
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    content = make_thumbnail(noise, max_bytes=max_bytes)
    assert len(content) <= max_bytes
    assert min(open_jpeg(content).size) > 10


def test_colours_are_those_of_the_image(tmp_path):
    Image.new("RGBA", (40, 60), (200, 40, 20, 255)).save(tmp_path / "a.png")
    pixels = np.asarray(open_jpeg(make_thumbnail(tmp_path / "a.png", 30)))
    assert np.abs(pixels.astype(int) - [200, 40, 20]).max() < 6


def test_an_image_that_cannot_be_read_is_an_error(tmp_path):
    with pytest.raises(ImageReadError, match="No such file"):
        make_thumbnail(tmp_path / "absent.jpg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"size": 0}, "size must be a whole number"), ({"max_bytes": 10}, "max_bytes must be")],
)
def test_wrong_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_thumbnail(np.zeros((4, 4, 3), np.uint8), **arguments)
