"""Reading many images: order, counts, root folders and failures; content digests."""

import dataclasses
import threading
import time

import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble import images
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    ImageBatch,
    ImageFailure,
    UnreadableImageWarning,
    _batch as batch_module,
    check_image_size,
    content_digest,
    looks_like_image,
    read_image,
    read_images,
    source_name,
)


@pytest.fixture
def folder(tmp_path):
    for level in range(20):
        Image.new("L", (level + 1, 3), level).save(tmp_path / f"{level}.png")
    return tmp_path


def levels(batch):
    return batch.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("workers", [1, 2, 7, np.int64(3)])
def test_rows_are_in_the_order_of_the_sources(folder, monkeypatch, workers):
    def slow_first(source, *args, **kwargs):
        time.sleep(0.02 if str(source).endswith("0.png") else 0)
        return read_image(source, *args, **kwargs)

    monkeypatch.setattr(batch_module, "read_image", slow_first)
    batch = read_images([f"{level}.png" for level in range(20)], 4, root=folder, workers=workers)
    assert batch.images.shape == (20, 4, 4, 3)
    assert batch.images.dtype == np.uint8
    assert levels(batch) == batch.kept.tolist() == list(range(20))
    assert batch.failures == ()


def test_workers_read_concurrently(monkeypatch):
    meeting = threading.Barrier(3, timeout=20)

    def wait_for_the_others(source, *args, **kwargs):
        meeting.wait()
        return read_image(source, *args, **kwargs)

    monkeypatch.setattr(batch_module, "read_image", wait_for_the_others)
    greys = [np.full((2, 2), level, dtype=np.uint8) for level in range(3)]
    assert levels(read_images(greys, 1, workers=3)) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("on_error", ["blank", "drop"])
def test_the_warning_counts_and_names_failures(folder, on_error, workers):
    sources = [f"{level}.png" if level % 2 else f"gone{level}.png" for level in range(20)]
    with pytest.warns(UnreadableImageWarning) as caught:
        batch = read_images(sources, 2, root=folder, on_error=on_error, workers=workers)
    message = str(caught[0].message)
    assert message.startswith("10 of 20 images could not be read")
    assert "'gone0.png' (No such file or directory)" in message
    assert "'gone8.png'" in message
    assert "'gone10.png'" not in message
    assert "and 5 more" in message
    assert f'on_error="{on_error}"' in message
    assert [failure.position for failure in batch.failures] == list(range(0, 20, 2))
    assert batch.failures[1] == ImageFailure(2, "gone2.png", "No such file or directory")
    odd = list(range(1, 20, 2))
    if on_error == "drop":
        assert levels(batch) == batch.kept.tolist() == odd
    else:
        assert levels(batch) == [level if level % 2 else 0 for level in range(20)]
        assert batch.kept.tolist() == list(range(20))


def test_the_warning_names_a_file_of_many_rows_once(folder):
    with pytest.warns(UnreadableImageWarning, match=r"^30 of 31 .*: 'a.png' \(No.*\), 30 times"):
        read_images(["a.png"] * 30 + ["1.png"], 2, root=folder, on_error="blank")
    with pytest.warns(UnreadableImageWarning, match=r"^1 of 1 image could not be read and was"):
        read_images(["a.png"], 2, root=folder, on_error="drop")


@pytest.mark.parametrize("workers", [1, 4])
def test_the_error_names_the_first_unreadable_file(folder, workers):
    sources = ["0.png", "1.png", "first.png", "second.png"] * 3
    with pytest.raises(
        ImageReadError, match=r"first\.png': No such file.*number 2 \(from 0\) of 12"
    ) as caught:
        read_images(sources, 2, root=folder, workers=workers)
    assert caught.value.row == 2


@pytest.mark.parametrize("sources", [[], (), np.array([], dtype=object), iter([])])
@pytest.mark.parametrize("on_error", ["raise", "blank", "drop"])
def test_an_empty_iterable_returns_an_empty_batch(sources, on_error):
    batch = read_images(sources, (3, 5), on_error=on_error, workers=2)
    assert batch.images.shape == (0, 3, 5, 3)
    assert batch.images.dtype == np.uint8
    assert batch.kept.shape == (0,)
    assert batch.kept.dtype.kind == "i"
    assert batch.failures == ()


def test_the_batch_is_empty_if_all_images_are_dropped():
    with pytest.warns(UnreadableImageWarning, match="^2 of 2 "):
        batch = read_images([None, float("nan")], (3, 5), on_error="drop")
    assert batch.images.shape == (0, 3, 5, 3)
    assert batch.kept.shape == (0,)
    assert [failure.source for failure in batch.failures] == ["None", "nan"]


def test_warn_false_reads_without_a_warning(folder):
    batch = read_images(["1.png", "gone.png"], 2, root=folder, on_error="blank", warn=False)
    assert [failure.source for failure in batch.failures] == ["gone.png"]


def test_any_iterable_and_mixed_sources(folder):
    content = (folder / "3.png").read_bytes()
    mixed = (folder / "1.png", str(folder / "2.png"), content, np.full((2, 2), 4, np.uint8))
    assert levels(read_images(iter(mixed), 2)) == [1, 2, 3, 4]
    assert levels(read_images(np.full((3, 2, 2, 3), 9, np.uint8), 2)) == [9, 9, 9]
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(["5.png", "6.png"], index=[10, 4])
    assert levels(read_images(column, 2, root=folder)) == [5, 6]


def test_root_applies_to_relative_paths_only(folder, tmp_path):
    absolute = folder / "7.png"
    sources = [absolute, "8.png", absolute.read_bytes()]
    assert levels(read_images(sources, 2, root=str(folder))) == [7, 8, 7]
    with pytest.raises(ImageReadError, match="the path is empty"):
        read_images([""], 2, root=folder)


