"""The value of a validation that chooses the best weights and stops a training."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.metrics import ScoringFunction, check_scoring, compute_score

MonitorFunction: TypeAlias = ScoringFunction

# The columns of the history with the values of monitors that each evaluation computes anyway.
_KNOWN_COLUMNS = {"mean_roc_auc": "mean_roc_auc", "loss": "validation_loss"}


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
    check_scoring(monitor, name="monitor", others=("loss",))


def monitor_column(monitor: str | MonitorFunction) -> str:
    """Return the column of the history that holds the value of a monitor."""
    return _KNOWN_COLUMNS.get(monitor, monitor) if isinstance(monitor, str) else "monitor"


def compute_monitor(
    monitor: str | MonitorFunction, y_true: NDArray[np.bool_], y_score: NDArray[np.float32]
) -> float | None:
    """Return the value of a monitor; None if each evaluation computes it anyway.

    Those with a name are means over the labels that have both classes. A callable receives all.
    """
    if isinstance(monitor, str) and monitor in _KNOWN_COLUMNS:
        return None
    return compute_score(monitor, y_true, y_score, name="monitor")


def rank(monitor: str | MonitorFunction, entry: dict[str, Any]) -> tuple[float, float]:
    """Return what is greater for the better of two evaluations: the lower loss breaks ties."""
    value = entry[monitor_column(monitor)]
    if monitor == "loss":
        value = -value
    return (-np.inf if np.isnan(value) else value), -entry["validation_loss"]
