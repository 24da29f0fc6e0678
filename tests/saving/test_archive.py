"""The file format: exact round trips, atomic writing, and a refusal of every file that is odd."""

import errno
import io
import json
import math
import os
import struct
import warnings
import zipfile
from collections import OrderedDict
from contextlib import suppress

import numpy as np
import pytest

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import _archive
from multimodal_ensemble.saving._archive import read_archive, write_archive
from multimodal_ensemble.saving._state_codec import pack, unpack

DOCUMENT = {
    "format": "test",
    "format_version": 1,
    "library_version": "9.9",
    "names": ["é", "\ud800"],
}
ARRAYS = {
    "b/bools": np.array([[True, False], [False, True]]),
    "a": np.arange(6, dtype="float32").reshape(2, 3),
    "model/0.kernel-1": np.arange(3, dtype=">i8"),
    "scalar": np.array(2.5),
    "none": np.zeros((0, 4), dtype="uint8"),
}


def read(path, max_version=1):
    document, arrays = read_archive(path, format_name="test", max_version=max_version)
    with arrays:
        return document, {name: arrays[name] for name in arrays}


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def assert_same(left, right):
    assert type(left) is type(right)
    if isinstance(left, (np.ndarray, np.generic)):
        assert left.dtype == right.dtype
        assert left.shape == right.shape
        if left.dtype == object:
            assert [type(item) for item in left.flat] == [type(item) for item in right.flat]
        np.testing.assert_array_equal(left, right)
    elif isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_same(left[key], right[key])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_same(one, other)
    elif isinstance(left, float):
        assert math.isnan(left) == math.isnan(right)
        assert math.isnan(left) or (left, math.copysign(1, left)) == (
            right,
            math.copysign(1, right),
        )
    else:
        assert left == right


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "saved.file"
    write_archive(path, DOCUMENT, ARRAYS)
    return path


# -- writing ---------------------------------------------------------------------------------


def test_what_is_written_is_read(path):
    document, arrays = read(path)
    assert document == DOCUMENT
    assert_same(arrays, {name: ARRAYS[name] for name in sorted(ARRAYS)})
    assert names_in(path.parent) == [path.name]


def test_any_zip_reader_reads_it(path):
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


def test_arrays_in_any_order_of_memory_are_written(tmp_path):
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
def test_names_that_could_climb_out_are_not_written(name, tmp_path):
    with pytest.raises(ValueError, match=r"An array's name must be parts of ASCII"):
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
def test_other_arrays_are_not_written(array, tmp_path):
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


def test_limits_hold_for_writing_too(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive, "MAX_MANIFEST", 100)
    with pytest.raises(ValueError, match=r"at most 100 bytes of JSON. Received 1"):
        write_archive(tmp_path / "file", {"x": "y" * 100}, {})
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 2)
    with pytest.raises(ValueError, match=r"fewer than 2 arrays. Received 5"):
        write_archive(tmp_path / "file", {}, ARRAYS)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OSError),
        (PermissionError(errno.EACCES, "Permission denied"), PermissionError),
        (PermissionError("no"), PermissionError),
    ],
    ids=["disk full", "permission", "without a number"],
)
def test_a_failed_write_leaves_the_older_file(error, kind, path, monkeypatch):
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
def test_an_interrupted_write_leaves_nothing(error, at, path, monkeypatch):
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise error

    module = np.lib.format if at == "write_array" else os
    monkeypatch.setattr(module, at, fail)
    with pytest.raises(error):
        write_archive(path, {}, ARRAYS)
    assert path.read_bytes() == before
    assert names_in(path.parent) == [path.name]


