"""Any bytes give either the saved values or an ArtefactError."""

import copy
import io
import json
import os
import struct
import tracemalloc
import warnings
import zipfile

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import (
    check_config,
    load_object,
    pack_state,
    read_archive,
    unpack_state,
    write_archive,
)
from tests.saving.archives import assert_same

# For a long run: ARTEFACT_FUZZ_EXAMPLES=20000 pytest tests/saving/test_archive_fuzz.py
EXAMPLES = int(os.environ.get("ARTEFACT_FUZZ_EXAMPLES", "60"))
FUZZ = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

STATE = {
    "vocabulary_": ["a", "é", "\ud800"],
    "mean_": 0.5,
    "range_": (-np.inf, np.float32(3)),
    "words_": np.array(["a", "bc"]),
    "labels_": np.array(["x", "y"], dtype=object),
    "matrix_": np.arange(6, dtype="float32").reshape(2, 3),
    "mask_": np.array([True, False]),
    "large_": 2**70,
    "array": {"dict": None},
}


def parts():
    arrays = {}
    document = {"format": "test", "format_version": 1, "state": pack_state(STATE, arrays, "state")}
    return document, arrays


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def valid(folder):
    path = folder / "valid"
    write_archive(path, *parts())
    content = path.read_bytes()
    path.unlink()
    return content


def load(path):
    document, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays:
        for name in arrays:
            arrays[name]
        return unpack_state(document["state"], arrays) if "state" in document else None


def outcome(folder, content):
    """Load a file of these bytes, and check that it takes no more memory than its size allows."""
    path = folder / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        return load(path)
    except ArtefactError as error:
        return error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2**22 + 50 * len(content)
        assert [entry.name for entry in folder.iterdir()] == ["file"]


def same_or_error(folder, content):
    found = outcome(folder, content)
    if isinstance(found, ArtefactError):
        assert len(str(found)) < 1000
    else:
        assert_same(found, STATE)


@st.composite
def mutations(draw):
    """Return changes to a file: a position from either end, a number of bytes, new bytes."""
    return [
        (
            # Most checks concern the list of members at the end, so it is mutated more often.
            draw(st.integers(0, 3000) | st.integers(-1100, -1) | st.integers(-60, -1)),
            draw(st.integers(0, 4)),
            draw(
                st.binary(max_size=6)
                | st.sampled_from([b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7"])
                | st.integers(0, 2**32 - 1).map(lambda number: struct.pack("<L", number))
                | st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"])
            ),
            draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]


def mutate(content, pieces, end):
    content = bytearray(content)
    for at, replaced, new, keeps_length in pieces:
        at %= len(content) + 1
        content[at : at + (len(new) if keeps_length else replaced)] = new
    return bytes(content[: None if end is None else end % (len(content) + 1)])


@FUZZ
@given(pieces=mutations(), end=st.none() | st.none() | st.integers(0, 5000))
def test_mutated_files_load_or_are_refused(folder, valid, pieces, end):
    same_or_error(folder, mutate(valid, pieces, end))


@FUZZ
@given(at=st.integers(0, 5000), bit=st.integers(0, 7))
def test_single_flipped_bits_load_or_are_refused(folder, valid, at, bit):
    content = bytearray(valid)
    content[at % len(content)] ^= 1 << bit
    same_or_error(folder, bytes(content))


@FUZZ
@given(st.binary(max_size=300), st.sampled_from([b"", b"PK\3\4", b"PK\5\6"]), st.booleans())
def test_random_bytes_are_refused(folder, content, magic, ends):
    if ends:
        content += b"PK\5\6" + content[:16].ljust(16, b"\0") + b"\0\0"
    assert isinstance(outcome(folder, magic + content), ArtefactError)


@FUZZ
@given(st.binary(min_size=46, max_size=300), st.booleans(), st.booleans())
def test_random_lists_of_members_are_refused(folder, directory, is_large, begins):
    if begins:
        directory = b"PK\1\2" + directory[4:]
    start = b"PK\3\4" + bytes(60)
    size, at = len(directory), len(start)
    content = start + directory
    if is_large:
        content += b"PK\6\6" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, size, at)
        content += b"PK\6\7" + struct.pack("<LQL", 0, len(start) + size, 1)
    content += b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 1, 1, size, at, 0)
    assert isinstance(outcome(folder, content), ArtefactError)


NAMES = st.sampled_from(
    "manifest.json arrays/state/0.npy arrays/state/1.npy arrays/x.npy ../x /x arrays/../x.npy "
    "arrays\\x.npy arrays/ evil.py Manifest.json arrays/x.npy\0".split(" ")
) | st.text(min_size=1, max_size=12).filter(lambda name: name[0] != "\0")

HEADERS = st.builds(
    lambda kind, order, shape, more: (
        f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}{more}\n"
    ),
    st.sampled_from(["'<f8'", "'|b1'", "'<U4'", "'|O'", "'<f3'", "'>i8'", "[('a', '<f4')]", "1"]),
    st.sampled_from(["False", "True", "0", "None"]),
    st.sampled_from(["()", "(3,)", "(1000000000000,)", "(-1,)", "(0, 9999999999999999999)", "x"])
    | st.lists(st.integers(0, 10**19), max_size=70).map(lambda sizes: f"{tuple(sizes)}"),
    st.sampled_from(["", "  ", "#", "\\"]),
)
ARRAYS = st.builds(
    lambda version, header, rest: (
        b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header.encode("latin1") + rest
    ),
    st.sampled_from([b"\1\0", b"\1\0", b"\2\0", b"\3\0"]),
    HEADERS,
    st.binary(max_size=30),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(["nan", "0x1", "<f4", "00000000", "state/0", "str", "|b1", "02"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                "dict tuple float int scalar array text objects format format_version state".split()
            ),
            inner,
            min_size=1,
            max_size=2,
        )
    ),
    max_leaves=8,
)


