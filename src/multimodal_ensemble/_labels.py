"""Targets of several kinds as one multi-hot matrix, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import known_labels, read_known_labels
from multimodal_ensemble._label_format import LabelFormat, are_strings, find_label_format
from multimodal_ensemble._label_lists import (
    WRITTEN_BOOLEANS,
    label_array,
    read_lists,
    warn_of_unseen,
)
from multimodal_ensemble._label_names import as_strings, match_names
from multimodal_ensemble._label_strings import advise, are_printed, check_label_strings
from multimodal_ensemble._tables import (
    abbreviate,
    counted,
    from_arrow,
    is_missing,
    table_names,
    to_python,
)
from multimodal_ensemble._validation import check_at_least, check_label_matrix, find_repeated


def read_labels(
    y: Any,
    classes: NDArray[Any] | None = None,
    *,
    name: str = "y",
    delimiter: str | None = None,
    min_count: int = 1,
    may_be_unknown: bool = False,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a multi-hot matrix and the label of each of its columns.

    Where labels `may_be_unknown` and some are, the matrix is float32 with NaN, and bool otherwise.

    Parameters
    ----------
    y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), or label lists
        Multi-hot labels, or a sequence with a list, tuple or set of labels for each row, or with a
        string that holds several labels.
    classes : ndarray of shape (n_labels,), optional
        The known labels, in the order of the columns to return. Default: the labels of `y`.
    name : str
        Name of `y` in messages.
    delimiter : str, optional
        What separates labels in strings. Default: what is found.
    min_count : int
        Labels of fewer rows are left out, unless the labels are known.
    report : callable
        Receives a line about what was found in strings, and about labels that are left out.
    """
    y = from_arrow(y, name=name)
    if y is None:
        msg = f"This classifier requires y to be passed, but the target {name} is None."
        raise ValueError(msg)
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1 and any(map(_has_labels, y.iloc[:, 0])):
        msg = (
            f"{name} is a table of one column that holds lists or strings of labels. Pass the "
            f"column itself: {name}[{y.columns[0]!r}]."
        )
        raise ValueError(msg)
    lists = _as_label_lists(y, name, delimiter, classes, report)
    if lists is not None:
        if classes is None and min_count > 1:
            counts = Counter(label for row in lists for label in {*map(to_python, row)})
            rare = find_rare(counts, min_count, name, report)
            lists = [[label for label in row if to_python(label) not in rare] for row in lists]
        return read_lists(lists, classes, name)
    matrix: NDArray[Any]
    if may_be_unknown:
        matrix = known_labels(*read_known_labels(y, name=name))
    else:
        matrix = check_label_matrix(y, name=name)
    columns = list(range(matrix.shape[1]))
    if isinstance(y, pd.DataFrame):
        columns = _check_distinct(list(y.columns), name)
        check_label_strings(columns, classes, name=name)
    if classes is None:
        counts = Counter(dict(zip(columns, (matrix == 1).sum(axis=0).tolist(), strict=True)))
        rare = find_rare(counts, min_count, name, report)
        kept = [place for place, column in enumerate(columns) if column not in rare]
        return matrix[:, kept] if rare else matrix, label_array([columns[place] for place in kept])
    known = match_names(columns, classes) if isinstance(y, pd.DataFrame) else None
    if known is not None:
        return _reorder(matrix, columns, known, classes, name), classes
    if matrix.shape[1] != len(classes):
        msg = (
            f"{name} must have one column for each of the {len(classes)} labels of the training "
            f"rows, {abbreviate(classes)}. Received {matrix.shape[1]} columns."
        )
        raise ValueError(msg)
    return matrix, classes


def check_label_options(delimiter: Any, min_count: Any) -> None:
    """Raise a ValueError unless these can say how strings hold labels and which labels are kept."""
    if delimiter is not None and not (isinstance(delimiter, str) and delimiter):
        msg = (
            "label_delimiter must be a string that is not empty, such as '|', or None. Received "
            f"label_delimiter={delimiter!r}."
        )
        raise ValueError(msg)
    check_at_least(min_count, 1, name="min_label_count")


def label_columns(X: Any, y: Any) -> list[str]:
    """Return the names of columns that X and y share."""
    columns = set(X if isinstance(X, Mapping) else table_names(X) or [])
    names = [y] if isinstance(y, str) else table_names(y) or [getattr(y, "name", None)]
    return [name for name in names if name in columns]


def label_tuples(y_pred: NDArray[Any], classes: NDArray[Any]) -> list[tuple[Any, ...]]:
    """Return the names of the labels in each row of a multi-hot matrix."""
    names = classes.tolist()
    return [tuple(names[column] for column in np.flatnonzero(row)) for row in y_pred]


