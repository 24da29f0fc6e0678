"""Which labels go together, as a table and as a heat map; the latter needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import (
    check_choice,
    check_label_matrix,
    check_label_names,
)
from multimodal_ensemble.reporting._figures import _new_figure, _shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of more labels, the numbers in the cells of a heat map would run into each other.
_MOST_NUMBERED = 25
# A lift of this or more, and of its inverse or less, has the strongest colour.
_STRONGEST_LIFT = 4.0


def label_cooccurrence(
    y_true: Any, labels: Sequence[str] | None = None, *, normalize: str | None = None
) -> pd.DataFrame:
    """Return how often each pair of labels stands in the same row.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    labels : sequence of n_labels str, optional
        Names of the labels; default: the columns of a DataFrame, else numbers.
    normalize : {None, "row", "lift"}, default=None
        None counts rows. ``"row"`` is the share of the rows with the table's row label that have
        its column label as well, the estimate of P(column | row). ``"lift"`` [1]_ is that share
        divided by the share of all rows that have the column label: above 1 for labels that seek
        each other, 1 for independent ones, below 1 for labels that avoid each other.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        Index ``label`` and columns are the labels, in the order given. The diagonal holds a label
        with itself. A share or lift of a label that no row has is NaN.

    Raises
    ------
    ValueError
        If `y_true` is not a multi-hot matrix, the names do not fit it, or `normalize` is none of
        the three.

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
    positive = check_label_matrix(y_true)
    names = check_label_names(labels, positive.shape[1], y_true=y_true)
    # As floats, because only these are multiplied by BLAS; counts below 2**53 stay exact.
    y = positive.astype(np.float64)
    both = y.T @ y
    count = both.diagonal()
    values: NDArray[Any] = both.astype(np.int64)
    if normalize is not None:
        # Nothing divided by nothing is what NaN is for.
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
    """Plot which labels go together, as a heat map of `label_cooccurrence`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1.
    labels : sequence of n_labels str, optional
        Names of the labels; default: the columns of a DataFrame, else numbers.
    normalize : {None, "row", "lift"}, default="row"
        As in `label_cooccurrence`.
    unit : str, default="rows"
        What has the labels, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        A heat map whose colours span the pairs of two different labels; the diagonal and what is
        not defined are grey. Up to 25 labels, each cell has its number.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message says how to install it.
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
    figure = _new_figure(1.15 * size, size)
    from matplotlib.colors import LogNorm, Normalize

    pairs = table.to_numpy(dtype=np.float64, copy=True)
    np.fill_diagonal(pairs, np.nan)
    shaded = np.ma.masked_invalid(pairs)
    # On a logarithmic scale, half as often and twice as often are equally far from independence.
    norm = (
        LogNorm(1 / _STRONGEST_LIFT, _STRONGEST_LIFT, clip=True)
        if normalize == "lift"
        else Normalize(0, float(np.nanmax(pairs, initial=0)) or 1.0)
    )
    axis = figure.subplots()
    axis.set_facecolor("#dddddd")
    image = axis.imshow(shaded, cmap="PuOr_r" if normalize == "lift" else "Blues", norm=norm)
    names = [_shorten(name, 24) for name in table.index]
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
    # How bright the background is decides the colour of the number on it.
    brightness = image.to_rgba(shaded)[..., :3].mean(axis=-1)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        is_dark = np.isfinite(pairs[row, column]) and brightness[row, column] < 0.55
        axis.text(
            column,
            row,
            _cell_text(value),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if is_dark else "#222222",
        )
    return figure


def _cell_text(value: np.int64 | np.float64) -> str:
    if np.isnan(value):
        return ""
    return f"{value:,}" if isinstance(value, np.int64) else f"{value:.2f}"