def test_a_missing_folder_and_a_folder_of_that_name_stay_such_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"could not be written"):
        write_archive(tmp_path / "none" / "file", {}, {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"could not be written"):
        write_archive(tmp_path / "folder", {}, {})
    assert names_in(tmp_path) == ["folder"]


def test_a_system_that_cannot_sync_folders_will_do(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    write_archive(tmp_path / "file", DOCUMENT, ARRAYS)
    assert read(tmp_path / "file")[0] == DOCUMENT


# -- reading ---------------------------------------------------------------------------------


def test_arrays_are_read_when_they_are_asked_for(path):
    content = path.read_bytes()
    damaged = ARRAYS["a"].tobytes()
    path.write_bytes(content.replace(damaged, damaged[::-1]))
    document, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays:
        assert document == DOCUMENT
        assert arrays.keys() == list(arrays) == sorted(ARRAYS)
        assert len(arrays) == len(ARRAYS)
        assert "scalar" in arrays
        assert "other" not in arrays
        assert 3 not in arrays
        assert arrays["scalar"] == 2.5
        with pytest.raises(ArtefactError, match=r"array 'a' cannot be read \(Bad CRC-32"):
            arrays["a"]


@pytest.mark.parametrize("name", ["other", "../manifest", None, []])
def test_a_missing_array_is_named(name, path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays, pytest.raises(ArtefactError, match=r"lacks the array .* not complete"):
        arrays[name]


def test_a_closed_file_says_so(path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    arrays.close()
    with pytest.raises(ArtefactError, match="it was closed before"):
        arrays["a"]


def test_a_file_that_is_not_there_and_a_folder_stay_such_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        read(tmp_path)


def test_every_truncation_is_an_error(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=r"cannot be loaded: .*copy or download it again"):
            read(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda content: b"", "it is empty"),
        (lambda content: b"\x89HDF\r\n\x1a\n" + content, "it is not a zip archive"),
        (lambda content: b"x" + content, "it is not a zip archive"),
        (lambda content: content[:-1], "its end is missing: it is cut short"),
        (lambda content: content + b"x", "its end is missing: it is cut short"),
        (lambda content: b"PK\x03\x04" + content, "something is missing or was added"),
        (lambda content: content[:40] + content[50:], "something is missing or was added"),
        (lambda content: b"PK\x03\x04", "its end is missing"),
        (lambda content: b"PK\x03\x04" + content[-22:], "list of members is not where it should"),
        (
            lambda content: content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:],
            "its end is not that of a zip archive",
        ),
    ],
)
def test_what_is_no_whole_archive_is_refused(change, match, path):
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ArtefactError, match=match):
        read(path)


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def write_zip(path, members, compression=zipfile.ZIP_STORED, manifest=DOCUMENT):
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(path, "w", compression) as archive,
    ):
        warnings.simplefilter("ignore")
        if manifest is not None:
            text = manifest if isinstance(manifest, (bytes, str)) else json.dumps(manifest)
            archive.writestr("manifest.json", text)
        for name, content in members:
            archive.writestr(name, content)


GOOD = npy(np.arange(3.0))


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "/etc/evil", "arrays/../evil.npy", "arrays/../../evil.npy", "arrays//a.npy",
        "arrays/.npy", "arrays/a", "arrays/", "arrays/a/", "arrays\\a.npy", "arrays/a\\b.npy",
        "arrays/C:/a.npy", "arrays/é.npy", "Manifest.json", "evil.py", "arrays/a.npy\n",
        "arrays/./a.npy", "x/arrays/a.npy", "arrays/" + "a" * 201 + ".npy",
    ],
)  # fmt: skip
def test_other_members_are_refused(name, tmp_path):
    write_zip(tmp_path / "file", [(name, GOOD)])
    with pytest.raises(ArtefactError, match=r"its member .* is neither the manifest nor an array"):
        read(tmp_path / "file")
    assert names_in(tmp_path) == ["file"]


def test_a_name_that_is_cut_short_by_the_reader_is_refused(tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npyX.npy", GOOD)])
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(content.replace(b".npyX.npy", b".npy\0.npy"))
    with pytest.raises(ArtefactError, match="neither the manifest nor an array"):
        read(tmp_path / "file")


def test_a_member_that_is_there_twice_is_refused(tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD), ("arrays/a.npy", GOOD)])
    with pytest.raises(ArtefactError, match=r"its member 'arrays/a.npy' is there twice"):
        read(tmp_path / "file")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(method, tmp_path):
    # A thousandth of the size that it would take in memory.
    write_zip(tmp_path / "file", [("arrays/a.npy", npy(np.zeros(10**6)))], compression=method)
    with pytest.raises(ArtefactError, match=r"is compressed, which these archives never are"):
        read(tmp_path / "file")


def directory_entry(content, number):
    """Return where the entry of a member in the list of members begins."""
    at = struct.unpack("<L", content[-6:-2])[0]
    for _ in range(number):
        at = content.index(b"PK\x01\x02", at + 1)
    return at