def find_rare(
    counts: Counter[Any], min_count: int, name: str, report: Callable[[str], object]
) -> set[Any]:
    """Return the labels of fewer rows than `min_count`, with a line about them.

    Raises
    ------
    ValueError
        If no label has so many rows.
    """
    # Labels without any row are known from a table, and are learned as such.
    rare = (
        {label for label, count in counts.items() if count < min_count} if min_count > 1 else set()
    )
    if counts and len(rare) == len(counts):
        label, count = counts.most_common(1)[0]
        msg = (
            f"No label of {name} has min_label_count={min_count} rows. The most frequent one, "
            f"{label!r}, has {count}; pass a smaller number."
        )
        raise ValueError(msg)
    if rare:
        report(
            f"{name}: {counted(len(rare), 'label')} of {len(counts)} left out, with fewer than "
            f"{min_count} rows: {abbreviate(sorted(rare, key=str))}"
        )
    return rare


def label_format(
    rows: Sequence[Any],
    delimiter: str | None,
    classes: NDArray[Any] | None,
    name: str,
    report: Callable[[str], object],
) -> LabelFormat | None:
    """Return how strings, one per row, hold labels, and report it; None for other rows."""
    if not are_strings(rows):
        return None
    known = None if classes is None else as_strings(classes)
    found = find_label_format(rows, delimiter=delimiter, classes=known)
    if found is None or (found.delimiter is not None and delimiter is None and are_printed(rows)):
        return None
    if classes is None and delimiter is None:
        report(f"{name}: strings of labels, {found.evidence}")
    return found


def _as_label_lists(
    y: Any,
    name: str,
    delimiter: str | None,
    classes: NDArray[Any] | None,
    report: Callable[[str], object],
) -> list[Any] | None:
    """Return label lists as a list, or None where `y` does not hold label lists."""
    if isinstance(y, pd.DataFrame) or hasattr(y, "toarray"):
        return None
    is_column = isinstance(y, pd.Series) or getattr(y, "ndim", None) == 1
    if is_column and getattr(y.dtype, "kind", "O") in "biufc":
        return None
    if not is_column and not isinstance(y, list | tuple):
        return None
    rows = list(y)
    if (found := label_format(rows, delimiter, classes, name, report)) is not None:
        n_missing = sum(map(is_missing, rows))
        if n_missing and classes is None:
            report(f"{name}: {counted(n_missing, 'row')} without a value, so without any label")
        return found.split(rows)
    is_list = [_is_label_list(row) for row in rows]
    if all(is_list):
        has_names = any(isinstance(label, str) for row in rows for label in row)
        lengths = {len(row) for row in rows}
        is_matrix = len(lengths) == 1 and lengths != {0} and not has_names
        return rows if is_column or not is_matrix else None
    if not is_column and not any(is_list) and not any(isinstance(row, str) for row in rows):
        return None
    position = is_list.index(False)
    row = to_python(rows[position])
    if any(isinstance(row, str) for row in rows):
        fix = advise(rows)
    else:
        how = ", as [row if numpy.iterable(row) else [] for row in y] does" * is_missing(row)
        fix = f"Give an empty list where a row has no label{how}."
    msg = (
        f"{name} must be a multi-hot matrix or hold a list of labels in each row. Received "
        f"{row!r} in row {position}. {fix}"
    )
    raise ValueError(msg)


def _has_labels(row: Any) -> bool:
    """Return whether a value is a list of labels, or a string that is no number."""
    return _is_label_list(row) or (isinstance(row, str) and row not in WRITTEN_BOOLEANS)


def _is_label_list(row: Any) -> bool:
    return isinstance(row, Collection) and not isinstance(row, str | bytes | dict)


def _reorder(
    matrix: NDArray[Any],
    columns: list[Any],
    known: dict[str, int],
    classes: NDArray[Any],
    name: str,
) -> NDArray[Any]:
    wanted = as_strings(classes)
    known_names = set(wanted)
    if absent := [label for label in classes.tolist() if str(label) not in known]:
        msg = (
            f"{name} must have a column for each label of the training rows. It has none for "
            f"{abbreviate(absent)}; add columns of zeros if no row has these labels."
        )
        raise ValueError(msg)
    if unseen := {column for column in columns if str(column) not in known_names}:
        warn_of_unseen(unseen, name)
    return matrix[:, [known[label] for label in wanted]]


def _check_distinct(names: list[Any], what: str) -> list[Any]:
    names = [to_python(name) for name in names]
    if odd := [name for name in names if not isinstance(name, str | int)]:
        msg = (
            f"The columns of {what} must be named by strings or whole numbers. Received {odd[0]!r} "
            f"of type {type(odd[0]).__name__}; rename them."
        )
        raise ValueError(msg)
    if repeated := find_repeated(as_strings(names)):
        msg = f"The columns of {what} must have distinct names. Received {repeated} more than once."
        raise ValueError(msg)
    return names
