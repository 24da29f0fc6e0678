"""Criteria that thresholds maximise, as functions of the counts at each candidate threshold.

The first candidate predicts no row positive, so that `fn` holds all positives and `tn` all
negatives.

While the counts are whole numbers, each criterion returns the same float for candidates with
mathematically equal values. Otherwise rounding would break ties at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, check_choice

CriterionFunction: TypeAlias = Callable[
    [FloatArray, FloatArray, FloatArray, FloatArray], NDArray[Any]
]
CriterionName: TypeAlias = Literal["accuracy", "balanced_accuracy", "f1", "prevalence"]


def _accuracy(tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray) -> FloatArray:
    # The number of rows is the same for all candidates, so dividing by it is unnecessary.
    return tp + tn


def _balanced_accuracy(
    tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray
) -> FloatArray:
    # This is tp / p + tn / n, multiplied by p * n, because products of whole numbers are exact
    # and quotients are not. If a class is absent, only the rate of the other class counts.
    positives = float(fn[0]) or 1.0
    negatives = float(tn[0]) or 1.0
    return tp * negatives + tn * positives


def _f1(tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray) -> FloatArray:
    # This is half of F1. A single division rounds equal fractions to the same float.
    positives = float(fn[0])
    return tp / (tp + fp + positives) if positives else np.zeros_like(tp)


def _prevalence(tp: FloatArray, fp: FloatArray, fn: FloatArray, tn: FloatArray) -> FloatArray:
    # The number of predictions minus the number of positives.
    return -np.abs(fp - fn)


CRITERIA: Mapping[str, CriterionFunction] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "prevalence": _prevalence,
}

# Criteria that a false positive can only lower, so that only scores of positives are candidates.
LOWERED_BY_FALSE_POSITIVES = frozenset({"accuracy", "balanced_accuracy", "f1"})


def check_criterion(criterion: object, *, name: str = "criterion") -> None:
    """Check that a criterion can be maximised by `tune_thresholds`.

    A callable is called once with two candidate thresholds, so that mistakes in it are found
    before a long training rather than after it.

    Parameters
    ----------
    criterion : object
        A name or a callable, as `tune_thresholds` accepts it.
    name : str, default="criterion"
        What the message calls it.

    Raises
    ------
    ValueError
        If it is neither the name of a criterion nor a callable, or the callable does not accept
        four arrays of counts or does not return one value per candidate.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import check_criterion
    >>> check_criterion("f1")
    >>> check_criterion("f2")
    Traceback (most recent call last):
        ...
    ValueError: criterion must be one of 'accuracy', ... Received criterion='f2'.
    """
    if not callable(criterion):
        check_choice(criterion, tuple(CRITERIA), name=name)
        return
    predicted, rejected = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    try:
        evaluate_callable(criterion, (predicted, predicted, rejected, rejected), column=0)
    except TypeError as error:
        msg = (
            f"A callable {name} is called as {name}(tp, fp, fn, tn) with four arrays of counts "
            "and must return an array of the values to maximise; see tune_thresholds. "
            f"The call failed: {error}."
        )
        raise ValueError(msg) from error


def evaluate_callable(
    criterion: CriterionFunction, counts: tuple[FloatArray, ...], *, column: int
) -> FloatArray:
    """Return the values of a user's criterion, with NaN replaced by minus infinity."""
    shape = counts[0].shape
    # A precision is 0 / 0 where no row is predicted positive; NaN then ranks last.
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(criterion(*counts), dtype=np.float64)
    if values.shape != shape:
        msg = (
            "criterion must return one value per candidate threshold, in an array of the same "
            f"shape as its arguments, {shape}. Received shape {values.shape} for label column "
            f"{column}. Compute with whole arrays: tp, fp, fn and tn hold one count per candidate."
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
