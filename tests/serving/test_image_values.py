"""Images of requests: no request reads a file of the server, and none fills its memory."""

import base64
import io
import mimetypes
import os
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble import ImageEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.images import FetchOptions
from multimodal_ensemble.serving import ServingLimits, _image_values, make_app
from tests.serving.conftest import as_base64, as_uri, open_client
from tests.serving.test_predict import post
from tests.toys import draw_labels, draw_pixels, encode_image, make_network, write_images

SECRET = "secret.png"


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Return the files and addresses that are opened, with an image in the working directory."""
    Image.fromarray(draw_pixels(9, 9, 3)).save(tmp_path / SECRET)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    # The client reads it for a form.
    mimetypes.init()
    found = []

    def watch(event, arguments):
        if event in ("open", "socket.connect", "socket.getaddrinfo"):
            found.append((event, arguments[0] if event == "open" else arguments[-1]))

    WATCHERS.append(watch)
    yield found
    WATCHERS.remove(watch)


WATCHERS = []
# A hook cannot be removed, so that this one is inert without a watcher.
sys.addaudithook(lambda *event: [watch(*event) for watch in WATCHERS])

NAMES = [
    f"../{SECRET}",
    f"./../{SECRET}",
    f"..\\{SECRET}",
    f"..%2f{SECRET}",
    f"~/{SECRET}",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "//localhost/etc/passwd",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file:/etc/passwd",
    "file://localhost/etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "HTTP://169.254.169.254/",
    "https://example.org/a.png",
    "http://127.0.0.1:1/",
    "http://[::1]:1/",
    "s3://bucket/a.png",
    "gs://bucket/a.png",
    "ftp://host/a.png",
    "memory://a.png",
    "zip://a.png::/etc/passwd",
    "simplecache::https://example.org/a.png",
    "local:///etc/passwd",
    "github://org:repo@main/a.png",
    "data:text/plain,/etc/passwd",
    "data:image/png;base64,../../etc/passwd",
    "\x00/etc/passwd",
    "",
    " ",
    "a" * 5000,
]
OTHERS = [
    {"path": "/etc/passwd"},
    {"path": "/etc/passwd", "bytes": None},
    {"bytes": None, "path": f"../{SECRET}"},
    {"bytes": as_base64(b"x"), "path": None},
    {"url": "http://169.254.169.254/"},
    {"upload": "/etc/passwd"},
    {"upload": ["/etc/passwd"]},
    {"upload": "a", "path": "/etc/passwd"},
    ["/etc/passwd"],
    [f"../{SECRET}"],
    [[f"../{SECRET}"]],
    [1, 2, 3],
    3,
    True,
    {},
]


@pytest.mark.parametrize("value", [*NAMES, *OTHERS], ids=lambda value: ascii(value)[:40])
@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_a_request_reads_no_file_and_no_address(client, row, opened, value, path):
    answer = post(client, [row | {"poster": value}], path)
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert error["column"] == "poster"
    assert "Errno" not in error["reason"]
    assert "No such file" not in error["reason"]
    touched = [name for event, name in opened if event != "open" or _is_foreign(name)]
    assert touched == []


def _is_foreign(name):
    """Return whether a file is neither code of Python nor the pipe of the event loop."""
    text = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else str(name)
    return any(part in text for part in ("etc", "proc", "zero", "secret", "png", "passwd"))


@pytest.mark.parametrize("name", [f"../{SECRET}", "/etc/passwd", "file:///etc/passwd"])
def test_a_field_of_a_form_names_no_file(client, row, opened, name):
    data = {"poster": name, "year": "1", "minutes": "1", "country": "fr"}
    answer = client.post("/predict", data=data, files={"x": ("", b"")})
    assert answer.status_code == 422
    assert answer.json()["error"]["column"] in ("poster", "x")
    assert [name for event, name in opened if event != "open" or _is_foreign(name)] == []


def test_the_watcher_sees_a_file(opened):
    Image.open(f"../{SECRET}").close()
    assert any(_is_foreign(name) for _, name in opened)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the image is empty"),
        (b"no image", "8 bytes that are no image in the format PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "that are no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "that are no image"),
        (encode_image(draw_pixels(9, 9, 3))[:-30], "the image cannot be read"),
        (encode_image(draw_pixels(9, 9, 3), "PPM"), "that are no image"),
        (encode_image(draw_pixels(9, 9, 3), "ICO"), "that are no image"),
    ],
    ids=["empty", "text", "eps", "svg", "cut", "ppm", "ico"],
)
def test_content_that_is_no_image_is_refused(client, row, content, reason):
    for value in (as_uri(content), as_base64(content)):
        answer = post(client, [row | {"poster": value}])
        assert answer.status_code == 422
        assert reason in answer.json()["error"]["reason"]


def png_of_size(width, height):
    """Return a PNG file whose header has a size, and which would decode to that many pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    line = b"\0" * (1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((5001, 5000), "the image has 5001 x 5000 pixels; at most 25,000,000 in all"),
        ((10_000, 9_000), "the image"),
        ((30_000, 30_000), "the image is too large"),
    ],
)
def test_pixels_are_counted_before_they_are_decoded(client, row, monkeypatch, size, reason):
    def load(image):
        raise AssertionError

    bomb = png_of_size(*size)
    assert len(bomb) < 200_000
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    answer = post(client, [row | {"poster": as_uri(bomb)}])
    assert answer.status_code == 413
    assert reason in answer.json()["error"]["reason"]


