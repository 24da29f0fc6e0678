"""Images as `file:` URLs, data URIs and records of Hugging Face are those of plain files."""

import base64

import numpy as np
import pytest
from hypothesis import given, strategies as st

from multimodal_ensemble import infer_encoders
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    _data_uri,
    content_digest,
    local_path,
    make_thumbnail,
    read_image,
    read_images,
    source_name,
)
from tests import toys
from tests.toys import png


def uri(content, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "größe a.png"
    path.write_bytes(png())
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.as_uri(),
        lambda file: file.as_uri().replace("file://", "FILE://localhost"),
        lambda file: file.as_uri().replace("file://", "file:"),
        lambda file: uri(png()),
        lambda file: uri(png(), "application/octet-stream"),
        lambda file: uri(png(), "image/png;charset=utf-8").replace("data", "DATA"),
        lambda file: {"bytes": png(), "path": "other.png"},
        lambda file: {"bytes": None, "path": str(file)},
        lambda file: {"bytes": None, "path": file.name},
        lambda file: {"path": file.name},
        lambda file: {"bytes": png()},
        lambda file: {"bytes": None, "path": uri(png())},
    ],
)
def test_sources_are_read_like_files(file, make):
    source, root = make(file), file.parent
    assert content_digest(source, root=root) == content_digest(file)
    batch = read_images([source], 4, root=root)
    np.testing.assert_array_equal(batch.images[0], read_image(file, 4))
    encoder = toys.make_poster(root=root)
    np.testing.assert_array_equal(encoder.encode([source]), encoder.encode([file]))
    digests = [encoder.content_digests(encoder.prepare([each])) for each in (source, file)]
    assert digests[0] == digests[1]
    encoder = toys.make_poster(root=root, items="mean")
    assert encoder.encode([[source, source]]).shape == (1, 2, 8, 8, 3)
    if not isinstance(source, dict) or source.get("path") != file.name:
        assert make_thumbnail(source) == make_thumbnail(file)
    if isinstance(source, dict) or source.lower().startswith("data"):
        (chosen,) = infer_encoders({"x": [source, source]}, root=root, verbose=0)
        assert type(chosen).__name__ == "ImageEncoder"


def test_columns_of_file_urls_and_data_uris_are_images(file, capsys):
    data = {"a": [file.as_uri()] * 3, "b": [uri(png(1)), uri(png(2)), None]}
    first, second = infer_encoders(data)
    assert (first.optional, second.optional) == (False, True)
    printed = capsys.readouterr().out
    assert "ImageEncoder('a'),  # paths of image files" in printed
    assert "ImageEncoder('b', optional=True),  # images as data URIs; missing in 1 of 3" in printed


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("file://server/share/a.png", "a file: URL with the name of a machine is not read"),
        ("file:///nowhere/a.png", "No such file"),
        ("data:image/png,abc", "it is not encoded in base64"),
        ("data:text/html;base64,PGI+", "it has the type text/html, and is no image"),
        ("data:image/png;base64,a", "its base64 code is damaged"),
        ("data:image/png;base64,%%%%", "its base64 code is damaged"),
        ("data:;base64,", "it is empty"),
        (uri(b"no image"), "it is not an image that Pillow"),
        ({"bytes": None, "path": None}, "missing"),
        ({"bytes": None, "path": ""}, "the path is empty"),
        ({"bytes": b"", "path": "a.png"}, "it is empty"),
        ({"path": "https://example.org/a.png"}, "not fetched without fetch="),
    ],
    ids=lambda value: str(value)[:40],
)
def test_sources_that_cannot_be_read_name_the_reason(source, match):
    with pytest.raises(ImageReadError, match=match) as caught:
        read_image(source, 4)
    assert len(str(caught.value)) < 400
    batch = read_images([source, png()], 4, on_error="drop", warn=False)
    assert batch.kept.tolist() == [1]
    assert len(batch.failures[0].source) < 100


def test_a_mapping_of_anything_else_is_no_image():
    with pytest.raises(TypeError, match=r"or a mapping with 'bytes' or 'path'. Received dict"):
        read_image({"url": "a.png"}, 4)


def test_a_data_uri_of_absurd_size_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(_data_uri, "MOST_CHARACTERS", 1000)
    monkeypatch.setattr(base64, "b64decode", None)
    long = "data:image/png;base64," + "A" * 1000
    with pytest.raises(ImageReadError, match=r"data URI \(image/png, 1022 char.*longer than 1000"):
        read_image(long, 4)
    assert source_name(long) == "data URI (image/png, 1022 characters)"


def test_unreadable_data_uris_are_told_apart_and_named_briefly():
    damaged = [uri(b"one"), uri(b"two")]
    encoder = toys.make_poster(on_error="missing", optional=True)
    with pytest.warns(UserWarning, match="2 images cannot be read") as caught:
        assert encoder.find_missing([*damaged, uri(png())]).tolist() == [True, True, False]
    assert len(str(caught[0].message)) < 500
    assert len(encoder.unreadable) == 2


@given(st.text(max_size=30))
def test_any_string_is_a_path_an_address_or_an_error(text):
    with pytest.raises((ImageReadError, ImportError)):
        read_image(text + "\0", 4)
    for start in ("data:", "file:/", "data:image/png;base64,"):
        with pytest.raises(ImageReadError):
            read_image(start + text + "\0", 4)


def test_local_paths():
    assert local_path("a.png") == "a.png"
    assert local_path("/a.png", "folder") == "/a.png"
    assert local_path("file:/a%20b.png", "folder") == "/a b.png"
    for source in (
        "http://a.org/a.png",
        "data:image/png;base64,",
        "s3://a/b",
        "file://a/b",
        3,
        None,
    ):
        assert local_path(source) is None
