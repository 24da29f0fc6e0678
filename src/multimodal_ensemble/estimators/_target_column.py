"""Labels or classes of rows, also those in a column of a table in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._target import (
    MULTILABEL,
    Target,
    class_column,
    make_target,
    read_classes,
    read_target,
    read_values,
)
from multimodal_ensemble.estimators._label_column import (
    column_format,
    label_parts,
    read_label_column,
)


def read_target_column(
    y: Any,
    known: Target | None,
    *,
    name: str = "y",
    delimiter: str | None = None,
    min_count: int = 1,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[NDArray[Any], Target]:
    """Return what `read_target` does, and labels as `read_label_column` does."""
    options: dict[str, Any] = {"name": name, "min_count": min_count, "report": report}
    if not isinstance(y, TableFile):
        return read_target(y, known, delimiter=delimiter, **options)
    if known is not None and known.is_single:
        parts = _read_each(y, lambda rows: read_target(rows, known, name=name)[0])
        return np.concatenate([*parts]), known
    classes = None if known is None else known.classes
    found = column_format(y, classes, name=name, delimiter=delimiter, report=report)
    if known is None and found is None and _has_classes(y, name, delimiter):
        codes, values = _read_values(y, name)
        target, order = make_target(codes, values, **options)
        return target.to_matrix(order[codes]), target
    matrix, classes = read_label_column(y, classes, strings=found, **options)
    return matrix, Target(MULTILABEL, classes)


def read_class_column(y: Any, target: Target) -> NDArray[np.intp]:
    """Return the classes of rows as `read_classes` does."""
    return np.concatenate([*_read_each(y, lambda rows: read_classes(rows, target))])


def _has_classes(y: TableFile, name: str, delimiter: str | None) -> bool:
    """Return whether each row has one class."""
    return class_column(next(label_parts(y), []), name, delimiter) is not None


def _read_values(y: Any, name: str) -> tuple[NDArray[np.intp], list[Any]]:
    """Return what `read_values` does for all parts together."""
    numbers: dict[Any, int] = {}
    codes = []
    for own, values in _read_each(y, lambda rows: read_values(rows, name=name)):
        known = [numbers.setdefault(value, len(numbers)) for value in values]
        codes.append(np.array(known, dtype=np.intp)[own])
    return np.concatenate(codes), list(numbers)


def _read_each(y: Any, read: Callable[[Any], Any]) -> Iterator[Any]:
    """Yield what is read of each part; an error has a note with the first row of its part."""
    if not isinstance(y, TableFile):
        yield read(y)
        return
    start = 0
    for rows in label_parts(y):
        try:
            yield read(rows)
        except ValueError as error:
            error.add_note(f"Rows of y are counted from row {start} of X here.")
            raise
        start += len(rows)