def test_a_bad_image_among_good_rows_names_its_row(client, row):
    answer = post(client, [row, row | {"poster": as_uri(b"x")}, row])
    assert answer.json()["error"]["row"] == 1


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_have_the_scores_of_the_estimator(client, model, row, format):
    content = encode_image(draw_pixels(20, 30, 3), format)
    answer = post(client, [row | {"poster": as_uri(content, format.lower())}]).json()
    values = {"poster": [content], "tags": [row["tags"]], "year": [1980.0], "minutes": [101.5]}
    wanted = model.predict_proba(values | {"country": ["fr"]})
    np.testing.assert_allclose([*answer["rows"][0]["scores"].values()], wanted[0], rtol=1e-6)


def test_the_orientation_of_a_photo_is_applied(client, row):
    image = Image.fromarray(draw_pixels(20, 30, 3))
    exif = Image.Exif()
    exif[274] = 6
    turned, plain = io.BytesIO(), io.BytesIO()
    image.save(turned, "PNG", exif=exif)
    image.transpose(Image.Transpose.ROTATE_270).save(plain, "PNG")
    answers = [post(client, [row | {"poster": as_uri(c.getvalue())}]) for c in (turned, plain)]
    assert answers[0].json() == answers[1].json()


def test_no_image_is_remembered(model, row):
    """With on_error, an encoder keeps a note of each image that it was given."""
    with open_client(make_app(model)) as client:
        before = len(model.encoders_[0]._unreadable._verdicts)
        pixels = draw_pixels(5, 9, 9, 3, seed=3)
        rows = [row | {"poster": as_uri(encode_image(one))} for one in pixels]
        assert post(client, rows).status_code == 200
        assert post(client, [row | {"poster": as_uri(b"x")}]).status_code == 422
    encoder = model.encoders_[0]
    assert len(encoder._unreadable._verdicts) == before
    assert encoder.on_error == "missing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "images"
    write_images(folder, 2)
    Image.fromarray(draw_pixels(9, 9, 3)).save(folder.parent / SECRET)
    (folder / "link.png").symlink_to(folder.parent / SECRET)
    os.mkfifo(folder / "pipe.png")
    return folder


def test_a_folder_may_be_allowed(model, row, folder):
    content = (folder / "0.png").read_bytes()
    with open_client(make_app(model, image_folder=folder)) as client:
        wanted = post(client, [row | {"poster": as_uri(content)}]).json()
        assert post(client, [row | {"poster": "0.png"}]).json() == wanted
        assert post(client, [row | {"poster": "./0.png"}]).json() == wanted
        for name in (f"../{SECRET}", str(folder.parent / SECRET), "link.png", "pipe.png", ".", "x"):
            answer = post(client, [row | {"poster": name}])
            assert answer.status_code == 422, name
            assert "is no file in the folder" in answer.json()["error"]["reason"]


def test_a_folder_that_does_not_exist(model):
    with pytest.raises(FileNotFoundError):
        make_app(model, image_folder="/nonexistent")


def test_addresses_may_be_allowed(model, row, monkeypatch):
    content = encode_image(draw_pixels(9, 9, 3))
    asked = []

    def fetch(address, options):
        asked.append(address)
        if "bad" in address:
            raise OSError(address)
        return content

    monkeypatch.setattr(_image_values, "fetch_file", fetch)
    with open_client(make_app(model, fetch=FetchOptions())) as client:
        wanted = post(client, [row | {"poster": as_uri(content)}]).json()
        assert post(client, [row | {"poster": "https://example.org/a.png"}]).json() == wanted
        answer = post(client, [row | {"poster": "http://bad.example/"}])
        assert answer.json()["error"]["reason"] == "'http://bad.example/' cannot be fetched"
        assert post(client, [row | {"poster": "file:///etc/passwd"}]).status_code == 422
    assert asked == ["https://example.org/a.png", "http://bad.example/"]


