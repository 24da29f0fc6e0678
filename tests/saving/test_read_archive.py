"""Reading returns what was written, and refuses every malformed file."""

import io
import json
import struct
import warnings
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import (
    _archive_format,
    _read_archive,
    _write_archive,
    read_archive,
    write_archive,
)
from tests.saving.archives import ARRAYS, DOCUMENT, assert_same, names_in, read


def test_arrays_are_read_on_access(path):
    content = path.read_bytes()
    damaged = ARRAYS["a"].tobytes()
    path.write_bytes(content.replace(damaged, damaged[::-1]))
    document, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays:
        assert document == DOCUMENT
        assert list(arrays.keys()) == list(arrays) == sorted(ARRAYS)
        assert len(arrays) == len(ARRAYS)
        assert "scalar" in arrays
        assert "other" not in arrays
        assert 3 not in arrays
        assert arrays["scalar"] == 2.5
        with pytest.raises(ArtefactError, match=r"array 'a' cannot be read \(Bad CRC-32"):
            arrays["a"]


@pytest.mark.parametrize("name", ["other", "../manifest", None, []])
def test_an_absent_array_is_named(name, path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    with (
        arrays,
        pytest.raises(ArtefactError, match=r"lacks the array .* so it is incomplete"),
    ):
        arrays[name]


def test_reading_from_a_closed_reader_is_an_error(path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    arrays.close()
    with pytest.raises(ArtefactError, match="the reader was closed before"):
        arrays["a"]


def test_an_absent_file_and_a_folder_keep_their_error_types(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        read(tmp_path)


def test_every_truncation_is_an_error(path):
    content = path.read_bytes()
    for length in {*range(0, len(content), 3), len(content) - 1}:
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=r"cannot be loaded: .*Copy or download it again"):
            read(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda content: b"", "it is empty"),
        (lambda content: b"\x89HDF\r\n\x1a\n" + content, "it is not a zip archive"),
        (lambda content: b"x" + content, "it is not a zip archive"),
        (lambda content: content[:-1], "its end is missing: it is cut short"),
        (lambda content: content + b"x", "its end is missing: it is cut short"),
        (lambda content: b"PK\x03\x04" + content, "bytes are missing or were added"),
        (lambda content: content[:40] + content[50:], "bytes are missing or were added"),
        (lambda content: b"PK\x03\x04", "its end is missing"),
        (lambda content: b"PK\x03\x04" + content[-22:], "list of members is at the wrong position"),
        (
            lambda content: content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:],
            "its end is not that of a zip archive",
        ),
    ],
)
def test_incomplete_archives_and_other_files_are_refused(change, match, path):
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


def test_a_name_that_the_zip_reader_cuts_short_is_refused(tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npyX.npy", GOOD)])
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(content.replace(b".npyX.npy", b".npy\0.npy"))
    with pytest.raises(ArtefactError, match="neither the manifest nor an array"):
        read(tmp_path / "file")


def test_a_member_that_occurs_twice_is_refused(tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD), ("arrays/a.npy", GOOD)])
    with pytest.raises(ArtefactError, match=r"its member 'arrays/a.npy' occurs twice"):
        read(tmp_path / "file")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(method, tmp_path):
    # The file takes a thousandth of the memory that its array would take.
    write_zip(tmp_path / "file", [("arrays/a.npy", npy(np.zeros(10**6)))], compression=method)
    with pytest.raises(ArtefactError, match=r"is compressed, which these archives never are"):
        read(tmp_path / "file")


def directory_entry(content, number):
    """Return the position of a member's entry in the list of members."""
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
        (20, b"\xff\xff\xff\x7f\xff\xff\xff\x7f", "claims more bytes than are available for it"),
        (42, b"\0\0\0\0", "claims more bytes than are available for it"),
        (42, b"\xff\xff\xff\x7f", "claims more bytes than are available for it"),
        (16, b"abcd", "Bad CRC-32"),
        (42, b"\x01\0\0\0", "claims more bytes|Bad magic number"),
    ],
)
@pytest.mark.parametrize("number", [0, 1])
def test_a_false_list_of_members_is_refused(number, offset, value, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD), ("arrays/b.npy", GOOD)])
    content = bytearray((tmp_path / "file").read_bytes())
    at = directory_entry(content, number) + offset
    if (offset, number, value) == (42, 0, bytes(4)):
        # Offset 0 is correct for the first member, so it gets the offset of the second.
        value = bytes(content[directory_entry(content, 1) + 42 :][:4])
    content[at : at + len(value)] = value
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ArtefactError, match=match):
        read(tmp_path / "file")


def test_a_message_is_not_as_long_as_the_file(path):
    # The standard library's message quotes the name in the member's own header.
    content = bytearray(path.read_bytes())
    content[26:28] = b"\x00\x05"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"File name in directory .*\.\.\.\)") as raised:
        read(path)
    assert len(str(raised.value)) < 600 + len(str(path))


def test_a_second_name_in_an_extra_field_has_no_effect(tmp_path):
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
    monkeypatch.setattr(_archive_format, "MAX_MEMBERS", 3)
    monkeypatch.setattr(_read_archive.zipfile, "ZipFile", None)
    with pytest.raises(ArtefactError, match="it has more than 3 members"):
        read(tmp_path / "file")
    monkeypatch.setattr(_archive_format, "MAX_MEMBERS", 4)
    monkeypatch.setattr(_archive_format, "MAX_DIRECTORY_BYTES", 100)
    with pytest.raises(ArtefactError, match="it has more than 4 members"):
        read(tmp_path / "file")


