"""Nested Python values as a JSON value and arrays, and exactly back.

JSON's own values and lists represent themselves. Everything else, dicts included, is an object
with one key that names its type: ``{"dict": {...}}``. So no content can be mistaken for a marker.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping, MutableMapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._archive_format import NUMERIC_KINDS, check_empty_shape
from multimodal_ensemble.saving._read_archive import ArrayReader

MAX_DEPTH = 100
_DTYPE = re.compile(r"[<>|][biuf][0-9]{1,2}")
_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack_state(value: Any, arrays: MutableMapping[str, NDArray[Any]], prefix: str) -> Any:
    """Return a JSON value that represents `value`, and add its arrays to `arrays`.

    Supported are None, booleans, whole numbers, floats, strings, lists, tuples, dicts with string
    keys, numpy scalars, and arrays of booleans, numbers or strings, nested in any way. All values,
    NaN and infinities included, are restored exactly, with their types, dtypes and shapes.

    The arrays are added as ``prefix/0``, ``prefix/1``, and so on, without a copy. The prefix, for
    example ``"encoders/0"``, also names the place of the value in errors, as ``encoders[0]``.

    Raises
    ------
    TypeError
        If it holds any other type, or a subclass of these types; the message says where.
    ValueError
        If it is nested more than 100 levels deep.
    """
    place = re.sub(r"/([0-9]+)(?=/|$)", r"[\1]", prefix).replace("/", ".")
    return _Packer(arrays, prefix).pack(value, place, 0)


def unpack_state(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the value that `pack_state` received; each of its arrays is read once.

    Raises
    ------
    ArtefactError
        If `pack_state` returns no such value, or an array is absent or of the wrong type.
    """
    return _Unpacker(arrays).unpack(value, 0)


