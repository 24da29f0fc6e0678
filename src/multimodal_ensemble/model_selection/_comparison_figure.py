"""The figure of a comparison of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from multimodal_ensemble._figures import new_figure, shorten
from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble._text import metric_title
from multimodal_ensemble.model_selection._comparison_text import format_difference

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _GREY = "#4878a8", "#333333"
_NAME_LENGTH = 36


def plot_differences(table: pd.DataFrame, baseline: str, level: float) -> Figure:
    """Draw the difference of each model to the baseline, with one panel per metric."""
    metrics = list(dict.fromkeys(table["metric"]))
    models = list(dict.fromkeys(table["model"]))
    figure = new_figure(2.5 + 4 * len(metrics), 1.4 + 0.55 * len(models))
    axes = np.atleast_1d(figure.subplots(1, len(metrics), sharey=True))
    positions = {model: -number for number, model in enumerate(models)}
    for axis, metric in zip(axes, metrics, strict=True):
        axis.axvline(0, color=_GREY, linewidth=1)
        for row in table[table["metric"] == metric].itertuples(index=False):
            place = positions[row.model]
            if row.model == baseline:
                axis.plot(0, place, "D", color=_GREY)
                text = f"{row.score:.3f}"
            else:
                below = row.difference - row.difference_low
                above = row.difference_high - row.difference
                # Rounding may put a bound on the wrong side of its value.
                axis.errorbar(
                    row.difference,
                    place,
                    xerr=np.maximum([[below], [above]], 0),
                    fmt="o",
                    color=_BLUE,
                    capsize=3,
                    mfc=_BLUE if is_resolved(row) else "white",
                )
                text = format_difference(row, 3)
            value = 0.0 if row.model == baseline or pd.isna(row.difference) else row.difference
            axis.annotate(
                text or "undefined",
                (value, place),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=9,
                # Otherwise the line at 0 would cross the text.
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
        axis.set_title(metric_title(metric))
        # Texts above narrow intervals need space at the sides.
        axis.margins(x=0.25)
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    names = [shorten(model, _NAME_LENGTH) for model in models]
    axes[0].set_yticks([positions[model] for model in models], names)
    axes[0].set_ylim(0.6 - len(models), 0.6)
    figure.supxlabel(
        f"difference to {shorten(baseline, _NAME_LENGTH)} (diamond, with its score), "
        f"{100 * level:g} % intervals\nfilled: the interval excludes 0; hollow: not resolved",
        fontsize=9,
    )
    return figure
