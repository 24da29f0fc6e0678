"""One number per evaluation, by which trainings and searches compare models."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.metrics._roc_auc import mean_roc_auc
from multimodal_ensemble.metrics._thresholds import apply_thresholds, tune_thresholds

ScoringFunction: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], float]


def _mean_average_precision(y_true: NDArray[np.bool_], y_score: NDArray[Any]) -> float:
    return float(average_precision_score(y_true, y_score, average="macro"))


def _mean_f1(y_true: NDArray[np.bool_], y_score: NDArray[Any]) -> float:
    thresholds = tune_thresholds(y_true, y_score, criterion="f1")
    predicted = apply_thresholds(y_score, thresholds).astype(bool)
    n_either = predicted.sum(axis=0) + y_true.sum(axis=0)
    return float((2 * (predicted & y_true).sum(axis=0) / n_either).mean())


_FUNCTIONS: dict[str, ScoringFunction] = {
    "mean_roc_auc": mean_roc_auc,
    "mean_average_precision": _mean_average_precision,
    "f1": _mean_f1,
}


def check_scoring(scoring: Any, *, name: str = "scoring", others: Sequence[str] = ()) -> None:
    """Check that `compute_score` accepts a scoring.

    Parameters
    ----------
    scoring : object
        A name or a callable, as `compute_score` takes it.
    name : str, default="scoring"
        What messages call it.
    others : sequence of str, default=()
        More names that are valid.

    Raises
    ------
    ValueError
        If it is neither a valid name nor a callable of two arguments.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import check_scoring
    >>> check_scoring("f1")
    >>> check_scoring("f2")
    Traceback (most recent call last):
        ...
    ValueError: scoring must be one of 'mean_roc_auc', ... Received scoring='f2'.
    """
    if not callable(scoring):
        check_choice(scoring, (*_FUNCTIONS, *others), name=name)
        return
    try:
        inspect.signature(scoring).bind(None, None)
    except TypeError as error:
        msg = (
            f"A callable {name} is called as {name}(y_true, y_score) and must return a number, "
            f"greater for better scores. The call would fail: {error}."
        )
        raise ValueError(msg) from error
    except ValueError:
        # Some callables that are written in C have no signature.
        return


def compute_score(
    scoring: str | ScoringFunction,
    y_true: NDArray[np.bool_],
    y_score: NDArray[Any],
    *,
    name: str = "scoring",
) -> float:
    """Return one number for the scores of some rows, greater for better scores.

    Parameters
    ----------
    scoring : str or callable
        ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"f1"`` (the mean over labels of the
        highest F1 that a threshold reaches), or a callable that takes `y_true` (0 or 1) and
        `y_score`, both of shape (n_samples, n_labels), and returns a number. The named ones leave
        out labels of one class.
    y_true : ndarray of shape (n_samples, n_labels), bool
        Multi-hot labels.
    y_score : ndarray of shape (n_samples, n_labels)
        Finite scores, higher for the positive class.
    name : str, default="scoring"
        What messages call the scoring.

    Returns
    -------
    float
        From 0 to 1 for the named ones; NaN if no label has rows of both classes.

    Raises
    ------
    TypeError
        If a callable does not return a number.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.metrics import compute_score
    >>> y_true = np.array([[True, False], [False, False], [True, False]])
    >>> y_score = np.array([[0.9, 0.2], [0.4, 0.1], [0.3, 0.3]])
    >>> compute_score("mean_roc_auc", y_true, y_score)
    0.5
    """
    if isinstance(scoring, str):
        columns = y_true.any(axis=0) & ~y_true.all(axis=0)
        if not columns.any():
            return float("nan")
        return _FUNCTIONS[scoring](y_true[:, columns], y_score[:, columns])
    # Copies, so that the callable cannot change the labels or the scores.
    value = scoring(y_true.astype(np.int64), y_score.copy())
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf":
        msg = (
            f"A callable {name} must return one number, greater for better scores. Received "
            f"{value!r} from {scoring!r}."
        )
        raise TypeError(msg)
    return float(number)
