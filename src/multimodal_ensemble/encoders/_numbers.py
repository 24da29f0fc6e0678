"""Numbers from the values of a column, or an error with the first value that is not a number."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import as_object_array, column_fault, is_missing
from multimodal_ensemble.exceptions import ModalityError

# Features are float32, in which a larger number is infinite.
LARGEST = float(np.finfo(np.float32).max)

_NUMERIC_KINDS = "biuf"
# Numbers that are converted to float64 at once: 16 MiB.
_NUMBERS_PER_CHUNK = 2**21
_TIMES = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    np.datetime64,
    np.timedelta64,
    pd.Period,
)


def is_number(value: Any) -> bool:
    """Return whether a value is a real number; booleans are 0 and 1."""
    # NumPy's time spans are a subclass of its integers.
    return isinstance(value, Real | Decimal | np.bool_) and not isinstance(value, np.timedelta64)


def to_numbers(values: Any, modality: str) -> NDArray[np.float64]:
    """Return columns of numbers, or one column of numbers or of vectors, as (n, n_features).

    Missing values of any kind become NaN.

    Raises
    ------
    ModalityError
        If a value is neither, with its row and column.
    """
    if not isinstance(values, pd.DataFrame):
        return _read_column(values, modality)
    columns = []
    for position, name in enumerate(values.columns):
        numbers = _read_column(values.iloc[:, position], modality)
        if numbers.shape[1] != 1:
            msg = (
                f"Modality {modality!r} expects one number per row in each of its columns. "
                f"Received vectors of {numbers.shape[1]} numbers in column {name!r}; give them an "
                "encoder of their own."
            )
            raise ModalityError(msg)
        columns.append(numbers)
    return np.concatenate(columns, axis=1) if columns else np.empty((len(values), 0))


def as_vectors(values: Any) -> NDArray[Any] | None:
    """Return vectors of two or more numbers without a copy, or None for anything else.

    They are one array of shape (n, n_features), or n arrays of shape (n_features,) in an array of
    objects.
    """
    if isinstance(values, pd.DataFrame | np.ma.MaskedArray) or column_fault(values):
        return None
    if isinstance(values, np.ndarray) and values.ndim != 1:
        is_vector = values.ndim == 2 and values.shape[1] > 1 and _has_numbers(values)
        return np.asarray(values) if is_vector else None
    if not hasattr(values, "__iter__") or _has_numbers(values):
        return None
    rows = as_object_array(values)
    width = rows[0].size if len(rows) and isinstance(rows[0], np.ndarray) else 0
    is_vector = width > 1 and all(
        isinstance(row, np.ndarray)
        and not isinstance(row, np.ma.MaskedArray)
        and row.shape == (width,)
        and _has_numbers(row)
        for row in rows
    )
    return rows if is_vector else None


def iterate_numbers(rows: NDArray[Any], modality: str) -> Iterator[NDArray[np.float64]]:
    """Yield numbers as float64 of shape (n, n_features), some rows at a time."""
    width = len(rows[0]) if len(rows) else 1
    step = max(1, _NUMBERS_PER_CHUNK // max(1, width))
    # At least one chunk, so that users hear of tables without rows.
    for start in range(0, max(1, len(rows)), step):
        yield to_numbers(rows[start : start + step], modality)


def find_missing_numbers(values: Any) -> NDArray[np.bool_]:
    """Return which rows of one column are missing, or are vectors of only missing numbers."""
    if (vectors := as_vectors(values)) is not None:
        return np.array([bool(np.isnan(row).all()) for row in vectors], dtype=bool)
    numbers = _convert_at_once(values)
    if numbers is not None and numbers.size:
        return np.asarray(np.isnan(numbers).all(axis=tuple(range(1, numbers.ndim))))
    parts = map(_split_row, values)
    return np.array([len(part) > 0 and all(map(is_missing, part)) for part in parts], dtype=bool)


def describe_place(columns: Sequence[Any] | None, position: int, width: int) -> str:
    """Return where in its row a number is, for a message."""
    if columns is None or len(columns) not in (1, width):
        return f"position {position}"
    if len(columns) == width:
        return f"column {columns[position]!r}"
    return f"column {columns[0]!r}, position {position}"


def column_names(values: Any) -> list[Any] | None:
    """Return the names of the columns that values come from, if they have any."""
    if isinstance(values, pd.DataFrame):
        return list(values.columns)
    return None if getattr(values, "name", None) is None else [values.name]


def _read_column(values: Any, modality: str) -> NDArray[np.float64]:
    fault = column_fault(values)
    if fault is None and not hasattr(values, "__iter__"):
        fault = f"type {type(values).__name__}, which is not iterable"
    if fault is not None:
        msg = (
            f"Modality {modality!r} expects numbers, or vectors of equal length. Received {fault}."
        )
        raise ModalityError(msg)
    numbers = _convert_at_once(values)
    if numbers is None:
        numbers = _convert_row_by_row(values, modality)
    if numbers.ndim == 1:
        numbers = numbers[:, np.newaxis]
    if numbers.ndim != 2 or numbers.shape[1] == 0:
        msg = (
            f"Modality {modality!r} expects one number or one vector per row. "
            f"Received an array of shape {numbers.shape}."
        )
        raise ModalityError(msg)
    return numbers


def _has_numbers(values: Any) -> bool:
    return getattr(getattr(values, "dtype", None), "kind", "O") in _NUMERIC_KINDS


def _convert_at_once(values: Any) -> NDArray[np.float64] | None:
    """Return numbers or vectors as NumPy converts them; None if anything else is among them."""
    if _has_numbers(values) and isinstance(values, pd.Series):
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    if _has_numbers(values) and isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    rows = list(values)
    # NumPy would drop the mask of an array in a list, and take much memory for one long string.
    if any(isinstance(row, str | bytes | bytearray | np.ma.MaskedArray) for row in rows):
        return None
    try:
        # An array of objects may hold vectors.
        is_plain = isinstance(values, np.ndarray) and values.dtype != object
        array = values if is_plain else np.array(rows)
    except (OverflowError, TypeError, ValueError):
        return None
    # Other kinds hold objects, or what NumPy would silently parse: strings, dates, complex numbers.
    if array.dtype.kind not in _NUMERIC_KINDS:
        return None
    with np.errstate(over="ignore"):
        return array.astype(np.float64)


def _convert_row_by_row(values: Any, modality: str) -> NDArray[np.float64]:
    """Return numbers or vectors of any types, or raise an error about the first other value."""
    columns = column_names(values)
    rows: list[list[float]] = []
    width: int | None = None
    for row, value in enumerate(values):
        if is_missing(value):
            rows.append([])
            continue
        items = _split_row(value)
        numbers = []
        for position, item in enumerate(items):
            number = _to_float(item)
            if number is None:
                place = describe_place(columns, position, len(items))
                _refuse(item, f"row {row}, {place}", modality, row)
            numbers.append(number)
        width = len(numbers) if width is None else width
        if len(numbers) != width or not numbers:
            msg = (
                f"Modality {modality!r} expects numbers, or vectors of equal length. Received "
                f"{len(numbers)} numbers in row {row} and {width} in the rows before."
            )
            raise ModalityError(msg, row=row)
        rows.append(numbers)
    missing = [np.nan] * (1 if width is None else width)
    return np.array([numbers or missing for numbers in rows], dtype=np.float64)


def _split_row(value: Any) -> Any:
    """Return the items of a vector, and any other value as a single item."""
    if isinstance(value, list | tuple | range | np.ma.MaskedArray) and value is not np.ma.masked:
        return value
    if hasattr(value, "__array__") and not isinstance(value, np.generic | np.ma.MaskedArray):
        array = np.asarray(value)
        return array if array.ndim else [array[()]]
    return [value]


def _to_float(value: Any) -> float | None:
    """Return a number as a float, NaN for a missing one, and None for anything else."""
    if is_missing(value):
        return math.nan
    try:
        return float(value) if is_number(value) else None
    except OverflowError:
        return None


def _refuse(value: Any, place: str, modality: str, row: int) -> NoReturn:
    fix = ""
    if isinstance(value, str):
        value, problem = str(value), "strings are not numbers"
        fix = (
            " Use BagOfWordsEncoder for tokens, or pass decimal='.' to DenseEncoder for numbers as "
            "text, and on_error='missing' if other strings count as missing numbers."
        )
    elif isinstance(value, _TIMES):
        problem = "dates and times are not numbers"
        fix = " Convert them first, for example with (t - t0).dt.days."
    elif isinstance(value, complex | np.complexfloating):
        problem = "complex numbers have two parts"
        fix = " Use one column for each part."
    elif is_number(value):
        problem = "a number is too large"
    else:
        problem = f"values of type {type(value).__name__} are not numbers"
    msg = (
        f"Modality {modality!r} expects numbers, or vectors of equal length, but {problem}. "
        f"Received {value!r:.80} in {place}.{fix}"
    )
    raise ModalityError(msg, row=row)
