"""Tables and columns of other libraries, recognised without importing them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# The types of columns of vectors in pyarrow, such as "list<element: float>".
_VECTORS = re.compile(
    r"(large_|fixed_size_)?list<[^<>]*: (double|float|halffloat|u?int\d+)\b[^<]*>"
)


def python_values(column: Any) -> list[Any]:
    """Return the values of a column of pyarrow or polars."""
    if _VECTORS.match(str(getattr(column, "type", ""))):
        # One array per row, in place of a list with an object for each number.
        return list(column.to_pandas())
    values: list[Any] = column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
    return values


def is_dataset(data: Any) -> bool:
    """Return whether data is a `datasets.Dataset` of Hugging Face, which Arrow can read."""
    return (
        callable(getattr(data, "with_format", None))
        and hasattr(data, "features")
        and hasattr(data, "__len__")
        and isinstance(getattr(data, "column_names", None), list)
    )


def read_dataset(data: Any) -> dict[str, list[Any]]:
    """Return the columns of a dataset, with the names of labels in place of their numbers.

    Images are not decoded: they are mappings with the bytes or the path of a file.
    """
    table = data.with_format("arrow")[:]
    columns = {name: python_values(table[name]) for name in data.column_names}
    for name, feature in data.features.items():
        # The feature of a list is an attribute, or the only item of a list.
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        if names := getattr(feature, "names", None):
            columns[name] = list(map(_label_reader(names), columns[name]))
        elif names := getattr(inner, "names", None):
            columns[name] = list(map(_list_reader(_label_reader(names)), columns[name]))
    return columns


def _label_reader(names: Any) -> Callable[[Any], Any]:
    # -1 is the label of rows whose label is not known.
    return lambda number: None if number is None or number < 0 else names[number]


def _list_reader(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read_list(numbers: Any) -> Any:
        if numbers is None:
            return None
        return [label for label in map(read, numbers) if label is not None]

    return read_list
