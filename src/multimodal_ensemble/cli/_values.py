"""Texts of a file as numbers and as lists of labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._errors import CommandError

if TYPE_CHECKING:
    import pandas as pd

# Without a leading zero before other digits, which codes such as postcodes have.
_NUMBER = re.compile(
    r"[+-]?(?:(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*%?"
)
_DELIMITERS = "|;,"
_TRUE = {"1", "1.0", "true", "yes", "y"}
_FALSE = {"0", "0.0", "false", "no", "n"}


def read_number(text: str) -> float | None:
    """Return the number that a text such as "1,234.5" or "3 %" shows, or None."""
    if _NUMBER.fullmatch(text) is None:
        return None
    return float(text.replace(",", "").rstrip("% "))


def read_numbers(table: pd.DataFrame, columns: Iterable[str], *, only_whole: bool) -> None:
    """Turn texts that show numbers into numbers, in place.

    With `only_whole`, a column is turned as a whole or not at all. Otherwise, texts that show no
    number stay.
    """
    for column in columns:
        if column not in table:
            continue
        values = table[column].tolist()
        numbers = [read_number(value) if isinstance(value, str) else None for value in values]
        is_text = [isinstance(value, str) for value in values]
        is_whole = all(n is not None for n, text in zip(numbers, is_text, strict=True) if text)
        if any(is_text) and (is_whole or not only_whole):
            turned = [v if n is None else n for v, n in zip(values, numbers, strict=True)]
            table[column] = as_column(turned, table)


def as_column(values: Sequence[Any], table: pd.DataFrame) -> pd.Series:
    """Return values as a column of a table; lists stay as they are."""
    import pandas as pd

    return pd.Series(list(values), index=table.index, dtype=object)


def find_list_delimiter(values: Iterable[Any]) -> str | None:
    """Return the delimiter that most texts contain, or None if none does."""
    texts = [value for value in values if isinstance(value, str)]
    counts = Counter(each for text in texts for each in _DELIMITERS if each in text)
    # Of two that are equally frequent, the first.
    return max(_DELIMITERS, key=lambda each: counts[each]) if counts else None


# TODO: `fit(table, y="genres")` with label_delimiter= and min_label_count= will replace this.
def split_labels(
    values: Sequence[Any], delimiter: str | None
) -> tuple[list[list[str]], str | None]:
    """Return the labels of each row, and the delimiter that separates them.

    Names are stripped, and empty and repeated ones are left out.
    """
    delimiter = find_list_delimiter(values) if delimiter is None else delimiter
    rows = [_split(value, delimiter) for value in values]
    if not any(rows):
        msg = "No row has a label in this column; name another one with --labels."
        raise CommandError(msg)
    return rows, delimiter


def keep_frequent(rows: Sequence[list[str]], min_count: int) -> list[list[str]]:
    """Return rows without the labels that fewer of them have."""
    counts = Counter(label for row in rows for label in row)
    if max(counts.values(), default=0) < min_count:
        msg = f"No label is in {min_count} training rows; lower --min-label-count."
        raise CommandError(msg)
    return [[label for label in row if counts[label] >= min_count] for row in rows]


def _split(value: Any, delimiter: str | None) -> list[str]:
    from multimodal_ensemble._tables import is_missing

    if is_missing(value):
        return []
    if isinstance(value, str):
        parts: Iterable[Any] = [value] if delimiter is None else value.split(delimiter)
    else:
        parts = value if isinstance(value, Collection) else [value]
    names = (str(part).strip() for part in parts)
    return list(dict.fromkeys(name for name in names if name))


def join_label_columns(table: pd.DataFrame, columns: Sequence[str]) -> list[list[str]]:
    """Return the labels of each row from columns of 0 and 1, one for each label."""
    from multimodal_ensemble._tables import is_missing

    rows: list[list[str]] = [[] for _ in range(len(table))]
    for column in columns:
        for place, value in enumerate(table[column]):
            text = str(value).strip().lower()
            if text in _TRUE:
                rows[place].append(column)
            elif text not in _FALSE and not is_missing(value):
                msg = (
                    f"With several --labels, each column has 0 or 1 in each row. The column "
                    f"{column!r} has {value!r} in row {table.index[place]}."
                )
                raise CommandError(msg)
    return rows