class _Packer:
    def __init__(self, arrays: MutableMapping[str, NDArray[Any]], prefix: str) -> None:
        self._arrays = arrays
        self._prefix = prefix
        self._count = 0

    def pack(self, value: Any, place: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            msg = f"{place} is nested more than {MAX_DEPTH} levels deep, or contains itself."
            raise ValueError(msg)
        # Types are compared exactly, because a subclass, such as OrderedDict or an enumeration,
        # would be restored as another type.
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            # JSON readers limit the digits of a number, but not the length of a string.
            return value if value.bit_length() < 64 else {"int": hex(value)}
        if kind is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if kind in (list, tuple):
            items = [
                self.pack(item, f"{place}[{position}]", depth + 1)
                for position, item in enumerate(value)
            ]
            return items if kind is list else {"tuple": items}
        if kind is dict:
            return {"dict": self._pack_dict(value, place, depth)}
        if kind is np.ndarray:
            return self._pack_array(value, place)
        if kind is np.str_:
            return {"scalar": ["str", str(value)]}
        if isinstance(value, np.generic) and value.dtype.kind in NUMERIC_KINDS:
            return {"scalar": [value.dtype.str, value.tobytes().hex()]}
        msg = (
            f"{place} cannot be saved. Expected None, numbers, strings, lists, tuples, dicts or "
            f"arrays of exactly these types. Received type {kind.__module__}.{kind.__qualname__}. "
            "Store it as one of these."
        )
        raise TypeError(msg)

    def _pack_dict(self, value: dict[Any, Any], place: str, depth: int) -> dict[str, Any]:
        packed = {}
        for key, item in value.items():
            if type(key) is not str:
                msg = (
                    f"{place} cannot be saved. Expected a dict of string keys. Received the key "
                    f"{reprlib.repr(key)} of type {type(key).__name__}. "
                    "Store its keys and values as two lists."
                )
                raise TypeError(msg)
            at = f"{place}.{key}" if key.isidentifier() else f"{place}[{reprlib.repr(key)}]"
            packed[key] = self.pack(item, at, depth + 1)
        return packed

    def _pack_array(self, array: NDArray[Any], place: str) -> dict[str, Any]:
        if array.dtype.kind in NUMERIC_KINDS:
            return {"array": self._add(array)}
        if array.dtype.kind == "U" and array.dtype.itemsize:
            # Code points are exact, and their array has the size that it claims.
            return {"text": self._add(_code_points(array))}
        if array.dtype == object:
            values = array.reshape(-1).tolist()
            for position, item in enumerate(values):
                if type(item) is not str:
                    index = ", ".join(map(str, np.unravel_index(position, array.shape)))
                    msg = (
                        f"{place}[{index}] cannot be saved. Expected an object array that holds "
                        f"only strings. Received type {type(item).__name__}. Store it as a list."
                    )
                    raise TypeError(msg)
            return {"objects": [list(array.shape), values]}
        msg = (
            f"{place} cannot be saved. Expected an array of booleans, numbers or strings. "
            f"Received dtype {array.dtype}."
        )
        raise TypeError(msg)

    def _add(self, array: NDArray[Any]) -> str:
        while (name := f"{self._prefix}/{self._count}") in self._arrays:
            self._count += 1
        self._arrays[name] = array
        return name


class _Unpacker:
    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays
        self._read: set[str] = arrays.unpacked if isinstance(arrays, ArrayReader) else set()

    def unpack(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            _refuse(f"it is nested more than {MAX_DEPTH} levels deep")
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, list):
            return [self.unpack(item, depth + 1) for item in value]
        if not isinstance(value, Mapping) or len(value) != 1:
            _refuse(f"{reprlib.repr(value)} is no packed value")
        ((kind, content),) = value.items()
        if kind == "dict" and isinstance(content, dict):
            return {key: self.unpack(item, depth + 1) for key, item in content.items()}
        if kind == "tuple" and isinstance(content, list):
            return tuple(self.unpack(item, depth + 1) for item in content)
        if kind in ("array", "text") and isinstance(content, str):
            array = self._array(content)
            return array if kind == "array" else _text(array)
        try:
            return _leaf(kind, content)
        except (ValueError, TypeError, KeyError, OverflowError):
            _refuse(f"{reprlib.repr(value)} is no packed value")

    def _array(self, name: str) -> NDArray[Any]:
        # Otherwise the states in a small file could request the same array a million times.
        if name in self._read:
            _refuse(f"it refers twice to the array {reprlib.repr(name)}")
        self._read.add(name)
        try:
            return self._arrays[name]
        except KeyError:
            _refuse(f"the array {reprlib.repr(name)} is absent")


def _leaf(kind: str, content: Any) -> Any:
    """Return a value without nested values; malformed content raises one of several errors."""
    if kind == "int" and isinstance(content, str):
        return int(content, 16)
    if kind == "float":
        return _NON_FINITE[content]
    first, second = content
    if kind == "scalar" and isinstance(second, str):
        if first == "str":
            return np.str_(second)
        if _DTYPE.fullmatch(first):
            scalar = np.frombuffer(bytes.fromhex(second), np.dtype(first))
            if scalar.size == 1 and (scalar.dtype.kind != "b" or second in ("00", "01")):
                return scalar[0]
    if (
        kind == "objects"
        and isinstance(first, list)
        # numpy would infer a size of -1.
        and all(type(size) is int and size >= 0 for size in first)
        and isinstance(second, list)
        and all(type(item) is str for item in second)
    ):
        check_empty_shape(tuple(first))
        array = np.empty(len(second), dtype=object)
        array[:] = second
        return array.reshape(first)
    raise ValueError(kind)


def _code_points(array: NDArray[Any]) -> NDArray[Any]:
    code = np.dtype("u4").newbyteorder(array.dtype.byteorder)
    shape = (*array.shape, array.dtype.itemsize // 4)
    return np.ndarray(shape, code, buffer=array.copy("C"))


def _text(codes: NDArray[Any]) -> NDArray[Any]:
    if codes.dtype.kind != "u" or codes.dtype.itemsize != 4 or 0 in (codes.ndim, *codes.shape[-1:]):
        _refuse("an array of text does not consist of code points")
    if codes.size and codes.max() > 0x10FFFF:
        _refuse("an array of text holds numbers above the last code point")
    try:
        text = np.dtype(f"U{codes.shape[-1]}").newbyteorder(codes.dtype.byteorder)
        return np.ndarray(codes.shape[:-1], text, buffer=codes)
    except (ValueError, TypeError, OverflowError):
        _refuse("an array of text has an impossible shape")


def _refuse(reason: str) -> NoReturn:
    msg = f"The saved state is damaged: {reason}."
    raise ArtefactError(msg)
