"""Python objects as JSON values that are equal if the objects compute the same."""

from __future__ import annotations

import functools
import json
import math
import types
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from multimodal_ensemble._digest import digest_arrays

_SCALARS = bool | int | float | str | None

# What Keras makes of a model when it first trains, evaluates or predicts.
_COMPILED = {"train_function", "test_function", "predict_function"}


def describe_object(
    value: Any, *, with_contents: bool = True, inside: frozenset[int] = frozenset()
) -> Any:
    """Return a JSON value that is the same in all processes, and differs for other objects.

    Functions are described by their name and code, so an edited function counts as another one.
    `with_contents` also describes the variables that functions hold and the attributes of objects.
    `inside` has the ids of the objects around this one.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        # NaN differs from itself.
        return str(value)
    if isinstance(value, _SCALARS):
        return value
    if id(value) in inside:
        return type(value).__name__
    describe = functools.partial(
        describe_object, with_contents=with_contents, inside=inside | {id(value)}
    )
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, functools.partial):
        return {"partial": describe([value.func, value.args, value.keywords])}
    if isinstance(value, types.MethodType):
        return {"method": describe([value.__func__, value.__self__])}
    if isinstance(value, types.FunctionType):
        variables = {"variables": describe(_variables(value))} if with_contents else {}
        return {"function": value.__qualname__, "code": describe(value.__code__), **variables}
    if isinstance(value, types.CodeType):
        parts = describe([value.co_code.hex(), value.co_names, value.co_consts])
        return f"sha256 {digest_arrays((), prefix=json.dumps(parts).encode())}"
    if isinstance(value, bytes | complex):
        return repr(value)
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return f"sha256 {digest_arrays([array])}" if array.dtype.kind in "biufc" else repr(value)
    if hasattr(value, "__qualname__"):
        # A class, or a function that is written in C.
        return value.__qualname__
    contents: Any = {}
    if with_contents:
        has_config = hasattr(value, "get_config")
        contents = value.get_config() if has_config else getattr(value, "__dict__", {})
    return {"class": type(value).__name__, "contents": describe(contents)}


def own_functions(
    layer: keras.Layer, seen: set[int] | None = None
) -> Iterator[tuple[keras.Layer, str, types.FunctionType]]:
    """Yield the functions that users gave to a layer and to the layers inside it.

    Configurations have only their names. An activation is such a function.
    """
    seen = set() if seen is None else seen
    if id(layer) in seen:
        return
    seen.add(id(layer))
    for name, value in vars(layer).items():
        # Keras gives each layer its own copy of some methods.
        is_function = isinstance(value, types.FunctionType) and not hasattr(type(layer), name)
        if is_function and name not in _COMPILED:
            if not is_of_keras(value):
                yield layer, name, value
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, keras.Layer):
                yield from own_functions(inner, seen)


def is_of_keras(value: Any) -> bool:
    """Return whether Keras defines a function or class."""
    return str(value.__module__).startswith("keras.")


def _variables(function: types.FunctionType) -> dict[str, Any]:
    """Return the values that a function reads from around it, and its defaults."""
    code = function.__code__
    values = {
        name: function.__globals__[name]
        for name in code.co_names
        if _is_own(function.__globals__.get(name, ...), function.__module__)
    }
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            # The variable has no value yet.
            values[name] = "unset"
    return {**values, "defaults": [function.__defaults__, function.__kwdefaults__]}


def _is_own(value: Any, module: str | None) -> bool:
    """Return whether a global value belongs to the code of its module.

    Other global names are mostly modules, classes and functions of libraries.
    """
    if isinstance(value, types.FunctionType):
        return value.__module__ == module
    return isinstance(value, _SCALARS | Mapping | list | tuple | np.ndarray)
