"""Images at addresses are those of local files, and each is downloaded once."""

import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from multimodal_ensemble import FeatureStore, infer_encoders
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    _downloads,
    _remote,
    content_digest,
    is_remote,
    read_image,
    read_images,
)
from tests import toys
from tests.toys import png


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """Return a function that writes a file to memory, and the list of downloads."""
    system = fsspec.filesystem("memory")
    folder = f"/{tmp_path.name}"
    downloads = []
    read = MemoryFileSystem.cat_file

    def cat_file(self, path, *arguments, **options):
        downloads.append(Path(path).name)
        return read(self, path, *arguments, **options)

    monkeypatch.setattr(MemoryFileSystem, "cat_file", cat_file)
    monkeypatch.setattr(_remote, "DOWNLOADS", _downloads.Downloads())

    def write(name, content):
        system.pipe_file(f"{folder}/{name}", content)
        return f"memory:/{folder}/{name}"

    yield write, downloads
    system.store.clear()


def test_a_remote_image_has_the_pixels_and_the_digest_of_a_local_copy(bucket, tmp_path):
    write, downloads = bucket
    address, local = write("a.png", png(70)), tmp_path / "a.png"
    local.write_bytes(png(70))
    assert content_digest(address) == content_digest(local)
    np.testing.assert_array_equal(read_image(address, 4), read_image(local, 4))
    # An address is no relative path.
    assert content_digest(address, root="posters") == content_digest(local)
    assert downloads == ["a.png"]


def test_a_store_downloads_each_image_once(bucket, tmp_path):
    write, downloads = bucket
    paths = [tmp_path / f"{level}.png" for level in range(5)]
    for level, path in enumerate(paths):
        path.write_bytes(png(40 * level))
    addresses = [write(path.name, path.read_bytes()) for path in paths]
    encoder = toys.make_poster()
    store = FeatureStore(tmp_path / "store", dtype="float32")
    features = store.get_features(encoder, addresses, verbose=0)
    assert sorted(downloads) == [path.name for path in paths]
    assert store.count_uncomputed(encoder, paths) == 0
    np.testing.assert_array_equal(features, store.get_features(encoder, paths, verbose=0))


def test_only_the_files_used_last_are_kept(bucket, monkeypatch):
    write, downloads = bucket
    addresses = [write(f"{level}.png", png(level)) for level in range(3)]
    monkeypatch.setattr(_downloads, "KEPT_BYTES", 2 * len(png(1)))
    for number in (0, 1, 0, 2, 0, 1):
        assert read_image(addresses[number], 1).max() == number
    assert downloads == ["0.png", "1.png", "2.png", "1.png"]
    kept = _remote.DOWNLOADS
    assert len(list(kept._folder.iterdir())) == 2
    # What clears temporary files only costs a download.
    for file in kept._folder.iterdir():
        file.unlink()
    assert read_image(addresses[1], 1).max() == 1
    assert downloads[4:] == ["1.png"]


def test_errors_name_the_address_and_the_row(bucket):
    write, _ = bucket
    good, absent = write("a.png", png(1)), write("b.png", b"")
    fsspec.filesystem("memory").rm(absent)
    with pytest.raises(ImageReadError, match=r"'memory:/.*b\.png': No such file.* number 1 "):
        read_images([good, absent], 4)
    damaged = write("c.png", b"no image")
    with pytest.raises(ImageReadError, match=r"the image 'memory.*c\.png' in row 1 cannot"):
        toys.make_poster().encode([good, damaged])
    assert read_images([good, absent, damaged], 4, on_error="drop", warn=False).kept.tolist() == [0]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nowhere://a.png", "Protocol not known"),
        ("local:///a.png", "pass the path of a local file without a scheme"),
        ("ftp://127.0.0.1/a.png", "scheme 'ftp' may lead to any server, so only those of object"),
        ("SFTP://127.0.0.1/a.png", "scheme 'sftp' may lead to any server"),
        ("github://user:name@main/a.png", "scheme 'github' may lead to any server"),
        ("zip://a.png::http://127.0.0.1/a.zip", "chains of addresses.* are not read"),
    ],
)
def test_schemes_that_are_not_remote_are_refused(address, reason):
    for read in (content_digest, lambda address: read_image(address, 4)):
        with pytest.raises(ImageReadError, match=f"{address}.*{reason}"):
            read(address)


def test_a_file_system_that_the_program_registered_is_read():
    class OwnFileSystem(MemoryFileSystem):
        protocol = "own"

    fsspec.register_implementation("own", OwnFileSystem, clobber=True)
    fsspec.filesystem("own").pipe_file("own://bucket/a.png", png(7))
    assert read_image("own://bucket/a.png", 1).max() == 7


def test_a_missing_package_is_named_whatever_the_policy(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(
        ImportError, match=r"Reading 's3://b/a\.png' needs fsspec.*pip install fsspec s3fs"
    ):
        read_images(["s3://b/a.png"], 4, on_error="blank")


def test_a_column_of_addresses_is_one_of_images():
    encoders = infer_encoders({"poster": [f"memory://{row}.jpg" for row in range(4)]}, verbose=0)
    assert [type(encoder).__name__ for encoder in encoders] == ["ImageEncoder"]


@pytest.mark.parametrize("address", ["https://example.org/4.jpg", "HTTP://example.org/4.jpg"])
def test_pages_of_the_web_are_not_fetched(address):
    assert not is_remote(address)
    with pytest.raises(ImageReadError, match=r"are not fetched without fetch=FetchOptions\(\)"):
        read_image(address, (8, 8))


def test_a_file_that_another_thread_reads_stays_whole():
    downloads = _downloads.Downloads()
    downloads.keep("s3://a", b"old content")
    (path, _) = downloads._files["s3://a"]
    with path.open("rb", buffering=0) as file:
        start = file.read(3)
        downloads.keep("s3://a", b"new")
        assert start + file.read() == b"old content"
    assert downloads.get("s3://a") == b"new"
