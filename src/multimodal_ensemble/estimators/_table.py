"""The X of an estimator as one table of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from sklearn.utils.validation import validate_data

from multimodal_ensemble._tables import to_frame
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders import Encoder

# The column, and the modality, that an array of numbers becomes.
ARRAY_COLUMN = "features"


def read_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a DataFrame with one column per raw column and its rows in order.

    Parameters
    ----------
    estimator : BaseEstimator
        scikit-learn sets or compares its `n_features_in_` and `feature_names_in_`.
    X : DataFrame, mapping of str to sequence, or array-like of shape (n_samples, n_features)
        An array of numbers becomes one column of vectors.
    reset : bool
        Whether X is that of a training, so that the attributes are set and not compared.

    Raises
    ------
    ValueError
        If X is empty, has columns of different lengths, or is an array that scikit-learn refuses.
    """
    # One kind of sparse matrix is also a mapping.
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        X = to_frame(X)
    is_rows = isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Mapping)
    if isinstance(X, str | bytes | Iterator | pd.Series) or is_rows:
        msg = (
            "X must be a DataFrame, a mapping of columns, or an array of numbers. Received "
            f"{type(X).__name__}; try pandas.DataFrame(X), or X.to_frame().T for a single row."
        )
        raise ValueError(msg)
    if not isinstance(X, pd.DataFrame):
        array = validate_data(estimator, X, reset=reset, dtype="numeric")
        return pd.DataFrame({ARRAY_COLUMN: list(array)})
    if not len(X):
        msg = f"Found 0 sample(s): X has no rows (columns {list(X.columns)}), at least 1 is needed."
        raise ValueError(msg)
    if reset:
        # Prediction does not compare the columns: encoders find theirs by name, and the columns of
        # an optional modality may be absent.
        validate_data(estimator, X, skip_check_array=True)
    return X


def label_columns(X: Any, y: Any) -> list[str]:
    """Return the names of columns that X and y share."""
    if not isinstance(X, pd.DataFrame | Mapping):
        return []
    names = list(y.columns) if isinstance(y, pd.DataFrame) else [getattr(y, "name", None)]
    return [name for name in names if name is not None and name in X]


def warn_of_leakage(encoders: Sequence[Encoder], columns: Sequence[str]) -> None:
    """Warn if an encoder reads a column that y is made of."""
    for encoder in encoders:
        if leaking := [column for column in encoder.columns if column in columns]:
            warn(
                f"Modality {encoder.name!r} reads the column(s) {leaking}, which are part of y, so "
                "it knows the answer. Rename the column if it is a different one."
            )
