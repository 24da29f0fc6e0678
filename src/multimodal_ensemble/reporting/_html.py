"""Self-contained HTML reports: one file without scripts or external resources."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.saving import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# An SVG drawing with more bytes is larger and slower to display than a PNG image.
_LARGEST_SVG = 300_000
# Pixels per inch, for screens with about two physical pixels per CSS pixel.
_DPI = 160
_NO_VALUE = "\N{EN DASH}"

# Second line of defence after escaping: the browser loads no resources and runs no scripts.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --soft: #59636e;
  --line: #d1d9e0; --band: #f4f6f8; --link: #0b57a8; }
@media (prefers-color-scheme: dark) { :root { --page: #16191d; --text: #e3e7eb; --soft: #9aa5b1;
  --line: #3a424b; --band: #20252b; --link: #8ab8f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.25; }
h2 { margin: 2.8rem 0 0.6rem; padding-top: 0.8rem; border-top: 1px solid var(--line);
  font-size: 1.3rem; }
p { max-width: 46rem; }
a { color: var(--link); }
nav { padding: 0.2rem 1rem; border-radius: 6px; background: var(--band); }
nav ol { columns: 20rem; padding-left: 1.6rem; }
figure { margin: 1.2rem 0; }
img { display: block; max-width: 100%; height: auto; padding: 8px; border-radius: 6px;
  border: 1px solid var(--line); background: #fff; }
figcaption { margin: 0.4rem 0; max-width: 50rem; color: var(--soft); font-size: 0.92rem; }
figure div { max-width: 100%; max-height: 34rem; overflow: auto; }
table { border-collapse: collapse; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
thead th { position: sticky; top: 0; background: var(--band); }
tbody th { font-weight: 600; }
.n { text-align: right; white-space: nowrap; }
@media print { figure div { max-height: none; } }
"""


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
    contents, bodies = [], []
    for number, (heading, parts) in enumerate(sections.items(), start=1):
        listed = parts if isinstance(parts, list | tuple) else [parts]
        contents.append(f"<li><a href='#section-{number}'>{escape(heading)}</a></li>")
        bodies += [f"<section id='section-{number}'>", f"<h2>{escape(heading)}</h2>"]
        bodies += [*(_part_html(part, heading) for part in listed), "</section>"]
    navigation = ["<nav aria-label='Contents'><ol>", *contents, "</ol></nav>"]
    page = [
        f"<!DOCTYPE html>\n<html lang='{escape(language)}'>\n<head>\n<meta charset='utf-8'>",
        f"<meta http-equiv='Content-Security-Policy' content=\"{_POLICY}\">",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f"</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>",
        *(navigation if len(contents) > 1 else []),
        *bodies,
        "</main>\n</body>\n</html>",
    ]
    # UTF-8 cannot encode half of a surrogate pair; a character reference is written instead.
    with replacing(Path(path)) as file:
        file.write(("\n".join(page) + "\n").encode("utf-8", "xmlcharrefreplace"))


def _part_html(part: object, heading: str) -> str:
    if isinstance(part, str):
        return f"<p>{escape(part)}</p>"
    if isinstance(part, pd.DataFrame | ReportTable):
        part = ReportTable(part) if isinstance(part, pd.DataFrame) else part
        return _table_html(part, heading)
    if isinstance(part, ReportFigure):
        return _figure_html(part, heading)
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


def _figure_html(part: ReportFigure, heading: str) -> str:
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
    return (
        f"<figure><img width='{width}' alt='{escape(part.alt)}' "
        f"src='data:image/{kind};base64,{data}'>{_caption_html(part.caption)}</figure>"
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


def _table_html(part: ReportTable, heading: str) -> str:
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
    # A scrollable region must be reachable with the keyboard.
    opening = [
        f"<figure>{_caption_html(part.caption)}",
        f"<div tabindex='0' role='region' aria-label='{escape(part.caption or 'Table')}'>",
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
