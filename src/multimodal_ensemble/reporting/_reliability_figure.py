"""The figure of reliability curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from multimodal_ensemble._figures import new_panels, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = ("label", "mean_score", "share", "n_rows", "low", "high")
_MAX_PER_ROW = 4
_BLUE, _GREY = "#4878a8", "#767676"


def plot_reliability(curve: pd.DataFrame, *, unit: str = "rows") -> Figure:
    r"""Plot the share of positives against the mean score, with one panel per label.

    Calibrated scores lie on the dashed diagonal. Points above it are labels that occur more often
    than the scores say.

    Parameters
    ----------
    curve : DataFrame
        The result of `reliability_curve`.
    unit : str, default="rows"
        What is counted, for the axis labels.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per label, in the order of `curve`, with 95 % intervals. The title has the number
        of rows, and the number of rows in each bin or the range of these numbers.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    ValueError
        If `curve` is empty or lacks a column.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import reliability_curve
    >>> from multimodal_ensemble.reporting import plot_reliability
    >>> curve = reliability_curve(
    ...     [[0], [0], [1], [1]], [[0.1], [0.3], [0.6], [0.9]], n_bins=2, labels=["Drama"])
    >>> plot_reliability(curve, unit="movies").axes[0].get_title()
    'Drama\n4 movies, 2 per point'
    """
    absent = [name for name in _COLUMNS if name not in getattr(curve, "columns", ())]
    if absent or curve.empty:
        fault = f"without the columns {absent}" if absent else "without rows"
        msg = f"curve must be a table from reliability_curve. Received one {fault}."
        raise ValueError(msg)
    parts: list[tuple[Any, pd.DataFrame]] = [*curve.groupby("label", sort=False)]
    figure, axes = new_panels(len(parts), per_row=_MAX_PER_ROW, line_height=3.2, other_height=0.3)
    for axis, (label, part) in zip(axes, parts, strict=True):
        axis.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=1)
        mean, share, low, high = part[["mean_score", "share", "low", "high"]].to_numpy().T
        # Rounding may leave a limit on the wrong side of its share by the last digit.
        errors = np.maximum([share - low, high - share], 0)
        axis.errorbar(mean, share, errors, fmt="o-", color=_BLUE, capsize=2)
        fewest, most = part["n_rows"].min(), part["n_rows"].max()
        per_point = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        title = f"{shorten(str(label), 30)}\n{part['n_rows'].sum():,} {unit}, {per_point} per point"
        axis.set_title(title, fontsize=9)
    figure.supxlabel("mean score", fontsize=10)
    figure.supylabel(f"share of {unit} with the label", fontsize=10)
    return figure
