"""Strings that are no labels or not the intended ones, with advice on how to repair them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._text import without_invisible
from multimodal_ensemble._warnings import warn


def are_printed(rows: Sequence[Any]) -> bool:
    """Return whether the strings among some rows look like printed lists."""
    strings = [row for row in rows if isinstance(row, str) and row.strip()]
    return any(map(_is_printed, strings)) or (bool(strings) and all(map(_is_bracketed, strings)))


def advise(rows: Sequence[Any]) -> str:
    """Return how to convert strings, one per row of y, to lists of labels."""
    if are_printed(rows):
        return (
            "The string is a printed list whose labels cannot be separated reliably. Read the "
            "lists from their source, or store them in a format that keeps lists, such as "
            "JSON or Parquet."
        )
    has_gaps = not all(isinstance(row, str) and row.strip() for row in rows)
    gap = " if isinstance(row, str) and row.strip() else []" * has_gaps
    return (
        f"If each string is one label, pass [[row]{gap} for row in y]; if each holds several, pass "
        "what separates them as label_delimiter."
    )


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


def _clean(label: str) -> str:
    normal = unicodedata.normalize("NFC", without_invisible(label))
    return " ".join(normal.replace("\u200b", "").split())


def _same_under(key: Any, labels: Sequence[str]) -> list[str]:
    """Return the first labels that have the same key, or none."""
    by_key: dict[str, list[str]] = {}
    for label in labels:
        by_key.setdefault(key(label), []).append(label)
    return next((same for same in by_key.values() if len(same) > 1), [])
