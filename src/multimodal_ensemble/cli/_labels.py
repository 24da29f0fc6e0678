"""The labels of rows, from the columns that a command names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._errors import CommandError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from multimodal_ensemble._target import Target

_FLAGS = dict.fromkeys(("1", "1.0", "true", "yes", "y"), 1.0) | dict.fromkeys(
    ("0", "0.0", "false", "no", "n"), 0.0
)


@dataclass(frozen=True)
class RowLabels:
    """Labels, or one class per row, as estimators take them and as a matrix."""

    values: pd.Series | pd.DataFrame
    # One column per label; of two classes, for the second one alone.
    matrix: NDArray[np.bool_]
    target: Target
    # What separates the labels of a row, if one column has them.
    delimiter: str | None

    def for_comparison(self) -> pd.Series | pd.DataFrame:
        """Return the class of each row, or a table with 0 or 1 for each label."""
        import pandas as pd

        if self.target.is_single:
            return self.values
        if isinstance(self.values, pd.DataFrame):
            for name, column in self.values.items():
                if (unknown := column.index[column.isna()]).size:
                    msg = (
                        f"Models are compared on known labels, and the column {name!r} has no "
                        f"value in {len(unknown):,} of {len(column):,} rows, the first is row "
                        f"{unknown[0]}. Leave these rows out, or that column."
                    )
                    raise CommandError(msg)
        return pd.DataFrame(self.matrix, index=self.values.index, columns=self.target.classes)

    def count(self) -> dict[str, int]:
        """Return the number of rows of each label or class."""
        counts = self.matrix.sum(axis=0).tolist()
        names = map(str, self.target.classes.tolist())
        first = [len(self.matrix) - sum(counts)] if self.target.kind == "binary" else []
        return dict(zip(names, [*first, *counts], strict=True))


def read_row_labels(
    table: pd.DataFrame,
    columns: Sequence[str],
    console: Console,
    *,
    delimiter: str | None = None,
    min_count: int = 1,
) -> RowLabels:
    """Return the labels of rows, and say how many there are."""
    from multimodal_ensemble._target import read_target

    values = select_labels(table, columns)
    if delimiter is None and len(columns) == 1:
        delimiter = _find_delimiter(values)
    matrix, target = read_target(
        values,
        name=", ".join(columns),
        delimiter=delimiter,
        min_count=min_count,
        report=console.note,
    )
    matrix = matrix == 1
    if not target.is_single:
        names = [str(label) for label in target.classes.tolist()]
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        where = "" if delimiter is None else f", separated by {delimiter!r}"
        n_without = int((~matrix.any(axis=1)).sum())
        console.note(
            f"{len(names)} labels in {', '.join(columns)}{where}: {shown}; {n_without:,} of "
            f"{len(matrix):,} rows have none"
        )
    return RowLabels(values, matrix, target, delimiter)


def select_labels(table: pd.DataFrame, columns: Sequence[str]) -> Any:
    """Return the column of labels, or several columns as 0, 1 and NaN for unknown labels."""
    from multimodal_ensemble._tables import is_missing

    check_columns(table, columns)
    if len(columns) > 1:
        return table[[*columns]].apply(_read_flags)
    values = table[columns[0]]
    if any(isinstance(value, list) for value in values):
        return values.map(lambda value: [] if is_missing(value) else value)
    return values


def check_classes(values: pd.Series) -> None:
    """Raise a CommandError unless each row has a value."""
    from multimodal_ensemble._tables import is_missing

    empty = [number for number, value in values.items() if is_missing(value)]
    if len(empty) == len(values):
        msg = f"No row has a value in the column {values.name!r}; name another one with --labels."
        raise CommandError(msg)
    if empty:
        msg = (
            f"The column {values.name!r} has no class in {len(empty):,} of {len(values):,} rows, "
            f"the first is row {empty[0]}. Leave these rows out. With --label-delimiter '|', rows "
            "have any number of labels, or none."
        )
        raise CommandError(msg)


def _find_delimiter(values: pd.Series) -> str | None:
    """Return what separates labels, None for lists, or raise an error if rows lack a class."""
    from multimodal_ensemble._label_format import are_strings, find_label_format

    rows = values.tolist()
    found = find_label_format(rows) if are_strings(rows) else None
    if found is None:
        check_classes(values)
        return None
    return found.delimiter or None


def _read_flags(column: pd.Series) -> pd.Series:
    from multimodal_ensemble._tables import is_missing

    flags = []
    for number, value in column.items():
        flag = float("nan") if is_missing(value) else _FLAGS.get(str(value).strip().lower())
        if flag is None:
            msg = (
                "With several --labels, each column has 0 or 1 in each row. The column "
                f"{column.name!r} has {value!r} in row {number}."
            )
            raise CommandError(msg)
        flags.append(flag)
    return column.__class__(flags, index=column.index, dtype=float)
