"""Co-occurrence of labels, as a table and as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._figures import new_figure, shorten
from multimodal_ensemble._tables import from_arrow
from multimodal_ensemble._validation import check_choice, check_label_matrix, check_label_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# With more labels, the numbers in the cells of a heat map would overlap.
_MOST_NUMBERED = 25
# The colour scale ends at this lift and at its inverse.
_STRONGEST_LIFT = 4.0


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
    numbered = len(table) <= _MOST_NUMBERED
    size = 1.6 + 0.62 * max(4, min(len(table), _MOST_NUMBERED))
    figure = new_figure(1.15 * size, size)
    from matplotlib.colors import LogNorm, Normalize

    pairs = table.to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(pairs, np.nan)
    shaded = np.ma.masked_invalid(pairs)
    # On a logarithmic scale, a lift of 1/2 and of 2 are equally far from independence.
    norm = (
        LogNorm(1 / _STRONGEST_LIFT, _STRONGEST_LIFT, clip=True)
        if normalize == "lift"
        else Normalize(0, float(np.nanmax(pairs, initial=0)) or 1.0)
    )
    axis = figure.subplots()
    axis.set_facecolor("#dddddd")
    image = axis.imshow(shaded, cmap="PuOr_r" if normalize == "lift" else "Blues", norm=norm)
    names = [shorten(name, 24) for name in table.index]
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel("also has")
    axis.set_ylabel(f"of the {unit} with")
    if not numbered:
        bar = figure.colorbar(image)
        if normalize == "lift":
            bar.set_ticks([0.25, 0.5, 1, 2, 4], labels=["1/4", "1/2", "1", "2", "4"])
            bar.minorticks_off()
        return figure
    # The colour of a number depends on the brightness of its background.
    brightness = image.to_rgba(shaded)[..., :3].mean(axis=-1)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        is_dark = np.isfinite(pairs[row, column]) and brightness[row, column] < 0.55
        colour = "white" if is_dark else "#222222"
        text = "" if np.isnan(value) else f"{value:,}" if normalize is None else f"{value:.2f}"
        axis.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    return figure
