"""The labels of rows, from the columns that a command names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._text_rows import name_delimiter
from multimodal_ensemble.cli._values import join_label_columns, split_labels

if TYPE_CHECKING:
    import pandas as pd


def read_row_labels(
    table: pd.DataFrame,
    columns: Sequence[str],
    console: Console,
    *,
    delimiter: str | None = None,
) -> tuple[list[list[str]], str | None]:
    """Return the labels of each row and their delimiter, and say how many there are."""
    check_columns(table, columns)
    if len(columns) > 1:
        rows = join_label_columns(table, columns)
    else:
        rows, delimiter = split_labels(table[columns[0]].tolist(), delimiter)
    names = sorted({label for row in rows for label in row})
    where = "" if delimiter is None else f", separated by {name_delimiter(delimiter)}"
    n_without = sum(not row for row in rows)
    shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    console.note(
        f"{len(names)} labels in {', '.join(columns)}{where}: {shown}; {n_without:,} of "
        f"{len(rows):,} rows have none"
    )
    return rows, delimiter
