"""Calls of the methods of an encoder, which may be of any package, with checks of the results.

Otherwise, rows would be paired with the labels of others, or a layer would fail later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._tables import counted
from multimodal_ensemble.exceptions import ModalityError, MultimodalEnsembleError

_TEST = "and test it with multimodal_ensemble.testing.check_encoder."


def checked_prepare(encoder: Any, values: Any) -> Any:
    """Return what an encoder prepares, or raise a ModalityError unless it holds one row each."""
    with naming(encoder, "prepare"):
        prepared = encoder.prepare(values)
    shape = getattr(prepared, "shape", None)
    can_take = hasattr(prepared, "__getitem__") and not hasattr(prepared, "iloc")
    if can_take and isinstance(shape, tuple) and shape and shape[0] == len(values):
        return prepared
    kind = type(encoder).__name__
    of_shape = "" if shape is None else f" of shape {shape}"
    msg = (
        f"For {counted(len(values), 'value')}, prepare of modality {encoder.name!r} must return "
        "an array, or another object with a shape, that an array of row numbers indexes and that "
        f"has one row per value. Received an object of type {type(prepared).__name__}{of_shape}. "
        f"Correct {kind}.prepare, {_TEST}"
    )
    raise ModalityError(msg)


def checked_find_missing(encoder: Any, values: Any) -> NDArray[np.bool_]:
    """Return which values are missing, or raise a ModalityError unless that is a mask of them."""
    with naming(encoder, "find_missing"):
        missing: Any = encoder.find_missing(values)
    is_mask = isinstance(missing, np.ndarray) and missing.dtype == bool
    if is_mask and missing.shape == (len(values),):
        return np.asarray(missing)
    msg = (
        f"find_missing of modality {encoder.name!r} must return a NumPy array of "
        f"{counted(len(values), 'boolean')}. Received {_received(missing)}. Correct "
        f"{type(encoder).__name__}.find_missing, {_TEST}"
    )
    raise ModalityError(msg)


def checked_encode(encoder: Any, values: Any) -> NDArray[Any]:
    """Return what an encoder encodes, or raise a ModalityError if that is no batch of its rows."""
    with naming(encoder, "encode"):
        rows = encoder.encode(values)
    n_values = values.shape[0] if hasattr(values, "shape") else len(values)
    expected = (n_values, *encoder.input_shape)
    if isinstance(rows, np.ndarray):
        is_batch = len(expected) == rows.ndim and all(
            size in (None, found) for size, found in zip(expected, rows.shape, strict=True)
        )
        if is_batch and rows.dtype.kind in "biuf":
            _refuse_not_finite(encoder, rows)
            return rows
    msg = (
        f"For {counted(n_values, 'value')}, encode of modality {encoder.name!r} must return a "
        f"NumPy array of numbers of shape (n, *input_shape) = {expected}. Received "
        f"{_received(rows)}. Correct {type(encoder).__name__}.encode or its input_shape, {_TEST}"
    )
    raise ModalityError(msg)


def checked_digests(encoder: Any, prepared: Any) -> list[bytes]:
    """Return the digests of prepared values, or raise a ModalityError unless each has one."""
    with naming(encoder, "content_digests"):
        digests = list(encoder.content_digests(prepared))
    _check_one_each(encoder, "content_digests", len(digests), prepared.shape[0])
    return digests


def checked_lengths(encoder: Any, prepared: Any) -> NDArray[Any]:
    """Return the lengths of prepared values, or raise a ModalityError unless each has one."""
    with naming(encoder, "lengths"):
        lengths = np.asarray(encoder.lengths(prepared))
    _check_one_each(encoder, "lengths", lengths.shape[0] if lengths.ndim else 0, prepared.shape[0])
    return lengths


def checked_additive_parts(
    encoder: Any, values: Any, centre: NDArray[np.float64], rows: NDArray[np.intp]
) -> list[tuple[list[str], NDArray[np.float64]]] | None:
    """Return named parts of values with their vectors, or raise a ModalityError."""
    with naming(encoder, "additive_parts"):
        split = encoder.additive_parts(values, centre)
    if split is None:
        return None
    _check_one_each(encoder, "additive_parts", len(split), len(rows))
    for row, part in zip(rows.tolist(), split, strict=True):
        names, vectors = part if isinstance(part, tuple | list) and len(part) == 2 else (None, part)
        if _are_names(names) and np.shape(vectors) == (len(names), len(centre)):
            continue
        msg = (
            f"additive_parts of modality {encoder.name!r} must return, for each value, a list of "
            f"names, which are strings, and an array of shape (n_names, {len(centre)}). Row {row} "
            f"has {_describe(names)} and {_describe(vectors)}. Correct "
            f"{type(encoder).__name__}.additive_parts, {_TEST}"
        )
        raise ModalityError(msg, row=row)
    return [(list(names), np.asarray(vectors)) for names, vectors in split]


def checked_without_each_part(
    encoder: Any, value: Any, *, row: int
) -> tuple[list[str], list[Any]] | None:
    """Return the names of parts, and the value without each, or raise a ModalityError."""
    with naming(encoder, "without_each_part"):
        without = encoder.without_each_part(value)
    if without is None:
        return None
    is_pair = isinstance(without, tuple | list) and len(without) == 2
    names, variants = without if is_pair else (None, without)
    has_values = isinstance(variants, tuple | list | np.ndarray)
    if _are_names(names) and has_values and len(names) == len(variants):
        return list(names), list(variants)
    msg = (
        f"without_each_part of modality {encoder.name!r} must return a list of names, which are "
        f"strings, and a list of as many values, or None. Row {row} has {_describe(names)} and "
        f"{_describe(variants)}. Correct {type(encoder).__name__}.without_each_part, {_TEST}"
    )
    raise ModalityError(msg, row=row)


@contextmanager
def naming(encoder: Any, method: str) -> Iterator[None]:
    """Add the modality and the method to an error that does not name them."""
    try:
        yield
    except Exception as error:
        if isinstance(error, MultimodalEnsembleError) and repr(encoder.name) in str(error):
            raise
        error.add_note(f"Raised by {type(encoder).__name__}.{method} of modality {encoder.name!r}.")
        raise


def _check_one_each(encoder: Any, method: str, n_received: int, n_values: int) -> None:
    if n_received != n_values:
        msg = (
            f"{method} of modality {encoder.name!r} returned {n_received:,} for "
            f"{counted(n_values, 'value')}. It must return one for each: correct "
            f"{type(encoder).__name__}.{method}, {_TEST}"
        )
        raise ModalityError(msg)


def _received(result: Any) -> str:
    """Return what a method returned in place of an array, for a message."""
    if isinstance(result, np.ndarray):
        return f"an array of shape {result.shape} and dtype {result.dtype}"
    return f"an object of type {type(result).__name__}"


def _are_names(names: Any) -> TypeGuard[Sequence[str]]:
    return isinstance(names, tuple | list | np.ndarray) and all(
        isinstance(name, str) for name in names
    )


def _describe(part: Any) -> str:
    """Return what a part of a result is, for a message."""
    if part is None:
        return "no pair"
    if isinstance(part, np.ndarray):
        return f"an array of shape {part.shape}"
    if isinstance(part, tuple | list):
        strangers = sorted({type(each).__name__ for each in part if not isinstance(each, str)})
        of_types = f" with items of type {', '.join(strangers)}" if strangers else ""
        return f"a {type(part).__name__} of length {len(part)}{of_types}"
    return f"an object of type {type(part).__name__}"


def _refuse_not_finite(encoder: Any, rows: NDArray[Any]) -> None:
    """Raise a ModalityError about the first row with a number that is no finite float32."""
    if rows.dtype.kind != "f":
        return
    limit = np.finfo(np.float32).max
    is_finite = np.isfinite(rows) if rows.dtype.itemsize <= 4 else np.abs(rows) <= limit
    if is_finite.all():
        return
    row = int(np.argmin(is_finite.reshape(len(rows), -1).all(axis=1)))
    kind = type(encoder).__name__
    msg = (
        f"Modality {encoder.name!r}: {kind}.encode returned NaN, infinity or a number beyond "
        f"float32 in row {row}. Return finite numbers, or raise a ModalityError for values that "
        f"have none; with optional=True, rows that {kind}.find_missing finds lack the modality."
    )
    raise ModalityError(msg, row=row)