@pytest.mark.parametrize(
    ("offset", "value", "match"),
    [
        (8, b"\x01\x00", "is encrypted"),
        (8, b"\x40\x00", "is encrypted"),
        (8, b"\x20\x00", "patched data"),
        (10, b"\x63\x00", "is compressed"),
        (20, b"\x01\0\0\0", "has two sizes"),
        (24, b"\xff\xff\xff\x7f", "has two sizes"),
        (20, b"\xff\xff\xff\x7f\xff\xff\xff\x7f", "claims more bytes than there are for it"),
        (42, b"\0\0\0\0", "claims more bytes than there are for it"),
        (42, b"\xff\xff\xff\x7f", "claims more bytes than there are for it"),
        (16, b"abcd", "Bad CRC-32"),
        (42, b"\x01\0\0\0", "claims more bytes|Bad magic number"),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_list_of_members_that_lies_is_refused(number, offset, value, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD), ("arrays/b.npy", GOOD)])
    content = bytearray((tmp_path / "file").read_bytes())
    at = directory_entry(content, number) + offset
    if (offset, number, value) == (42, 0, bytes(4)):
        # The first member's true place; the second's is taken instead.
        value = bytes(content[directory_entry(content, 1) + 42 :][:4])
    content[at : at + len(value)] = value
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ArtefactError, match=match):
        read(tmp_path / "file")


def test_found_by_the_fuzz_a_message_as_long_as_the_file(path):
    # The standard library's message quotes the name that stands in front of a member.
    content = bytearray(path.read_bytes())
    content[26:28] = b"\x00\x05"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"File name in directory .*\.\.\.\)") as raised:
        read(path)
    assert len(str(raised.value)) < 600 + len(str(path))


def test_a_second_name_in_an_extra_field_is_refused(tmp_path):
    # Newer versions of the standard library take a member's name from this field.
    name = b"arrays/a.npy"
    other = b"arrays/b.npy"
    info = zipfile.ZipInfo(name.decode())
    unicode_path = b"\x01" + struct.pack("<L", zipfile.crc32(name)) + other
    info.extra = struct.pack("<HH", 0x7075, len(unicode_path)) + unicode_path
    write_zip(tmp_path / "file", [(info, GOOD)])
    with suppress(ArtefactError):
        assert list(read(tmp_path / "file")[1]) == ["a"]


def test_too_many_members_are_refused_before_they_are_listed(tmp_path, monkeypatch):
    write_zip(tmp_path / "file", [(f"arrays/{number}.npy", GOOD) for number in range(3)])
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 3)
    monkeypatch.setattr(_archive.zipfile, "ZipFile", None)
    with pytest.raises(ArtefactError, match="it has more than 3 members"):
        read(tmp_path / "file")
    monkeypatch.setattr(_archive, "MAX_MEMBERS", 4)
    monkeypatch.setattr(_archive, "MAX_DIRECTORY", 100)
    with pytest.raises(ArtefactError, match="it has more than 4 members"):
        read(tmp_path / "file")


@pytest.mark.slow
def test_an_archive_of_more_members_than_the_first_zip_format_had(tmp_path):
    # More than 65,535, so that the end of the archive is that of its larger form.
    arrays = {str(number): np.array(number) for number in range(66_000)}
    write_archive(tmp_path / "file", DOCUMENT, arrays)
    document, found = read_archive(tmp_path / "file", format_name="test", max_version=1)
    with found:
        assert document == DOCUMENT
        assert len(found) == 66_000
        assert found["65999"] == 65_999


def test_entries_in_the_form_of_large_ones_are_read(path, monkeypatch):
    plain = path.stat().st_size
    monkeypatch.setattr(_archive, "_LARGE", 20)
    write_archive(path, DOCUMENT, ARRAYS)
    assert path.stat().st_size > plain
    assert_same(read(path)[1]["a"], ARRAYS["a"])


