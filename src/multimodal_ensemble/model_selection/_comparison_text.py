"""Comparisons of models as text, in Markdown and in LaTeX."""

from __future__ import annotations

from typing import Any

import pandas as pd

from multimodal_ensemble._markdown import markdown_table
from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble._text import metric_title

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    # In the default encoding of fonts, these three are printed as other characters.
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def format_difference(row: Any, digits: int) -> str:
    """Return a difference with its interval, or an empty text for the baseline."""
    return _with_interval(row.difference, row.difference_low, row.difference_high, digits, sign="+")


def format_cells(table: pd.DataFrame, baseline: str, digits: int) -> tuple[list[str], list[Any]]:
    """Return the header and the rows of a table for readers."""
    rows: list[Any] = [*table.itertuples(index=False)]
    has_repeats = bool(table["sd_repeats"].notna().any())
    header = ["metric", "model", "score", f"minus {baseline}", "sd over rows"]
    if has_repeats:
        header.append("sd over repeats")
    body = [
        [
            metric_title(row.metric),
            row.model,
            _with_interval(row.score, row.low, row.high, digits),
            format_difference(row, digits),
            _number(row.sd_rows, digits),
            *([_number(row.sd_repeats, digits)] if has_repeats else []),
        ]
        for row in rows
    ]
    return header, body


def to_text(table: pd.DataFrame, baseline: str) -> str:
    """Return a table for a terminal, and one sentence per difference."""
    header, body = format_cells(table, baseline, 3)
    shown = pd.DataFrame(body, columns=header).to_string(index=False)
    sentences = [
        _sentence(row, baseline) for row in table.itertuples(index=False) if row.model != baseline
    ]
    lines = [line.rstrip() for line in shown.splitlines()]
    return "\n".join([*lines, *([""] if sentences else []), *sentences])


def to_markdown(table: pd.DataFrame, baseline: str, digits: int) -> str:
    """Return the table in Markdown."""
    header, body = format_cells(table, baseline, digits)
    is_text = [position < 2 for position in range(len(header))]
    cells = [[" ".join(cell.split()) for cell in row] for row in [header, *body]]
    return markdown_table(cells[0], cells[1:], is_text=is_text)


def to_latex(table: pd.DataFrame, baseline: str, digits: int) -> str:
    """Return the table in LaTeX."""
    header, body = format_cells(table, baseline, digits)
    rows = [" & ".join(map(_escape, cells)) + r" \\" for cells in [header, *body]]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}",
            r"\toprule",
            rows[0],
            r"\midrule",
            *rows[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _sentence(row: Any, baseline: str) -> str:
    metric = metric_title(row.metric)
    if not is_resolved(row):
        found = format_difference(row, 3) or "undefined"
        return f"{row.model} against {baseline} is not resolved in {metric}: {found}."
    first, second = (row.model, baseline) if row.difference > 0 else (baseline, row.model)
    low, high = sorted((abs(row.difference_low), abs(row.difference_high)))
    by = _with_interval(abs(row.difference), low, high, 3)
    return f"{first} beats {second} by {by} in {metric}."


def _with_interval(value: Any, low: Any, high: Any, digits: int, *, sign: str = "") -> str:
    if pd.isna(value):
        return ""
    return f"{value:{sign}.{digits}f} [{_number(low, digits, sign)}, {_number(high, digits, sign)}]"


def _number(value: Any, digits: int, sign: str = "") -> str:
    return "" if pd.isna(value) else f"{value:{sign}.{digits}f}"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
