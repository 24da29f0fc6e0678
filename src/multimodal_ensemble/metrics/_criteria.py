"""What a threshold can maximise: functions of the counts at every candidate threshold.

The first candidate is never: there all positives are in `fn` and all negatives in `tn`.

Each is written so that candidates of mathematically equal worth get the same float while the
counts are whole numbers (no weights, or whole ones); otherwise rounding would break ties at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray

CriterionFunction: TypeAlias = Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray], NDArray[Any]
]
CriterionName: TypeAlias = Literal["accuracy", "balanced_accuracy", "f1"]


def _accuracy(tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray) -> FloatArray:
    # The number of rows is the same for every candidate, so dividing by it changes nothing.
    return tp + tn


def _balanced_accuracy(
    tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray
) -> FloatArray:
    # tp / p + tn / n times p * n: products of whole numbers stay exact where quotients round.
    # An absent class counts as 1, so that the rate of the other class alone decides.
    positives = float(fn[0]) or 1.0
    negatives = float(tn[0]) or 1.0
    return tp * negatives + tn * positives


def _f1(tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray) -> FloatArray:
    # Half of F1. A single division rounds equal fractions to the same float.
    positives = float(fn[0])
    return tp / (tp + fp + positives) if positives else np.zeros_like(tp)


CRITERIA: Mapping[str, CriterionFunction] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
}


def evaluate_callable(
    criterion: CriterionFunction, counts: tuple[FloatArray, ...], *, column: int
) -> FloatArray:
    """Return the values of a user's criterion with NaN as the worst value there is.

    Raises
    ------
    ValueError
        If it does not return one value a candidate, or nothing but NaN.
    """
    shape = counts[0].shape
    # A precision is 0 / 0 where nothing is predicted: that is what NaN as worst is for.
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(criterion(*counts), dtype=np.float64)
    if values.shape != shape:
        msg = (
            "criterion must return one value for each candidate threshold, an array of the shape "
            f"of its arguments, {shape}. Received shape {values.shape} for label column {column}. "
            "Compute with whole arrays: tp, fp, fn and tn hold one count a candidate."
        )
        raise ValueError(msg)
    undefined = np.isnan(values)
    if undefined.all():
        msg = (
            "criterion must return a number for at least one candidate threshold. "
            f"Received only NaN for label column {column}. "
            "Return a number, such as 0, where the criterion is undefined."
        )
        raise ValueError(msg)
    return np.where(undefined, -np.inf, values)