# -- the manifest ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "match"),
    [
        (None, "it has no manifest.json"),
        ("", "Expecting value"),
        ("[]", "must be a JSON object, not of type list"),
        ("null", "must be a JSON object, not of type NoneType"),
        (b'{"format": "\xff"}', "can't decode byte"),
        ('{"a": 1}'.encode("utf-16"), "can't decode byte"),
        ('{"a": NaN}', "the number 'NaN' is not finite"),
        ('{"a": -Infinity}', "the number '-Infinity' is not finite"),
        ('{"a": 1e999}', "the number '1e999' is not finite"),
        ('{"a": ' + "9" * 5000 + "}", "Exceeds the limit"),
        ('{"a": 1, "a": 2}', "a key is there twice"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
    ],
)
def test_a_manifest_that_is_no_json_object_is_refused(manifest, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD)], manifest=manifest)
    with pytest.raises(ArtefactError, match=match):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": None}, r"not of the format 'test'. Received format=None. .*something else"),
        ({"format": "x" * 10**6}, r"not of the format 'test'. Received format='xxxx"),
        ({"format": ["test"]}, "not of the format 'test'"),
        ({"format_version": None}, "whole number of at least 1 .* Received None"),
        ({"format_version": "1"}, "whole number of at least 1 .* Received '1'"),
        ({"format_version": True}, "whole number of at least 1 .* Received True"),
        ({"format_version": 1.0}, "whole number of at least 1 .* Received 1.0"),
        ({"format_version": 0}, "whole number of at least 1 .* Received 0"),
        ({"format_version": 2}, r"by version '9.9' .* up to 1. Upgrade multimodal_ensemble"),
        ({"format_version": 10**4000, "library_version": {}}, "by version {} of .* Upgrade"),
    ],
)
def test_other_formats_and_newer_versions_are_refused(change, match, tmp_path):
    write_zip(tmp_path / "file", [], manifest={**DOCUMENT, **change})
    with pytest.raises(ArtefactError, match=match) as raised:
        read(tmp_path / "file")
    assert str(tmp_path / "file") in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_older_versions_are_read(path):
    assert read(path, max_version=7)[0] == DOCUMENT


def test_a_manifest_that_is_too_large_is_refused(path, monkeypatch):
    monkeypatch.setattr(_archive, "MAX_MANIFEST", 20)
    with pytest.raises(ArtefactError, match=r"its manifest.json is larger than 20 bytes"):
        read(path)


# -- arrays ----------------------------------------------------------------------------------


def header(text, version=b"\x01\x00"):
    text = text.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text


