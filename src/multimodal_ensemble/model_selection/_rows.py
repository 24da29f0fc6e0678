"""The rows of a search or a comparison, from what users pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import indexable
from sklearn.utils.validation import _num_samples

from multimodal_ensemble._labels import check_label_options, label_columns
from multimodal_ensemble._open_table import is_lazy, open_lazy, split_labels
from multimodal_ensemble._tables import check_same_index, from_arrow, to_frame
from multimodal_ensemble._target import BINARY, read_target


def read_rows(
    X: Any,
    y: Any,
    groups: Any,
    *,
    label_delimiter: str | None,
    min_label_count: int,
    verbose: int,
) -> tuple[Any, NDArray[np.bool_], Any]:
    """Return X, the labels as a matrix, and the labels or classes as the estimator receives them.

    A matrix has a column for each label or class, and of two classes for the second one.
    """
    check_label_options(label_delimiter, min_label_count)
    X, y = split_labels(open_lazy(X).frame() if is_lazy(X) else X, y)
    X = from_arrow(X)
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        X = to_frame(X)
    (X,) = indexable(X)
    check_same_index(X=X, y=y, groups=groups)
    labels, read = read_target(
        y,
        delimiter=label_delimiter,
        min_count=min_label_count,
        report=print if verbose else lambda line: None,
    )
    if labels.dtype != np.bool_:
        row = int(np.isnan(labels).any(axis=1).argmax())
        msg = (
            f"y has unknown labels (NaN), the first one in row {row}. A search or a comparison "
            "needs all labels; leave such rows or labels out."
        )
        raise ValueError(msg)
    classes = read.classes
    if _num_samples(X) != len(labels):
        msg = (
            "X and y must have the same number of rows. "
            f"Received {_num_samples(X)} rows of X and {len(labels)} rows of y."
        )
        raise ValueError(msg)
    is_table = isinstance(X, pd.DataFrame)
    if is_table:
        X = X.drop(columns=label_columns(X, y))
    if read.is_single:
        codes = labels[:, 0].astype(np.intp) if read.kind == BINARY else labels.argmax(axis=1)
        return X, labels, classes[codes]
    target: Any = labels
    if classes.tolist() != list(range(len(classes))):
        target = pd.DataFrame(labels, columns=classes, index=X.index if is_table else None)
    return X, labels, target
