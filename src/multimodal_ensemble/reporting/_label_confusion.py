"""Which labels are predicted in place of which, as a table and as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_names import in_label_order
from multimodal_ensemble._tables import check_same_index, from_arrow
from multimodal_ensemble._validation import check_choice, check_label_matrix, check_label_names
from multimodal_ensemble.reporting._label_matrix import plot_label_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def label_confusion(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[str] | None = None,
    *,
    normalize: str | None = "row",
) -> pd.DataFrame:
    """Return which labels are predicted in place of which.

    Rows have several labels, so that a confusion is counted for pairs: a row confuses label i with
    label j if it has i and not j, and j is predicted and not i. On the diagonal are the rows that
    have the label and for which it is predicted.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_labels)
        True and predicted labels, multi-hot, 0 or 1. Two DataFrames are paired by their columns.
    labels : sequence of n_labels str, optional
        Names of the labels. None uses the columns of `y_true` or else of `y_pred` if they are
        DataFrames, and column numbers otherwise.
    normalize : {None, "row"}, default="row"
        None returns numbers of rows, and ``"row"`` divides them by the number of rows that have the
        label of the table's row; then the diagonal is the recall.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        One row per true label and one column per predicted label. With ``"row"``, a label that no
        row has is NaN. A row may confuse a label with several others, so that shares may add up to
        more than 1.

    Raises
    ------
    ValueError
        If a matrix is not multi-hot, the shapes differ, or the names of rows, labels or
        `normalize` do not fit.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import label_confusion
    >>> y_true = [[1, 0], [1, 0], [0, 1], [1, 1]]
    >>> y_pred = [[1, 0], [0, 1], [0, 1], [1, 0]]
    >>> label_confusion(y_true, y_pred, ["Drama", "Crime"]).round(2)
           Drama  Crime
    label
    Drama   0.67   0.33
    Crime   0.00   0.50
    """
    check_choice(normalize, [None, "row"], name="normalize")
    y_true, y_pred = from_arrow(y_true, name="y_true"), from_arrow(y_pred, name="y_pred")
    check_same_index(y_true=y_true, y_pred=y_pred)
    columns = getattr(y_true, "columns", None)
    if hasattr(y_pred, "columns"):
        y_pred = in_label_order(y_pred, columns, name="y_pred")
        columns = y_pred.columns if columns is None else columns
    true, predicted = check_label_matrix(y_true), check_label_matrix(y_pred, name="y_pred")
    if true.shape != predicted.shape:
        msg = (
            "y_true and y_pred must have the same shape. Received "
            f"{true.shape} and {predicted.shape}."
        )
        raise ValueError(msg)
    names = check_label_names(labels, true.shape[1], columns=columns)
    # BLAS multiplies only floats; counts below 2**53 are exact.
    missed = (true & ~predicted).astype(np.float64)
    confused = missed.T @ (predicted & ~true).astype(np.float64)
    np.fill_diagonal(confused, (true & predicted).sum(axis=0))
    values: NDArray[Any] = confused.astype(np.int64)
    if normalize == "row":
        # 0 / 0 is NaN for labels that do not occur.
        with np.errstate(invalid="ignore"):
            values = confused / true.sum(axis=0)[:, np.newaxis]
    return pd.DataFrame(values, index=pd.Index(names, name="label"), columns=names)


def plot_label_confusion(
    y_true: Any,
    y_pred: Any,
    labels: Sequence[str] | None = None,
    *,
    normalize: str | None = "row",
    unit: str = "rows",
) -> Figure:
    """Plot `label_confusion` as a heat map.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples, n_labels)
        True and predicted labels, multi-hot, 0 or 1.
    labels : sequence of n_labels str, optional
        Names of the labels, as in `label_confusion`.
    normalize : {None, "row"}, default="row"
        As in `label_confusion`.
    unit : str, default="rows"
        What a row represents, for the axis label.

    Returns
    -------
    matplotlib.figure.Figure
        A heat map whose colours cover the pairs of different labels; the diagonal is grey.

    Raises
    ------
    ValueError
        As in `label_confusion`.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import plot_label_confusion
    >>> y_true, y_pred = [[1, 0], [0, 1]], [[0, 1], [0, 1]]
    >>> figure = plot_label_confusion(y_true, y_pred, ["Drama", "Crime"])
    >>> figure.axes[0].get_xlabel()
    'predicted in its place (diagonal: predicted correctly)'
    """
    return plot_label_matrix(
        label_confusion(y_true, y_pred, labels, normalize=normalize),
        x="predicted in its place (diagonal: predicted correctly)",
        y=f"of the {unit} with",
        kind="count" if normalize is None else "share",
    )
