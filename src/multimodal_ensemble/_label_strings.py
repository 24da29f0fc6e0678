"""Strings that are no labels or not the intended ones, with advice on how to repair them."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from multimodal_ensemble._tables import abbreviate, is_missing
from multimodal_ensemble._text import without_invisible
from multimodal_ensemble._warnings import warn

_DELIMITERS = "|;,/\t\n"
# Two quoted strings without a comma between them, as NumPy prints them, are one string in Python.
_WITHOUT_COMMA = re.compile(r"""(['"])\s+\1""")


def advise(rows: Sequence[Any], *, is_series: bool) -> str:
    """Return how to convert strings, one per row of y, to lists of labels."""
    strings = [row for row in rows if isinstance(row, str) and row.strip()]
    # Rows without labels need an empty list, which a method of a Series does not give them.
    has_lists = not all(isinstance(row, str) or is_missing(row) for row in rows)
    has_gaps = len(strings) < len(rows) and not has_lists
    gap = " if isinstance(row, str) and row.strip() else []" if has_gaps else ""
    is_series = is_series and not has_gaps
    if any(map(_is_printed, strings)) or (strings and all(map(_is_bracketed, strings))):
        if not all(map(_is_readable, strings)):
            return (
                "The string is a printed list whose labels cannot be separated reliably. Read the "
                "lists from their source, or store them in a format that keeps lists, such as "
                "JSON or Parquet."
            )
        how = f"[ast.literal_eval(row){gap} for row in y]"
        how = "y.map(ast.literal_eval)" if is_series else how
        return f"The string is a printed list. Convert it to a list, for example with {how}."
    found = "\0".join(strings)
    delimiter = next((each for each in _DELIMITERS if each in found), None)
    if delimiter is None:
        if has_gaps:
            return f"If each string is one label, pass [[row]{gap} for row in y]."
        return (
            "If each string is one label, pass [[label] for label in y], with an empty list for a "
            "row without labels."
        )
    pattern = rf"\s*{re.escape(delimiter)}\s*"
    used = set(re.findall(pattern, found))
    if len(used) == 1:
        how = f"split({used.pop()!r})"
        how = f"y.str.{how}" if is_series else f"[row.{how}{gap} for row in y]"
    elif is_series:
        how = f"y.str.split(r'{pattern}', regex=True)"
    else:
        how = f"[re.split(r'{pattern}', row){gap} for row in y]"
    return f"Split delimited strings first, for example with {how}."


def check_label_strings(
    labels: Iterable[Any], classes: Iterable[Any] | None = None, *, name: str
) -> None:
    """Refuse labels that are empty or printed lists, or nearly the same as another label.

    They are compared with each other and with the `classes` that are already known.
    """
    known = set() if classes is None else set(classes)
    strings = sorted({label for label in (*labels, *known) if isinstance(label, str)})
    if empty := [label for label in strings if not _clean(label)]:
        msg = (
            f"{name} has the empty label {empty[0]!r}. It is often a row without labels that was "
            "split as a string; give such rows an empty list, and remove empty labels."
        )
        raise ValueError(msg)
    if printed := [label for label in strings if _is_printed(label) or _is_cut(label)]:
        msg = (
            f"{name} has the label {printed[0]!r}, which is a printed list or part of one. Convert "
            "such strings to lists, for example with ast.literal_eval, and do not split them."
        )
        raise ValueError(msg)
    if same := _same_under(_clean, strings):
        msg = (
            f"{name} has labels that differ only in white space, invisible characters or the "
            f"Unicode normal form: {abbreviate(same)}. Make them equal, for example with "
            "unicodedata.normalize('NFC', label.strip())."
        )
        raise ValueError(msg)
    same = _same_under(lambda label: _clean(label).casefold(), strings)
    if not known.issuperset(same):
        warn(
            f"{name} has labels that differ only in upper and lower case, and are different "
            f"labels: {abbreviate(same)}. If they are meant to be the same, make them equal."
        )


def _is_bracketed(string: str) -> bool:
    return string.strip().startswith("[") and string.strip().endswith("]")


def _is_printed(string: str) -> bool:
    """Return whether a string looks like "['A', 'B']", "('A',)", "array(['A'])" or "[]"."""
    pattern = r"""\s*(\w+\()?[\[({]\s*(['"].*)?[\])}]\s*"""
    return re.fullmatch(pattern, string, re.DOTALL) is not None


def _is_cut(string: str) -> bool:
    """Return whether a string has the opening or closing bracket of a list, but not both."""
    string = string.strip()
    is_start, is_end = string.startswith("["), string.endswith("]")
    return is_start != is_end and string.count("[") != string.count("]")


def _is_readable(string: str) -> bool:
    """Return whether Python reads a string as the list that was printed."""
    if _WITHOUT_COMMA.search(string):
        return False
    try:
        value = ast.literal_eval(string.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return isinstance(value, list | tuple | set)


def _clean(label: str) -> str:
    normal = unicodedata.normalize("NFC", without_invisible(label))
    return " ".join(normal.replace("\u200b", "").split())


def _same_under(key: Any, labels: Sequence[str]) -> list[str]:
    """Return the first labels that have the same key, or none."""
    by_key: dict[str, list[str]] = {}
    for label in labels:
        by_key.setdefault(key(label), []).append(label)
    return next((same for same in by_key.values() if len(same) > 1), [])
