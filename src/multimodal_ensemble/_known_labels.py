"""Labels of which some are unknown: in which rows a label is present, absent or neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import read_label_array, row_blocks, to_booleans


def read_known_labels(
    y_true: Any, *, name: str = "y_true"
) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Return a multi-hot label matrix, and which entries are known, or None if all of them are.

    Entries that are NaN or missing are unknown, and False in the matrix.
    """
    array = read_label_array(y_true, name)
    if array.dtype.kind not in ("f", "O"):
        return to_booleans(array, name), None
    # pandas tells None, NaN and pandas.NA in arrays of objects.
    if not any(pd.isna(array[rows]).any() for rows in row_blocks(array.shape)):
        return to_booleans(array, name), None
    known = ~pd.isna(array)
    if not known.any():
        msg = f"{name} has no known label: all of its entries are missing."
        raise ValueError(msg)
    return to_booleans(np.where(known, array, 0), name), known


def known_labels(y: NDArray[np.bool_], weight: NDArray[Any] | None) -> NDArray[Any]:
    """Return labels for metrics: float32 with NaN where a row has no weight for a label."""
    if weight is None or weight.ndim == 1 or weight.all():
        return y
    known: NDArray[np.float32] = np.where(weight > 0, y, np.float32(np.nan))
    return known


def label_shares(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of rows that have each label, among those where it is known; else 0."""
    if y.dtype == np.bool_:
        return np.asarray(y.mean(axis=0))
    known = ~np.isnan(y)
    return np.asarray(np.where(known, y, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
