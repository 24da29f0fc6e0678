"""Checks of user input that several modules share; NumPy only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ScoreArray = NDArray[np.float32 | np.float64]

# About this many entries of a matrix are processed at once, so that what is computed from them is
# small and stays in the cache.
_BLOCK = 2**18


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of consecutive rows that cover an array of this shape, whose rows are short."""
    size = max(1, _BLOCK // max(1, math.prod(shape[1:])))
    return (slice(start, start + size) for start in range(0, shape[0], size))


def check_not_masked(values: Any, *, name: str) -> None:
    """Raise a ValueError for masked values, whose numbers NumPy would use in other arrays."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        position = tuple(np.argwhere(np.ma.getmaskarray(values))[0].tolist())
        msg = (
            f"{name} must not have masked values. The first one is at position {position}; replace "
            "it or leave its row out."
        )
        raise ValueError(msg)


def check_label_matrix(y_true: Any, *, name: str = "y_true") -> NDArray[np.bool_]:
    """Return a multi-hot label matrix as booleans of shape ``(n_samples, n_labels)``."""
    return to_booleans(read_label_array(y_true, name), name)


def read_label_array(y_true: Any, name: str) -> NDArray[Any]:
    """Return a label matrix as an array of any type, which has rows and labels."""
    check_not_masked(y_true, name=name)
    # MultiLabelBinarizer(sparse_output=True) returns a sparse matrix.
    try:
        array = np.asarray(y_true.toarray() if hasattr(y_true, "toarray") else y_true)
    except ValueError:
        # NumPy refuses lists of different lengths.
        array = np.empty(len(y_true), dtype=object)
    is_text = array.dtype.kind in "UST"
    if array.ndim != 2 or is_text:
        received = "strings" if is_text else f"shape {array.shape}"
        msg = (
            f"{name} must be a multi-hot matrix of shape (n_samples, n_labels). "
            f"Received {received}. "
            f"For a single label, pass {name}.reshape(-1, 1); for lists of label names, "
            f"MultiLabelBinarizer(classes=names).fit_transform({name}) of sklearn.preprocessing, "
            "with the names in the order of the other columns, such as classes_ of an estimator."
        )
        raise ValueError(msg)
    if 0 in array.shape:
        msg = f"{name} must have at least one row and one label. Received shape {array.shape}."
        raise ValueError(msg)
    return array


def to_booleans(array: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Return a label matrix as booleans, or raise a ValueError unless it holds only 0 and 1."""
    if array.dtype == np.bool_:
        return array
    is_byte = array.dtype in (np.uint8, np.int8)
    matrix = array.view(np.bool_) if is_byte else np.empty_like(array, dtype=np.bool_)
    for rows in row_blocks(array.shape):
        block = array[rows]
        is_one = _is_equal(block, 1)
        is_binary = is_one | _is_equal(block, 0)
        if not is_binary.all():
            row, column = np.argwhere(~is_binary)[0]
            # Show a Python value, because the repr of NumPy scalars differs between versions.
            value = block[row, column].item() if array.dtype != object else block[row, column]
            msg = (
                f"{name} must hold only 0 and 1. Received {value!r} in row {rows.start + row}, "
                f"column {column}."
            )
            raise ValueError(msg)
        # The bytes of zeros and ones are those of booleans, so they need no copy.
        if not is_byte:
            matrix[rows] = is_one
    return matrix


def _is_equal(array: NDArray[Any], number: int) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_]
    if array.dtype == object:
        # Comparing pandas.NA with a number does not yield a boolean.
        equal = np.vectorize(partial(_is_number, number), otypes=[bool])(array)
    elif array.dtype.kind in "cmM":
        # Complex numbers, time spans and dates are no labels, even if they are equal to 0 or 1.
        equal = np.zeros(array.shape, dtype=bool)
    else:
        equal = array == number
    return equal


def _is_number(number: int, value: Any) -> bool:
    # NumPy's time spans are a subclass of its integers.
    is_real = isinstance(value, Real | np.bool_) and not isinstance(value, np.timedelta64)
    return is_real and bool(value == number)


def find_repeated(names: Iterable[Any]) -> list[str]:
    """Return the names that occur more than once, as strings in order."""
    return sorted(str(name) for name, number in Counter(names).items() if number > 1)


