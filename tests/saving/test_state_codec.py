"""Nested values survive packing exactly; everything else is refused."""

import math
from collections import OrderedDict

import numpy as np
import pytest

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving import pack_state, read_archive, unpack_state, write_archive
from tests.saving.archives import DOCUMENT, assert_same, read

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
def test_packed_values_are_restored_exactly(name, tmp_path):
    for value in [*VALUES[name], VALUES[name], tuple(VALUES[name]), {"key": VALUES[name]}]:
        arrays = {}
        packed = pack_state(value, arrays, "encoders/0")
        assert_same(unpack_state(packed, arrays), value)
        write_archive(tmp_path / "file", {**DOCUMENT, "state": packed}, arrays)
        document, found = read_archive(tmp_path / "file", format_name="test", max_version=1)
        with found:
            assert_same(unpack_state(document["state"], found), value)


def test_several_values_share_one_dict_of_arrays():
    arrays = {"x/1": np.array(7)}
    first = pack_state([np.array(1), np.array(2)], arrays, "x")
    second = pack_state(np.array(3), arrays, "x")
    assert sorted(arrays) == ["x/0", "x/1", "x/2", "x/3"]
    assert unpack_state(first, arrays) == [1, 2]
    assert unpack_state(second, arrays) == 3


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({"a_": {1}}, r"encoders\[0\].head.a_ cannot be saved. .* Received type builtins.set"),
        ({"a_": [1, 2, 3, b""]}, r"encoders\[0\].head.a_\[3\] cannot be saved. .* builtins.bytes"),
        ({"a b": (object(),)}, r"head\['a b'\]\[0\] cannot be saved. .* builtins.object"),
        ([OrderedDict()], r"head\[0\] cannot be saved. .* collections.OrderedDict"),
        ([Text("x")], r"head\[0\] cannot be saved. .*test_state_codec.Text"),
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
def test_values_of_other_types_are_refused_with_their_place(value, match):
    with pytest.raises(TypeError, match=match):
        pack_state(value, {}, "encoders/0/head")


def test_a_value_that_contains_itself_is_refused():
    value = {}
    value["a"] = [value]
    with pytest.raises(ValueError, match="nested more than 100 levels deep, or contains itself"):
        pack_state(value, {}, "x")


def test_a_value_at_the_depth_limit_survives_the_file(tmp_path):
    value = 1
    for _ in range(100):
        value = {"a": value}
    write_archive(tmp_path / "file", {**DOCUMENT, "state": pack_state(value, {}, "x")}, {})
    assert unpack_state(read(tmp_path / "file")[0]["state"], {}) == value


DEEP = 1
for _ in range(101):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ({}, "is no packed value"),
        ({"dict": {}, "tuple": []}, "is no packed value"),
        ({"other": 1}, "is no packed value"),
        ({"dict": []}, "is no packed value"),
        ({"tuple": {}}, "is no packed value"),
        ({"float": "1.5"}, "is no packed value"),
        ({"float": []}, "is no packed value"),
        ({"int": 5}, "is no packed value"),
        ({"int": "five"}, "is no packed value"),
        ({"scalar": "ab"}, "is no packed value"),
        ({"scalar": 3}, "is no packed value"),
        ({"scalar": ["<f4", "00"]}, "is no packed value"),
        ({"scalar": ["<f4", "0000000000000000"]}, "is no packed value"),
        ({"scalar": ["<f4", "zz"]}, "is no packed value"),
        ({"scalar": ["|O", "0000000000000000"]}, "is no packed value"),
        ({"scalar": [["<f4"], "00000000"]}, "is no packed value"),
        ({"scalar": ["<f3", "000000"]}, "is no packed value"),
        ({"scalar": ["|b1", "02"]}, "is no packed value"),
        ({"objects": [[2], ["a"]]}, "is no packed value"),
        ({"objects": [[-1], ["a"]]}, "is no packed value"),
        ({"objects": [[True], ["a"]]}, "is no packed value"),
        ({"objects": [[1], "a"]}, "is no packed value"),
        ({"objects": [[1], [1]]}, "is no packed value"),
        ({"objects": [[0, 10**30], []]}, "is no packed value"),
        ({"objects": [[1] * 70, ["a"]]}, "is no packed value"),
        ({"objects": ["", []]}, "is no packed value"),
        ({"array": "absent"}, "the array 'absent' is absent"),
        ({"array": ["x"]}, "is no packed value"),
        ([{"array": "codes"}, {"text": "codes"}], "refers twice to the array 'codes'"),
        ({"text": "floats"}, "does not consist of code points"),
        ({"text": "scalar"}, "does not consist of code points"),
        ({"text": "large"}, "holds numbers above the last code point"),
        ({"text": "empty"}, "does not consist of code points"),
        (DEEP, "nested more than 100 levels deep"),
        (1j, "is no packed value"),
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
        unpack_state(value, arrays)


def test_an_array_that_a_file_lacks_is_named_with_the_file(path):
    _, arrays = read_archive(path, format_name="test", max_version=1)
    with arrays, pytest.raises(ArtefactError, match=r"lacks the array 'x/0'"):
        unpack_state({"array": "x/0"}, arrays)
