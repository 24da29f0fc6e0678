"""Heat maps of pairs of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from multimodal_ensemble._figures import new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# With more labels, the numbers in the cells would overlap.
_MOST_NUMBERED = 25
# The colour scale of a lift ends at this one and at its inverse.
_STRONGEST_LIFT = 4.0


def plot_label_matrix(table: pd.DataFrame, *, x: str, y: str, kind: str) -> Figure:
    """Draw a table of labels by labels, whose colours cover the pairs of different labels.

    `kind` is ``"count"``, ``"share"`` or ``"lift"``.
    """
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
        if kind == "lift"
        else Normalize(0, float(np.nanmax(pairs, initial=0)) or 1.0)
    )
    axis = figure.subplots()
    axis.set_facecolor("#dddddd")
    image = axis.imshow(shaded, cmap="PuOr_r" if kind == "lift" else "Blues", norm=norm)
    names = [shorten(name, 24) for name in table.index]
    axis.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), names)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    if not numbered:
        bar = figure.colorbar(image)
        if kind == "lift":
            bar.set_ticks([0.25, 0.5, 1, 2, 4], labels=["1/4", "1/2", "1", "2", "4"])
            bar.minorticks_off()
        return figure
    # The colour of a number depends on the brightness of its background.
    brightness = image.to_rgba(shaded)[..., :3].mean(axis=-1)
    for (row, column), value in np.ndenumerate(table.to_numpy()):
        is_dark = np.isfinite(pairs[row, column]) and brightness[row, column] < 0.55
        colour = "white" if is_dark else "#222222"
        text = "" if np.isnan(value) else f"{value:,}" if kind == "count" else f"{value:.2f}"
        axis.text(column, row, text, ha="center", va="center", fontsize=9, color=colour)
    return figure