def described(descr="'<f8'", order="False", shape="(3,)"):
    return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "EOF: reading magic string"),
        (b"PK\x03\x04" + bytes(100), "the magic string is not correct"),
        (npy(np.array(["a"], dtype=object), allow_pickle=True), "header is not that of an array"),
        (npy(np.array(["a"])), "header is not that of an array"),
        (npy(np.array([1j])), "header is not that of an array"),
        (npy(np.array(["2020"], dtype="M8[D]")), "header is not that of an array"),
        (npy(np.zeros(2, dtype="i4,f4")), "header is not that of an array"),
        (npy(np.asfortranarray(np.zeros((2, 3)))), "header is not that of an array"),
        (GOOD[:6] + b"\x02\x00" + GOOD[8:], "another version of the npy format"),
        (GOOD[:6] + b"\x03\x00" + GOOD[8:], "another version of the npy format"),
        (GOOD[:6] + b"\x09\x09" + GOOD[8:], "another version of the npy format|we only support"),
        (GOOD[:-1], "needs 24 bytes, and there are 23"),
        (GOOD + b"x", "needs 24 bytes, and there are 25"),
        (GOOD[:20], "header is not that of an array"),
        (described() + bytes(24 * 10**3), "needs 24 bytes, and there are 24000"),
        (described(shape="(1000000000000,)") + bytes(24), "needs 8000000000000 bytes"),
        (described(shape=f"({'9' * 19}, {'9' * 19})") + bytes(24), "bytes, and there are 24"),
        (described(shape=f"({'9' * 20},)") + bytes(24), "header is not that of an array"),
        (described(shape=f"(0, {'9' * 19}, {'9' * 18})"), "array is too big|[Mm]aximum"),
        (described(shape="(" + "1, " * 70 + "1)") + bytes(8), "maximum supported dimension"),
        (described(shape="(-3,)") + bytes(24), "header is not that of an array"),
        (described(shape="(True,)") + bytes(8), "header is not that of an array"),
        (described(descr="'<f7'") + bytes(21), "descr is not a valid dtype|not understood"),
        (described(descr="'<V8'") + bytes(24), "header is not that of an array"),
        (described(descr="__import__('os').system('x')"), "header is not that of an array"),
        (header("{'descr': '<f8', " + "(" * 5000), "header is not that of an array"),
        (described(descr="'|b1'") + b"\x00\x01\x02", "booleans are neither 0 nor 1"),
    ],
)
def test_arrays_that_are_not_plain_are_refused(content, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", content)])
    with pytest.raises(ArtefactError, match=rf"array 'a' cannot be read \(.*({match})"):
        read(tmp_path / "file")


def test_an_array_that_lies_takes_no_memory(tmp_path, monkeypatch):
    write_zip(
        tmp_path / "file", [("arrays/a.npy", described(shape="(1000000000000,)") + bytes(24))]
    )

    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(np, "empty", refuse)
    with pytest.raises(ArtefactError, match="needs 8000000000000 bytes, and there are 24"):
        read(tmp_path / "file")


# -- packing ---------------------------------------------------------------------------------


VALUES = {
    "plain": [None, True, False, 0, -1, 2**63 - 1, 2**63, -(10**5000), "", "é", "\ud800", "\0"],
    "floats": [0.0, -0.0, 1.0, 0.1, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan],
    "nested": [[], (), {}, ([],), [()], {"a": ({"b": [1]},)}, {"": {"": ""}}],
    "markers": [
        {"array": "x/0"}, {"dict": {"a": 1}}, {"tuple": [1]}, {"float": "nan"},
        {"scalar": ["<f4", ""]}, {"text": "x"}, {"objects": [[1], ["a"]]}, {"int": "0x1"},
        {"dict": {"array": "x/0"}},
    ],
    "scalars": [
        np.float32(0.1), np.float64(-0.0), np.float16(np.nan), np.float64(-np.inf), np.int8(-3),
        np.uint64(2**64 - 1), np.bool_(True), np.str_("é"), np.longdouble(1) / 3,
    ],
    "arrays": [
        np.array([1.5, np.nan, -0.0, np.inf]), np.array(3), np.zeros((2, 0, 3), "int16"),
        np.array([True]), np.arange(4, dtype=">u4"), np.array([0.1], "float16"),
    ],
    "text": [
        np.array(["a", "long", ""]), np.array("x"), np.array([["é", "\ud800"]]),
        np.array(["a"], dtype="<U100"), np.array(["ab"], dtype=">U2"),
        np.zeros((0, 2), dtype="<U7"), np.array(["a", "b"])[::-1], np.zeros(0, dtype="<U0"),
    ],
    "objects": [
        np.array(["a", "long", "\ud800"], dtype=object), np.array([["a"], ["b"]], dtype=object),
        np.array([], dtype=object), np.array("x", dtype=object), np.zeros((0, 3), dtype=object),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_packed_values_come_back_exactly(name, tmp_path):
    for value in [*VALUES[name], VALUES[name], tuple(VALUES[name]), {"key": VALUES[name]}]:
        arrays = {}
        packed = pack(value, arrays, "encoders/0")
        assert_same(unpack(packed, arrays), value)
        write_archive(tmp_path / "file", {**DOCUMENT, "state": packed}, arrays)
        document, found = read_archive(tmp_path / "file", format_name="test", max_version=1)
        with found:
            assert_same(unpack(document["state"], found), value)


def test_arrays_of_several_values_do_not_mix():
    arrays = {"x/1": np.array(7)}
    first = pack([np.array(1), np.array(2)], arrays, "x")
    second = pack(np.array(3), arrays, "x")
    assert sorted(arrays) == ["x/0", "x/1", "x/2", "x/3"]
    assert unpack(first, arrays) == [1, 2]
    assert unpack(second, arrays) == 3


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"a_": {1}}, r"encoders\[0\].head.a_ cannot be saved. .* Received type builtins.set"),
        ({"a_": [1, 2, 3, b""]}, r"encoders\[0\].head.a_\[3\] cannot be saved. .* builtins.bytes"),
        ({"a b": (object(),)}, r"head\['a b'\]\[0\] cannot be saved. .* builtins.object"),
        ([OrderedDict()], r"head\[0\] cannot be saved. .* collections.OrderedDict"),
        ([Text("x")], r"head\[0\] cannot be saved. .*test_archive.Text"),
        (1j, r"head cannot be saved. .* builtins.complex"),
        (np.complex64(1), r"head cannot be saved. .* numpy.complex64"),
        (np.datetime64("2020"), r"head cannot be saved. .* numpy.datetime64"),
        ({"a": {3: 1}}, r"head.a cannot be saved. .* Received the key 3 of type int"),
        ({Text("x"): 1}, r"head cannot be saved. .* Received the key 'x' of type Text"),
        (np.ma.masked_array([1], [True]), r"head cannot be saved. .*MaskedArray"),
        (np.array([1j]), r"head cannot be saved. .* Received dtype complex128"),
        (np.array([b"a"]), r"head cannot be saved. .* Received dtype \|S1"),
        (np.array(["2020"], "M8[D]"), r"head cannot be saved. .* Received dtype datetime64"),
        (np.array([["a", None]], dtype=object), r"head\[0, 1\] cannot be saved. .* NoneType"),
        (np.zeros(2, "i4,f4"), r"head cannot be saved. .* Received dtype \[\('f0'"),
    ],
)
def test_other_values_are_refused_by_their_place(value, match):
    with pytest.raises(TypeError, match=match):
        pack(value, {}, "encoders/0/head")


