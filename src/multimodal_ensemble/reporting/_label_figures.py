"""Figures of how often labels and numbers occur."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from multimodal_ensemble._figures import new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and orange are distinct for all types of colour vision and differ in brightness.
_BLUE, _ORANGE = "#4878a8", "#d98b3a"
# Kept and dropped bars differ by more than their colour.
_STYLES: dict[bool, dict[str, Any]] = {
    True: {"color": _BLUE, "label": "kept"},
    False: {"color": "#dbe5ee", "edgecolor": _BLUE, "hatch": "////", "label": "dropped"},
}


def plot_label_counts(
    counts: pd.Series,
    *,
    shares: pd.Series | None = None,
    kept: pd.Series | None = None,
    unit: str = "rows",
) -> Figure:
    """Plot how often each label occurs, as bars with numbers.

    Parameters
    ----------
    counts : Series of shape (n_labels,)
        Count of each label, 0 or more. The index names the labels; bars are in this order.
    shares : Series of shape (n_labels,), optional
        Shares in 0..1 with the same index, shown after the counts.
    kept : Series of shape (n_labels,), optional
        Booleans with the same index. Bars of labels that are not kept are hatched.
    unit : str, default="rows"
        What is counted, for the axis label.

    Returns
    -------
    matplotlib.figure.Figure
        One bar per label, with the first label at the top.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    TypeError
        If `counts` is not a Series.
    ValueError
        If `counts` is empty, or the index of `shares` or `kept` differs from its index.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_label_counts
    >>> counts = pd.Series({"Drama": 12, "Western": 1})
    >>> figure = plot_label_counts(
    ...     counts, shares=counts / 13, kept=counts > 5, unit="movies")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['12 (92.3 %)', '1 (7.7 %)']
    """
    _check_counts(counts)
    for name, other in {"shares": shares, "kept": kept}.items():
        if other is not None and not other.index.equals(counts.index):
            msg = (
                f"{name} must have the index of counts. Received {other.index.tolist()} instead of "
                f"{counts.index.tolist()}; try {name}.reindex(counts.index)."
            )
            raise ValueError(msg)
    figure = new_figure(8, 0.9 + 0.29 * len(counts))
    axis = figure.subplots()
    positions = np.arange(len(counts))[::-1]
    is_kept = np.ones(len(counts), dtype=bool) if kept is None else kept.to_numpy(dtype=bool)
    for kept_or_not, style in _STYLES.items():
        if (chosen := is_kept == kept_or_not).any():
            axis.barh(positions[chosen], counts.to_numpy()[chosen], **style)
    texts = [f"{count:,.0f}" for count in counts]
    if shares is not None:
        texts = [f"{text} ({100 * share:.1f} %)" for text, share in zip(texts, shares, strict=True)]
    for position, count, text in zip(positions, counts, texts, strict=True):
        axis.annotate(
            text, (count, position), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
    axis.set_yticks(positions, [shorten(str(label), 40) for label in counts.index])
    # Leave space for the numbers.
    axis.set_xlim(0, 1.2 * max(counts.max(), 1))
    axis.set_ylim(-0.6, len(counts) - 0.4)
    axis.set_xlabel(unit)
    if kept is not None:
        figure.legend(loc="outside upper right", ncols=2, frameon=False)
    _tidy(axis, grid="x")
    return figure


def plot_distribution(
    counts: pd.Series,
    *,
    label: str,
    unit: str = "rows",
    first_kept: int | None = None,
    log: bool = False,
) -> Figure:
    """Plot how often each whole number occurs, for example the number of labels per row.

    Parameters
    ----------
    counts : Series of shape (n_numbers,)
        Count of each number, 0 or more. The index holds the numbers.
    label : str
        What the numbers are, for the axis label.
    unit : str, default="rows"
        What is counted, for the axis label.
    first_kept : int, optional
        The smallest number that a filter keeps. Bars below it are hatched.
    log : bool, default=False
        Whether to use a logarithmic scale for the counts.

    Returns
    -------
    matplotlib.figure.Figure
        One bar per number. With `log`, one dot per number with a count above 0, because the length
        of a bar means nothing on a scale without 0; dropped numbers have hollow dots.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    TypeError
        If `counts` is not a Series.
    ValueError
        If `counts` is empty, or its index does not hold whole numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import plot_distribution
    >>> figure = plot_distribution(pd.Series({1: 5, 2: 3, 3: 1}), label="labels of a row")
    >>> [int(bar.get_height()) for bar in figure.axes[0].patches]
    [5, 3, 1]
    """
    _check_counts(counts)
    if not pd.api.types.is_integer_dtype(counts.index.dtype):
        msg = (
            "counts must have whole numbers as its index. Received an index of dtype "
            f"{counts.index.dtype}; for names, use plot_label_counts."
        )
        raise ValueError(msg)
    numbers, heights = counts.index.to_numpy(dtype=np.int64), counts.to_numpy()
    figure = new_figure(8, 3.6)
    axis = figure.subplots()
    is_kept = np.ones(len(numbers), dtype=bool) if first_kept is None else numbers >= first_kept
    for kept_or_not, style in _STYLES.items():
        chosen = is_kept == kept_or_not
        if log:
            chosen &= heights > 0
        if not chosen.any():
            continue
        if log:
            face = _BLUE if kept_or_not else "white"
            axis.plot(
                numbers[chosen], heights[chosen], "o", color=_BLUE, mfc=face, label=style["label"]
            )
        else:
            axis.bar(numbers[chosen], heights[chosen], width=0.8, **style)
    if first_kept is not None:
        label_of_line = f"smallest kept: {first_kept}"
        axis.axvline(first_kept - 0.5, color="#333333", linestyle="--", label=label_of_line)
        figure.legend(loc="outside upper right", ncols=3, frameon=False)
    if log:
        axis.set_yscale("log")
    axis.locator_params(axis="x", integer=True)
    axis.set_xlim(numbers.min() - 0.6, numbers.max() + 0.6)
    axis.set_xlabel(label)
    axis.set_ylabel(unit)
    _tidy(axis, grid="y")
    return figure


def plot_rank_frequency(
    counts: Mapping[str, ArrayLike], *, label: str = "labels", unit: str = "rows"
) -> Figure:
    """Plot counts in descending order on logarithmic axes.

    Parameters
    ----------
    counts : mapping of str to array-like of shape (n_labels,)
        Counts of labels, in any order and each above 0, by the name of the curve.
    label : str, default="labels"
        What is ranked, for the axis label.
    unit : str, default="rows"
        What is counted, for the axis label.

    Returns
    -------
    matplotlib.figure.Figure
        One curve per name.

    Raises
    ------
    ImportError
        If Matplotlib is not installed; the message says how to install it.
    ValueError
        If a curve has no counts, or a count that is not above 0.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import plot_rank_frequency
    >>> figure = plot_rank_frequency({"all": [1, 7, 1, 1]}, label="tags", unit="movies")
    >>> figure.axes[0].lines[0].get_xydata().tolist()
    [[1.0, 7.0], [2.0, 1.0], [4.0, 1.0]]
    """
    figure = new_figure(8, 4)
    axis = figure.subplots()
    styles = [(_BLUE, "-"), (_ORANGE, "--"), ("#333333", ":"), ("#8c5a9e", "-.")]
    for number, (name, values) in enumerate(counts.items()):
        ordered = np.sort(np.asarray(values))[::-1]
        if ordered.ndim != 1 or not len(ordered) or not ordered[-1] > 0:
            msg = (
                f"counts[{name!r}] must hold at least one count, and only counts above 0. "
                f"Received {values!r}; omit labels that do not occur."
            )
            raise ValueError(msg)
        # The end points of each run of equal counts are sufficient to draw the line.
        steps = np.flatnonzero(np.diff(ordered))
        corners = np.unique(np.concatenate([[0], steps, steps + 1, [len(ordered) - 1]]))
        colour, line = styles[number % len(styles)]
        axis.plot(corners + 1, ordered[corners], line, color=colour, label=name, linewidth=1.8)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel(f"rank among the {label}")
    axis.set_ylabel(unit)
    axis.legend(loc="best")
    _tidy(axis, grid="both")
    return figure


def _check_counts(counts: Any) -> None:
    if not isinstance(counts, pd.Series):
        msg = (
            f"counts must be a pandas Series. Received {type(counts).__name__}; "
            "try pandas.Series(counts)."
        )
        raise TypeError(msg)
    if counts.empty:
        msg = "counts must hold at least one count. Received an empty Series."
        raise ValueError(msg)


def _tidy(axis: Axes, *, grid: Literal["x", "y", "both"]) -> None:
    axis.grid(axis=grid, alpha=0.3)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