@pytest.mark.slow
def test_an_archive_may_have_more_members_than_the_first_zip_format(tmp_path):
    # With more than 65,535 members, the end of the archive has its larger form.
    arrays = {str(number): np.array(number) for number in range(66_000)}
    write_archive(tmp_path / "file", DOCUMENT, arrays)
    document, found = read_archive(tmp_path / "file", format_name="test", max_version=1)
    with found:
        assert document == DOCUMENT
        assert len(found) == 66_000
        assert found["65999"] == 65_999


def test_members_with_the_header_of_large_ones_are_read(path, monkeypatch):
    plain = path.stat().st_size
    monkeypatch.setattr(_write_archive, "_LARGE_BYTES", 20)
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
        ('{"a": 1, "a": 2}', "a key occurs twice"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
    ],
)
def test_a_manifest_that_is_not_a_json_object_is_refused(manifest, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", GOOD)], manifest=manifest)
    with pytest.raises(ArtefactError, match=match):
        read(tmp_path / "file")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": None}, r"does not have the format 'test'. Received format=None. Copy or"),
        ({"format": "x" * 10**6}, r"does not have the format 'test'. Received format='xxxx"),
        (
            {"format": "multimodal_ensemble checkpoint"},
            r"checkpoint'. Pass .*resume_from",
        ),
        ({"format": ["test"]}, "does not have the format 'test'"),
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


def test_a_reader_of_newer_versions_reads_older_ones(path):
    assert read(path, max_version=7)[0] == DOCUMENT


def test_a_manifest_that_is_too_large_is_refused(path, monkeypatch):
    monkeypatch.setattr(_archive_format, "MAX_MANIFEST_BYTES", 20)
    with pytest.raises(ArtefactError, match=r"its manifest.json is larger than 20 bytes"):
        read(path)


@pytest.mark.parametrize(
    "part",
    ["[0]", '{"a":0}', "{}", "[[]]", '"a":{}', "[1,2]"],
)
def test_a_manifest_of_many_parts_is_refused_before_it_is_parsed(part, tmp_path, monkeypatch):
    monkeypatch.setattr(_archive_format, "MAX_MANIFEST_PARTS", 1000)
    document = {"x": json.loads(part) if part[0] != '"' else {"a": {}}}
    write_zip(tmp_path / "file", [], manifest=DOCUMENT | {"y": [document] * 999})
    monkeypatch.setattr(json, "loads", None)
    with pytest.raises(ArtefactError, match="more than 1,000 lists, objects and keys"):
        read(tmp_path / "file")


def test_a_manifest_of_many_values_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive_format, "MAX_MANIFEST_VALUES", 1000)
    write_zip(tmp_path / "file", [], manifest=DOCUMENT | {"x": [0] * 1100})
    with pytest.raises(ArtefactError, match="or more than 1,000 values"):
        read(tmp_path / "file")


def test_marks_within_strings_are_no_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(_archive_format, "MAX_MANIFEST_PARTS", 20)
    document = DOCUMENT | {"x": "[" * 50 + '{"\\"' * 50 + ":" * 50}
    write_zip(tmp_path / "file", [], manifest=document)
    assert read(tmp_path / "file")[0] == document


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
        (GOOD[:6] + b"\x02\x00" + GOOD[8:], "does not have version 1.0 of the npy"),
        (GOOD[:6] + b"\x03\x00" + GOOD[8:], "does not have version 1.0 of the npy"),
        (GOOD[:6] + b"\x09\x09" + GOOD[8:], "does not have version 1.0 of the npy|we only support"),
        (GOOD[:-1], "needs 24 bytes, and it has 23"),
        (GOOD + b"x", "needs 24 bytes, and it has 25"),
        (GOOD[:20], "header is not that of an array"),
        (described() + bytes(24 * 10**3), "needs 24 bytes, and it has 24000"),
        (described(shape="(1000000000000,)") + bytes(24), "needs 8000000000000 bytes"),
        (described(shape=f"({'9' * 19}, {'9' * 19})") + bytes(24), "bytes, and it has 24"),
        (described(shape=f"({'9' * 20},)") + bytes(24), "header is not that of an array"),
        (described(shape=f"(0, {'9' * 19}, {'9' * 18})"), "array is too big|[Mm]aximum"),
        (described(shape="(" + "1, " * 70 + "1)") + bytes(8), "maximum supported dimension"),
        (described(shape="(-3,)") + bytes(24), "header is not that of an array"),
        (described(shape="(True,)") + bytes(8), "header is not that of an array"),
        (described(descr="'<f7'") + bytes(21), "descr is not a valid dtype|not understood"),
        (described(descr="'<V8'") + bytes(24), "header is not that of an array"),
        (described(descr="__import__('os').system('x')"), "header is not that of an array"),
        (header("{'descr': '<f8', " + "(" * 5000), "header is not that of an array"),
        (described(shape="(1000000000, 0)"), "has no elements, and more than 65,536 rows"),
        (described(shape="(0, 100000)"), "has no elements, and more than 65,536 rows"),
        (described(descr="'|b1'") + b"\x00\x01\x02", "booleans are neither 0 nor 1"),
    ],
)
def test_malformed_arrays_are_refused(content, match, tmp_path):
    write_zip(tmp_path / "file", [("arrays/a.npy", content)])
    with pytest.raises(ArtefactError, match=rf"array 'a' cannot be read \(.*({match})"):
        read(tmp_path / "file")


def test_an_array_with_a_false_shape_takes_no_memory(tmp_path, monkeypatch):
    write_zip(
        tmp_path / "file", [("arrays/a.npy", described(shape="(1000000000000,)") + bytes(24))]
    )

    def refuse(*args, **kwargs):
        raise AssertionError

    monkeypatch.setattr(np, "empty", refuse)
    with pytest.raises(ArtefactError, match="needs 8000000000000 bytes, and it has 24"):
        read(tmp_path / "file")
