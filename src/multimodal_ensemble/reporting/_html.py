"""Self-contained HTML reports: one file without scripts or external resources."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import TYPE_CHECKING, Any

import pandas as pd

from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.reporting._page import write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# An SVG drawing with more bytes is larger and slower to display than a PNG image.
_LARGEST_SVG = 300_000
# Pixels per inch, for screens with about two physical pixels per CSS pixel.
_DPI = 160
_NO_VALUE = "\N{EN DASH}"


@dataclass(frozen=True, eq=False)
class ReportTable:
    """A table of a report, with its caption.

    Parameters
    ----------
    table : DataFrame
        The table. Its index is the first column, unless it only numbers the rows.
    caption : str, default=""
        What the table shows.
    digits : int, default=3
        Number of decimal places of floats.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.reporting import ReportTable
    >>> ReportTable(pd.DataFrame({"score": [0.75]}), caption="Test results.").digits
    3
    """

    table: pd.DataFrame
    caption: str = ""
    digits: int = 3


@dataclass(frozen=True, eq=False)
class ReportFigure:
    """A figure of a report, with its alternative text and caption.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    alt : str
        Alternative text for readers who cannot see the figure; not empty.
    caption : str, default=""
        What the figure shows.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import ReportFigure, plot_rank_frequency
    >>> figure = plot_rank_frequency({"all": [7, 1, 1]})
    >>> ReportFigure(figure, alt="A curve that falls from 7 to 1.").caption
    ''
    """

    figure: Figure
    alt: str
    caption: str = ""


_Part = str | pd.DataFrame | ReportTable | ReportFigure


def write_html_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Mapping[str, _Part | Sequence[_Part]],
    *,
    language: str = "en",
) -> None:
    """Write texts, tables and figures to one HTML file.

    The file embeds its styles and figures, and a content security policy prevents the browser from
    loading or running anything. All texts, names and cells are escaped, so HTML in them is shown
    as text. The page supports light and dark mode. The file is written completely or not at all.

    Parameters
    ----------
    path : path
        The file to write. An existing file is replaced.
    title : str
        The title of the page.
    sections : mapping of str to sequence
        The content of each section by its heading: a sequence of str (paragraphs), DataFrame,
        `ReportTable` and `ReportFigure`, or just one of these. A page with two or more sections
        has a table of contents.
    language : str, default="en"
        The language of the texts, as a BCP 47 tag.

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is then unchanged.
    TypeError
        If a part of a section has another type, or a figure is not a Matplotlib figure.
    ValueError
        If a figure has no alternative text.

    Examples
    --------
    >>> import pandas as pd, pathlib, tempfile
    >>> from multimodal_ensemble.reporting import write_html_report
    >>> models = pd.Index(["tags & more"], name="model")
    >>> scores = pd.DataFrame({"score": [0.75]}, index=models)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> write_html_report(path, "Results", {"Scores": ["On the test rows:", scores]})
    >>> row = "<th scope='row'>tags &amp; more</th><td class='n'>0.750</td>"
    >>> row in path.read_text("utf-8")
    True
    """
    numbers = count(1)
    bodies = {
        heading: "\n".join(
            _part_html(part, heading, numbers)
            for part in (parts if isinstance(parts, list | tuple) else [parts])
        )
        for heading, parts in sections.items()
    }
    write_page(path, title, bodies, language=language)


def _part_html(part: object, heading: str, numbers: Iterator[int]) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, pd.DataFrame | ReportTable):
        part = ReportTable(part) if isinstance(part, pd.DataFrame) else part
        return _table_html(part, heading, next(numbers))
    if isinstance(part, ReportFigure):
        return _figure_html(part, heading, next(numbers))
    hint = (
        "wrap the figure in ReportFigure, with an alternative text"
        if hasattr(part, "savefig")
        else "convert it to one of these types"
    )
    msg = (
        "The parts of a section must be str, DataFrame, ReportTable or ReportFigure. Received "
        f"{type(part).__name__} in the section {heading!r}; {hint}."
    )
    raise TypeError(msg)


def _figure_html(part: ReportFigure, heading: str, number: int) -> str:
    if not part.alt.strip():
        msg = (
            f"A figure needs an alternative text. Received alt={part.alt!r} in the section "
            f"{heading!r}; describe the figure in one sentence."
        )
        raise ValueError(msg)
    if not hasattr(part.figure, "savefig"):
        msg = (
            "ReportFigure.figure must be a matplotlib.figure.Figure. Received "
            f"{type(part.figure).__name__} in the section {heading!r}."
        )
        raise TypeError(msg)
    kind, drawing = "svg+xml", _draw(part.figure, "svg")
    if len(drawing) > _LARGEST_SVG:
        kind, drawing = "png", _draw(part.figure, "png")
    width = round(96 * part.figure.get_figwidth())
    data = base64.b64encode(drawing).decode("ascii")
    # The texts of a figure that shrinks would be too small on a phone, so it can be scrolled.
    name = f"Figure {number}: {part.caption or heading}"
    return (
        f"<figure><div class='scroll' tabindex='0' role='region' aria-label='{escape(name)}'>"
        f"<img width='{width}' alt='{escape(part.alt)}' "
        f"src='data:image/{kind};base64,{data}'></div>{_caption_html(part.caption)}</figure>"
    )


def _draw(figure: Figure, format: str) -> bytes:
    import matplotlib as mpl

    drawing = io.BytesIO()
    # Without a date and with a fixed salt, the same figure yields the same bytes.
    metadata = {"Date": None} if format == "svg" else {}
    # Matplotlib draws a box for a character that its font lacks.
    without_glyphs = ignored(UserWarning, r"Glyph .* missing from")
    with mpl.rc_context({"svg.hashsalt": "multimodal_ensemble"}), without_glyphs:
        figure.savefig(drawing, format=format, dpi=_DPI, metadata=metadata, facecolor="white")
    return drawing.getvalue()


def _table_html(part: ReportTable, heading: str, number: int) -> str:
    if not hasattr(part.table, "columns"):
        msg = (
            "ReportTable.table must be a DataFrame. Received "
            f"{type(part.table).__name__} in the section {heading!r}."
        )
        raise TypeError(msg)
    table, index = part.table, part.table.index
    only_numbers_rows = isinstance(index, pd.RangeIndex) and index.name is None
    index_names = (
        [] if only_numbers_rows else ["" if name is None else name for name in index.names]
    )
    index_rows = zip(*map(index.get_level_values, range(index.nlevels)), strict=True)
    is_number = [
        pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        for dtype in table.dtypes
    ]
    tags = ["<td class='n'>" if right else "<td>" for right in is_number]
    header = [f"<th scope='col'>{escape(str(name))}</th>" for name in index_names]
    header += [
        f"<th scope='col'{' class=n' if right else ''}>{escape(str(name))}</th>"
        for name, right in zip(table.columns, is_number, strict=True)
    ]
    rows = []
    for keys, values in zip(index_rows, table.itertuples(index=False, name=None), strict=True):
        cells = [f"<th scope='row'>{escape(str(key))}</th>" for key in keys if index_names]
        cells += [
            f"{tag}{escape(_cell(value, part.digits))}</td>"
            for tag, value in zip(tags, values, strict=True)
        ]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    # A scrollable region must be reachable with the keyboard, and regions need distinct names.
    name = f"Table {number}: {part.caption or heading}"
    opening = [
        f"<figure>{_caption_html(part.caption)}",
        f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(name)}'>",
        f"<table>\n<thead><tr>{''.join(header)}</tr></thead>\n<tbody>",
    ]
    return "\n".join([*opening, *rows, "</tbody>\n</table>\n</div></figure>"])


def _caption_html(caption: str) -> str:
    return f"<figcaption>{escape(caption)}</figcaption>" if caption else ""


def _cell(value: Any, digits: int) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return _NO_VALUE
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    if pd.api.types.is_float(value):
        return f"{value:,.{digits}f}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
