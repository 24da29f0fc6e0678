"""The labels of rows, from the columns that a command names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._row_reader import report_bad_rows
from multimodal_ensemble.cli._text_rows import BadRow

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from multimodal_ensemble._target import Target

_FLAGS = dict.fromkeys(("1", "1.0", "true", "yes", "y"), 1.0) | dict.fromkeys(
    ("0", "0.0", "false", "no", "n"), 0.0
)

_ADVICE = "(with --label-delimiter '|', rows have any number of labels, or none)"


@dataclass(frozen=True)
class RowLabels:
    """Labels, or one class per row, as estimators take them and as a matrix."""

    values: pd.Series | pd.DataFrame
    # One column per label; of two classes, for the second one alone.
    matrix: NDArray[np.bool_]
    target: Target
    # What separates the labels of a row, if one column has them.
    delimiter: str | None

    def rows_of(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of a table that have labels, or a class."""
        return table if len(table) == len(self.values) else table.loc[self.values.index]

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
    """Return the labels of rows, and say how many there are.

    Where each row has one class, rows without a class are left out with a warning.
    """
    from multimodal_ensemble._target import read_target

    values = select_labels(table, columns)
    if delimiter is None and len(columns) == 1:
        delimiter, has_classes = _find_delimiter(values)
        if has_classes:
            values, bad = split_off_rows_without_class(values)
            report_bad_rows(bad, console, what=f"left out, because no class is given {_ADVICE}")
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


def split_off_rows_without_class(values: pd.Series) -> tuple[pd.Series, list[BadRow]]:
    """Return the classes of the rows that have one, and the other rows.

    Raises
    ------
    CommandError
        If no row has a class.
    """
    empty: list[Any] = [number for number, value in values.items() if _is_empty(value)]
    if len(empty) == len(values):
        msg = f"No row has a value in the column {values.name!r}; name another one with --labels."
        raise CommandError(msg)
    reason = f"the column {values.name!r} is empty"
    return values.drop(index=empty), [BadRow(int(number), reason) for number in empty]


def find_separator(
    values: Any, target: Target, columns: Sequence[str], trained: str | None
) -> str | None:
    """Return what separates labels: what did so in the training rows, or what the rows show.

    Another separator is returned if the model then knows all labels, and no row has the former
    one; None if all rows are lists as text.

    Raises
    ------
    CommandError
        If the model knows less than half of the labels, and more of them with another separator.
    """
    from multimodal_ensemble._label_format import are_strings, find_label_format

    if trained is None or target.is_single or len(columns) > 1:
        return trained
    rows = values.tolist()
    if not are_strings(rows):
        return trained
    classes = [str(label) for label in target.classes.tolist()]
    found = find_label_format(rows, classes=classes)
    # With an empty delimiter, each string is one label.
    if found is None or found.delimiter in ("", trained):
        return trained
    if (other := found.delimiter) is None:
        return None
    known = set(classes)
    before = _list_names(rows, known, trained, is_single=False)
    after = _list_names(rows, known, other, is_single=False)
    share_before, share_after = (
        len(known & {*each}) / max(1, len(each)) for each in (before, after)
    )
    if share_before < share_after == 1 and not any(trained in str(row) for row in rows):
        return other
    if share_before < min(0.5, share_after):
        example = next(row for row in rows if isinstance(row, str) and other in row)
        msg = (
            f"The labels in the column {columns[0]!r} seem to be separated by {other!r}, as in "
            f"{example[:80]!r}, and those of the training rows are by {trained!r}, as in "
            f"{trained.join(classes[:2])!r}. If so, pass --label-delimiter {other!r}; with "
            f"--label-delimiter {trained!r}, labels that the model does not know are left out."
        )
        raise CommandError(msg)
    return trained


def check_known_labels(
    values: Any, target: Target, columns: Sequence[str], delimiter: str | None
) -> None:
    """Raise a CommandError if rows have no label, or none that a model knows.

    Several columns are labels each, and at least one value must be 1.
    """
    from multimodal_ensemble._tables import abbreviate

    if len(columns) > 1:
        if not (values == 1).to_numpy().any():
            found = "0 or missing" if values.notna().to_numpy().any() else "missing"
            msg = (
                f"No row has any of the labels {', '.join(columns)}, because all values are "
                f"{found}, so there is nothing to measure; name other columns with --labels."
            )
            raise CommandError(msg)
        return
    known = {str(label) for label in target.classes.tolist()}
    try:
        names = _list_names(values.tolist(), known, delimiter, is_single=target.is_single)
    except TypeError:
        # Lists of lists and objects are no labels, which `read_target` says.
        return
    if not names:
        msg = (
            f"No row has a label in the column {columns[0]!r}, so there is nothing to measure; "
            "name another one with --labels."
        )
        raise CommandError(msg)
    # A Parquet file with missing values has floats in place of whole numbers.
    if known.isdisjoint(map(str, names)) and not set(target.classes.tolist()) & set(names):
        kind = "classes" if target.is_single else "labels"
        separator = (
            "" if target.is_single else ", or what separates the labels with --label-delimiter"
        )
        msg = (
            f"The model knows none of the {kind} in the column {columns[0]!r}: the file has "
            f"{abbreviate(names)}, and the model {abbreviate(target.classes)}. Name another column "
            f"with --labels{separator}."
        )
        raise CommandError(msg)


def _list_names(
    rows: Sequence[Any], known: set[str], delimiter: str | None, *, is_single: bool
) -> list[Any]:
    """Return the distinct labels of rows, in order."""
    from multimodal_ensemble._label_format import find_label_format

    given = [row for row in rows if not _is_empty(row)]
    if not is_single and given and all(isinstance(row, str) for row in given):
        found = find_label_format(given, delimiter=delimiter, classes=known)
        given = given if found is None else found.split(given)
    lists = (row if isinstance(row, list | tuple) else [row] for row in given)
    return list(dict.fromkeys(name for row in lists for name in row if not _is_empty(name)))


def _is_empty(value: Any) -> bool:
    from multimodal_ensemble._tables import is_missing

    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _find_delimiter(values: pd.Series) -> tuple[str | None, bool]:
    """Return what separates labels, None for lists, and whether each row has one class instead."""
    from multimodal_ensemble._label_format import are_strings, find_label_format

    rows = values.tolist()
    found = find_label_format(rows) if are_strings(rows) else None
    if found is None:
        return None, not any(isinstance(row, list) for row in rows)
    return found.delimiter or None, False


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
