"""What the `threshold` of a classifier may be, and the numbers that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.metrics import check_criterion, tune_thresholds

# Where nobody says anything else: a sigmoid of more than a half.
_HALF = 0.5


def is_criterion(threshold: Any) -> bool:
    """Return whether thresholds are to be learned."""
    return isinstance(threshold, str) or callable(threshold)


def check_threshold(threshold: Any) -> None:
    """Raise a ValueError if `threshold` is a criterion that cannot be maximised."""
    if is_criterion(threshold):
        check_criterion(threshold, name="threshold")


def learn_thresholds(
    threshold: Any, classes: NDArray[Any], y_true: NDArray[np.bool_], y_score: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return one threshold a label, learned from rows or as given.

    Raises
    ------
    ValueError
        If numbers do not fit the labels.
    """
    if is_criterion(threshold):
        return tune_thresholds(y_true, y_score, criterion=threshold)
    return given_thresholds(threshold, classes)


def given_thresholds(threshold: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return one threshold a label from None, a number, an array, or a mapping from labels."""
    if threshold is None:
        threshold = _HALF
    if isinstance(threshold, pd.Series) and not isinstance(threshold.index, pd.RangeIndex):
        # By its labels, not by its order.
        threshold = threshold.to_dict()
    if not isinstance(threshold, Mapping | Sequence | bool) and np.ndim(threshold) == 0:
        threshold = np.full(len(classes), threshold)
    if isinstance(threshold, Mapping):
        names = classes.tolist()
        if set(threshold) != set(names):
            msg = (
                f"threshold must have a value for each label. Missing: "
                f"{[name for name in names if name not in threshold]}. Not a label: "
                f"{[name for name in threshold if name not in names]}."
            )
            raise ValueError(msg)
        threshold = [threshold[name] for name in names]
    try:
        values = np.asarray(threshold)
    except ValueError:
        # Lists of different lengths.
        values = np.empty(0, dtype=object)
    if values.dtype.kind not in "iuf" or values.shape != (len(classes),) or np.isnan(values).any():
        msg = (
            "threshold must be the name of a criterion, a callable, None, a number, or one number "
            f"for each of the {len(classes)} labels, none of them NaN. "
            f"Received threshold={threshold!r}."
        )
        raise ValueError(msg)
    return values.astype(np.float64)
