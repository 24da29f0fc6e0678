"""The command ``inspect``."""

from __future__ import annotations

import argparse
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import (
    add_columns,
    add_data,
    add_labels,
    columns_aside,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns, choose_encoders
from multimodal_ensemble.cli._errors import NoColumnError
from multimodal_ensemble.cli._labels import read_row_labels
from multimodal_ensemble.cli._models import list_encoders
from multimodal_ensemble.cli._row_reader import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from multimodal_ensemble.encoders import Encoder

_WIDTH = 36


def _add_arguments(add: Add) -> None:
    add_data(add, "file of rows")
    add_labels(add, is_required=False)
    add_columns(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    table = read_table(values.data, values, console)
    described = [_describe_column(name, table[name]) for name in map(str, table)]
    check_columns(table, columns_aside(values))
    counts: dict[str, int] = {}
    if values.labels:
        labels = read_row_labels(table, values.labels, console, delimiter=values.label_delimiter)
        counts = labels.count()
        table = labels.rows_of(table)
    code, reason = StringIO(), ""
    encoders: list[Encoder] = []
    try:
        with redirect_stdout(code):
            encoders = choose_encoders(table, values, console, verbose=1)
    except NoColumnError as error:
        reason = str(error)
    lines = [_format(described)]
    if counts:
        listed = sorted(counts.items(), key=lambda item: -item[1])
        lines.append("Labels: " + ", ".join(f"{label} {count:,}" for label, count in listed))
    else:
        lines.append(_suggest_labels(encoders))
    lines.append(code.getvalue().strip() or reason)
    console.show(
        "\n".join(lines),
        {
            "data": values.data,
            "n_rows": len(table),
            "columns": described,
            "labels": counts,
            "encoders": list_encoders(encoders),
            "code": code.getvalue(),
        },
    )


def _describe_column(name: str, column: pd.Series) -> dict[str, Any]:
    from multimodal_ensemble._tables import is_missing

    values = [value for value in column if not is_missing(value)]
    distinct = list(dict.fromkeys(map(str, values)))
    return {
        "column": name,
        "n_values": len(values),
        "n_missing": len(column) - len(values),
        "n_distinct": len(distinct),
        "examples": distinct[:2],
    }


def _format(described: list[dict[str, Any]]) -> str:
    head = ("column", "values", "missing", "distinct", "examples")
    rows = [
        (
            _shorten(each["column"]),
            f"{each['n_values']:,}",
            f"{each['n_missing']:,}",
            f"{each['n_distinct']:,}",
            "; ".join(_shorten(example) for example in each["examples"]),
        )
        for each in described
    ]
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(4)]
    return "\n".join(
        f"{row[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:4], widths[1:], strict=True))
        + f"  {row[4]}"
        for row in [head, *rows]
    )


def _shorten(text: str) -> str:
    """Return a text in one line of limited width."""
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def _suggest_labels(encoders: Sequence[Encoder]) -> str:
    """Return which columns may hold labels: those with several names in a row, or with few."""
    from multimodal_ensemble.encoders import BagOfWordsEncoder, CategoryEncoder

    several = [
        encoder.columns[0]
        for encoder in encoders
        if isinstance(encoder, BagOfWordsEncoder) and encoder.tokenizer != "words"
    ]
    single = [
        column
        for encoder in encoders
        if isinstance(encoder, CategoryEncoder)
        for column in encoder.columns
    ]
    return (
        f"Columns that may hold labels: {', '.join(several) or 'none'}; or one of several classes "
        f"per row: {', '.join(single) or 'none'}. Name it with --labels."
    )


INSPECT = Command(
    "inspect",
    "Show what each column of a file holds, and how train would read it.\n"
    "Nothing is trained or written.",
    _add_arguments,
    _execute,
)
