"""Tables from the containers that users have, and single values of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import ImageReadError, ModalityError

_LISTED = 5


def to_frame(data: Any) -> pd.DataFrame:
    """Return a mapping of columns as a table of objects, or raise a ModalityError."""
    scalars = [
        name
        for name, values in data.items()
        if isinstance(values, str | bytes) or not hasattr(values, "__iter__")
    ]
    if scalars:
        msg = (
            f"The columns of the data must be sequences. Received one value for {scalars}; for a "
            "single row, pass lists with one value."
        )
        raise ModalityError(msg)
    indexes = [values.index for values in data.values() if isinstance(values, pd.Series)]
    if any(not index.equals(indexes[0]) for index in indexes):
        msg = (
            "The columns of the data are Series with different index labels. Create a DataFrame "
            "from them, which aligns them, or pass lists to pair them by position."
        )
        raise ModalityError(msg)
    columns = {name: list(values) for name, values in data.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"The columns of the data must have the same length. Received {lengths}."
        raise ModalityError(msg)
    return pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in columns.items()})


def check_same_index(data: Any, y: Any, *, name: str = "y") -> None:
    """Raise a ValueError if a table and the values for its rows have different index labels."""
    has_index = isinstance(data, pd.DataFrame) and isinstance(y, pd.DataFrame | pd.Series)
    if has_index and len(y) == len(data) and not y.index.equals(data.index):
        msg = (
            f"The rows of {name} and of the data have different index labels. Align them with "
            f"{name}.loc[data.index], or pass {name}.to_numpy() to pair them by position."
        )
        raise ValueError(msg)


def is_missing(value: Any) -> bool:
    """Return whether a raw value is missing: None, NaN, or a missing value of pandas."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def as_object_array(values: Any) -> NDArray[Any]:
    """Return an array with one row per raw value; a list among the values is one value."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, pd.DataFrame):
        return values.to_numpy(dtype=object)
    values = list(values)
    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        array[position] = value
    return array


def to_python(value: Any) -> Any:
    """Return the Python value of a NumPy scalar, and any other value unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def abbreviate(values: Iterable[Any]) -> str:
    """Return the first few values as a list for a message, and the number of the others."""
    listed = [to_python(value) for value in values]
    n_others = len(listed) - _LISTED
    return f"{listed[:_LISTED]}" + (f" and {n_others} more" if n_others > 0 else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun for a message: "1 row", "2 rows"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def locating_errors(rows: Sequence[int] | NDArray[np.intp]) -> Iterator[None]:
    """Replace the row of an error about some rows by the number of that row in the whole data."""
    try:
        yield
    except (ModalityError, ImageReadError) as error:
        if error.row is not None and error.row < len(rows):
            before, found, after = str(error).rpartition(f"in row {error.row}")
            error.row = int(rows[error.row])
            if found:
                error.args = (f"{before}in row {error.row}{after}",)
        raise
