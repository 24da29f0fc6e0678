"""What estimators receive as X and y, as tables and multi-hot labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from multimodal_ensemble._open_table import as_table, is_lazy, open_lazy, read_tables
from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._tables import check_columns, table_names

# The column, and the modality, that an array of numbers becomes.
_ARRAY_COLUMN = "features"
# Tables in files are read into memory if they take no more.
_KEPT_BYTES = 2**27


def read_large_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame | TableFile:
    """Return X as `read_table` does, but a table in files as it is if it is large."""
    if not is_lazy(X):
        return read_table(estimator, X, reset=reset)
    table = open_lazy(X)
    if table.n_bytes <= _KEPT_BYTES:
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
        yield read_table(estimator, table, reset=False)


def read_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a DataFrame with one column per raw column and its rows in order.

    An array of numbers becomes one column of vectors. With `reset`, scikit-learn sets the
    `n_features_in_` and `feature_names_in_` of the estimator; without, it compares them.
    """
    X = open_lazy(X).frame() if is_lazy(X) else as_table(X)
    first = X[0] if isinstance(X, list | tuple) and len(X) > 0 else None
    is_rows = isinstance(first, Mapping)
    if isinstance(first, str | PathLike) or table_names(first) is not None:
        msg = (
            f"X must be one table. Received a {type(X).__name__} of {type(first).__name__}. For "
            "several tables, pass an iterator of them, such as map(pandas.read_parquet, paths), or "
            "the folder of their Parquet files."
        )
        raise ValueError(msg)
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
