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
    root_of,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns, choose_encoders
from multimodal_ensemble.cli._labels import read_row_labels
from multimodal_ensemble.cli._models import list_encoders
from multimodal_ensemble.cli._row_reader import read_table
from multimodal_ensemble.cli._text_rows import name_delimiter
from multimodal_ensemble.cli._values import find_list_delimiter, read_number

if TYPE_CHECKING:
    import pandas as pd

_WIDTH = 36


def _add_arguments(add: Add) -> None:
    add_data(add, "file of rows")
    add_labels(add, is_required=False)
    add_columns(add)


def _execute(values: argparse.Namespace, console: Console) -> None:
    table = read_table(values.data, values, console)
    described = [_describe_column(name, table[name]) for name in map(str, table)]
    aside = [*(values.labels or ()), *([] if values.id is None else [values.id])]
    check_columns(table, aside)
    counts: dict[str, int] = {}
    if values.labels:
        labels, _ = read_row_labels(table, values.labels, console, delimiter=values.label_delimiter)
        for label in (label for row in labels for label in row):
            counts[label] = counts.get(label, 0) + 1
    reasons = StringIO()
    with redirect_stdout(reasons):
        encoders = choose_encoders(
            table,
            values,
            console,
            excluded=aside,
            root=root_of(values, values.data),
            embed_tags=False,
            verbose=1,
        )
    chosen = reasons.getvalue().strip()
    lines = [_format(described)]
    if counts:
        listed = sorted(counts.items(), key=lambda item: -item[1])
        lines.append("Labels: " + ", ".join(f"{label} {count:,}" for label, count in listed))
    else:
        lines.append(_suggest_labels(described))
    lines.append(chosen or "Encoders: " + ", ".join(map(_name_encoder, encoders)))
    console.show(
        "\n".join(lines),
        {
            "data": values.data,
            "n_rows": len(table),
            "columns": described,
            "labels": counts,
            "encoders": list_encoders(encoders),
            "reasons": chosen,
        },
    )


def _describe_column(name: str, column: pd.Series) -> dict[str, Any]:
    from multimodal_ensemble._tables import is_missing

    values = [value for value in column if not is_missing(value)]
    distinct = list(dict.fromkeys(map(str, values)))
    # The commas of "1,234" separate no names.
    texts = [each for each in values if isinstance(each, str) and read_number(each) is None]
    delimiter = find_list_delimiter(texts)
    n_delimited = sum(str(delimiter) in each for each in texts)
    return {
        "column": name,
        "n_values": len(values),
        "n_missing": len(column) - len(values),
        "n_distinct": len(distinct),
        "delimiter": delimiter if n_delimited > len(texts) / 10 else None,
        "examples": distinct[:2],
    }


def _format(described: list[dict[str, Any]]) -> str:
    head = ("column", "values", "missing", "distinct", "examples")
    rows = [
        (
            each["column"],
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
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def _suggest_labels(described: list[dict[str, Any]]) -> str:
    """Return which columns may hold labels: those with several short names in a row."""
    found = [
        f"{each['column']} ({name_delimiter(each['delimiter'])})"
        for each in described
        if each["delimiter"] is not None and max(map(len, each["examples"])) < 2 * _WIDTH
    ]
    listed = ", ".join(found) if found else "none is delimited"
    return f"Columns that may hold labels: {listed}; name it with --labels."


def _name_encoder(encoder: Any) -> str:
    return f"{type(encoder).__name__}({encoder.name!r})"


INSPECT = Command(
    "inspect",
    "Show what each column of a file holds, and how train would read it.\n"
    "Nothing is trained or written.",
    _add_arguments,
    _execute,
)
