"""What estimators receive as X and y, as tables and multi-hot labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from multimodal_ensemble._labels import find_rare, label_array, label_format, read_labels
from multimodal_ensemble._open_table import open_table, read_tables
from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._tables import (
    abbreviate,
    check_columns,
    from_arrow,
    is_missing,
    table_names,
    to_frame,
)
from multimodal_ensemble._validation import check_at_least

# The column, and the modality, that an array of numbers becomes.
_ARRAY_COLUMN = "features"
# Tables in files are read into memory if they take no more.
_KEPT_BYTES = 2**27
# Distinct strings of labels that show how they are split.
_MAX_DISTINCT = 10_000
# Rows of which labels are read at once.
_ROWS_PER_PART = 32_768


def check_label_options(delimiter: Any, min_count: Any) -> None:
    """Raise a ValueError unless these can say how strings hold labels and which labels are kept."""
    if delimiter is not None and not (isinstance(delimiter, str) and delimiter):
        msg = (
            "label_delimiter must be a string that is not empty, such as '|', or None. Received "
            f"label_delimiter={delimiter!r}."
        )
        raise ValueError(msg)
    check_at_least(min_count, 1, name="min_label_count")


def split_labels(X: Any, y: Any) -> tuple[Any, Any]:
    """Return X without the column that y names, and that column; others as they are."""
    if not isinstance(y, str):
        return X, y
    if is_lazy(X):
        X = open_table(X)
    names = table_names(X) if not isinstance(X, Mapping) else list(X)
    if y not in (names or []):
        msg = (
            f"y={y!r} names a column of X, which X does not have. X has {abbreviate(names or [])}. "
            "Otherwise, pass the labels of each row."
        )
        raise ValueError(msg)
    if isinstance(X, TableFile):
        return X.without(y), X.select([y])
    if isinstance(X, Mapping):
        return {name: X[name] for name in X if name != y}, X[y]
    X = from_arrow(X)
    return X.drop(columns=y), X[y]


def read_label_column(
    y: Any,
    classes: NDArray[Any] | None,
    *,
    name: str = "y",
    delimiter: str | None = None,
    min_count: int = 1,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return labels as `read_labels` does, those of a table in files part by part."""
    if not isinstance(y, TableFile):
        return read_labels(
            y, classes, name=name, delimiter=delimiter, min_count=min_count, report=report
        )
    found = label_format(_distinct_strings(y), delimiter, classes, name, report)

    def parts() -> Iterator[list[Any]]:
        for rows in _label_parts(y):
            # A part may have no strings but missing ones.
            yield rows if found is None else found.split(rows)

    rare: set[Any] = set()
    if classes is None:
        counts: Counter[Any] = Counter()
        for rows in parts():
            # A part in which no row has a label is no reason to refuse the others.
            if any(np.size(row) for row in rows if row is not None):
                matrix, columns = read_labels(rows, name=name)
                counts.update(dict(zip(columns.tolist(), matrix.sum(axis=0).tolist(), strict=True)))
        rare = find_rare(counts, min_count, name, report)
        classes = label_array(sorted(counts.keys() - rare)) if counts else None
    positive = []
    for number, rows in enumerate(parts()):
        kept = [[label for label in row if label not in rare] for row in rows] if rare else rows
        try:
            positive.append(read_labels(kept, classes, name=name)[0])
        except ValueError as error:
            start = number * _ROWS_PER_PART
            error.add_note(f"Rows of y are counted from row {start} of X here.")
            raise
    return np.concatenate(positive), np.asarray(classes)


def _distinct_strings(y: TableFile) -> list[str]:
    """Return many distinct strings of a column, or none if it holds anything else."""
    distinct: set[str] = set()
    for rows in _label_parts(y):
        if not all(isinstance(row, str) or is_missing(row) for row in rows):
            return []
        distinct.update(row for row in rows if isinstance(row, str))
        if len(distinct) > _MAX_DISTINCT:
            break
    return sorted(distinct)


def _label_parts(y: TableFile) -> Iterator[list[Any]]:
    for part in y.blocks(_ROWS_PER_PART):
        yield part.iloc[:, 0].tolist()


def is_lazy(X: Any) -> bool:
    """Return whether X is a table in files, or an iterator of tables."""
    return isinstance(X, str | PathLike | Iterator | TableFile)


def read_large_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame | TableFile:
    """Return X as `read_table` does, but a table in files as it is if it is large."""
    if not is_lazy(X):
        return read_table(estimator, X, reset=reset)
    table = open_table(X)
    if not isinstance(table, TableFile) or table.n_bytes <= _KEPT_BYTES:
        return read_table(estimator, table, reset=reset)
    if not len(table):
        msg = "Found 0 sample(s): X has no rows, at least 1 is needed."
        raise ValueError(msg)
    if reset:
        validate_data(estimator, pd.DataFrame(columns=table.columns), skip_check_array=True)
    return table


def read_parts(estimator: Any, X: Any) -> Iterator[pd.DataFrame | TableFile]:
    """Yield the rows of X as tables: one, or those of an iterator."""
    if not isinstance(X, Iterator):
        yield read_large_table(estimator, X, reset=False)
        return
    for table in read_tables(X):
        if len(table):
            yield read_table(estimator, table, reset=False)


def read_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a DataFrame with one column per raw column and its rows in order.

    An array of numbers becomes one column of vectors. With `reset`, scikit-learn sets the
    `n_features_in_` and `feature_names_in_` of the estimator; without, it compares them.
    """
    if is_lazy(X):
        table = open_table(X)
        X = table.frame() if isinstance(table, TableFile) else table
    X = from_arrow(X)
    # One kind of sparse matrix is also a mapping.
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        X = to_frame(X)
    is_rows = isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Mapping)
    if isinstance(X, bytes | pd.Series) or is_rows:
        msg = (
            "X must be a DataFrame, a mapping of columns, or an array of numbers. Received "
            f"{type(X).__name__}; try pandas.DataFrame(X), or X.to_frame().T for a single row."
        )
        raise ValueError(msg)
    if not isinstance(X, pd.DataFrame):
        if isinstance(X, np.ma.MaskedArray):
            # scikit-learn would read the numbers under the mask, which become None in a list.
            X = X.tolist()
        # The encoder checks the values: scikit-learn would parse strings and time spans as numbers.
        array = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
        return pd.DataFrame({_ARRAY_COLUMN: list(array)})
    check_columns(X)
    if not len(X):
        msg = f"Found 0 sample(s): X has no rows (columns {list(X.columns)}), at least 1 is needed."
        raise ValueError(msg)
    if reset:
        # Prediction does not compare the columns: encoders find theirs by name, and the columns of
        # an optional modality may be absent.
        validate_data(estimator, X, skip_check_array=True)
    return X
