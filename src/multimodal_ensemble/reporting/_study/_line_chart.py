"""Charts of curves, whose lines differ in dashes and letters as well as in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.reporting._study._marks import N_COLOURS
from multimodal_ensemble.reporting._study._scale import Scale

# A line of more points is drawn through about this many of them.
_MAX_POINTS = 200
N_DASHES = 6
# The space of a letter, in percent of the chart.
_LETTER_WIDTH, _LETTER_HEIGHT = 9.0, 7.0


@dataclass(frozen=True)
class Curve:
    """A line of a chart; `letter` is written beside its marked point, or at its end."""

    x: FloatArray
    y: FloatArray
    letter: str = ""
    # Shapes (n_points,): the intervals of the points.
    low: FloatArray | None = None
    high: FloatArray | None = None
    family: int = 0
    dash: int = 0
    # The position of the point that has a dot and the letter.
    marked: int | None = None
    has_dots: bool = False


@dataclass(frozen=True)
class Chart:
    """Axes with curves, and straight reference lines as pairs of points."""

    title: str
    x: Scale
    # Reversed, because positions on a page count from the top.
    y: Scale
    curves: Sequence[Curve]
    x_label: str
    alt: str
    # Each one is (x1, y1, x2, y2) and is drawn dashed and grey.
    references: Sequence[tuple[float, float, float, float]] = field(default_factory=list)
    # Values of x that are marked by a vertical line with a text.
    lines: Sequence[tuple[float, str]] = field(default_factory=list)
    subtitle: str = ""


def draw_charts(charts: Sequence[Chart]) -> str:
    """Return charts side by side, as many as the width allows."""
    return f"<div class='charts'>{''.join(map(_draw_chart, charts))}</div>"


def _draw_chart(chart: Chart) -> str:
    parts = []
    for tick in chart.y.ticks:
        y = chart.y.place(tick)
        parts.append(
            f"<line class='grid' x1='0' x2='100%' y1='{y}%' y2='{y}%'/>"
            f"<text class='y' x='-6' y='{y}%' dy='4'>{chart.y.text(tick)}</text>"
        )
    for tick in chart.x.ticks:
        x = chart.x.place(tick)
        parts.append(
            f"<line class='grid' x1='{x}%' x2='{x}%' y1='0' y2='100%'/>"
            f"<text x='{x}%' y='100%' dy='17'>{chart.x.text(tick)}</text>"
        )
    parts += [_draw_reference(chart, *line) for line in chart.references]
    places = [(chart.x.place(value), text) for value, text in chart.lines]
    parts += [f"<line class='zero' x1='{x}%' x2='{x}%' y1='0' y2='100%'/>" for x, _ in places]
    parts += [_draw_line(chart, curve) for curve in chart.curves]
    parts += [_draw_points(chart, curve) for curve in chart.curves]
    # Texts and letters are on top of all lines.
    for x, text in places:
        anchor, shift = ("end", -5) if x > 50 else ("start", 5)
        parts.append(
            f"<text class='on' x='{x}%' y='12' dx='{shift}' style='text-anchor:{anchor}'>"
            f"{escape(text)}</text>"
        )
    parts.append(_draw_letters(chart))
    subtitle = f"<span>{escape(chart.subtitle)}</span>" if chart.subtitle else ""
    return (
        f"<figure class='chart'><figcaption>{escape(chart.title)}{subtitle}</figcaption>"
        f"<svg role='img' aria-label='{escape(chart.alt)}'>{''.join(parts)}</svg>"
        f"<div class='x'>{escape(chart.x_label)}</div></figure>"
    )


def _draw_line(chart: Chart, curve: Curve) -> str:
    step = max(1, len(curve.x) // _MAX_POINTS)
    points = [
        f"{10 * chart.x.place(chart.x.clip(x)):.0f} {10 * chart.y.place(chart.y.clip(y)):.0f}"
        for x, y in zip(curve.x[::step], curve.y[::step], strict=True)
        if math.isfinite(x) and math.isfinite(y)
    ]
    style = f"l f{curve.family % N_COLOURS} d{curve.dash % N_DASHES}"
    return _stretched(f"<path class='{style}' d='M{'L'.join(points)}'/>") if points else ""


def _draw_reference(chart: Chart, x1: float, y1: float, x2: float, y2: float) -> str:
    ends = [
        f"{10 * chart.x.place(x):.0f} {10 * chart.y.place(y):.0f}" for x, y in ((x1, y1), (x2, y2))
    ]
    return _stretched(f"<path class='l reference' d='M{'L'.join(ends)}'/>")


def _stretched(path: str) -> str:
    """Return a path in units of a thousandth of the chart; the width of its line stays."""
    return (
        "<svg viewBox='0 0 1000 1000' preserveAspectRatio='none' width='100%' height='100%'>"
        f"{path}</svg>"
    )


def _draw_points(chart: Chart, curve: Curve) -> str:
    parts = []
    colour = f"f{curve.family % N_COLOURS}"
    for number, (x, y) in enumerate(zip(curve.x, curve.y, strict=True)):
        if not (curve.has_dots and math.isfinite(x) and math.isfinite(y)):
            continue
        at = chart.x.place(x)
        if curve.low is not None and curve.high is not None:
            low, high = (
                chart.y.place(chart.y.clip(bound[number])) for bound in (curve.low, curve.high)
            )
            parts.append(
                f"<line class='l {colour}' x1='{at}%' x2='{at}%' y1='{low}%' y2='{high}%'/>"
            )
        y_place = chart.y.place(chart.y.clip(y))
        parts.append(f"<circle class='m {colour}' cx='{at}%' cy='{y_place}%' r='3.5'/>")
    return "".join(parts)


def _draw_letters(chart: Chart) -> str:
    """Return the letters of all curves, moved apart where they would overlap."""
    anchors = []
    for curve in chart.curves:
        finite = np.flatnonzero(np.isfinite(curve.y))
        if not (curve.letter and len(finite)):
            continue
        place = int(finite[-1]) if curve.marked is None else curve.marked
        y = chart.y.place(chart.y.clip(curve.y[place]))
        anchors.append((chart.x.place(curve.x[place]), y, curve))
    parts = []
    placed: list[tuple[float, float]] = []
    # Away from the nearer edge.
    is_low = bool(sum(y for _, y, _ in anchors) > 50 * len(anchors))
    step = -_LETTER_HEIGHT if is_low else _LETTER_HEIGHT
    for x, y, curve in sorted(anchors, key=lambda anchor: anchor[1], reverse=is_low):
        at = y
        while any(abs(x - a) < _LETTER_WIDTH and abs(at - b) < _LETTER_HEIGHT for a, b in placed):
            at = round(at + step / 4, 2)
        placed.append((x, at))
        if curve.marked is not None:
            colour = f"f{curve.family % N_COLOURS}"
            parts.append(f"<circle class='m {colour}' cx='{x}%' cy='{y}%' r='4'/>")
        if at != y:
            parts.append(
                f"<line class='leader' x1='{x}%' x2='{min(x + 2, 102)}%' y1='{y}%' y2='{at}%'/>"
            )
        parts.append(
            f"<text class='letter' x='{x}%' y='{at}%' dx='8' dy='4'>{escape(curve.letter)}</text>"
        )
    return "".join(parts)
