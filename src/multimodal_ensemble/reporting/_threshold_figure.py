"""The figure of what each threshold would give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._figures import new_panels, shorten
from multimodal_ensemble._label_names import in_label_order
from multimodal_ensemble._tables import check_same_index, from_arrow
from multimodal_ensemble._validation import check_label_matrix, check_label_names, check_scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_PER_ROW = 3
# Curves differ in dashes as well as in colour.
_STYLES = {
    "precision": ("#4878a8", "--"),
    "recall": ("#b5651d", ":"),
    "F1": ("#222222", "-"),
}


def plot_thresholds(
    y_true: Any,
    y_score: Any,
    thresholds: Any = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Plot precision, recall and F1 at each threshold, with one panel per label.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    y_score : array-like of shape (n_samples, n_labels)
        Scores in 0..1. Two DataFrames are paired by their columns.
    thresholds : float, array-like of shape (n_labels,), mapping or None, default=None
        Thresholds in use, drawn as vertical lines. Infinite ones are not drawn.
    labels : sequence of n_labels str, optional
        Names of the labels. None uses the columns of `y_true` or else of `y_score` if they are
        DataFrames, and column numbers otherwise.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per label, with the number of rows that have it. Precision ends at the highest
        score, above which nothing is predicted.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    ValueError
        If the labels are not 0 or 1, scores are outside 0..1, or shapes, names or the number of
        thresholds do not fit.

    See Also
    --------
    multimodal_ensemble.metrics.tune_thresholds : Choose the thresholds.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import plot_thresholds
    >>> y_true, y_score = [[1], [0], [1], [0]], [[0.9], [0.6], [0.4], [0.2]]
    >>> figure = plot_thresholds(y_true, y_score, 0.5, ["Drama"])
    >>> figure.axes[0].get_title()
    'Drama: 2 of 4 rows'
    """
    y_true, y_score = from_arrow(y_true, name="y_true"), from_arrow(y_score, name="y_score")
    check_same_index(y_true=y_true, y_score=y_score)
    columns = getattr(y_true, "columns", None)
    if hasattr(y_score, "columns"):
        y_score = in_label_order(y_score, columns, name="y_score")
        columns = y_score.columns if columns is None else columns
    positive = check_label_matrix(y_true)
    scores = check_scores(y_score, positive.shape).astype(np.float64)
    if scores.size and not 0 <= scores.min() <= scores.max() <= 1:
        msg = f"y_score must be in 0..1. Received {scores.min():g} to {scores.max():g}."
        raise ValueError(msg)
    n_rows, n_labels = positive.shape
    names = check_label_names(labels, n_labels, columns=columns)
    lines = _read_thresholds(thresholds, names)
    figure, axes = new_panels(n_labels, per_row=_MAX_PER_ROW, line_height=2.4, other_height=0.7)
    for number, (axis, name) in enumerate(zip(axes, names, strict=True)):
        steps, curves = _find_curves(positive[:, number], scores[:, number])
        for metric, (colour, dashes) in _STYLES.items():
            axis.plot(steps, curves[metric], dashes, color=colour, label=metric)
        if lines is not None and np.isfinite(lines[number]):
            axis.axvline(lines[number], color="#767676", linewidth=1.2, label="threshold in use")
        n_positive = int(positive[:, number].sum())
        axis.set_title(f"{shorten(name, 24)}: {n_positive:,} of {n_rows:,} rows", fontsize=9)
    shown = {
        name: handle
        for axis in axes
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        shown.values(), shown.keys(), loc="outside upper center", ncols=len(shown), frameon=False
    )
    figure.supxlabel("threshold: scores from here on are predicted", fontsize=10)
    return figure


def _read_thresholds(thresholds: Any, names: list[str]) -> NDArray[np.float64] | None:
    if thresholds is None:
        return None
    values = np.asarray(in_label_order(thresholds, names, name="thresholds"), dtype=np.float64)
    if values.ndim and values.shape != (len(names),):
        msg = (
            f"thresholds must be one number or one per label ({len(names)}). "
            f"Received shape {values.shape}."
        )
        raise ValueError(msg)
    return np.broadcast_to(values, len(names))


def _find_curves(
    positive: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the distinct scores from the highest down, and the metrics with each as threshold."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    # The last row of each run of equal scores.
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True)) if len(ordered) else order
    found = np.cumsum(positive[order])[ends]
    predicted = ends + 1.0
    n_positive = positive.sum()
    # 0 / 0 is NaN for a label that no row has.
    with np.errstate(invalid="ignore", divide="ignore"):
        return ordered[ends], {
            "precision": found / predicted,
            "recall": found / n_positive,
            "F1": 2 * found / (predicted + n_positive),
        }