@FUZZ
@given(
    st.lists(
        st.tuples(
            NAMES,
            ARRAYS | st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
            st.sampled_from([0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_archives_with_other_members_load_or_are_refused(folder, members, keeps_manifest):
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as archive:
        warnings.simplefilter("ignore")
        if keeps_manifest:
            document = {"format": "test", "format_version": 1, "state": {"array": "x"}}
            archive.writestr("manifest.json", json.dumps(document))
        for name, content, method in members:
            archive.writestr(name.encode("utf-8", "replace").decode(), content, method)
    outcome(folder, file.getvalue())


def places(value, at=()):
    """Return the path to every value within a JSON value."""
    found = [at]
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*at, key))
    return found


def replaced(value, choice, new):
    """Return a copy in which one value is replaced or one key renamed."""
    value = copy.deepcopy(value)
    *start, last = (spots := places(value)[1:])[choice % len(spots)]
    holder = value
    for key in start:
        holder = holder[key]
    if isinstance(holder, dict) and isinstance(new, str):
        holder[new] = holder.pop(last)
    else:
        holder[last] = new
    return value


@FUZZ
@given(st.lists(st.tuples(st.integers(0, 300), JSON), min_size=1, max_size=3))
def test_changed_documents_load_or_are_refused(folder, changes):
    document, arrays = parts()
    for choice, new in changes:
        document = replaced(document, choice, new) if len(places(document)) > 1 else document
    file = folder / "file"
    try:
        write_archive(file, document, arrays)
    except ValueError as error:
        assert "JSON compliant" in str(error)  # noqa: PT017 - NaN cannot be written
        return
    outcome(folder, file.read_bytes())


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=4)
    | st.floats(width=32).map(np.float32)
    | st.integers(-128, 127).map(np.int8)
    | st.lists(st.text(max_size=3), max_size=3).map(lambda words: np.array(words, dtype=object))
    | st.lists(st.text(max_size=3), min_size=1, max_size=3).map(np.array)
    | st.lists(st.floats(), max_size=3).map(np.array),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["dict", "array", "tuple"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@FUZZ
@given(VALUES)
def test_any_state_is_restored(folder, value):
    arrays = {}
    document = {"format": "test", "format_version": 1, "state": pack_state(value, arrays, "x")}
    write_archive(folder / "file", document, arrays)
    assert_same(load(folder / "file"), value)


CONFIG = json.loads(
    json.dumps(
        keras.saving.serialize_keras_object(
            keras.Sequential(
                [
                    keras.Input((2,)),
                    keras.layers.Dense(2, activation=keras.activations.hard_tanh),
                    keras.layers.Dropout(0.5),
                ]
            )
        )
    )
)
# Whole numbers stay small, because a layer with a billion units is allowed.
CONFIG_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 5)
    | st.floats(-2, 2)
    | st.sampled_from(
        "class_name config module registered_name function builtins os sys system keras Dense Add "
        "keras.layers keras.utils keras.src.layers keras.src.ops.numpy layers.Lambda Lambda relu "
        "multimodal_ensemble>InferenceModel __lambda__ __bytes__ float32 RNN StringLookup "
        "antigravity".split(" ")
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["class_name", "config", "module", "registered_name", "value", "name"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@settings(FUZZ, max_examples=max(20, EXAMPLES // 4))
@given(st.lists(st.tuples(st.integers(0, 300), CONFIG_VALUES), min_size=1, max_size=3))
def test_changed_configurations_load_or_are_refused(changes):
    config = CONFIG
    for choice, new in changes:
        config = replaced(config, choice, new) if len(places(config)) > 1 else config
    try:
        check_config(config, where="The model")
    except ArtefactError:
        with pytest.raises(ArtefactError, match="cannot be loaded"):
            load_object(config, where="The model")
        return
    try:
        load_object(config, where="The model")
    except ArtefactError as error:
        assert "cannot be rebuilt" in str(error)  # noqa: PT017 - either outcome is correct
    finally:
        keras.utils.clear_session(free_memory=False)