def test_a_value_that_holds_itself_is_refused():
    value = {}
    value["a"] = [value]
    with pytest.raises(ValueError, match="nested more than 100 deep, or holds itself"):
        pack(value, {}, "x")


def test_a_value_just_deep_enough_survives_the_file(tmp_path):
    value = 1
    for _ in range(100):
        value = {"a": value}
    write_archive(tmp_path / "file", {**DOCUMENT, "state": pack(value, {}, "x")}, {})
    assert unpack(read(tmp_path / "file")[0]["state"], {}) == value


DEEP = 1
for _ in range(101):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({}, "stands for nothing"),
        ({"dict": {}, "tuple": []}, "stands for nothing"),
        ({"other": 1}, "stands for nothing"),
        ({"dict": []}, "stands for nothing"),
        ({"tuple": {}}, "stands for nothing"),
        ({"float": "1.5"}, "stands for nothing"),
        ({"float": []}, "stands for nothing"),
        ({"int": 5}, "stands for nothing"),
        ({"int": "five"}, "stands for nothing"),
        ({"scalar": "ab"}, "stands for nothing"),
        ({"scalar": 3}, "stands for nothing"),
        ({"scalar": ["<f4", "00"]}, "stands for nothing"),
        ({"scalar": ["<f4", "0000000000000000"]}, "stands for nothing"),
        ({"scalar": ["<f4", "zz"]}, "stands for nothing"),
        ({"scalar": ["|O", "0000000000000000"]}, "stands for nothing"),
        ({"scalar": [["<f4"], "00000000"]}, "stands for nothing"),
        ({"scalar": ["<f3", "000000"]}, "stands for nothing"),
        ({"scalar": ["|b1", "02"]}, "stands for nothing"),
        ({"objects": [[2], ["a"]]}, "stands for nothing"),
        ({"objects": [[-1], ["a"]]}, "stands for nothing"),
        ({"objects": [[True], ["a"]]}, "stands for nothing"),
        ({"objects": [[1], "a"]}, "stands for nothing"),
        ({"objects": [[1], [1]]}, "stands for nothing"),
        ({"objects": [[0, 10**30], []]}, "stands for nothing"),
        ({"objects": [[1] * 70, ["a"]]}, "stands for nothing"),
        ({"objects": ["", []]}, "stands for nothing"),
        ({"array": "missing"}, "the array 'missing' is missing"),
        ({"array": ["x"]}, "stands for nothing"),
        ([{"array": "codes"}, {"text": "codes"}], "refers to the array 'codes' twice"),
        ({"text": "floats"}, "does not consist of code points"),
        ({"text": "scalar"}, "does not consist of code points"),
        ({"text": "large"}, "holds what is no code point"),
        ({"text": "empty"}, "does not consist of code points"),
        (DEEP, "nested more than 100 deep"),
        (1j, "stands for nothing"),
    ],
)
def test_damaged_states_are_refused(value, match):
    arrays = {
        "codes": np.zeros((1, 2), "u4"),
        "floats": np.zeros((1, 2), "f4"),
        "scalar": np.array(1, "u4"),
        "large": np.full((1, 1), 0x110000, "u4"),
        "empty": np.zeros((10**15, 0), "u4"),
    }
    with pytest.raises(ArtefactError, match=rf"The saved state is damaged: .*{match}"):
        unpack(value, arrays)


def test_a_missing_array_of_a_file_is_named_by_the_file(path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays, pytest.raises(ArtefactError, match=r"lacks the array 'x/0'"):
        unpack({"array": "x/0"}, arrays)
