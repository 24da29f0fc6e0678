"""Tables from the containers that users have, and single values of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._column_types import infer_types
from multimodal_ensemble._foreign_tables import is_dataset, python_values, read_dataset
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.exceptions import ImageReadError, ModalityError

_LISTED = 5


def to_frame(data: Any) -> pd.DataFrame:
    """Return a mapping of columns as a table of objects, or raise a ModalityError.

    The table has the index labels of the columns that are Series.
    """
    if isinstance(data, Mapping):
        data = {name: from_arrow(values, name=repr(name)) for name, values in data.items()}
    check_columns(data)
    indexes = [values.index for values in data.values() if isinstance(values, pd.Series)]
    if any(not index.equals(indexes[0]) for index in indexes):
        msg = (
            "The columns of the data are Series with different index labels. Create a DataFrame "
            "from them, which aligns them, or pass lists to pair them by position."
        )
        raise ModalityError(msg)
    # A row of an array that is mapped into memory is a large object, unlike one of a plain view.
    columns = {
        name: list(np.asarray(values) if isinstance(values, np.memmap) else values)
        for name, values in data.items()
    }
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        msg = f"The columns of the data must have the same length. Received {lengths}."
        raise ModalityError(msg)
    index = indexes[0] if indexes else None
    return pd.DataFrame(
        {name: pd.Series(v, index=index, dtype=object) for name, v in columns.items()}, index=index
    )


def from_arrow(data: Any, *, name: str = "X") -> Any:
    """Return a table or column of another library as a DataFrame or list, other data as it is.

    These are tables and columns that offer Arrow's interface, such as those of pyarrow, polars and
    DuckDB, tables with a method ``to_pandas``, and datasets of Hugging Face. A ValueError refuses
    other tables: as arrays, they would lose their names.
    """
    if isinstance(data, pd.DataFrame | pd.Series | pd.Index):
        return data
    if is_dataset(data):
        return to_frame(read_dataset(data)).infer_objects()
    names = table_names(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        if names is None:
            return python_values(data)
        if repeated := find_repeated(names):
            msg = (
                f"The columns of {name} must have distinct names. {repeated} occur more than once."
            )
            raise ValueError(msg)
        columns = {column: python_values(data[column]) for column in names}
        return infer_types(to_frame(columns))
    if hasattr(data, "__dataframe__") or names is not None:
        if callable(convert := getattr(data, "to_pandas", None)):
            frame = convert()
            if isinstance(frame, pd.DataFrame):
                return frame
        msg = (
            f"{name} is a table of type {type(data).__module__}.{type(data).__name__}, which is "
            "not supported. Convert it to a pandas.DataFrame first."
        )
        raise ValueError(msg)
    return data


def table_names(data: Any) -> list[Any] | None:
    """Return the names of the columns of a table, whichever library it is of, or None."""
    if isinstance(data, Mapping):
        return None
    names = getattr(data, "column_names", getattr(data, "columns", None))
    return None if names is None else list(names)


def check_same_index(**parts: Any) -> None:
    """Raise a ValueError if tables and Series of the same rows have different index labels.

    The parts are passed by name: ``check_same_index(X=X, y=y, sample_weight=weight)``.
    """
    indexed = {
        name: part for name, part in parts.items() if isinstance(part, pd.DataFrame | pd.Series)
    }
    first = next(iter(indexed), "")
    for name, part in indexed.items():
        # Another check reports different lengths.
        reference = indexed[first]
        if len(part) == len(reference) and not part.index.equals(reference.index):
            msg = (
                f"The rows of {name} and of {first} have different index "
                f"labels. Align them with {name}.loc[{first}.index], or pass "
                f"{name}.to_numpy() to pair them by position."
            )
            raise ValueError(msg)


def named_rows(data: Any, table: Any) -> pd.DataFrame | None:
    """Return the table that was read from data if it has the index labels of data, else None."""
    has_labels = isinstance(data, pd.DataFrame) or (
        isinstance(data, Mapping) and any(isinstance(column, pd.Series) for column in data.values())
    )
    return table if has_labels else None


def number_groups(
    groups: Any, n_rows: int, *, name: str = "groups", item: str = "group"
) -> NDArray[np.intp]:
    """Return the number of each row's group, from 0 in order of the first row.

    Messages call the values `name` and each of them an `item`.
    """
    if isinstance(groups, str):
        msg = (
            f"{name} must hold the {item} of each row. Received the string {groups!r}; if it is a "
            f"column of X, pass X[{groups!r}]."
        )
        raise ValueError(msg)
    groups = from_arrow(groups, name=name)
    fault = "one value" if _is_single(groups) else column_fault(groups)
    if fault is not None:
        msg = f"{name} must be a sequence with one {item} per row. Received {fault}."
        raise ValueError(msg)
    if isinstance(groups, np.ma.MaskedArray):
        # A list has None in place of masked values.
        groups = groups.tolist()
    values = as_object_array(groups)
    if values.shape != (n_rows,):
        msg = f"{name} must have shape ({n_rows},). Received shape {values.shape}."
        raise ValueError(msg)
    try:
        numbers, _ = pd.factorize(values)
    except TypeError as error:
        msg = f"{name} must hold one string or number per row ({error})."
        raise ValueError(msg) from error
    if (numbers < 0).any():
        msg = (
            f"{name} must name a {item} for each row. Row {int(np.argmin(numbers))} has none; give "
            f"a row that belongs to no other row a {item} of its own."
        )
        raise ValueError(msg)
    return np.asarray(numbers, dtype=np.intp)


def is_missing(value: Any) -> bool:
    """Return whether a raw value is missing: None, NaN, or a missing value of pandas or NumPy."""
    return (
        value is None
        or value is np.ma.masked
        or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
    )


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


def check_columns(data: Any, names: Iterable[Any] | None = None) -> None:
    """Raise a ModalityError unless the named columns, by default all, are one sequence each."""
    if isinstance(data, pd.DataFrame):
        if isinstance(data.columns, pd.MultiIndex):
            msg = (
                f"The columns of data must have one name each. Received {data.columns.nlevels} "
                "levels of names; try data.columns = ['_'.join(map(str, names)) for names in "
                "data.columns]."
            )
            raise ModalityError(msg)
        names = data.columns if names is None else data.columns[data.columns.isin(list(names))]
        if repeated := names[names.duplicated()].unique().tolist():
            msg = (
                f"The columns of data must have distinct names. Received {repeated} more than once."
            )
            raise ModalityError(msg)
        return
    if not isinstance(data, Mapping):
        msg = (
            "The data must be a DataFrame or a mapping of columns. Received "
            f"{type(data).__name__}; try pandas.DataFrame(data)."
        )
        raise ModalityError(msg)
    names = list(data if names is None else names)
    scalars = [name for name in names if _is_single(data[name])]
    if scalars:
        msg = (
            f"The columns of the data must be sequences. Received one value for {scalars}; for a "
            "single row, pass pandas.DataFrame([row])."
        )
        raise ModalityError(msg)
    for name in names:
        if fault := column_fault(data[name]):
            msg = f"Column {name!r} must be a sequence with one value per row. Received {fault}."
            raise ModalityError(msg)


def column_fault(values: Any) -> str | None:
    """Return what values are that have no rows in order, with a fix, or None for a column."""
    kind = type(values).__name__
    if isinstance(values, Mapping):
        return (
            f"a {kind}, whose keys are not rows; pass list(values.values()), or a DataFrame "
            "itself instead of its to_dict()"
        )
    if isinstance(values, set | frozenset):
        return f"a {kind}, whose rows have no order; pass a list"
    if isinstance(values, Iterator):
        return f"a {kind}, which can be read only once; pass list(values)"
    if hasattr(values, "columns"):
        return f"a {kind}, which has columns of its own; pass values.to_numpy() for vectors"
    if hasattr(values, "to_pylist"):
        return f"a {kind}; pass values.to_pylist()"
    return None


def _is_single(values: Any) -> bool:
    is_text = isinstance(values, str | bytes | bytearray)
    return is_text or not hasattr(values, "__iter__") or getattr(values, "ndim", 1) == 0


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
