"""Paragraphs, tables and numbers of a report as HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

import pandas as pd


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, the number to sort it by, and its style."""

    text: str
    value: float | None = None
    # The strength of the background, 0..1, in a heat map.
    heat: float = 0.0
    is_bold: bool = False
    # HTML before the text, such as the mark of a family.
    mark: str = ""


Row: TypeAlias = list[str | Cell]


def paragraph(text: str) -> str:
    """Return a paragraph of a text."""
    return f"<p>{escape(text)}</p>"


def table(
    header: Sequence[str],
    rows: Sequence[Row],
    caption: str,
    *,
    sortable: bool = False,
    style: str = "",
) -> str:
    """Return a table whose first column names the rows; captions must be distinct on a page."""
    is_number = [isinstance(cell, Cell) for cell in rows[0]]
    names = "".join(
        f"<th scope='col'{' class=n' if right and place else ''}>{escape(name)}</th>"
        for place, (name, right) in enumerate(zip(header, is_number, strict=True))
    )
    body = "\n".join(f"<tr>{_head(row[0])}{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    classes = " ".join([*(["sortable"] if sortable else []), *([style] if style else [])])
    # A region that can be scrolled must be reachable with the keyboard.
    return (
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(caption)}'>"
        f"<table class='{classes}'><caption>{escape(caption)}</caption>\n"
        f"<thead><tr>{names}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _head(cell: str | Cell) -> str:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    return f"<th scope='row'>{cell.mark}{escape(cell.text)}</th>"


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return f"<td>{escape(cell)}</td>"
    heat = f" style='background:rgb(var(--heat) / {cell.heat:.2f})'" if cell.heat > 0 else ""
    # Undefined values have no number and sort last.
    has_value = cell.value is not None and not math.isnan(cell.value)
    value = f" data-v='{cell.value:.6g}'" if has_value else ""
    text = f"<b>{escape(cell.text)}</b>" if cell.is_bold else escape(cell.text)
    return f"<td class='n'{value}{heat}>{text}</td>"


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """Return a number as text; a dash for NaN."""
    if math.isnan(value):
        return "\N{EN DASH}"
    text = f"{value:{sign}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def interval(value: float, low: float, high: float, *, sign: str = "") -> str:
    """Return a value with its interval as text."""
    if math.isnan(value):
        return "undefined"
    if math.isnan(low) or math.isnan(high):
        return number(value, sign=sign)
    # A bound that is not 0 must not be shown as 0, which would say that nothing is resolved.
    shown = [3, 4, 5, 6]
    digits = next(
        (n for n in shown if all(not bound or round(bound, n) for bound in (low, high))), shown[-1]
    )
    middle, start, end = (number(each, digits, sign) for each in (value, low, high))
    return f"{middle} [{start}, {end}]"


def threshold_text(value: float) -> str:
    """Return a threshold as text; "never" and "always" for infinities."""
    return "never" if value == math.inf else "always" if value == -math.inf else f"{value:.3f}"


def rows_of(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table, whose values are attributes named as its columns."""
    return [*table.itertuples(index=False)]
