"""Archives are written completely or not at all, and only from plain values."""

import errno
import io
import math
import os
import zipfile

import numpy as np
import pytest

from multimodal_ensemble.saving import _archive_format, write_archive
from tests.saving.archives import ARRAYS, DOCUMENT, assert_same, names_in, read


def test_reading_returns_what_was_written(path):
    document, arrays = read(path)
    assert document == DOCUMENT
    assert_same(arrays, {name: ARRAYS[name] for name in sorted(ARRAYS)})
    assert names_in(path.parent) == [path.name]


def test_any_zip_reader_reads_an_archive(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        np.testing.assert_array_equal(
            np.load(io.BytesIO(archive.read("arrays/a.npy"))), ARRAYS["a"]
        )


def test_equal_content_gives_equal_bytes(path, tmp_path):
    other = tmp_path / "other"
    write_archive(other, DOCUMENT, dict(reversed(ARRAYS.items())))
    assert other.read_bytes() == path.read_bytes()


def test_arrays_in_any_memory_order_are_written(tmp_path):
    array = np.arange(24.0).reshape(2, 3, 4)
    given = {"fortran": np.asfortranarray(array), "strided": array[:, ::2, ::-1]}
    write_archive(tmp_path / "file", DOCUMENT, given)
    _, arrays = read(tmp_path / "file")
    np.testing.assert_array_equal(arrays["fortran"], array)
    np.testing.assert_array_equal(arrays["strided"], array[:, ::2, ::-1])
    assert arrays["fortran"].flags.c_contiguous


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", "a\\b", "c:a", "é", "a b", "a" * 201, 3],
)
def test_names_that_could_leave_the_archive_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match=r"The name of an array must consist of ASCII"):
        write_archive(tmp_path / "file", DOCUMENT, {name: np.zeros(1)})
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["a"]),
        np.array(["2020"], "M8[D]"),
        np.array([1j]),
        [1.0],
        np.float64(1),
    ],
    ids=["object", "text", "date", "complex", "list", "scalar"],
)
def test_arrays_of_other_types_are_refused(array, tmp_path):
    with pytest.raises(TypeError, match=r"The array 'x' must hold booleans or numbers. Received"):
        write_archive(tmp_path / "file", DOCUMENT, {"x": array})


def test_a_document_must_be_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_archive(tmp_path / "file", {"x": math.nan}, {})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_archive(tmp_path / "file", {"x": {1}}, {})
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        write_archive(tmp_path / "file", {"x": deep}, {})
    assert names_in(tmp_path) == []


def test_the_limits_of_reading_apply_to_writing(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive_format, "MAX_MANIFEST_BYTES", 100)
    with pytest.raises(ValueError, match=r"at most 100 bytes of JSON. Received 1"):
        write_archive(tmp_path / "file", {"x": "y" * 100}, {})
    monkeypatch.setattr(_archive_format, "MAX_MEMBERS", 2)
    with pytest.raises(ValueError, match=r"fewer than 2 arrays. Received 5"):
        write_archive(tmp_path / "file", {}, ARRAYS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (PermissionError(errno.EACCES, "Permission denied"), PermissionError),
        (PermissionError("no"), PermissionError),
    ],
    ids=["disk full", "no permission", "without errno"],
)
def test_a_failed_write_keeps_the_older_file(error, kind, path, monkeypatch):
    before = path.read_bytes()

    def fail(descriptor):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    reason = error.strerror or "no"
    match = rf"could not be written \({reason}\); an older file of that name is unchanged"
    with pytest.raises(kind, match=match) as raised:
        write_archive(path, DOCUMENT, {})
    assert type(raised.value) is kind
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before
    assert names_in(path.parent) == [path.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
@pytest.mark.parametrize("at", ["write_array", "fsync"])
def test_an_interrupted_write_leaves_no_file_behind(error, at, path, monkeypatch):
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise error

    module = np.lib.format if at == "write_array" else os
    monkeypatch.setattr(module, at, fail)
    with pytest.raises(error):
        write_archive(path, {}, ARRAYS)
    assert path.read_bytes() == before
    assert names_in(path.parent) == [path.name]


def test_an_absent_folder_and_a_folder_of_that_name_keep_their_error_types(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"could not be written"):
        write_archive(tmp_path / "absent" / "file", {}, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"could not be written"):
        write_archive(tmp_path / "folder", {}, {})
    assert names_in(tmp_path) == ["folder"]


def test_writing_works_where_folders_cannot_be_synced(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    write_archive(tmp_path / "file", DOCUMENT, ARRAYS)
    assert read(tmp_path / "file")[0] == DOCUMENT