def test_the_network_of_the_server_is_not_reached(model, row):
    with open_client(make_app(model, fetch=FetchOptions())) as client:
        for host in ("127.0.0.1", "localhost", "169.254.169.254", "[::1]", "10.0.0.1"):
            answer = post(client, [row | {"poster": f"http://{host}/a.png"}])
            assert answer.status_code == 422
            assert answer.json()["error"]["reason"].endswith("cannot be fetched")


@pytest.fixture(scope="module")
def gallery():
    """Return a classifier of lists of images, and of the first at another size."""
    images = [[pixels] * (1 + row % 2) for row, pixels in enumerate(draw_pixels(24, 9, 9, 3))]
    encoders = [
        ImageEncoder(
            name, column="photos", backbone=make_network(size=size), items="mean", head=DenseHead(2)
        )
        for name, size in (("small", 8), ("large", 12))
    ]
    options = {"epochs": 1, "optimizer": "sgd", "verbose": 0, "random_state": 1}
    return MultimodalClassifier(encoders, **options).fit({"photos": images}, draw_labels())


def test_lists_of_images_that_two_encoders_read(gallery, opened):
    contents = [encode_image(pixels) for pixels in draw_pixels(2, 20, 30, 3, seed=4)]
    limits = ServingLimits(max_images=3)
    with open_client(make_app(gallery, limits=limits)) as client:
        answer = post(client, [{"photos": [*map(as_uri, contents)]}])
        wanted = gallery.predict_proba({"photos": [contents]})[0]
        np.testing.assert_allclose(
            [*answer.json()["rows"][0]["scores"].values()], wanted, rtol=1e-6
        )
        files = [("photos", (f"{number}.png", content)) for number, content in enumerate(contents)]
        assert client.post("/predict", files=files).json() == answer.json()
        assert post(client, [{"photos": as_uri(contents[0])}]).status_code == 422
        assert post(client, [{"photos": [as_uri(contents[0])] * 4}]).status_code == 413
        for name in NAMES:
            bad = post(client, [{"photos": [as_uri(contents[0]), name]}])
            assert bad.status_code == 422, name
        cut = as_uri(contents[0][:-40])
        assert "cannot be read" in post(client, [{"photos": [cut]}]).json()["error"]["reason"]
    assert [name for event, name in opened if event != "open" or _is_foreign(name)] == []


def test_a_strict_decoder_of_base64(client, row):
    content = base64.b64encode(encode_image(draw_pixels(9, 9, 3))).decode()
    for text in (
        content[:-1],
        f"{content}!",
        f"data:image/png;base64,{content}?",
        "data:;base64,#",
    ):
        assert post(client, [row | {"poster": text}]).status_code == 422


def test_a_data_uri_is_read_as_in_a_table(client, row):
    content = base64.b64encode(encode_image(draw_pixels(9, 9, 3))).decode()
    broken = f"data:image/png;base64,{content[:40]}\n{content[40:]}"
    assert post(client, [row | {"poster": broken}]).status_code == 200
    for value, why in (
        (f"data:text/plain;base64,{content}", "it has the type text/plain, and is no image"),
        ("data:image/svg+xml,<svg/>", "it is not encoded in base64"),
        (f"data:image/png;base64,{content}?", "its base64 code is damaged"),
    ):
        answer = post(client, [row | {"poster": value}])
        assert answer.status_code == 422
        reason = answer.json()["error"]["reason"]
        assert reason.startswith(f"the data URI cannot be read: {why}")


def test_a_folder_leaves_base64_as_it_is(model, row, folder):
    content = encode_image(draw_pixels(90, 90, 3))
    with open_client(make_app(model, image_folder=folder)) as client:
        assert len(as_base64(content)) > 4096
        for small in (content, encode_image(draw_pixels(9, 9, 3))):
            assert post(client, [row | {"poster": as_base64(small)}]).status_code == 200


def test_a_file_of_the_folder_that_is_too_large_is_not_read(model, row, folder):
    limits = ServingLimits(max_pixels=2000)
    (folder / "large.png").write_bytes(b"x" * 8001)
    with open_client(make_app(model, image_folder=folder, limits=limits)) as client:
        assert post(client, [row | {"poster": "0.png"}]).status_code == 200
        answer = post(client, [row | {"poster": "large.png"}])
    assert answer.status_code == 413
    assert answer.json()["error"]["reason"] == "the file has 8,001 bytes; at most 8,000"