def test_resampling_and_size_are_passed_on():
    grey = np.random.default_rng(1).integers(0, 256, (9, 9), dtype=np.uint8)
    for resampling in ("nearest", "lanczos"):
        batch = read_images([grey], (4, 5), resampling=resampling)
        np.testing.assert_array_equal(
            batch.images[0], read_image(grey, (4, 5), resampling=resampling)
        )


@pytest.mark.parametrize(
    "sources", ["a.jpg", b"bytes", Image.new("L", (1, 1)), np.zeros((2, 2), np.uint8), None, 5]
)
def test_a_single_image_instead_of_an_iterable_raises(sources):
    with pytest.raises(TypeError, match=r"sources must be an iterable of images.*use read_image"):
        read_images(sources, 2)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, None])
def test_invalid_workers_raise(workers):
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1"):
        read_images([], 2, workers=workers)


def test_results_are_immutable(folder):
    batch = read_images(["1.png"], 2, root=folder)
    assert isinstance(batch, ImageBatch)
    for frozen, name in ((batch, "kept"), (ImageFailure(0, "a", "b"), "reason")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, None)


def test_public_names():
    assert len(images.__all__) == len(set(images.__all__))
    public = {name for name in vars(images) if not name.startswith("_")}
    assert public == set(images.__all__)


def test_images_in_memory_are_recognised(folder):
    content = (folder / "1.png").read_bytes()
    grey = np.zeros((2, 3), dtype=np.uint8)
    images_in_memory = [content, Image.new("L", (1, 1)), grey, grey.astype(np.uint16)]
    assert all(looks_like_image(value) for value in images_in_memory)
    others = [b"text", b"", "1.png", folder / "1.png", None, 3, grey[0], grey.astype(float), [grey]]
    assert not any(looks_like_image(value) for value in others)


def test_source_names(folder):
    assert source_name(folder / "1.png") == str(folder / "1.png")
    assert source_name(None) == "None"
    assert source_name(b"abc") == "image bytes (3 bytes)"


def test_the_message_uses_the_name_of_the_size():
    assert check_image_size([3, np.int64(4)], name="image_size") == (3, 4)
    with pytest.raises(ValueError, match=r"^image_size must be .* Received image_size=0\."):
        check_image_size(0, name="image_size")


def test_files_and_bytes_with_equal_content_have_equal_digests(folder):
    content = (folder / "1.png").read_bytes()
    (folder / "copy.jpg").write_bytes(content)
    digest = content_digest(content)
    assert len(digest) == 32
    assert content_digest(folder / "1.png") == content_digest(str(folder / "copy.jpg")) == digest
    assert content_digest("1.png", root=folder) == digest
    assert content_digest("2.png", root=folder) != digest
    assert content_digest(b"") != content_digest(b"\0")


def test_a_file_with_the_hashed_representation_of_pixels_has_another_digest():
    hashed = []

    class Recorder:
        def __init__(self, opening):
            hashed.append(opening)

        def update(self, data):
            hashed[-1] += data

        def digest(self):
            return b""

    pixels = np.zeros((2, 2), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("multimodal_ensemble.images._digest.hashlib.sha256", Recorder)
        content_digest(pixels)
    assert content_digest(hashed[0]) != content_digest(pixels)


def test_digests_depend_on_everything_that_affects_the_pixels_read():
    zeros = np.zeros((2, 8), dtype=np.uint8)
    palette = Image.new("P", (8, 2))
    palette.putpalette([1, 2, 3])
    clear = palette.copy()
    clear.info["transparency"] = 0
    other_palette = Image.new("P", (8, 2))
    other_palette.putpalette([1, 2, 4])
    turned = Image.new("L", (8, 2))
    turned.getexif()[0x0112] = 6
    different = [
        zeros,
        zeros.reshape(8, 2),
        zeros.reshape(2, 8, 1),
        zeros.reshape(4, 4),
        zeros + 1,
        zeros.view(np.uint16),
        np.zeros((2, 8), dtype=np.uint16),
        zeros.tobytes(),
        Image.new("L", (8, 2)),
        Image.new("L", (2, 8)),
        Image.new("L", (8, 2), 1),
        Image.new("1", (8, 2)),
        Image.new("I;16", (8, 2)),
        palette,
        clear,
        other_palette,
        turned,
    ]
    assert len({content_digest(each) for each in different}) == len(different)


def test_images_with_equal_content_have_equal_digests():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert content_digest(grey) == content_digest(np.asfortranarray(grey))
    assert content_digest(Image.fromarray(grey)) == content_digest(Image.fromarray(grey))
    palette = Image.fromarray(grey).convert("P")
    assert content_digest(palette) == content_digest(palette.copy())


@pytest.mark.parametrize("name", ["gone.png", ""])
def test_the_digest_of_an_unreadable_source_raises(folder, name):
    with pytest.raises(ImageReadError, match="Cannot read image file"):
        content_digest(name, root=folder)
    with pytest.raises(ImageReadError, match="Is a directory"):
        content_digest(folder)
    with pytest.raises(ImageReadError, match="missing"):
        content_digest(None)
    with pytest.raises(TypeError, match="Received int: 3"):
        content_digest(3)
    truncated = Image.open(folder / "1.png")
    truncated.close()
    with pytest.raises(ImageReadError, match="PIL image"):
        content_digest(truncated)


def test_the_digest_does_not_catch_memory_errors(monkeypatch):
    def fail(*args):
        raise MemoryError

    image = Image.new("L", (1, 1))
    for name in ("getexif", "load"):
        with monkeypatch.context() as patch:
            patch.setattr(Image.Image, name, fail)
            with pytest.raises(MemoryError):
                content_digest(image)
