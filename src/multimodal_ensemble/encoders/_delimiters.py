"""Which delimiter, if any, splits the strings of a column into tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

# More distinct strings than this are no categories.
MOST_CATEGORIES = 50
_END_OF_SENTENCE = re.compile(r"[^\W\d]{2}[.!?](\s|$)")
_FILE_NAME = re.compile(r"\.[A-Za-z]\w{0,4}$")


@dataclass(frozen=True)
class _Delimiter:
    mark: str
    # Least share of the strings that have it, and most words per piece.
    min_share: float
    max_words: float
    # How much more a string with this delimiter counts than one with a comma.
    weight: float
    # Whether it also occurs in texts, names and paths, so that more evidence is needed.
    is_weak: bool


_DELIMITERS = (
    _Delimiter("|", 0.1, 5, 4, is_weak=False),
    _Delimiter(";", 0.1, 5, 3, is_weak=False),
    _Delimiter("\t", 0.1, 5, 4, is_weak=False),
    _Delimiter("\n", 0.3, 3, 2, is_weak=True),
    _Delimiter(",", 0.2, 3, 1, is_weak=True),
    _Delimiter("/", 0.3, 2, 0.5, is_weak=True),
)


# A delimiter that splits nothing is worth a word if more strings than this have it.
_LEAST_SHARE = 0.2


@dataclass(frozen=True)
class Evidence:
    """What a delimiter does to the strings of a column."""

    delimiter: str
    n_rows: int
    share: float
    n_pieces: float
    n_words: float

    def describe(self, n_known: int) -> str:
        """Return the evidence as part of a sentence; `n_known` is the number of all rows."""
        rows = "rows" if self.n_rows == n_known else f"{self.n_rows:,} rows"
        return (
            f"{self.delimiter!r} in {_percent(self.share)} of {rows}, {self.n_pieces:.1f} pieces "
            f"of {self.n_words:.1f} words each"
        )


def find_delimiter(
    strings: Sequence[str], distinct: Collection[str], n_known: int
) -> tuple[str | None, str]:
    """Return the delimiter of tokens or None, and the evidence for and against each delimiter.

    Parameters
    ----------
    strings : sequence of str
        The strings of some rows.
    distinct : collection of str
        The distinct strings of all rows that have one.
    n_known : int
        Number of all rows that have one.

    Returns
    -------
    delimiter : str or None
        None for texts and categories.
    evidence : str
        Part of a sentence.
    """
    found = {}
    for delimiter in _DELIMITERS:
        n_with = sum(delimiter.mark in string for string in strings)
        if n_with:
            found[delimiter] = _measure(delimiter.mark, strings, n_with / len(strings))
    is_few = len(distinct) <= min(MOST_CATEGORIES, n_known / 2)
    usable = [
        delimiter
        for delimiter, evidence in found.items()
        if _splits(delimiter, evidence, strings, distinct if is_few else ())
    ]
    chosen = max(usable, key=lambda each: found[each].share * each.weight, default=None)
    others = [evidence for each, evidence in found.items() if each != chosen]
    if chosen is None:
        frequent = [each.describe(n_known) for each in others if each.share >= _LEAST_SHARE]
        return None, f"not split at {'; '.join(frequent)}" if frequent else ""
    parts = [f"strings delimited by {found[chosen].describe(n_known)}"]
    parts += [f"{other.delimiter!r} in {_percent(other.share)}" for other in others]
    return found[chosen].delimiter, "; ".join(parts)


def _measure(mark: str, strings: Sequence[str], share: float) -> Evidence:
    is_in_numbers = False
    if mark == ",":
        joined = "\n".join(strings)
        is_in_numbers = re.search(r"\d,\d", joined) is not None
        is_padded = re.search(r",(?![\s\d]|$)|[^\d],\d", joined, re.MULTILINE) is None
        mark = ", " if is_in_numbers and is_padded and ", " in joined else ","
    pieces = [piece for string in strings for piece in _split(string, mark)]
    n_words = sum(len(piece.split()) for piece in pieces) / max(1, len(pieces))
    return Evidence(mark, len(strings), share, len(pieces) / len(strings), n_words)


def _splits(
    delimiter: _Delimiter, evidence: Evidence, strings: Sequence[str], categories: Collection[str]
) -> bool:
    """Return whether a delimiter splits strings into tokens, and no text into clauses."""
    if evidence.share <= delimiter.min_share or evidence.n_words > delimiter.max_words:
        return False
    if not delimiter.is_weak:
        return True
    mark = evidence.delimiter
    pieces = Counter(piece for string in strings for piece in _split(string, mark))
    n_sentences = sum(_END_OF_SENTENCE.search(string) is not None for string in strings)
    n_files = sum(_FILE_NAME.search(string) is not None for string in strings)
    if n_sentences > len(strings) / 10 or (mark == "/" and n_files > len(strings) / 2):
        return False
    if categories:
        # Categories such as "Paris, France" have one length, and more pieces than categories.
        parts = [_split(string, mark) for string in categories]
        is_fixed = len(set(map(len, parts))) == 1
        return not is_fixed or len({piece for part in parts for piece in part}) <= len(parts)
    repeated = sum(n for n in pieces.values() if n > 1) / max(1, pieces.total())
    if evidence.share < 0.5 or evidence.n_words > 2 or mark == "/":
        return repeated > 0.5
    return repeated >= 0.1 or evidence.n_words <= 1.5


def _split(string: str, mark: str) -> list[str]:
    return [piece.strip() for piece in string.split(mark) if piece.strip()]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"
