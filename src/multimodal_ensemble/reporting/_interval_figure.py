"""The figure of values with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from multimodal_ensemble._figures import new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _GREY = "#4878a8", "#333333"
_NAME_LENGTH = 40


def plot_intervals(
    table: pd.DataFrame,
    *,
    columns: Sequence[str] = ("difference", "difference_low", "difference_high"),
    label: str = "difference",
    line: float | None = 0.0,
) -> Figure:
    """Plot values with their intervals, such as differences to a baseline.

    Parameters
    ----------
    table : DataFrame
        One row per value, for example from `modality_importance` or `compare_scores`. The index
        names the rows, which are drawn from the top.
    columns : sequence of 3 str, default=("difference", "difference_low", "difference_high")
        The columns of the values, and of the lower and upper ends of their intervals.
    label : str, default="difference"
        What the values are, for the axis label.
    line : float or None, default=0
        Where a vertical line is drawn. Dots are hollow where the interval contains it.

    Returns
    -------
    matplotlib.figure.Figure
        One dot with its interval per row. Rows without a value have a name and no dot.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    ValueError
        If `table` is empty or lacks a column, or `columns` are not three.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_intervals
    >>> table = pd.DataFrame(
    ...     {"difference": [-0.04, 0.0], "difference_low": [-0.06, -0.01],
    ...      "difference_high": [-0.02, 0.01]}, index=["without tags", "without posters"])
    >>> figure = plot_intervals(table, label="difference in mean ROC-AUC")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['-0.040', '+0.000']
    """
    if len(columns) != 3:
        msg = f"columns must name a value and both ends of its interval. Received {columns!r}."
        raise ValueError(msg)
    absent = [name for name in columns if name not in table.columns]
    if absent or table.empty:
        fault = f"without the columns {absent}" if absent else "without rows"
        msg = f"table must have one row per value. Received one {fault}."
        raise ValueError(msg)
    figure = new_figure(7, 0.9 + 0.42 * len(table))
    axis = figure.subplots()
    if line is not None:
        axis.axvline(line, color=_GREY, linewidth=1)
    positions = -np.arange(len(table))
    for place, (value, low, high) in zip(positions, table[[*columns]].to_numpy(float), strict=True):
        if np.isnan(value):
            continue
        is_hollow = line is not None and low <= line <= high
        axis.errorbar(
            value,
            place,
            # Rounding may put an end on the wrong side of its value.
            xerr=np.maximum([[value - low], [high - value]], 0),
            fmt="o",
            color=_BLUE,
            mfc="white" if is_hollow else _BLUE,
            capsize=3,
        )
        axis.annotate(
            f"{value:.3f}" if line is None else f"{value:+.3f}",
            (value, place),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axis.set_yticks(positions, [shorten(str(name), _NAME_LENGTH) for name in table.index])
    axis.set_ylim(0.4 - len(table), 0.7)
    axis.set_xlabel(label)
    # Numbers above narrow intervals need space at the sides.
    axis.margins(x=0.1)
    axis.grid(axis="x", alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
