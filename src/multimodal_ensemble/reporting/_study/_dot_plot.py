"""Dot plots of values with intervals, as lists whose texts stay readable at any width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from multimodal_ensemble.reporting._study._marks import mark
from multimodal_ensemble.reporting._study._scale import Scale, make_scale


@dataclass(frozen=True)
class Dot:
    """One line of a dot plot; a value of NaN has no mark, and bounds of NaN no interval."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan
    text: str = ""
    family: int = 0
    filled: bool = True
    # A dot that does not stretch the axis: where it lies outside, an arrow points to it.
    is_far: bool = False


def dot_plot(dots: Sequence[Dot], *, line: float | None = None, sign: bool = False) -> str:
    """Return a list with one line per dot, and the axis below.

    `line` is a value that is marked by a vertical line, such as 0 for differences.
    """
    near = [number for dot in dots if not dot.is_far for number in (dot.value, dot.low, dot.high)]
    scale = make_scale([*near, *([] if line is None else [line])])
    grid = "".join(
        f"<line class='grid' x1='{x}%' x2='{x}%' y1='0' y2='100%'/>"
        for x in map(scale.place, scale.ticks)
    )
    if line is not None:
        x = scale.place(line)
        grid += f"<line class='zero' x1='{x}%' x2='{x}%' y1='0' y2='100%'/>"
    rows = [
        f"<li><span class='name'>{escape(dot.name)}</span>"
        f"<span class='track'><svg aria-hidden='true'>{grid}{_draw(dot, scale)}</svg></span>"
        f"<span class='value'>{escape(dot.text)}</span></li>"
        for dot in dots
    ]
    ticks = "".join(
        f"<text x='{scale.place(tick)}%' y='13'>{scale.text(tick, sign=sign)}</text>"
        for tick in scale.ticks
    )
    axis = f"<li class='axis' aria-hidden='true'><span class='track'><svg>{ticks}</svg></span></li>"
    return f"<ul class='dots'>{''.join(rows)}{axis}</ul>"


def _draw(dot: Dot, scale: Scale) -> str:
    if math.isnan(dot.value):
        return ""
    if not scale.low <= dot.value <= scale.high:
        is_left = dot.value < scale.low
        arrow = "M8-5L0 0L8 5M0 0H22" if is_left else "M-8-5L0 0L-8 5M0 0H-22"
        return f"<svg x='{0 if is_left else 100}%' y='50%'><path class='arrow' d='{arrow}'/></svg>"
    interval = ""
    if not (math.isnan(dot.low) or math.isnan(dot.high)):
        start, end = (scale.place(scale.clip(bound)) for bound in (dot.low, dot.high))
        interval = f"<line class='interval' x1='{start}%' x2='{end}%' y1='50%' y2='50%'/>"
    return interval + mark(scale.place(dot.value), "50%", dot.family, filled=dot.filled)