def check_scores(y_score: Any, shape: tuple[int, int] | None = None) -> ScoreArray:
    """Return scores of shape ``(n_samples, n_labels)``, all of them finite.

    float32 and float64 scores are returned as they are, without a copy, and others as float64.
    """
    check_not_masked(y_score, name="y_score")
    array = np.asarray(y_score)
    if array.dtype.kind not in "biuf":
        msg = f"y_score must be numeric. Received dtype {array.dtype}; try .astype(float)."
        raise ValueError(msg)
    if shape is not None and array.shape != shape:
        msg = (
            "y_true and y_score must have the same shape (n_samples, n_labels). "
            f"Received y_true of shape {shape} and y_score of shape {array.shape}."
        )
        raise ValueError(msg)
    if array.ndim != 2:
        msg = (
            "y_score must have shape (n_samples, n_labels). "
            f"Received shape {array.shape}. For a single label, pass y_score.reshape(-1, 1)."
        )
        raise ValueError(msg)
    scores = array if array.dtype == np.float32 else array.astype(np.float64, copy=False)
    for rows in row_blocks(scores.shape):
        finite = np.isfinite(scores[rows])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            row += rows.start
            n_bad = sum((~np.isfinite(scores[each])).sum() for each in row_blocks(scores.shape))
            msg = (
                f"y_score must be finite. Received {scores[row, column]} in row {row}, "
                f"column {column} ({n_bad} such values in total). "
                "NaN and infinite scores usually mean that training diverged."
            )
            raise ValueError(msg)
    return scores


def check_label_names(
    labels: Sequence[str] | None, n_labels: int, *, columns: Sequence[Any] | None = None
) -> list[str]:
    """Return one name per label: from `labels`, the columns of a table, or numbers."""
    if labels is None:
        labels, columns = columns, None
    if labels is None:
        return [str(column) for column in range(n_labels)]
    if isinstance(labels, str):
        msg = f"labels must be a sequence of names. Received the string {labels!r}."
        raise ValueError(msg)
    names = [str(label) for label in labels]
    if len(names) != n_labels:
        msg = f"labels must name all {n_labels} columns. Received {len(names)} names: {names}."
        raise ValueError(msg)
    if repeated := find_repeated(names):
        msg = f"labels must be distinct. Received {repeated} more than once."
        raise ValueError(msg)
    names_of_columns = [] if columns is None else [str(column) for column in columns]
    if names != names_of_columns and sorted(names) == sorted(names_of_columns):
        msg = (
            f"labels are the names of the columns in another order: {names} and "
            f"{names_of_columns}. Omit labels, or reorder the columns."
        )
        raise ValueError(msg)
    return names


def check_sample_weight(
    sample_weight: Any, n_samples: int, n_labels: int | None = None
) -> FloatArray | None:
    """Return weights as float64 of shape ``(n_samples,)``, or None.

    With `n_labels`, they may also have the shape ``(n_samples, n_labels)``.
    """
    if sample_weight is None:
        return None
    check_not_masked(sample_weight, name="sample_weight")
    given = np.asarray(sample_weight)
    if given.dtype.kind not in "biuf":
        received = f"the string {given.item()!r}" if given.ndim == 0 else f"dtype {given.dtype}"
        msg = f"sample_weight must be numeric. Received {received}."
        raise ValueError(msg)
    weights = given.astype(np.float64)
    if weights.shape != (n_samples,) and weights.shape != (n_samples, n_labels):
        shapes = f"({n_samples},)" + (f" or ({n_samples}, {n_labels})" if n_labels else "")
        msg = f"sample_weight must have shape {shapes}. Received shape {weights.shape}."
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not np.isfinite(total) or (weights < 0).any():
        msg = "sample_weight must be finite and not negative, with a finite sum."
        raise ValueError(msg)
    if not weights.any():
        msg = "sample_weight must not be zero everywhere."
        raise ValueError(msg)
    return weights


def check_choice(value: object, choices: Sequence[object], *, name: str) -> None:
    """Raise a ValueError that lists the choices unless `value` is one of them."""
    if value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        msg = f"{name} must be one of {listed}. Received {name}={value!r}."
        raise ValueError(msg)


def check_at_least(value: Any, least: int, *, name: str) -> None:
    """Raise a ValueError unless `value` is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        msg = f"{name} must be a whole number of at least {least}. Received {name}={value!r}."
        raise ValueError(msg)


def check_fraction(value: Any, *, name: str) -> None:
    """Raise a ValueError unless `value` is at least 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
        msg = f"{name} must be at least 0 and below 1. Received {name}={value!r}."
        raise ValueError(msg)


def check_level(level: Any) -> None:
    """Raise a ValueError unless a level of confidence lies between 0 and 1."""
    is_number = isinstance(level, float | int | np.floating) and not isinstance(level, bool)
    if not is_number or not 0 < level < 1:
        msg = f"level must be between 0 and 1, such as 0.95. Received level={level!r}."
        raise ValueError(msg)
