"""The figure of one explained score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from multimodal_ensemble._figures import AGAINST, FOR, new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GREY = "#555555"
_NAME_LENGTH = 30


def plot_explanation(score: Any, modalities: pd.DataFrame, parts: pd.DataFrame) -> Figure:
    """Draw the contributions of modalities, and below them those of the largest parts."""
    upper: list[tuple[Any, float]] = [
        (f"{each.modality} (missing)" if each.is_missing else each.modality, each.contribution)
        for each in _rows_of(modalities)
    ]
    lower = [(each.part, each.contribution) for each in _rows_of(parts)]
    bars = [*upper, *lower]
    figure = new_figure(6.4, 1.5 + 0.32 * len(bars))
    axis = figure.subplots()
    places = [-number - (0.7 if number >= len(upper) else 0) for number in range(len(bars))]
    for place, (_, value) in zip(places, bars, strict=True):
        axis.barh(place, value, height=0.7, color=FOR if value >= 0 else AGAINST)
        axis.annotate(
            f"{value:+.2f}",
            (value, place),
            xytext=(3 if value >= 0 else -3, 0),
            textcoords="offset points",
            ha="left" if value >= 0 else "right",
            va="center",
            fontsize=9,
        )
    axis.axvline(0, color=_GREY, linewidth=1)
    axis.set_yticks(places, [shorten(str(name), _NAME_LENGTH) for name, _ in bars])
    axis.margins(x=0.2)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_title(
        f"{shorten(str(score.label), _NAME_LENGTH)}: score {score.score:.3f}, row "
        f"{shorten(str(score.row), _NAME_LENGTH)}",
        loc="left",
    )
    axis.set_xlabel(
        f"log-odds: base {score.base:+.2f}, with all modalities {score.log_odds:+.2f}\n"
        "right: for the label; left: against it. Above: modalities; below: their parts",
        fontsize=9,
    )
    return figure


def _rows_of(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples(index=False))
