"""The value of a validation that chooses the best weights and stops a training."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.metrics import apply_thresholds, tune_thresholds

MonitorFunction: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], float]

# The columns of the history with the values of monitors that each evaluation computes anyway.
_KNOWN_COLUMNS = {"mean_roc_auc": "mean_roc_auc", "loss": "validation_loss"}


def _mean_average_precision(y_true: NDArray[np.bool_], y_score: NDArray[np.float32]) -> float:
    return float(average_precision_score(y_true, y_score, average="macro"))


def _mean_f1(y_true: NDArray[np.bool_], y_score: NDArray[np.float32]) -> float:
    thresholds = tune_thresholds(y_true, y_score, criterion="f1")
    predicted = apply_thresholds(y_score, thresholds).astype(bool)
    n_either = predicted.sum(axis=0) + y_true.sum(axis=0)
    return float((2 * (predicted & y_true).sum(axis=0) / n_either).mean())


_FUNCTIONS: dict[str, MonitorFunction] = {
    "mean_average_precision": _mean_average_precision,
    "f1": _mean_f1,
}


def check_monitor(monitor: Any) -> None:
    """Check that a monitor can choose the best weights of a training.

    Parameters
    ----------
    monitor : object
        A name or a callable, as `fit_model` accepts it.

    Raises
    ------
    ValueError
        If it is neither the name of a monitor nor a callable of two arguments.

    Examples
    --------
    >>> from multimodal_ensemble.training import check_monitor
    >>> check_monitor("f1")
    >>> check_monitor("f2")
    Traceback (most recent call last):
        ...
    ValueError: monitor must be one of 'mean_roc_auc', ... Received monitor='f2'.
    """
    if not callable(monitor):
        check_choice(monitor, (*_KNOWN_COLUMNS, *_FUNCTIONS), name="monitor")
        return
    try:
        inspect.signature(monitor).bind(None, None)
    except TypeError as error:
        msg = (
            "A callable monitor is called as monitor(y_true, y_score) and must return a number, "
            f"greater for better scores. The call would fail: {error}."
        )
        raise ValueError(msg) from error
    except ValueError:
        # Some callables that are written in C have no signature.
        return


def monitor_column(monitor: str | MonitorFunction) -> str:
    """Return the column of the history that holds the value of a monitor."""
    return _KNOWN_COLUMNS.get(monitor, monitor) if isinstance(monitor, str) else "monitor"


def compute_monitor(
    monitor: str | MonitorFunction,
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    has_both_classes: NDArray[np.bool_],
) -> float | None:
    """Return the value of a monitor; None if each evaluation computes it anyway.

    Those with a name are means over the labels that have both classes. A callable receives all.
    """
    if isinstance(monitor, str):
        function = _FUNCTIONS.get(monitor)
        columns = has_both_classes
        return None if function is None else function(y_true[:, columns], y_score[:, columns])
    # Copies, so that the callable cannot change the labels or the scores.
    value = monitor(y_true.astype(np.int64), y_score.copy())
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf":
        msg = (
            "A callable monitor must return one number, greater for better scores. Received "
            f"{value!r} from {monitor!r}."
        )
        raise TypeError(msg)
    return float(number)


def rank(monitor: str | MonitorFunction, entry: dict[str, Any]) -> tuple[float, float]:
    """Return what is greater for the better of two evaluations: the lower loss breaks ties."""
    value = entry[monitor_column(monitor)]
    if monitor == "loss":
        value = -value
    return (-np.inf if np.isnan(value) else value), -entry["validation_loss"]
