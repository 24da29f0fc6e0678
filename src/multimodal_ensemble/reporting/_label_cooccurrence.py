"""Co-occurrence of labels, as a table and as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import from_arrow
from multimodal_ensemble._validation import check_choice, check_label_matrix, check_label_names
from multimodal_ensemble.reporting._label_matrix import plot_label_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def label_cooccurrence(
    y_true: Any, labels: Sequence[str] | None = None, *, normalize: str | None = None
) -> pd.DataFrame:
    """Return how often each pair of labels occurs in the same row.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    labels : sequence of n_labels str, optional
        Names of the labels. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers otherwise.
    normalize : {None, "row", "lift"}, default=None
        None counts rows. ``"row"`` divides by the count of the row label and estimates
        P(column | row). ``"lift"`` [1]_ is P(column | row) / P(column): it is above 1 for labels
        that occur together more often than independent labels, and below 1 for labels that occur
        together less often.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        The index, named ``label``, and the columns are the labels in the order of `y_true`. The
        diagonal pairs each label with itself. A share or lift of a label that does not occur is
        NaN.

    Raises
    ------
    ValueError
        If `y_true` is not a multi-hot matrix, `labels` has the wrong length, or `normalize` is
        unknown.

    References
    ----------
    .. [1] S. Brin, R. Motwani, J. D. Ullman, S. Tsur, "Dynamic itemset counting and implication
       rules for market basket data", SIGMOD 1997, where it is called interest.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import label_cooccurrence
    >>> y_true = [[1, 1], [1, 0], [0, 0], [1, 0]]
    >>> label_cooccurrence(y_true, ["Drama", "Crime"])
           Drama  Crime
    label
    Drama      3      1
    Crime      1      1
    >>> label_cooccurrence(y_true, ["Drama", "Crime"], normalize="row").round(2)
           Drama  Crime
    label
    Drama    1.0   0.33
    Crime    1.0   1.00
    """
    check_choice(normalize, [None, "row", "lift"], name="normalize")
    y_true = from_arrow(y_true, name="y_true")
    positive = check_label_matrix(y_true)
    names = check_label_names(labels, positive.shape[1], columns=getattr(y_true, "columns", None))
    # BLAS multiplies only floats; counts below 2**53 are exact.
    y = positive.astype(np.float64)
    both = y.T @ y
    count = both.diagonal()
    values: NDArray[Any] = both.astype(np.int64)
    if normalize is not None:
        # 0 / 0 is NaN for labels that do not occur.
        with np.errstate(invalid="ignore"):
            values = both / count[:, np.newaxis]
            if normalize == "lift":
                values /= count / len(y)
    return pd.DataFrame(values, index=pd.Index(names, name="label"), columns=names)


def plot_label_cooccurrence(
    y_true: Any,
    labels: Sequence[str] | None = None,
    *,
    normalize: str | None = "row",
    unit: str = "rows",
) -> Figure:
    """Plot `label_cooccurrence` as a heat map.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    labels : sequence of n_labels str, optional
        Names of the labels. None uses the columns of `y_true` if it is a DataFrame, and column
        numbers otherwise.
    normalize : {None, "row", "lift"}, default="row"
        As in `label_cooccurrence`.
    unit : str, default="rows"
        What a row represents, for the axis label.

    Returns
    -------
    matplotlib.figure.Figure
        A heat map whose colours cover the pairs of different labels. The diagonal and undefined
        values are grey. With up to 25 labels, each cell shows its number.

    Raises
    ------
    ValueError
        As in `label_cooccurrence`.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import plot_label_cooccurrence
    >>> figure = plot_label_cooccurrence([[1, 1], [1, 0], [0, 1]], ["Drama", "Crime"])
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('also has', 'of the rows with')
    """
    table = label_cooccurrence(y_true, labels, normalize=normalize)
    return plot_label_matrix(
        table,
        x="also has",
        y=f"of the {unit} with",
        kind="lift" if normalize == "lift" else "count" if normalize is None else "share",
    )
