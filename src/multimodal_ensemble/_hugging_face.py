"""Datasets of Hugging Face, recognised without importing their package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def is_dataset(data: Any) -> bool:
    """Return whether data is a `datasets.Dataset`: a table that can be read in Arrow's format."""
    return (
        callable(getattr(data, "with_format", None))
        and hasattr(data, "features")
        and hasattr(data, "__len__")
        and isinstance(getattr(data, "column_names", None), list)
    )


def read_dataset(data: Any) -> tuple[Any, dict[str, Callable[[Any], Any]]]:
    """Return a dataset as a table of pyarrow, and what turns the values of columns into labels.

    Images are not decoded: they are mappings with the bytes or the path of a file.
    """
    converters = {}
    for name, feature in data.features.items():
        # The features of a list are an attribute, or the only item of a list.
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        if names := getattr(feature, "names", None):
            converters[name] = _label_reader(names)
        elif names := getattr(inner, "names", None):
            converters[name] = _list_reader(_label_reader(names))
    return data.with_format("arrow")[:], converters


def _label_reader(names: Any) -> Callable[[Any], Any]:
    # -1 is the label of rows whose label is not known.
    return lambda number: None if number is None or number < 0 else names[number]


def _list_reader(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read_list(numbers: Any) -> Any:
        if numbers is None:
            return None
        return [label for label in map(read, numbers) if label is not None]

    return read_list
