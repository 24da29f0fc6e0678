"""Labels in strings, as CSV files have them: how the strings are split."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from multimodal_ensemble._tables import is_missing

# In names, the first ones hardly occur. Others separate labels only where the pieces show it.
_CLEAR_DELIMITERS = ("|", ";", "\t", "\n")
_DELIMITERS = (*_CLEAR_DELIMITERS, ",", "/")
# Two quoted strings without a comma between them, as NumPy prints them, are one string in Python.
_WITHOUT_COMMA = re.compile(r"""(['"])\s+\1""")
# Longer texts are no lists of labels, and would take long to read.
_LONGEST_LIST = 2**20
# Strings that are inspected to find a delimiter.
_N_INSPECTED = 50_000


@dataclass(frozen=True)
class LabelFormat:
    """How strings hold labels: as lists that are written as text, or between delimiters.

    Parameters
    ----------
    delimiter : str or None
        What separates the labels of a row; None for lists, and empty if each row is one label.
    evidence : str
        What was found, for a message.
    """

    delimiter: str | None
    evidence: str

    def split(self, rows: Sequence[Any]) -> list[list[Any]]:
        """Return the labels of each row without white space around them, and without empty ones."""
        return [self._split(row) for row in rows]

    def _split(self, row: Any) -> list[Any]:
        if not isinstance(row, str) or not row.strip():
            return []
        if self.delimiter is None:
            pieces = read_list(row) or []
        else:
            pieces = row.split(self.delimiter) if self.delimiter else [row]
        labels = [piece.strip() if isinstance(piece, str) else piece for piece in pieces]
        return [*dict.fromkeys(label for label in labels if label != "")]


def find_label_format(
    rows: Sequence[Any], *, delimiter: str | None = None, classes: Collection[str] | None = None
) -> LabelFormat | None:
    """Return how strings hold labels, or None where no delimiter and no known label is found.

    Parameters
    ----------
    rows : sequence of str or missing values
        The strings of all rows.
    delimiter : str, optional
        What separates labels, if it is known.
    classes : collection of str, optional
        The known labels.
    """
    strings = [row for row in rows[:_N_INSPECTED] if isinstance(row, str) and row.strip()]
    if delimiter is not None:
        return LabelFormat(delimiter, f"split at {delimiter!r}")
    if strings and all(read_list(string) is not None for string in strings):
        return LabelFormat(None, "lists as text")
    found = [each for each in _DELIMITERS if any(each in string for string in strings)]
    pieces = {each: _distinct_pieces(strings, each) for each in found}
    whole = {string.strip() for string in strings}
    known = set() if classes is None else set(classes)
    if known.isdisjoint(whole.union(*pieces.values())):
        # The pieces at a delimiter recur, so that fewer of them are distinct.
        fits = [
            each for each in found if each in _CLEAR_DELIMITERS or len(pieces[each]) < len(whole)
        ]
        best = min(fits, key=lambda each: len(pieces[each]), default=None)
    else:
        # Strings that are labels as they are stay whole.
        shares_known = {None: _share(whole, known)} | {
            each: _share(pieces[each], known) for each in found
        }
        best = max(shares_known, key=lambda each: shares_known[each])
        if best is None:
            return LabelFormat("", "one label each")
    if best is None:
        return None
    shares = {each: sum(each in string for string in strings) / len(strings) for each in found}
    others = [f"{each!r} in {shares[each]:.0%}" for each in found if each != best]
    compared = f", and {', '.join(others)}" if others else ""
    return LabelFormat(best, f"split at {best!r}, which {shares[best]:.0%} have{compared}")


def read_list(string: str) -> list[Any] | None:
    """Return the strings or whole numbers of a list in JSON or Python, or None for others."""
    string = string.strip()
    if not (string.startswith(("[", "(", "{")) and string.endswith(("]", ")", "}"))):
        return None
    if len(string) > _LONGEST_LIST or _WITHOUT_COMMA.search(string):
        return None
    value = None
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(string)
            break
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    if not isinstance(value, list | tuple | set):
        return None
    # A list within the list, or a missing value in it, has no meaning here.
    return [*value] if all(type(item) in (str, int) for item in value) else None


def are_strings(rows: Sequence[Any]) -> bool:
    """Return whether rows are strings or missing, and at least one is a string."""
    has_string = False
    for row in rows:
        if isinstance(row, str):
            has_string = True
        elif not is_missing(row):
            return False
    return has_string


def _distinct_pieces(strings: Sequence[str], delimiter: str) -> set[str]:
    split = (piece.strip() for string in strings for piece in string.split(delimiter))
    return {piece for piece in split if piece}


def _share(pieces: Collection[str], known: Collection[str]) -> float:
    return sum(piece in known for piece in pieces) / max(1, len(pieces))
